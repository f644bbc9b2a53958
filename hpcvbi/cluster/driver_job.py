"""The SLURM job that the driver itself runs in: how long it has left, and how it goes again."""

import os
import re
import subprocess

from hpcvbi.core.errors import ClusterError, ConfigError

MARGIN_S = 120.0
"""Time before its end at which a driver stops [s]; a quarter of what it has, if that is less."""
_ANSWER_S = 60.0


def seconds_to_work() -> float | None:
    """Return for how long the driver may work before it has to stop [s]; None outside a job and
    where there is no limit.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return None
    try:
        said = _ask("squeue", "-h", "-j", job, "-o", "%L").strip()
    except ClusterError:  # then its signal has to do
        return None
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", said)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    left = ((24 * days + hours) * 60 + minutes) * 60.0 + seconds
    return left - min(MARGIN_S, left / 4)


def check_chain() -> None:
    """Raise ConfigError unless this runs in a job that can go again."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        raise ConfigError(
            "--chain puts the job that the driver runs in back into the queue, and this is no "
            "SLURM job: sbatch jobs/slurm.sh STUDY --chain"
        )
    if "Requeue=0" in _ask("scontrol", "show", "job", job):
        raise ConfigError(
            f"--chain: job {job} was submitted with --no-requeue: submit it without, or with "
            "--requeue"
        )


def requeue() -> None:
    """Put this job back into the queue with all its options; it ends here."""
    _ask("scontrol", "requeue", os.environ["SLURM_JOB_ID"])


def _ask(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_ANSWER_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(f"{words[0]} does not answer: {error}") from None
    if done.returncode:
        raise ClusterError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout

"""Where a study runs: on this machine, in SLURM jobs, or inside an allocation.

Nothing here alters a result. What belongs to a site stands in a profile, see `hpcvbi.config.site`.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hpcvbi.config.section import Count, Section, written_as, wrong

Word = Annotated[
    str,
    written_as(
        r"[A-Za-z0-9_.,:@+%-]{1,128}",
        "of letters, digits and _ . , : @ + % -, 128 at most, without blanks",
    ),
]
"""What stands in a `#SBATCH` line after an option's name."""
Memory = Annotated[
    str,
    written_as(
        r"(?![0.]+[A-Z])[0-9]{1,9}(\.[0-9]{1,9})?(MB|GB|TB|MiB|GiB|TiB)",
        "a number above 0 with MB, GB, TB, MiB, GiB or TiB: 180GiB",
    ),
]
Walltime = Annotated[
    str,
    written_as(
        r"(?!(0+-)?0+:00:)([0-9]{1,3}-)?[0-9]{1,3}:[0-5][0-9]:[0-5][0-9]",
        'a minute at least, as "04:00:00" or "1-12:00:00" (days-hours:minutes:seconds)',
    ),
]


def _one_line(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise wrong("must be one line of printable text")
    return text


Line = Annotated[str, AfterValidator(_one_line)]


def _ports(text: str) -> str:
    low, _, high = text.partition("-")
    if not 1024 <= int(low) < int(high) <= 65_535:
        raise wrong("write two numbers between 1024 and 65535, the smaller one first: 50000-50999")
    return text


Ports = Annotated[
    str,
    written_as(r"[0-9]{4,5}-[0-9]{4,5}", "two numbers: 50000-50999"),
    AfterValidator(_ports),
]


class Workers(Section):
    """What all kinds of clusters have in common."""

    interface: Word | None = None
    """Network interface that scheduler and workers talk over, such as ib0; null to let the system
    choose.
    """
    ports: Ports | None = None
    """Range of ports that scheduler and workers listen on, `50000-50999`, where a firewall opens
    only some; null for any.
    """
    scratch: Line | None = None
    """Folder on each node for what a worker spills, `$TMPDIR`; null for the system's own."""
    dashboard: bool = True
    """Whether the driver serves Dask's dashboard, on loopback only."""


class Local(Workers):
    """Workers on this machine."""

    kind: Literal["local"] = "local"
    workers: Annotated[int, Field(ge=0, le=10**6)] | None = None
    """Number of worker processes without a GPU; null for one per core, 0 for none."""
    gpus: Annotated[int, Field(ge=0, le=64)] = 0
    """Number of GPUs, each with a worker process of its own."""


class GpuJobs(Section):
    """Further jobs of one GPU each; what is absent is as in the jobs without."""

    jobs: Count
    """Number of jobs."""
    cpus: Count | None = None
    """Cores per job."""
    memory: Memory | None = None
    """Memory per job, `60GiB`."""
    walltime: Walltime | None = None
    """Longest time a job may run, hours:minutes:seconds."""
    account: Word | None = None
    """Account that is charged."""
    partition: Word | None = None
    """Partition (queue)."""
    qos: Word | None = None
    """Quality of service."""
    directives: tuple[Line, ...] | None = None
    """Further options of sbatch, one each: `--gres=gpu:a100:1` instead of `--gres=gpu:1`."""


class Slurm(Workers):
    """SLURM jobs, submitted by the driver; one job is one worker on one node, or on one GPU."""

    kind: Literal["slurm"]
    jobs: Count
    """Number of jobs; lost ones are replaced."""
    cpus: Count = 1
    """Cores per job: as many blocks are simulated in it at once."""
    memory: Memory
    """Memory per job, `180GiB`."""
    walltime: Walltime
    """Longest time a job may run, hours:minutes:seconds; near its end a worker finishes its blocks
    and leaves.
    """
    gpus: Literal[0, 1] = 0
    """GPUs per job."""
    gpu_jobs: GpuJobs | None = None
    """Jobs with a GPU beside these."""
    account: Word | None = None
    """Account that is charged."""
    partition: Word | None = None
    """Partition (queue)."""
    qos: Word | None = None
    """Quality of service."""
    directives: tuple[Line, ...] = ()
    """Further options of sbatch, one each: `--exclusive`."""
    setup: tuple[Line, ...] = ()
    """Shell commands at the start of each job, `module load python`."""
    python: Line | None = None
    """Interpreter on the nodes; null for the driver's own."""


class Srun(Workers):
    """Inside a SLURM allocation, without MPI: srun starts a worker for each of its tasks."""

    kind: Literal["srun"]
    cpus: Count | None = None
    """Blocks at once per task; null for the allocation's --cpus-per-task."""
    gpus: Literal[0, 1] = 0
    """GPUs per task."""


class Mpi(Workers):
    """Inside one MPI launch: rank 0 schedules, rank 1 drives, the others work."""

    kind: Literal["mpi"]
    cpus: Count | None = None
    """Blocks at once per rank; null for SLURM's --cpus-per-task, or 1."""
    gpus: Literal[0, 1] = 0
    """GPUs per working rank."""


Cluster = Annotated[Local | Slurm | Srun | Mpi, Field(discriminator="kind")]

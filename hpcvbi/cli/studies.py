"""Commands that take a study: `hpcvbi plan | run | extend | status | report STUDY`."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from hpcvbi.cli.console import make_console
from hpcvbi.cli.parts import Part, show_status
from hpcvbi.core.errors import Stopped

if TYPE_CHECKING:
    from hpcvbi.config import Site, Study

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file (YAML).")]
ProfileName = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Where the study runs: NAME.yaml in ~/.config/hpcvbi, or a path that ends in .yaml; "
        "else $HPCVBI_PROFILE, else default.yaml there, if there is one.",
    ),
]
InTurns = Annotated[
    bool,
    typer.Option(
        "--chain",
        help="Put the SLURM job that this runs in back into the queue when its wall time is near.",
    ),
]
RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="Try failed draws again, and learn anew from what rests on them.",
    ),
]
ClusterText = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="KIND",
        help="On top of study and profile: local, slurm, srun, mpi, or '{jobs: 8}'.",
    ),
]


def plan(
    study: StudyFile,
    profile: ProfileName = None,
    cluster: ClusterText = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Simulate a few steps here, to learn the speed.")
    ] = False,
) -> None:
    """Say what a run would do and cost, on this cluster. Spends nothing, writes nothing.

    People, draws, blocks, files, bytes, core-hours, wall time, the scheduler's load, what to change
    where it does not fit, and the jobs that would be submitted.
    """
    from hpcvbi import campaign
    from hpcvbi.cli import show_plan
    from hpcvbi.config import check, load, site_of

    site = site_of(profile, cluster)
    loaded = load(study, site.layers)
    people = campaign.people_of(loaded)
    check(loaded, people)
    subjects = campaign.subjects_of(loaded, people)
    planned = campaign.plan(loaded, subjects, campaign.pace_of(loaded, subjects, measure))
    found = campaign.forecast(loaded, planned, str(Path(loaded.output).resolve()))
    console = make_console()
    say_unasked(console, loaded, site)
    show_plan.plan(console, loaded, planned)
    show_plan.forecast(console, found)


def run(
    study: StudyFile,
    retry_failed: RetryFailed = False,
    chain: InTurns = False,
    part: Part = None,
    profile: ProfileName = None,
    cluster: ClusterText = None,
) -> None:
    """Run the study to its end, or resume it: only what is missing is computed.

    A block that fails limits.attempts times (an error, no memory, no end
    within limits.seconds) is stored as failed draws. They are counted, left
    out, and kept when the study is resumed.

    Exit codes:
    0 - done
    1 - done, but somebody could not be inferred
    2 - an error, named in one message: a full disk, another study, ...
    75 - stopped by SIGTERM, SIGINT, SIGHUP or its job's wall time, within
    half a minute; what is finished is marked, the same command resumes
    130 - interrupted before it began, or twice; 137 - killed: the same holds
    """
    with entered(study, profile, cluster) as (loaded, site):
        _run(study, loaded, site, retry_failed, chain, part)


def extend(
    study: StudyFile,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, and run the study.")] = False,
    profile: ProfileName = None,
    cluster: ClusterText = None,
) -> None:
    """Let a study grow: after you have added people, rounds or draws to its file.

    Says what stays and what is superseded; with --yes the larger study takes over, and runs.
    """
    from hpcvbi import campaign
    from hpcvbi.cli import show_store

    console = make_console()
    with entered(study, profile, cluster) as (loaded, site):
        people = campaign.people_of(loaded)
        show_store.extension(console, campaign.plan_extension(loaded, people))
        if not yes:
            console.print("nothing was written; to do it: the same command with --yes")
            return
        campaign.extend(loaded, people)
        _run(study, loaded, site)


def status(study: StudyFile) -> None:
    """Say how far the study is, from the ledger alone; also beside a live run."""
    from hpcvbi.config import load

    show_status(make_console(), Path(load(study, None).output))


def report(study: StudyFile) -> None:
    """Build report.html anew from the store."""
    from hpcvbi.cli import show
    from hpcvbi.config import load
    from hpcvbi.report import build
    from hpcvbi.store import storage_faults

    console = make_console()
    folder = Path(load(study, None).output)
    with storage_faults(folder):
        written = build(folder)
    show.results(console, folder)
    console.print(f"report: {written}", soft_wrap=True)


@contextmanager
def entered(
    study: Path, profile: str | None, cluster: str | None
) -> Iterator[tuple["Study", "Site"]]:
    """Read a study that is to run; of an MPI launch, one rank alone goes on from here."""
    from hpcvbi.cluster import enter
    from hpcvbi.config import load, site_of

    sites: list[Site] = []

    def read() -> "Study":
        sites.append(site_of(profile, cluster))
        return load(study, sites[0].layers)

    with enter(read) as loaded:
        yield loaded, sites[0]


def _run(
    study: Path,
    loaded: "Study",
    site: "Site",
    retry_failed: bool = False,
    chain: bool = False,
    part: str | None = None,
) -> None:
    from hpcvbi import campaign
    from hpcvbi.cli import show
    from hpcvbi.cli.progress import progress_on
    from hpcvbi.report import build
    from hpcvbi.store import progress as progress_of
    from hpcvbi.store import storage_faults

    console = make_console()
    again = ["hpcvbi", "run", *site.asked, str(study)]
    say_unasked(console, loaded, site)
    if part is not None:
        loaded, again = campaign.part_of(loaded, part), [*again, "--part", part]
    folder, people = Path(loaded.output), campaign.people_of(loaded)
    draws = sum(draws for draws, _ in campaign.rounds_of(loaded).values())
    with progress_on(console, folder, draws) as progress:
        try:
            outcome = campaign.conduct(loaded, people, progress, retry_failed, chain)
        except Stopped as stopped:
            raise Stopped(f"{stopped}. To resume: {shlex.join(again)}") from None
    with storage_faults(folder):
        report = build(folder)
    show.results(console, folder)
    console.print(f"{outcome.blocks} blocks computed; report: {report}", soft_wrap=True)
    show.failed_draws(console, progress_of(folder), again)
    if outcome.failed:
        show.failures(console, outcome)
        raise typer.Exit(1)


def say_unasked(console: Console, study: "Study", site: "Site") -> None:
    """Show which profile counts, where nobody asked for it."""
    if site.unasked is not None:
        console.print(f"cluster: {study.cluster.kind}; {site.unasked}", soft_wrap=True)

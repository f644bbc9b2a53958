"""The command line: `hpcvbi plan | run | status | extend | merge | report STUDY`, `hpcvbi choose
STUDY STUDY...`, `hpcvbi group | verify | export | withdraw STORE`, `hpcvbi simulate FILE`, `hpcvbi
doctor`. No logic lives here.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from hpcvbi.cli.choices import choose
from hpcvbi.cli.console import make_console
from hpcvbi.cli.groups import group
from hpcvbi.cli.parts import merge
from hpcvbi.cli.studies import extend, plan, report, run, status
from hpcvbi.core.errors import HpcvbiError, KeyRefused, Stopped

RESUMABLE = 75
"""Exit code of a run that was asked to stop: EX_TEMPFAIL of sysexits.h, "try again"."""

app = typer.Typer(
    name="hpcvbi",
    help="Virtual Brain Inference: from recordings of a cohort to calibrated brain network models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def simulate(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="What to simulate (YAML).")
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Print a file that can be simulated as it is.")
    ] = False,
) -> None:
    """Simulate one brain, for one or a few draws: signals to NetCDF or Zarr, and a picture.

    To begin: hpcvbi simulate --example > simulate.yaml, then hpcvbi simulate simulate.yaml.
    """
    from hpcvbi.config import EXAMPLE, load_trial

    if example:
        print(EXAMPLE.read_text(encoding="utf-8"), end="")
        return
    if file is None:
        raise typer.BadParameter("name a FILE; `hpcvbi simulate --example` prints one")
    from hpcvbi import campaign
    from hpcvbi.cli import show

    show.trial(make_console(), campaign.simulate_trial(load_trial(file)))


for command in (plan, run, extend, merge, status, report, group, choose):
    app.command()(command)


@app.command()
def verify(
    store: Annotated[
        Path, typer.Argument(metavar="STORE", help="A study's output folder; no study file needed.")
    ],
    repair: Annotated[
        bool, typer.Option("--repair", help="Compute again exactly what is damaged.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that simulate; one per core by default.")
    ] = None,
    trust_model: Annotated[
        bool, typer.Option("--trust-model", help="Execute the model's Python text in the store.")
    ] = False,
) -> None:
    """Check every byte that the ledger of a store names, also beside a live run.

    Exit code 0: all holds. 1: something is damaged (after --repair: still is). 2: it cannot be
    checked, or not be repaired.
    """
    from hpcvbi import campaign
    from hpcvbi.cli import show_store
    from hpcvbi.cli.progress import progress_on

    console = make_console()
    found = campaign.verify(store)
    show_store.survey(console, found)
    if repair and not (found.holds and not found.index_behind):
        with progress_on(console, store, 0) as progress:
            repaired = campaign.repair(store, progress, workers, trust_model)
        show_store.repaired(console, repaired)
        found = repaired.after
        if repaired.failed or repaired.different:
            raise typer.Exit(1)
    elif found.damage:
        console.print(f"to mend it: hpcvbi verify {store} --repair", soft_wrap=True)
    if not found.holds:
        raise typer.Exit(1)


@app.command()
def export(
    store: Annotated[
        Path, typer.Argument(metavar="STORE", help="The study's output folder, or its store.zarr.")
    ],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="What to write; must be free.")],
    format: Annotated[
        str | None,
        typer.Option(
            help="netcdf | arviz | pyabc | csv; by default as TARGET ends: .nc, .zarr, .db, .csv."
        ),
    ] = None,
    person: Annotated[
        list[str] | None, typer.Option(help="Whom to export, more than once; everybody if absent.")
    ] = None,
) -> None:
    """Write the results for other programs: NetCDF, ArviZ, pyABC's visualisers, a table.

    netcdf: everything, in one file TARGET.nc or, into a folder, in a classic file per group.
    arviz: the inference in ArviZ's groups. pyabc: rounds as populations of a SQLite history.
    csv: posterior samples.
    Of a choice between models: netcdf, and pyabc with all generations of all models.
    """
    from hpcvbi import campaign

    name = campaign.export(store, target, format, person)
    make_console().print(f"wrote {target} ({name})", soft_wrap=True)


@app.command()
def withdraw(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="The output folder of a study.")],
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="Whose data have to go.")],
) -> None:
    """Delete all that a store holds of a person, for good, and build the report anew."""
    from hpcvbi import store as stores
    from hpcvbi.campaign import build_page
    from hpcvbi.cli import show

    withdrawal = stores.withdraw(store, subject)
    show.withdrawal(make_console(), withdrawal)
    try:
        build_page(store)
    except KeyRefused as error:
        raise KeyRefused(
            f"{error}; the data are deleted, the report is as it was: run this again with the key"
        ) from None


@app.command()
def doctor() -> None:
    """Find out, by running it, whether the engine works on this machine, GPU included."""
    from hpcvbi.cli import show
    from hpcvbi.sim.doctor import diagnose

    findings = diagnose()
    show.health(make_console(), findings)
    if any(finding.verdict == "problem" for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; an error that is known becomes one message and exit code 2."""
    try:
        app()
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(RESUMABLE)  # Python would wait for threads of Dask that wait for workers
    except HpcvbiError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; the same command resumes the study", file=sys.stderr)
        sys.stderr.flush()
        os._exit(130)

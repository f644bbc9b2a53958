"""`hpcvbi choose STUDY STUDY...`: which of several studies' models the recordings speak for."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from hpcvbi.cli.console import make_console
from hpcvbi.cli.studies import (
    ClusterText,
    InTurns,
    ProfileName,
    RetryFailed,
    entered,
    say_unasked,
)
from hpcvbi.core.errors import Stopped


def choose(
    studies: Annotated[
        list[Path], typer.Argument(metavar="STUDY STUDY...", help="Two study files, or more.")
    ],
    output: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The choice's own store; not a study's output.")
    ],
    settings: Annotated[
        str | None,
        typer.Option(
            metavar="MAPPING",
            help="Of the ABC-SMC: '{rounds: 20, draws: 1000, particles: 500, quantile: 0.5, "
            "min_epsilon: 0, prior: {NAME: 2}}' and what else `hpcvbi.infer.choice` knows.",
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the tables there too, .csv or .json: the models' as FILE, their "
            "parameters' beside it, as NAME.parameters.csv or .json.",
        ),
    ] = None,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Only say what it would do and cost at most; writes nothing."),
    ] = False,
    retry_failed: RetryFailed = False,
    chain: InTurns = False,
    profile: ProfileName = None,
    cluster: ClusterText = None,
) -> None:
    """Say how probable each study's model is for each person: by ABC-SMC over all of them.

    And what each model's parameters are, given that model: median and the interval
    that holds nine tenths, from its particles in the last generation. A model that
    a recording speaks against has few, and there is a warning where they are fewer
    than 20. `hpcvbi export` writes all of them, and report.html in the folder shows
    everything.

    People, recordings and features must be the same in all studies. Cluster and
    limits are those of the first. What is finished is kept: the same command
    resumes, and with more rounds goes on. Exit codes are those of `hpcvbi run`.
    """
    from hpcvbi import campaign
    from hpcvbi.cli import show, show_choice, show_plan
    from hpcvbi.cli.progress import progress_on
    from hpcvbi.config import load, mapping
    from hpcvbi.report import build_choice
    from hpcvbi.store import progress as progress_of
    from hpcvbi.store import storage_faults

    if table is not None:
        show_choice.check_table(table)
    console = make_console()
    with entered(studies[0], profile, cluster) as (first, site):
        say_unasked(console, first, site)
        others = [load(path, site.layers) for path in studies[1:]]
        given = {} if settings is None else mapping(settings, "--settings")
        rivals = campaign.rivals_of([first, *others], output, given)
        if plan:
            planned = campaign.plan_choice(rivals)
            show_plan.plan(console, first, planned)
            show_plan.forecast(console, campaign.forecast(first, planned, str(rivals.folder)))
            return
        again = ["hpcvbi", "choose", *site.asked, *map(str, studies), "--output", str(output)]
        again += [] if settings is None else ["--settings", settings]
        draws = rivals.choice.rounds * rivals.choice.draws
        with progress_on(console, output, draws) as progress:
            try:
                outcome = campaign.choose(rivals, progress, retry_failed, chain)
            except Stopped as stopped:
                raise Stopped(f"{stopped}. To resume: {shlex.join(again)}") from None
    found, posteriors = campaign.verdicts(output), campaign.posteriors(output)
    with storage_faults(output):
        report = build_choice(output, posteriors)
    show_choice.verdicts(console, found, posteriors)
    if table is not None:
        for path in show_choice.write_tables(table, found, posteriors):
            console.print(f"wrote {path}", soft_wrap=True)
    console.print(f"{outcome.blocks} blocks computed; report: {report}", soft_wrap=True)
    show.failed_draws(console, progress_of(output), again)
    if outcome.failed:
        show.failures(console, outcome)
        raise typer.Exit(1)

"""A study of three people who share a network, run in this process, and a fourth who joins them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from in_process import Silent, Together
from synthetic_people import write_people, write_study

from hpcvbi import campaign
from hpcvbi.campaign.identity import manifest_of
from hpcvbi.campaign.loop import run
from hpcvbi.campaign.stop import Stop
from hpcvbi.cluster import Learned
from hpcvbi.cluster.task import simulate_block
from hpcvbi.config import Study, cohort_of, load
from hpcvbi.core.block import Block, BlockReport
from hpcvbi.store import Driver

DRAWS, VOLUMES = 32, 60
KNOWN = {"anna": 0.8, "ben": 0.7, "carl": 1.0}
EVERYBODY = {**KNOWN, "dora": 0.9}
INFERENCE = """\
inference:
  algorithm: npe
  rounds: 1
  cohort: true
"""


class Disorderly(Together):
    """Hands over one thing at a time, the last first, as a cluster of many workers might."""

    def wait(self, timeout: float | None = None) -> list[BlockReport | Learned]:
        if self.learned:
            return [self.learned.pop()]
        return [simulate_block(self.folder, self.submitted.pop())] if self.submitted else []


def written(place: Path, out: Path, people: Sequence[str], change=("", "")) -> Study:
    """A study of these people, in the folder of all."""
    file = out.with_suffix(".yaml")
    write_study(file, place / "people", out, DRAWS, epochs=4)
    text = file.read_text().replace("inference:\n", INFERENCE)
    text = text.replace("tr: 0.72", f"tr: 0.72, people: [{', '.join(people)}]")
    file.write_text(text.replace(*change))
    return load(file)


def compute(
    study: Study, executor: Callable[[Path], Together] = Together, failed: Sequence[str] = ()
) -> list[Block]:
    """Run a study in this process, and return the blocks that were computed."""
    people, out, seen = campaign.people_of(study), Path(study.output), []

    class Seeing(Silent):
        def computed(self, report: BlockReport) -> None:
            seen.append(report.block)

    with Driver.create(out, *manifest_of(study, people)) as store:
        outcome = run(study, people, store, lambda: executor(out), Seeing(), Stop())  # type: ignore
    assert sorted(outcome.failed) == list(failed), outcome.failed
    return seen


def write_everybody(place: Path) -> Path:
    """Write a folder of four people, and run a study of three of them in `three`."""
    write_people(place / "people", EVERYBODY, VOLUMES)
    compute(written(place, place / "three", list(KNOWN)))
    return place


def grown(place: Path, out: Path) -> Study:
    """Let dora join the study of the three."""
    study = written(place, out, list(EVERYBODY))
    planned = campaign.plan_extension(study, cohort_of(study))
    assert planned.draws["round_000"] == 0 and planned.draws["predictive"] == 32
    campaign.extend(study, cohort_of(study))
    return study

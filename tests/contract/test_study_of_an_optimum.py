"""A study whose algorithm is an optimiser, from its file to its report: the store and the page say
that there is no posterior.
"""

from pathlib import Path

import numpy as np
import pytest
from in_process import Silent, Together
from synthetic_people import write_study

from hpcvbi import open_store
from hpcvbi.campaign import pool_people
from hpcvbi.campaign.loop import run
from hpcvbi.campaign.stop import Stop
from hpcvbi.config import cohort_of, identity, load
from hpcvbi.core.errors import StoreError
from hpcvbi.report import build, findings, judged
from hpcvbi.report.summary import summary
from hpcvbi.report.table import ABSENT, row
from hpcvbi.store import Driver, progress

SETTINGS = "{replicates: 2, weights: {fc: 1.0, fc_sc_r: 0.5, stability: 0.1, prior: 0.01}}"


@pytest.mark.parametrize(
    ("algorithm", "rounds", "kind"),
    [("grid", 1, "point estimate"), ("cmaes", 2, "search distribution")],
)
def test_an_optimum_is_simulated_judged_and_never_called_a_posterior(
    people_folder: Path, tmp_path: Path, algorithm: str, rounds: int, kind: str
) -> None:
    path, out = tmp_path / "study.yaml", tmp_path / "out"
    lines = write_study(path, people_folder, out, draws=16).read_text().splitlines()
    (at,) = (k for k, line in enumerate(lines) if line.startswith("  settings:"))
    lines[at] = f"  algorithm: {algorithm}\n  rounds: {rounds}\n  settings: {SETTINGS}"
    path.write_text("\n".join(lines) + "\n")
    study = load(path)
    people = cohort_of(study)[:1]
    manifest, sha256 = identity(study, people)
    with Driver.create(out, manifest, sha256) as store:
        outcome = run(study, people, store, lambda: Together(out), Silent(), Stop())  # type: ignore
    assert not outcome.failed

    found = open_store(out)["anna/posterior"]
    assert found.attrs["kind"] == kind
    assert found.attrs["draws_proposed"] == 16 * rounds
    simulated = {r.round: r.draws for r in progress(out).rounds}
    assert sum(n for name, n in simulated.items() if name.startswith("round_")) == 16 * rounds
    G = found["G"].values.ravel()
    assert (np.ptp(G) == 0) == (algorithm == "grid") and ((G >= 0.4) & (G <= 1.3)).all()
    evaluation = open_store(out)["anna/evaluation"]
    assert np.isnan(evaluation["z_sd"]).all() and np.isfinite(evaluation["model_r"])

    (result,) = judged(out)
    said = {f.about: f for f in findings(result)}
    assert (
        said["point estimate"].loud and f"the {kind} of an optimiser" in said["point estimate"].text
    )
    assert not {"not identified", "calibration", "miscalibrated", "identifiability"} & said.keys()
    assert "calibration" not in simulated and np.isnan(evaluation["calibrated"])
    assert "identifies G" not in " ".join(summary([result], ["anna"]))
    cells = row(result)
    assert (cells["calibrated"], cells["identifiability"]) == ("unchecked", ABSENT)
    assert cells["G"].endswith(" (best point)") and cells["G recovery z"] == ABSENT
    assert f"no posterior but the {kind}" in build(out).read_text()
    with pytest.raises(StoreError, match=f"anna are no posterior but the {kind}"):
        pool_people(out)

"""Workers with a GPU beside workers without, in numba's CUDA simulator: who computes what."""

from pathlib import Path

import numpy as np
import pytest
from conftest import Quiet
from synthetic_people import synthetic_connectome

from hpcvbi.campaign.loop import Loop
from hpcvbi.campaign.stop import Stop
from hpcvbi.campaign.subjects import subjects_of
from hpcvbi.campaign.wishes import Simulate
from hpcvbi.cluster import Executor, check_offer, start
from hpcvbi.config import Study, cohort_of, identity, load
from hpcvbi.core.errors import ConfigError
from hpcvbi.store import Driver, Store

STUDY = """\
name: short
output: {output}
cohort: {{kind: tables, folder: {people}, tr: 0.02}}
model: {{name: wong_wang_ei}}
noise: {{on: [S_E]}}
parameters:
  G: {{prior: uniform, low: 0.4, high: 1.3}}
simulation: {{dt: 2.0, burn_in: 0, dtype: float64, backend: {backend}}}
bold: {{of: S_E, step: 20.0}}
features: {{names: [fc_mean]}}
yardsticks: {{grid: {{over: G}}}}
block: 4
keep: [bold]
cluster: {{kind: local, dashboard: false, workers: {workers}, gpus: {gpus}}}
"""
DRAWS = 8


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person of four regions, recorded for half a second."""
    folder = tmp_path_factory.mktemp("people")
    connectome = synthetic_connectome(3, 4)
    (folder / "anna").mkdir()
    np.savetxt(folder / "anna/weights.csv", connectome.weights + 0.1, delimiter=",")
    np.savetxt(folder / "anna/lengths.csv", connectome.lengths, delimiter=",")
    bold = np.random.default_rng(0).normal(size=(25, 4))
    np.savetxt(folder / "anna/bold.csv", bold, delimiter=",")
    return folder


def study_in(folder: Path, people: Path, backend: str, workers: int, gpus: int) -> Study:
    folder.mkdir(parents=True, exist_ok=True)
    path, output = folder / "study.yaml", folder / "out"
    words = {"backend": backend, "workers": workers, "gpus": gpus}
    path.write_text(STUDY.format(people=people, output=output, **words))
    return load(path)


def one_round(study: Study) -> dict[str, list[bool]]:
    """Run a single round; return which kind of worker has loaded what simulates on GPUs."""
    cohort, seen = cohort_of(study), dict[str, list[bool]]()

    def chain():
        theta = np.linspace(0.5, 1.2, DRAWS)[:, None]
        yield Simulate("round_000", theta, study.keep)

    def loaded() -> list[str]:
        import sys

        return [name for name in sys.modules if name == "hpcvbi.sim.cuda.backend"]

    with Driver.create(study.output, *identity(study, cohort)) as store:
        subjects = {s.name: s for s in subjects_of(study, cohort)}
        executors: list[Executor] = []

        def started() -> Executor:
            executors.append(start(study, str(Path(study.output).resolve())))
            return executors[0]

        loop = Loop(study, subjects, store, started, Quiet(), Stop())
        try:
            loop.run({"anna": chain()})
            (executor,) = executors
            found = executor._client.run(loaded)
            for address, offer in executor._offers().items():
                (device,) = offer
                seen.setdefault(device, []).append(bool(found[address]))
        finally:
            loop.close()
        store.finish()
    return seen


def test_blocks_for_gpus_go_to_the_workers_that_have_one(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    gpu = study_in(tmp_path / "gpu", people, "cuda", workers=1, gpus=1)
    assert one_round(gpu) == {"GPU": [True], "CPU": [False]}
    monkeypatch.delenv("NUMBA_ENABLE_CUDASIM")
    cpu = study_in(tmp_path / "cpu", people, "cpu", workers=1, gpus=1)
    assert one_round(cpu) == {"GPU": [False], "CPU": [False]}

    assert gpu.sha256 != cpu.sha256
    names = ["status", "bold", "features"]
    a, b = (Store.open(s.output).read("anna", "round_000", names) for s in (gpu, cpu))
    np.testing.assert_array_equal(a["status"], b["status"])
    np.testing.assert_allclose(a["bold"], b["bold"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(a["features"], b["features"], rtol=1e-4)


@pytest.mark.parametrize(
    ("backend", "workers", "gpus", "words"),
    [("cuda", 2, 0, "has no GPU"), ("cpu", 0, 1, "has GPUs only")],
)
def test_a_cluster_without_a_fitting_worker_is_refused(
    people: Path, tmp_path: Path, backend: str, workers: int, gpus: int, words: str
) -> None:
    study = study_in(tmp_path, people, backend, workers, gpus)
    with pytest.raises(ConfigError, match=words):
        check_offer(study)

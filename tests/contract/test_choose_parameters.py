"""What a choice knows of each model's parameters, where posteriors and evidences are known: with
features that are linear in the unit cube with Gaussian noise, in place of a simulated brain,

    x_k = x_ok + u_k - c_k + s e_k  (k = 1, 2),    x_3 = x_o3 + t_m e_3,

the posterior of u is N(c, s^2), and the third feature alone tells the models apart.
"""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from conftest import files, hpcvbi
from in_process import Silent, Together
from rival_studies import write_rivals
from scipy.integrate import quad
from scipy.stats import norm

from hpcvbi.campaign import (
    ModelPosterior,
    Rivals,
    choice,
    choose,
    export,
    posteriors,
    rivals_of,
    verdicts,
)
from hpcvbi.campaign.again import rests_on
from hpcvbi.cluster import Failure
from hpcvbi.config import load
from hpcvbi.core.block import BlockReport, Status
from hpcvbi.core.errors import ExportError, StoreMismatch
from hpcvbi.core.seeds import generator
from hpcvbi.store import Driver, Store

SETTINGS = {"rounds": 9, "draws": 1000, "particles": 400}
C, S = np.array([0.45, 0.55]), 0.1
T = {"gating": 0.2, "linear_": 0.3}


@dataclass
class Gaussian(Together):
    """Writes such features; the blocks that are to fail raise, and `tried` holds them."""

    rivals: Rivals
    fail: set[tuple[str, int]] = field(default_factory=set)
    tried: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.rivals.folder)

    def wait(self, timeout: float | None = None) -> list:
        blocks, self.submitted = self.submitted, []
        store, found = Store.open(self.folder), super().wait(timeout)
        for block in blocks:
            _, round, index = block.key
            self.tried.append((round, index))
            if (round, index) in self.fail:
                found.append(Failure(block, MemoryError(), "out of memory"))
                continue
            written = store.write_block(block, self._outputs(store, block))
            found.append(BlockReport(block, 0, 0.0, "here", written))
        return found

    def _outputs(self, store: Store, block) -> dict[str, np.ndarray]:
        person, round, _ = block.key
        model = round.split("_", 2)[2]
        space = self.rivals.spaces(person)[model]
        u = space.to_unit(store.theta(person, round, block.start, block.stop))
        rng = generator(round, block.start)
        noise = rng.standard_normal((len(u), 3)) * [S, S, T[model]]
        subject = self.rivals.subjects[model][person]
        x = subject.recorded.features[0] + noise
        x[:, :2] += u - C
        return {"status": np.full(len(u), Status.OK, np.uint8), "features": x}


def chosen(rivals: Rivals, executor: Together, again: bool = False) -> None:
    """Run a choice as the command does, with this executor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "starter", lambda lead, folder: lambda: executor)
        assert not choose(rivals, Silent(), retry_failed=again).failed  # type: ignore


def read(paths: list[Path], folder: Path, **settings: object) -> Rivals:
    return rivals_of([load(path) for path in paths], folder, {**SETTINGS, **settings})


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("rivals")
    found = write_rivals(folder, people="[e1]", more="limits: {attempts: 1}\n")
    for path in found:
        path.write_text(path.read_text().replace("block: 16", "block: 250"))
    return found


@pytest.fixture(scope="module")
def rivals(paths: list[Path]) -> Rivals:
    rivals = read(paths, paths[0].parent / "choice")
    chosen(rivals, Gaussian(rivals))
    return rivals


def reach_of(rivals: Rivals) -> np.ndarray:
    """How far each feature (feature,) may lie from the recording's, in the last generation."""
    state, _ = Store.open(rivals.folder).get("e1", f"inference_{SETTINGS['rounds'] - 1:03d}")
    return state["epsilon"][-1] * state["scale"] / state["weights"]


def share(model: str, reach: float, power: int) -> float:
    """Integral of N(d; 0, t_m^2) (1 - (d / reach)^2)^power over |d| < reach."""
    return quad(
        lambda d: norm.pdf(d, 0, T[model]) * (1 - (d / reach) ** 2) ** power, -reach, reach
    )[0]


def test_posteriors_are_the_exact_ones(rivals: Rivals) -> None:
    """Mean and deviation within four standard errors of so many effective particles. In the ball of
    accepted features, where the third is off by d, the others lie in a disc of squared radius
    r^2 (1 - (d / r_3)^2), whose variance per axis is a quarter of that.
    """
    reach, found = reach_of(rivals), posteriors(rivals.folder, 4000)["e1"]
    for model, space in rivals.spaces("e1").items():
        of = found[model]
        assert of.params == space.names and of.units == tuple(p.unit for p in space.params)
        assert of.draws.shape == (4000, 2) and of.effective > 50 and not of.warning
        wider = share(model, reach[2], 2) / share(model, reach[2], 1) / 4
        exact, u = np.sqrt(S**2 + wider * reach[:2] ** 2), space.to_unit(of.draws)
        assert (np.abs(u.mean(axis=0) - C) < 4 * exact / np.sqrt(of.effective)).all()
        assert (np.abs(u.std(axis=0) / exact - 1) < 4 / np.sqrt(2 * of.effective)).all()


def test_probabilities_are_those_of_the_third_feature(rivals: Rivals) -> None:
    """The discs' areas, weighted with the density of the third feature."""
    reach, found = reach_of(rivals)[2], verdicts(rivals.folder)["e1"]
    mass = np.array([share(model, reach, 1) for model in found.models])
    assert (np.abs(found.probability - mass / mass.sum()) < 4 * found.error).all()
    assert found.error.max() < 0.1


def test_a_model_with_few_particles_says_so(rivals: Rivals) -> None:
    of = ModelPosterior("e1", "a", ("G",), ("1",), np.zeros((9, 1)), 19, 12.0)
    assert "a rests on 12 effective particles" in of.warning
    of = ModelPosterior("e1", "a", ("G",), ("1",), np.zeros((0, 1)), 0, 0.0)
    (row,) = of.rows()
    assert row["median"] is None and row["particles"] == 0 and row["warning"]
    for model, of in posteriors(rivals.folder)["e1"].items():
        effective = verdicts(rivals.folder)["e1"].rows()
        assert of.effective in [r["effective"] for r in effective if r["model"] == model]
        again = posteriors(rivals.folder)["e1"][model]
        np.testing.assert_array_equal(of.draws, again.draws)


def test_the_command_shows_and_writes_parameters(
    rivals: Rivals, paths: list[Path], tmp_path: Path
) -> None:
    words = ["choose", *paths, "--output", rivals.folder, "--settings", json.dumps(SETTINGS)]
    done = hpcvbi(*words, "--retry-failed", "--table", tmp_path / "t.csv", env={"COLUMNS": "120"})
    assert done.returncode == 0, done.stderr
    assert "0 blocks computed" in done.stdout and "t.parameters.csv" in done.stdout
    rows = list(csv.DictReader((tmp_path / "t.parameters.csv").read_text().splitlines()))
    assert [(row["model"], row["parameter"]) for row in rows] == [
        (model, name) for model, space in rivals.spaces("e1").items() for name in space.names
    ]
    for row in rows:
        of = posteriors(rivals.folder)["e1"][row["model"]]
        drawn = of.draws[:, of.params.index(row["parameter"])]
        assert float(row["median"]) == np.median(drawn)
        interval = float(row["low"]), float(row["high"])
        np.testing.assert_array_equal(interval, np.quantile(drawn, [0.05, 0.95]))
        (line,) = [
            line
            for line in done.stdout.splitlines()
            if f"{np.median(drawn):.3g}" in line and row["parameter"] in line
        ]
        assert f"{float(row['low']):.3g} to {float(row['high']):.3g}" in line


@pytest.mark.filterwarnings("ignore")  # of what pyabc imports
def test_pyabc_reads_all_generations_of_all_models(rivals: Rivals, tmp_path: Path) -> None:
    import matplotlib
    from pyabc.storage import History
    from pyabc.visualization import plot_kde_matrix, plot_model_probabilities

    assert export(rivals.folder, tmp_path / "choice.db") == "pyabc"
    store, verdict = Store.open(rivals.folder), verdicts(rivals.folder)["e1"]
    result, _ = store.get("e1", "choice")
    history = History(f"sqlite:///{tmp_path / 'choice.db'}", create=False)
    assert history.model_names() == list(verdict.models)
    assert "'person': 'e1'" in history.all_runs()[0].json_parameters
    assert history.max_t == len(verdict.epsilon) - 1 >= 3
    table = history.get_model_probabilities()
    np.testing.assert_allclose(table.to_numpy(), result["probabilities"], atol=1e-12)
    np.testing.assert_allclose(table.loc[history.max_t], verdict.probability, atol=1e-12)
    rows = history.get_all_populations().query("t >= 0")
    np.testing.assert_allclose(rows.epsilon, verdict.epsilon)
    assert rows.samples.tolist() == result["simulated"].tolist()
    counts = [sum(history.get_nr_particles_per_population()[t:].iloc[:1]) for t in (1, 2)]
    assert all(count >= SETTINGS["particles"] for count in counts)
    for t in range(history.max_t + 1):
        apart = history.get_weighted_distances(t=t).distance
        assert apart.max() <= verdict.epsilon[t] and len(apart) == result["accepted"][t]
    for m, (model, of) in enumerate(posteriors(rivals.folder)["e1"].items()):
        drawn, weights = history.get_distribution(m=m)
        theta = drawn[list(of.params)].to_numpy()
        assert len(theta) == of.particles
        assert 1 / (weights**2).sum() == pytest.approx(of.effective)
        assert {tuple(row) for row in of.draws} <= {tuple(row) for row in theta}
        # systematic resampling: the mean of the draws is that of the particles, but for 1 / n each
        mean, spread = weights @ theta, theta.std(axis=0)
        assert (np.abs(of.draws.mean(axis=0) - mean) < 0.1 * spread).all()
        space = rivals.spaces("e1")[model]
        assert ((space.to_unit(theta) >= 0) & (space.to_unit(theta) <= 1)).all()
    matplotlib.use("agg")
    plot_model_probabilities(history)
    plot_kde_matrix(*history.get_distribution(m=1, t=0))


def test_formats_without_a_place_for_models_are_refused(rivals: Rivals, tmp_path: Path) -> None:
    for name in ("out.csv", "out.zarr"):
        with pytest.raises(ExportError, match="holds a choice between models"):
            export(rivals.folder, tmp_path / name)
    with pytest.raises(ExportError, match=r"eve: not judged yet\. Finish the choice"):
        export(rivals.folder, tmp_path / "out.db", None, ["eve"])
    assert not list(tmp_path.iterdir())
    export(rivals.folder, tmp_path / "all", "netcdf")
    assert (tmp_path / "all/e1/choice.nc").is_file()


def test_particles_of_other_draws_are_refused(rivals: Rivals, paths: list[Path]) -> None:
    other = read(paths, paths[0].parent / "other", rounds=1)
    chosen(other, Gaussian(other))
    with Driver.open(other.folder) as store:
        arrays, info = store.get("e1", "inference_000")
        moved = {**arrays, "particle_distance": arrays["particle_distance"] * 1.01}
        store.put("e1", "inference_000", *choice.record.inference(moved), info)
    with pytest.raises(StoreMismatch, match="not among the draws"):
        posteriors(other.folder)


def test_failed_draws_are_tried_again_with_all_that_rests_on_them(
    paths: list[Path], tmp_path: Path
) -> None:
    whole = read(paths, tmp_path / "whole", rounds=3)
    chosen(whole, Gaussian(whole))
    rivals = read(paths, tmp_path / "choice", rounds=3)
    fail = {("wave_001_gating", 0), ("wave_001_linear_", 1)}
    chosen(rivals, Gaussian(rivals, fail))
    failed = Store.open(rivals.folder).failed_blocks()
    assert {key[1:] for key in failed} == fail
    before = files(rivals.folder / "store.zarr")
    chosen(rivals, kept := Gaussian(rivals))
    assert not kept.tried and files(rivals.folder / "store.zarr") == before
    words = ["choose", *paths, "--output", rivals.folder]
    said = hpcvbi(*words, "--settings", json.dumps({**SETTINGS, "rounds": 3})).stdout
    assert said.count("FAILED e1: ") == 2 and "hpcvbi choose --retry-failed" in said
    chosen(rivals, again := Gaussian(rivals), again=True)
    assert set(again.tried) >= fail and all(
        not name.startswith("wave_000") for name, _ in again.tried
    )
    assert not Store.open(rivals.folder).failed_blocks()
    assert files(rivals.folder / "store.zarr") == files(whole.folder / "store.zarr")
    events = Store.open(rivals.folder).events("failed draws tried again")
    assert [event["blocks"] for event in events] == [2]


def test_waves_that_another_attempt_does_without_are_gone(
    paths: list[Path], tmp_path: Path
) -> None:
    """All draws of a model fail in the second wave, so that its generation takes a third."""
    settings = {"rounds": 5, "epsilon": "list", "epsilons": "1e9, 1e8", "particles": 900}
    whole = read(paths, tmp_path / "whole", **settings)
    chosen(whole, Gaussian(whole))
    rivals = read(paths, tmp_path / "choice", **settings)
    chosen(rivals, Gaussian(rivals, {("wave_001_gating", 0), ("wave_001_gating", 1)}))
    waves = [Store.open(of.folder).rounds("e1") for of in (whole, rivals)]
    assert set(waves[0]) < set(waves[1])
    chosen(rivals, Gaussian(rivals), again=True)
    assert files(rivals.folder / "store.zarr") == files(whole.folder / "store.zarr")


def test_what_rests_on_a_wave() -> None:
    everything = {
        *("observed_data", "wave_000_a", "inference_000", "wave_001_a", "wave_001_b_2"),
        *("inference_001", "wave_002_a", "inference_002", "choice"),
    }
    assert {group for group in everything if rests_on(group, "wave_001_b_2")} == {
        *("inference_001", "wave_002_a", "inference_002", "choice"),
    }

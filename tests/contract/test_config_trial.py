"""The file of a single simulation: what it declares, and what is said of its mistakes."""

from pathlib import Path

import numpy as np
import pytest
from synthetic_people import write_people

from hpcvbi import Average, Bold, Fc, Moments, Sample, Spectrum
from hpcvbi.cohort import made_up
from hpcvbi.config import load_trial, prepare
from hpcvbi.core.errors import HpcvbiError

TRIAL = """\
output: results/t.nc
seed: 3
connectome: {kind: random, regions: 6, seed: 2}
maps: {myelin: [1, 2, 3, 4, 5, 6]}
model: {name: stuart_landau, maps: {a: [myelin]}}
noise: {on: [x, y]}
values: {omega: 0.06}
draws: {kind: grid, of: {sigma: [0.01, 0.02], G: [0.1, 0.2, 0.3]}}
simulation: {dt: 0.5, duration: 2000, burn_in: 100, threads: 2, initial: {x: 0.5}}
monitors:
  - {kind: sample, of: x, period: 1}
  - {kind: average, of: y, period: 10}
  - {kind: bold, of: x, period: 1000, keep: false}
  - {kind: fc, of: bold}
  - {kind: moments, of: average}
  - {kind: spectrum, of: sample, segment: 500, band: [2, 100]}
"""


def written(folder: Path, text: str = TRIAL) -> Path:
    (folder / "t.yaml").write_text(text, encoding="utf-8")
    return folder / "t.yaml"


def with_draws(draws: str) -> str:
    (line,) = [line for line in TRIAL.splitlines() if line.startswith("draws:")]
    return TRIAL.replace(line, f"draws: {draws}")


def test_a_trial_is_what_the_file_says(tmp_path: Path) -> None:
    prepared = prepare(load_trial(written(tmp_path)))
    brain = prepared.brain
    kinds = (Sample, Average, Bold, Fc, Moments, Spectrum)
    assert tuple(type(monitor) for monitor in brain.monitors) == kinds
    assert brain.space.names == ("G", "sigma")
    values = [(g, s) for s in (0.01, 0.02) for g in (0.1, 0.2, 0.3)]
    np.testing.assert_array_equal(prepared.theta, values)
    assert (brain.dt, brain.duration, brain.burn_in) == (0.5, 2000.0, 100.0)
    assert isinstance(prepared.initial, np.ndarray)
    np.testing.assert_array_equal(prepared.initial[0], np.full(6, 0.5))
    np.testing.assert_array_equal(brain.maps["a"]["myelin"], np.arange(1, 7))


@pytest.mark.parametrize(
    ("draws", "theta"),
    [
        ("{kind: table, of: {G: [1, 2], sigma: [0.1, 0.2]}}", [[1, 0.1], [2, 0.2]]),
        ("{kind: table, of: {G: [0]}}", [[0]]),
        ("{kind: repeat, count: 3}", [[], [], []]),
        ("null", [[]]),
    ],
)
def test_draws_are_what_is_written(tmp_path: Path, draws: str, theta: list) -> None:
    np.testing.assert_array_equal(
        prepare(load_trial(written(tmp_path, with_draws(draws)))).theta, theta
    )


def test_draws_from_priors_depend_on_the_seed_alone(tmp_path: Path) -> None:
    text = with_draws("{kind: prior, count: 50, of: {G: {prior: uniform, low: 1, high: 2}, a: {}}}")
    one, same = (prepare(load_trial(written(tmp_path, text))) for _ in range(2))
    np.testing.assert_array_equal(one.theta, same.theta)
    G = one.theta[:, one.brain.space.names.index("G")]
    assert 1.0 <= G.min() < 1.2 and 1.8 < G.max() <= 2.0
    other = prepare(load_trial(written(tmp_path, text.replace("seed: 3", "seed: 4"))))
    assert (other.theta != one.theta).all()


@pytest.mark.parametrize("kind", ["tables", "files"])
def test_a_connectome_of_ones_own(tmp_path: Path, kind: str) -> None:
    write_people(tmp_path / "people", {"anna": 1.0}, volumes=40)
    (tmp_path / "people/anna/maps.csv").write_text("myelin\n" + "2\n" * 12)
    folder = "people/anna"
    section = {
        "tables": f"{{kind: tables, folder: {folder}}}",
        "files": f"{{kind: files, weights: {folder}/weights.csv, labels: {folder}/labels.txt, "
        f"maps: {folder}/maps.csv, normalise: none}}",
    }[kind]
    text = TRIAL.replace("{kind: random, regions: 6, seed: 2}", section)
    (maps,) = [line for line in text.splitlines() if line.startswith("maps:")]
    brain = prepare(load_trial(written(tmp_path, text.replace(maps, "")))).brain
    weights = np.loadtxt(tmp_path / folder / "weights.csv", delimiter=",")
    scale = 1.0 if kind == "files" else np.abs(np.linalg.eigvals(weights)).max()
    np.testing.assert_allclose(brain.connectome.weights, weights / scale)
    assert brain.connectome.labels[:3] == ("L0", "R0", "L1")
    np.testing.assert_array_equal(brain.maps["a"]["myelin"], np.full(12, 2.0))


@pytest.mark.parametrize("regions", [1, 2, 5, 40])
def test_a_made_up_connectome_is_symmetric_and_reproducible(regions: int) -> None:
    found, again = (made_up.connectome(regions, 1) for _ in range(2))
    np.testing.assert_array_equal(found.weights, again.weights)
    np.testing.assert_array_equal(found.weights, found.weights.T)
    np.testing.assert_array_equal(found.lengths, found.lengths.T)
    assert found.n_regions == regions and np.trace(found.weights) == 0
    if regions > 2:
        density = (found.weights > 0).sum() / regions / (regions - 1)
        assert 0.15 < density < 0.7
        assert found.lengths[found.weights > 0].mean() < found.lengths[found.lengths > 0].mean()
        assert (made_up.connectome(regions, 2).weights != found.weights).any()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("results/t.nc", "results/t.csv", ":1: output: must end in .nc (NetCDF) or .zarr (Zarr"),
        ("kind: random", "kind: rand", ":3: connectome.kind: must be one of 'random', 'tables'"),
        ("regions: 6", "regions: 7", ":4: maps.myelin: 6 numbers for 7 regions"),
        ("{kind: random, regions: 6, seed: 2}", "{kind: tables, folder: x}", ":3: connectome:"),
        (
            "{kind: random, regions: 6, seed: 2}",
            "{kind: files, weights: w.csv}",
            ":3: connectome: cannot read ",
        ),
        ("{kind: random, regions: 6, seed: 2}", "{kind: files, weights: w.h5}", "must end in"),
        ("maps: {a:", "maps: {b:", ":5: model.maps.b: maps of 'b': stuart_landau has the"),
        ("maps: {a: [myelin]}", "maps: {a: [mielin]}", "there is no map 'mielin'; did you mean 'm"),
        ("noise: {on: [x, y]}", "noise: {on: [z]}", ":6: noise.on: noise on ['z']: stuart_landau"),
        ("omega: 0.06", "omga: 0.06", ":7: values.omga: 'omga' is no parameter of this brain"),
        ("kind: grid", "kind: gird", ":8: draws.kind: must be one of 'table', 'grid', 'prior',"),
        ("kind: grid", "kind: table", ":8: draws: as many values of each parameter are needed,"),
        ("G: [0.1, 0.2, 0.3]", "G: []", ":8: draws.of.G: must not be empty, got ()"),
        ("G: [0.1, 0.2, 0.3]", "G: [-1]", ":8: draws.of.G: G [1] must lie in [0, 1e+06]"),
        ("G: [0.1, 0.2, 0.3]", "H: [1]", ":8: draws.of.H: 'H' is no parameter of this brain"),
        ("G: [0.1, 0.2, 0.3]", "omega: [1]", ":8: draws.of.omega: ['omega'] are both fixed and"),
        ("duration: 2000", "duration: 2000.2", ":9: simulation.duration: duration = 2000.2 ms"),
        ("duration: 2000, ", "", ":9: simulation.duration: is missing"),
        ("initial: {x: 0.5}", "initial: {u: 0.5}", ":9: simulation.initial.u: is no state vari"),
        ("initial: {x: 0.5}", "initial: {x: [1, 2]}", "simulation.initial.x: 2 numbers for 6 r"),
        ("initial: {x: 0.5}", "initial: rnd", ":9: simulation.initial: must be 'random' or a m"),
        ("threads: 2", "backend: gpu", ":9: simulation.backend: there is no 'gpu'; did you"),
        ("of: x, period: 1}", "of: z, period: 1}", ":11: monitors.0: monitor sample watches 'z'; "),
        ("period: 10}", "period: 7}", ":12: monitors.1: monitor average: duration 2000 ms must be"),
        ("kind: average, of: y", "kind: sample, of: y", ":12: monitors.1: a second monitor 'sa"),
        ("kind: fc,", "kind: fc, name: sigma,", ":14: monitors.3.name: 'sigma' is the name of"),
        ("fc, of: bold", "fc, of: blod", ":14: monitors.3.of: must name a monitor that shows a"),
        ("fc, of: bold", "fc, of: moments", ":14: monitors.3.of: must name a monitor that shows a"),
        ("band: [2, 100]", "band: [2, 600]", ":16: monitors.5.segment: monitor spectrum: 600 H"),
        ("period: 1000", "period: 2000", ":14: monitors.3.of: monitor bold sees one volume of"),
        ("kind: moments", "kind: moment", ":15: monitors.4.kind: must be one of 'sample', 'ave"),
        ("seed: 3", "cohort: {}", ":1: no trial but a study: hpcvbi run "),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_line_and_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert TRIAL.count(old) == 1
    path = written(tmp_path, TRIAL.replace(old, new))
    with pytest.raises(HpcvbiError) as caught:
        prepare(load_trial(path))
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_delays_need_lengths(tmp_path: Path) -> None:
    text = TRIAL.replace("{kind: random, regions: 6, seed: 2}", "{kind: files, weights: w.csv}")
    with pytest.raises(HpcvbiError, match=r":3: connectome: delays need lengths"):
        prepare(load_trial(written(tmp_path, text + "coupling: {speed: 5}\n")))


def test_signals_that_memory_cannot_hold_are_refused(tmp_path: Path) -> None:
    text = TRIAL.replace("duration: 2000", "duration: 2000000000")
    with pytest.raises(HpcvbiError, match=r":11: monitors.0.period: 288 GB of signals, at most 17"):
        prepare(load_trial(written(tmp_path, text)))


@pytest.mark.parametrize(
    ("monitor", "said"),
    [
        ("{kind: fc, of: average}", r":9: monitors.1.of: 360 GB of signals, at most 17"),
        (
            "{kind: spectrum, of: average, segment: 1000, band: [1, 450]}",
            r":9: monitors.1.of: 54 GB of signals, at most 17",
        ),
    ],
)
def test_summaries_that_memory_cannot_hold_are_refused(
    tmp_path: Path, monitor: str, said: str
) -> None:
    text = f"""\
output: results/t.nc
connectome: {{kind: random, regions: 3000, seed: 2}}
model: {{name: stuart_landau}}
noise: {{on: [x]}}
draws: {{kind: repeat, count: 10000}}
simulation: {{dt: 0.5, duration: 2000}}
monitors:
  - {{kind: average, of: x, period: 1, keep: false}}
  - {monitor}
"""
    with pytest.raises(HpcvbiError, match=said):
        prepare(load_trial(written(tmp_path, text)))

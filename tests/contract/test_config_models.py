"""Models of one's own: from a file or an installed package, and what is said where they fail."""

import importlib.metadata
import sys
from pathlib import Path

import pytest

from hpcvbi.config import load_trial, prepare
from hpcvbi.core.errors import ConfigError, HpcvbiError
from hpcvbi.models import load

MODEL = """\
from numpy import exp

from hpcvbi import Model, Param, State, Uniform

RATE = 0.1


def decay(x):
    return RATE * x


def dfun(x, c, k):
    return (k * exp(-x) - decay(x) + c,)


mine = Model(
    name="mine",
    dfun=dfun,
    state=(State("x"),),
    inputs=("c",),
    sends=("x",),
    params=(Param("k", 1.0, prior=Uniform(0.0, 2.0)),),
)
"""
TRIAL = """\
output: out.nc
connectome: {kind: random, regions: 4}
model: {name: NAME}
simulation: {dt: 1, duration: 10}
monitors:
  - {kind: sample, of: x, period: 1}
"""


def prepared(folder: Path, model: str, name: str = "my.py:mine"):
    (folder / "my.py").write_text(model, encoding="utf-8")
    (folder / "t.yaml").write_text(TRIAL.replace("NAME", name), encoding="utf-8")
    return prepare(load_trial(folder / "t.yaml"))


def test_a_file_beside_the_yaml_declares_a_model(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir("/")
    model = prepared(tmp_path, MODEL).brain.model
    assert model.name == "mine" and model.param_names == ("k",)
    # the same text is the same model, and so the same kernel
    assert prepared(tmp_path, MODEL).brain.model is model
    assert prepared(tmp_path, MODEL + "# changed\n").brain.model is not model


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("RATE = 0.1", "RATE = ", r"my\.py:5: SyntaxError: "),
        ("RATE = 0.1", "RATE = 1 / 0", r"my\.py:5: ZeroDivisionError: division by zero"),
        ("RATE = 0.1", "import nothing_there", r"my\.py:5: ModuleNotFoundError: No module named"),
        ("RATE = 0.1", "import sys; sys.exit(3)", r"my\.py:5: SystemExit: 3"),
        ("mine = ", "yours = ", r"my\.py has no model 'mine'; its models: yours"),
        ("mine = Model(", "mine = dict(", r"my\.py:mine is dict, no Model: write mine = Model\("),
        ("def dfun(x, c, k)", "def dfun(c, x, k)", r"my\.py:16: ConfigError: model mine: dfun\("),
        ("k * exp(-x)", "k ** x", r"my\.py:16: ConfigError: model mine: dfun uses \*\*"),
        ("RATE * x", "x if x > 0 else 0", r"my\.py:16: ConfigError: model mine: decay uses if"),
    ],
)
def test_a_model_that_fails_is_named_with_file_and_line(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in MODEL
    with pytest.raises(ConfigError, match=rf"t\.yaml:3: model\.name: {said}"):
        prepared(tmp_path, MODEL.replace(old, new, 1))


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"t\.yaml:3: model\.name: cannot read .*other\.py: N"):
        prepared(tmp_path, MODEL, "models/other.py:mine")


def test_reading_a_file_does_not_execute_its_model(tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text("raise SystemExit('executed')", encoding="utf-8")
    (tmp_path / "t.yaml").write_text(TRIAL.replace("NAME", "my.py:mine"), encoding="utf-8")
    assert load_trial(tmp_path / "t.yaml").texts == {"my.py": "raise SystemExit('executed')"}


@pytest.fixture
def announced(tmp_path: Path, monkeypatch):
    """A module with a model, announced as an installed package announces it."""
    (tmp_path / "somebodys_models.py").write_text(MODEL, encoding="utf-8")
    entry = importlib.metadata.EntryPoint("decay", "somebodys_models:mine", load.GROUP)
    found = importlib.metadata.EntryPoints([entry])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(load, "entry_points", lambda **which: found.select(**which))
    yield tmp_path / "somebodys_models.py"
    sys.modules.pop("somebodys_models", None)


def test_an_installed_package_announces_a_model(tmp_path: Path, announced: Path) -> None:
    assert prepared(tmp_path, MODEL, "decay").brain.model.name == "mine"
    with pytest.raises(HpcvbiError, match="there is no 'decai'; did you mean 'decay'"):
        prepared(tmp_path, MODEL, "decai")


def test_an_installed_package_that_changes_is_refused(tmp_path: Path, announced: Path) -> None:
    (tmp_path / "t.yaml").write_text(TRIAL.replace("NAME", "decay"), encoding="utf-8")
    trial = load_trial(tmp_path / "t.yaml")
    announced.write_text(MODEL + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="the installed package with the model 'decay' has chan"):
        prepare(trial)

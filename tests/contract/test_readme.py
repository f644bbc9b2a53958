"""The README's examples run, and its commands are the ones that CI runs."""

import re
from pathlib import Path

from synthetic_people import write_people

from hpcvbi import campaign
from hpcvbi.config import check, cohort_of, load, load_trial, prepare

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """Fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_study_of_ones_own_cohort_can_run(tmp_path, monkeypatch):
    (study,) = blocks("yaml")
    monkeypatch.chdir(tmp_path)
    write_people(Path("data"), {"sub01": 1.0}, volumes=200)
    Path("mine.yaml").write_text(study)
    loaded = load("mine.yaml")
    people = cohort_of(loaded)
    check(loaded, people)
    assert campaign.plan(loaded, campaign.subjects_of(loaded, people)).core_hours > 0


def test_the_first_python_example_runs():
    names: dict = {}
    exec(compile(blocks("python")[0], "README.md", "exec"), names)
    assert names["bold"].shape == (1, 60, 10)


def test_what_it_says_of_single_simulations_is_there():
    (block,) = [block for block in blocks("sh") if "simulate" in block]
    commands = [line.split("#")[0].split() for line in block.splitlines()]
    assert commands[0] == ["hpcvbi", "simulate", "--example", ">", "simulate.yaml"]
    assert commands[1] == ["hpcvbi", "simulate", "simulate.yaml"]
    for path in ("configs/simulate.yaml", "configs/my_model.yaml", "configs/my_model.py"):
        assert path in README and (ROOT / path).exists()
    assert "my_model.py:hindmarsh_rose" in README
    assert prepare(load_trial(ROOT / "configs/my_model.yaml")).brain.model.name == "hindmarsh_rose"


def test_ci_runs_the_commands():
    ci = (ROOT / ".ci/run").read_text()
    makefile = (ROOT / "Makefile").read_text()
    promised = re.findall(r"^(make \w+)", "\n".join(blocks("sh")), flags=re.MULTILINE)
    assert {"make quickstart", "make test"} <= set(promised)
    for command in promised:
        assert command in ci
    words = "plan", "status", "report", "verify", "export", "withdraw"
    for word in (f"hpcvbi {name}" for name in words):
        assert word in README and word in ci
    assert "hpcvbi run $(STUDY)" in makefile


def test_every_layer_is_on_the_map():
    packages = {p.parent.name for p in (ROOT / "hpcvbi").glob("*/__init__.py")}
    assert packages == set(re.findall(r"^      (\w+)/ ", README, flags=re.MULTILINE))

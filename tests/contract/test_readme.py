"""The README's examples run, and its commands are the ones that CI runs."""

import re
from pathlib import Path

from synthetic_people import write_people

from hpcvbi import campaign
from hpcvbi.config import check, cohort_of, load

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
    assert names["bold"].shape == (4, 60, 10)


def test_ci_runs_the_commands():
    ci = (ROOT / ".ci/run").read_text()
    makefile = (ROOT / "Makefile").read_text()
    promised = re.findall(r"^(make \w+)", "\n".join(blocks("sh")), flags=re.MULTILINE)
    assert {"make quickstart", "make test"} <= set(promised)
    for command in promised:
        assert command in ci
    for word in ("hpcvbi plan", "hpcvbi status", "hpcvbi report"):
        assert word in README and word in ci
    assert "hpcvbi run $(STUDY)" in makefile


def test_every_layer_is_on_the_map():
    packages = {p.parent.name for p in (ROOT / "hpcvbi").glob("*/__init__.py")}
    assert packages == set(re.findall(r"^      (\w+)/ ", README, flags=re.MULTILINE))

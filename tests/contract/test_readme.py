"""The README's examples run, its commands are the ones that CI runs, and what it points at exists.

So do the pages that it links to: the READMEs of folders.
"""

import re
from pathlib import Path

import pytest
from finished_study import Cohort, Fate, write
from synthetic_people import write_people

from hpcvbi import campaign
from hpcvbi.cli import app
from hpcvbi.config import check, cohort_of, load, load_trial, prepare

ROOT = Path(__file__).parents[2]
FOLDERS = ("configs", "jobs", "tests", "tests/benchmarks")
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted(ROOT / folder / "README.md" for folder in FOLDERS)]


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


def test_the_python_examples_run(tmp_path, monkeypatch):
    write(tmp_path / "results/mine", Cohort({"sub01": Fate(), "sub02": Fate()}))
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert names["bold"].shape == (1, 60, 10)
    assert names["rounds"].sizes["person"] == 2
    assert names["rounds"].sizes["round"] >= 1


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


def anchors(page: Path) -> set[str]:
    """What headings of a page can be linked to as."""
    titles = re.findall(r"^#+ (.*)", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_exists(page: Path):
    text = page.read_text()
    for link in re.findall(r"\]\(([^)]+)\)", text):
        path, _, anchor = link.partition("#")
        if not path.startswith("https://"):
            target = (page.parent / path).resolve()
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link
    modules = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"\btest_\w+", text)) <= modules
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(re.findall(r"`make ([\w-]+)", text)) <= set(targets)
    commands = {command.callback.__name__ for command in app.registered_commands}
    assert set(re.findall(r"`hpcvbi ([a-z]+)", text)) <= commands
    jobs = re.findall(r"\bjobs/\w+\.sh", text)
    assert all((ROOT / job).exists() for job in jobs)


def test_every_page_is_linked_to():
    for page in PAGES[1:]:
        assert f"]({page.relative_to(ROOT)}" in README


def test_every_layer_is_on_the_map():
    packages = {p.parent.name for p in (ROOT / "hpcvbi").glob("*/__init__.py")}
    assert packages == set(re.findall(r"^      (\w+)/ ", README, flags=re.MULTILINE))

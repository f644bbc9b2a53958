"""The page of a choice says what its store holds, of everybody and every model."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import hpcvbi
from in_process import Enough
from rival_studies import write_rivals
from test_choose_campaign import Torn, chosen, read
from test_report import Page, pictures

from hpcvbi.campaign import build_page, posteriors, verdicts
from hpcvbi.report.choice_figures import generations, probabilities, recognition


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    paths = write_rivals(tmp_path_factory.mktemp("rivals"))
    chosen(read(paths, folder := paths[0].parent / "choice"))
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return build_page(folder).read_text(encoding="utf-8")


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).replace("&gt;", ">").replace("&lt;", "<").split())


def test_the_page_says_what_was_found(folder: Path, page: str) -> None:
    found, said = verdicts(folder), text_of(page)
    for person, verdict in found.items():
        assert f"<h3>{person}</h3>" in page
        for model in range(len(verdict.models)):
            assert " ± ".join(filter(None, verdict.shown(model))) in said
        assert f"{verdict.epsilon[-1]:.3g} {len(verdict.epsilon)} " in said
        for warning in verdict.warnings:
            assert f"{person} : {warning}" in said
        for model, of in posteriors(folder)[person].items():
            for row in of.rows():
                if row["median"] is not None:
                    assert f"{row['median']:.3g} {row['low']:.3g} to {row['high']:.3g}" in said
            assert (of.warning in said) if of.warning else model in said
    speaks = {model: [v for v in found.values() if v.models[v.best] == model]
              for model in ("gating", "linear_")}  # fmt: skip
    for model, of in speaks.items():
        strong = sum(v.bayes_factor[v.best, 1 - v.best] >= 20 for v in of)
        assert f"For {model}: {len(of)} of 3 recordings, {strong} strongly" in said
    assert "can mislead" in said and "Not finished" not in said


def test_the_page_needs_nothing_from_outside_and_is_always_the_same(
    folder: Path, page: str
) -> None:
    parsed = Page(page)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    outside = [
        value
        for _, attrs in parsed.tags
        for name, value in attrs.items()
        if name in ("src", "href") and value and not value.startswith(("#", "data:"))
    ]
    assert not outside
    with_draws = sum(len(of.draws) > 0 for p in posteriors(folder).values() for of in p.values())
    assert len(pictures(page)) == 2 + 2 * 3 + with_draws  # overview, time; of each person; of each
    assert build_page(folder).read_text(encoding="utf-8") == page


def test_figures_show_the_numbers(folder: Path) -> None:
    found = verdicts(folder)["e1"]
    left, right = generations(found).axes
    for model, line in enumerate(left.containers):
        assert np.array_equal(line.lines[0].get_ydata(), found.probabilities[:, model])
    assert np.array_equal(right.lines[0].get_ydata(), found.epsilon)
    widths = [bar.get_width() for bar in probabilities([found]).axes[0].patches]
    assert widths == pytest.approx(found.probability)
    shown = [text.get_text() for text in recognition(found).axes[0].texts]
    assert shown == [f"{share:.0%}" for share in found.told_apart.ravel()]


def test_who_is_not_finished_or_has_withdrawn_is_named(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    done = hpcvbi("withdraw", copy, "l1")
    assert done.returncode == 0, done.stderr
    said = text_of((copy / "report.html").read_text(encoding="utf-8"))
    assert "Withdrawn, with all their data: l1 (" in said and "For linear_: 1 of 2" in said
    paths = [folder.parent / "gating.yaml", folder.parent / "linear.yaml"]
    begun = tmp_path / "begun"
    with pytest.raises(Enough):
        chosen(read(paths, begun), Torn(begun, 2))
    said = text_of(build_page(begun).read_text(encoding="utf-8"))
    assert "Nothing has been chosen yet." in said and "Not finished: e1, l1, l2." in said

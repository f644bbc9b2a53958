"""The report says what the store holds: all of it, loudly where it must, always the same."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from finished_study import TERMS, Cohort, Fate, space, write
from rich.console import Console

from hpcvbi.cli.show import results
from hpcvbi.evaluate.calibration_check import unchecked
from hpcvbi.features.curves import FCD_VALUES
from hpcvbi.report import build, findings, judged, summary, table
from hpcvbi.report.calibration import calibration_curves, calibration_line, training_curves
from hpcvbi.report.cost import cost_figure, cost_of
from hpcvbi.report.curves import _histogram, distances_line
from hpcvbi.report.figures import fc_matrices, pair_plot, predictive_check
from hpcvbi.report.fits import grid_scan, overview, yardsticks
from hpcvbi.report.read import CurveSeen, evidence
from hpcvbi.report.style import blank, data_uri, place
from hpcvbi.report.table import row as row_of
from hpcvbi.store import Store

HOSTILE = "<script>alert('$x$')</script>"
FATES = {
    "101": Fate(),
    "102": Fate(fits=False, moves_alike=False),
    "103": Fate(sigma_sd=0.4, unseen=True, calibrated=False, short=True, r_hat=1.4),
}


class Page(HTMLParser):
    """Collects a page's tags and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.loud: list[str] = []
        self._depth = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "div" and dict(attrs).get("class") == "loud":
            self._depth = 1
            self.loud.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "div":
            self._depth = 0

    def handle_data(self, data: str) -> None:
        if self._depth:
            self.loud[-1] += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("report") / "three", Cohort(FATES, unjudged=("104",)))


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return build(folder).read_text(encoding="utf-8")


def pictures(page: str) -> list[str]:
    sources = [a["src"] or "" for tag, a in Page(page).tags if tag == "img"]
    return [base64.b64decode(source.split(",", 1)[1]).decode() for source in sources]


def test_page_needs_nothing_from_outside(page: str) -> None:
    parsed = Page(page)
    outside = [
        value
        for _, attrs in parsed.tags
        for name, value in attrs.items()
        if name in ("src", "href", "srcset", "data", "action") and value
        if not value.startswith(("#", "data:"))
    ]
    assert not outside
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    assert not re.search(r"@import|url\(", page)
    targets = [attrs["href"] for tag, attrs in parsed.tags if tag == "a"]
    ids = {f"#{attrs['id']}" for _, attrs in parsed.tags if "id" in attrs}
    assert targets and set(targets) <= ids


def test_page_is_small_and_its_pictures_are_whole(page: str) -> None:
    assert len(page.encode()) < 3_000_000
    found = pictures(page)
    assert len(found) == 8 * len(FATES) + 2
    for svg in found:
        assert ElementTree.fromstring(svg).tag.endswith("svg")
        # every reference inside a picture stays inside it
        assert all(ref.startswith(("#", "data:")) for ref in re.findall(r'href="([^"]*)"', svg))


def test_same_store_gives_the_same_bytes(folder: Path, page: str) -> None:
    assert build(folder).read_text(encoding="utf-8") == page


def test_everybody_is_there_and_who_is_not_finished_is_named(page: str) -> None:
    for person in FATES:
        assert f"<h3>{person}</h3>" in page
    assert "Not finished: 104." in page
    assert "<h3>104</h3>" not in page


def test_warnings_are_loud_exactly_where_they_must_be(folder: Path, page: str) -> None:
    results = {result.person: result for result in judged(folder)}
    loud = {p: [f.about for f in findings(r) if f.loud] for p, r in results.items()}
    assert loud == {
        "101": [],
        "102": ["outside", "unlike"],
        "103": ["extrapolated", "miscalibrated", "not mixed", "not identified"],
    }
    shown = Page(page).loud
    assert len(shown) == 2 * 6  # in the summary, and at the person
    assert all("WARNING" in text for text in shown)
    assert sum("fc_mean (recorded" in text for text in shown) == 2
    assert sum("not identify sigma" in text for text in shown) == 2
    assert not any("not identify G" in text for text in shown)
    assert sum("everything that was simulated" in text for text in shown) == 2
    assert sum("unlike what the prior predicts" in text for text in shown) == 2
    assert sum("chains, and these do not agree" in text for text in shown) == 2
    assert sum("not calibrated on 40 simulations" in text for text in shown) == 2


def test_summary_counts_people(folder: Path) -> None:
    results = judged(folder)
    said = " ".join(summary(results, ["101", "102", "103", "104"]))
    assert "alone outside than by chance: 2 of 3 people (not 102)." in said
    assert "identifies sigma: 2 of 3 people (not 103)." in said
    assert "identifies G: 3 of 3 people." in said


def test_curves_that_nothing_was_fitted_to_are_compared_in_words(folder: Path, page: str) -> None:
    results = {result.person: result for result in judged(folder)}
    about = {p: {f.about for f in findings(r)} for p, r in results.items()}
    assert {"FCD", "power spectrum"} <= about["102"] and "FCD" not in about["101"] | about["103"]
    assert distances_line(results["101"]).count("p = ") == 3
    assert "FCD is not compared: the recording is too short" in distances_line(results["103"])
    said = " ".join(summary(list(results.values()), list(results)))
    assert "near to the FCD of simulated recordings as these are to each other: 1 of 2" in said
    assert "near to the power spectrum of" in said and "2 of 3 people (not 102)" in said
    assert "too short a recording" in "".join(pictures(page))


def test_everybodys_cases_are_pooled_and_the_table_says_who_is_calibrated(
    folder: Path, page: str
) -> None:
    results = judged(folder)
    (line,) = [line for line in summary(results, []) if line.startswith("Calibration over all")]
    assert "120 simulations" in line and "together: G (" in line and "(ranks p < 1e-6" in line
    assert "regions of highest density p < 1e-6)" in line
    alone = summary(results[:1], [])
    assert not any(line.startswith("Calibration over all") for line in alone)
    cells = re.findall(r'<td class="edge"><span class="(yes|no)">(yes|NO)</span></td><td', page)
    assert cells == [("yes", "yes"), ("yes", "yes"), ("no", "NO")]


def test_unflattering_yardsticks_are_said(folder: Path) -> None:
    result = judged(folder)[0]
    assert not {"others", "linear", "noise", "grid"} & {f.about for f in findings(result)}
    worse = {"others_r": 0.99, "linear_r": 0.98, "noise_pattern_r": 0.97, "reaches_grid": 0}
    numbers = {**result.numbers, **{k: np.asarray(v) for k, v in worse.items()}}
    said = {f.about: f for f in findings(replace(result, numbers=numbers))}
    assert {"others", "linear", "noise", "grid"} <= said.keys()
    assert "r 0.99 against the model's" in said["others"].text
    assert not any(f.loud for f in said.values())
    lonely = {**numbers, "others_r": np.asarray(np.nan)}
    assert "others" not in {f.about for f in findings(replace(result, numbers=lonely))}


def test_outside_says_whether_alone_or_together(folder: Path) -> None:
    result = judged(folder)[1]
    together = findings(result)[0].text
    assert "all features together (distance" in together and "Do not read" in together
    alone = {**result.numbers, "joint_p": np.asarray(0.4)}
    said = findings(replace(result, numbers=alone))[0]
    assert said.loud and "predictive range of fc_mean (recorded" in said.text
    assert "(p = 0.4)" in said.text and "Do not read" not in said.text
    by_chance = {**alone, "inside": np.asarray(True)}
    about = {f.about: f for f in findings(replace(result, numbers=by_chance))}
    assert "outside" not in about and not about["feature"].loud
    assert "fc_mean (recorded" in about["feature"].text and "(p = 0.4)" in about["feature"].text


def test_posterior_at_the_edge_of_its_prior_is_said(folder: Path) -> None:
    result = judged(folder)[0]
    edge = {**result.numbers, "upper": np.array([1.399, 3e-4])}
    said = [f for f in findings(replace(result, numbers=edge)) if f.about == "edge"]
    assert [f.text for f in said if "posterior of G leans on the upper end" in f.text]
    assert len(said) == 1


def test_table_is_the_evaluation(folder: Path) -> None:
    store, rows = Store.open(folder), table(folder)
    assert [row["person"] for row in rows] == list(FATES)
    for row in rows:
        numbers, _ = store.get(row["person"], "evaluation")
        for column, param in enumerate(space().params):
            label = {"G": "G", "sigma": "sigma in 1/sqrt(ms)"}[param.name]
            mean, lower, upper = map(float, re.findall(r"[\d.e-]+", row[label]))
            assert mean == pytest.approx(numbers["mean"][column], rel=6e-3)
            assert lower == pytest.approx(numbers["lower"][column], rel=6e-3)
            assert upper == pytest.approx(numbers["upper"][column], rel=6e-3)
            shrinkage = float(row[f"{param.name} shrinkage"])
            assert shrinkage == pytest.approx(numbers["shrinkage"][column], abs=0.006)
        for label, name in (
            ("model r", "model_r"),
            ("grid r", "grid_model_r"),
            ("recorded r", "recorded_r"),
            ("grid recorded r", "grid_recorded_r"),
        ):
            fit, sd = map(float, row[label].split(" ± "))
            assert fit == pytest.approx(numbers[name], abs=6e-4)
            assert sd == pytest.approx(numbers[f"{name}_sd"], abs=6e-4)
        for label, name in (
            ("linear r", "linear_r"),
            ("SC r", "structure_r"),
            ("others' r", "others_r"),
            ("noise pattern r", "noise_pattern_r"),
            ("draws", "draws"),
            ("diverged", "diverged"),
            ("failed", "failed"),
            ("halved", "halved"),
        ):
            assert float(row[label]) == pytest.approx(numbers[name], abs=6e-4)
        assert row["excluded"] == "5.0 %"
        assert row["calibrated"][:3] == ("yes" if numbers["calibrated"] else "NO:")
        assert row["identifiability"] == {
            "103": "sigma is not informed by the data",
        }.get(row["person"], "none as wide as its prior, all told apart")
        assert row["inside"] == ("yes" if numbers["inside"] else "NO")
        assert row["reaches grid"] == ("yes" if numbers["reaches_grid"] else "NO")


def test_every_figure_shows_something(folder: Path) -> None:
    store, results = Store.open(folder), judged(folder)
    seen = evidence(store, results[0])
    assert seen.grid is not None
    figures = [
        pair_plot(results[0], seen),
        fc_matrices(results[0], seen),
        predictive_check(results[1], evidence(store, results[1])),
        yardsticks(results[0]),
        grid_scan(results[0], seen, seen.grid),
        calibration_curves(results[0]),
        training_curves(results[0]),
        overview(results),
        cost_figure(cost_of(store), list(FATES)),
    ]
    for figure in figures:
        assert any(axes.has_data() for axes in figure.axes)
        assert any(axes.get_xlabel() or axes.get_ylabel() for axes in figure.axes)
    assert "OUTSIDE" in base64.b64decode(data_uri(figures[2]).split(",")[1]).decode()


def test_what_calibration_found_is_said(folder: Path, page: str) -> None:
    fine, _, narrow = judged(folder)
    line = calibration_line(fine)
    assert line in page and "L-C2ST at the recording not computed (below 100 cases)" in line
    assert {f.about for f in findings(fine)}.isdisjoint({"miscalibrated", "identifiability"})
    assert table(folder)[2]["calibrated"].startswith("NO: G (") and "TARP p &lt; 1e-6" in page
    held = narrow.numbers["coverage"]
    assert (held < fine.numbers["coverage"] - 0.2).all() and narrow.number("tarp_width") < 0
    # a deviation that leaves wide intervals right is said, and not loudly
    numbers = {**narrow.numbers, "coverage": fine.numbers["coverage"]}
    (said,) = [f for f in findings(replace(narrow, numbers=numbers)) if f.about == "miscalibrated"]
    assert not said.loud and "calibrated on 40 simulations" in said.text
    many = replace(fine, numbers={**fine.numbers, "calibration_cases": np.array(120)})
    assert "not computed (too few draws inside the region)" in calibration_line(many)


def test_nothing_is_said_of_calibration_where_it_was_not_checked(folder: Path) -> None:
    result = judged(folder)[0]
    nothing = replace(result, numbers={**result.numbers, **unchecked(0, 2)})
    assert calibration_line(nothing) == "" and row_of(nothing)["calibrated"] == "unchecked"


def test_bad_features_and_an_empty_region_are_said(folder: Path) -> None:
    result = judged(folder)[0]
    numbers = {**result.numbers, "feature_constant": np.array([0.0, 1.0, 0.0])}
    empty = ({"message": "no point"}, {"message": ""})
    said = {f.about: f for f in findings(replace(result, numbers=numbers, learning=empty))}
    assert said["constant"].loud and "same fc_sd: it tells nothing" in said["constant"].text
    assert "after round 0: no point." in said["resampled"].text
    # nothing is proposed after the last round
    assert "resampled" not in {f.about for f in findings(replace(result, learning=empty[:1]))}


def test_what_cannot_be_told_apart_is_said_at_the_person_and_in_the_table(folder: Path) -> None:
    sentence = "G and sigma cannot be told apart: their posterior correlation is 0.95; only ..."
    result = replace(
        judged(folder)[0], words={**judged(folder)[0].words, "identifiability": sentence}
    )
    assert sentence in [f.text for f in findings(result) if not f.loud]
    assert row_of(result)["identifiability"] == "G and sigma cannot be told apart"


def test_time_is_the_ledgers(folder: Path, page: str) -> None:
    cost = cost_of(Store.open(folder))
    labels = cost.labels()
    # blocks of 16 draws took 2 + index seconds each: 40, 24, 10, 4 and 40 draws of 3 people
    assert labels["round_000"] == (3 * 9.0, 3 * 40)
    assert labels["predictive"] == (3 * 5.0, 3 * 24)
    assert labels["grid"] == (3 * 2.0, 3 * 10)
    assert labels["learning: inference_000"] == (3 * 1.5, 0)
    assert cost.hosts == {"node-1": 3 * (9.0 + 5.0 + 2.0 + 2.0 + 9.0)}
    assert len(cost.runs) == 1 and cost.runs[0].finished
    assert cost.runs[0].begin in page and cost.runs[0].end in page


def test_provenance_and_terms_are_shown(page: str) -> None:
    assert "5" * 64 in page
    assert "<dt>versions.numpy</dt><dd>2.4.6</dd>" in page
    assert "<dt>commit</dt><dd>unknown</dd>" in page
    assert TERMS.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in page


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    cohort = Cohort(
        {"101": Fate(fits=False, unseen=True)},
        features=(HOSTILE, "$\\frac{$", "b</div>"),
        stamp={"host": HOSTILE, "terms": HOSTILE},
        unjudged=("102",),
    )
    page = build(write(tmp_path / "hostile", cohort)).read_text(encoding="utf-8")
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4
    for svg in pictures(page):
        names = [node.tag.split("}")[-1] for node in ElementTree.fromstring(svg).iter()]
        assert "script" not in names
    assert any("alert('$x$')" in svg for svg in pictures(page))


def test_study_without_an_end_says_so(tmp_path: Path) -> None:
    folder = write(tmp_path / "early", Cohort({}, unjudged=("101", "102")))
    assert table(folder) == []
    page = build(folder).read_text(encoding="utf-8")
    assert "Nobody has been judged yet." in page
    assert "Not finished: 101, 102." in page


def test_axes_show_priors_without_a_round_number_inside() -> None:
    axes = blank(1, 1).subplots()
    for low, high in ((2.1, 4.9), (0.6, 0.9), (1e-4, 1e-3)):
        place(axes.xaxis, "log_uniform", low, high)
        ticks = axes.get_xticks()
        assert 1 <= len(ticks) <= 5 and (ticks >= low).all() and (ticks <= high).all()


def test_the_histogram_of_fcd_reaches_one() -> None:
    at = FCD_VALUES
    high = (at >= 0.98).astype(float)
    seen = _histogram(CurveSeen(at, high, np.stack([high, (at >= 0.5).astype(float)])))
    assert seen.at.max() > 0.96 and (seen.recorded > 0).sum() == 1


def test_a_recording_that_was_not_compared_with_the_prior_is_said(folder: Path) -> None:
    result = judged(folder)[0]
    assert "not checked" not in " ".join(f.text for f in findings(result))
    numbers = {**result.numbers, "mmd_p": np.asarray(np.nan)}
    said = [f for f in findings(replace(result, numbers=numbers)) if "not checked" in f.text]
    assert [f.loud for f in said] == [False] and "78 finite draws" in said[0].text


def test_many_people_are_shown_some_at_a_time(tmp_path: Path) -> None:
    people = {f"sub{number}": Fate() for number in range(201, 213)}
    written = io.StringIO()
    results(Console(markup=False, file=written, width=80), write(tmp_path / "s", Cohort(people)))
    words = written.getvalue().split()
    assert all(words.count(person) == 1 for person in people)
    assert words.count("inside") == len(re.findall(r"^ +sub2", written.getvalue(), re.M)) > 1


def test_one_person_has_no_others(tmp_path: Path) -> None:
    folder = write(tmp_path / "one", Cohort({"101": Fate()}))
    assert table(folder)[0]["others' r"] == "–"
    assert "None of" not in build(folder).read_text(encoding="utf-8")

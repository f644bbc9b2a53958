"""report.html: one file without scripts or outside resources, for screen, phone and paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.features import FEATURES
from hpcvbi.report.calibration import calibration_curves, calibration_line, training_curves
from hpcvbi.report.cost import Cost, cost_figure, cost_of
from hpcvbi.report.curves import curves, distances_line
from hpcvbi.report.figures import fc_matrices, pair_plot, predictive_check
from hpcvbi.report.findings import findings
from hpcvbi.report.fits import grid_scan, overview, yardsticks
from hpcvbi.report.read import Judged, evidence, judged, people_of, settings_of
from hpcvbi.report.style import data_uri
from hpcvbi.report.summary import summary
from hpcvbi.report.table import glossary, row
from hpcvbi.store import Store, is_sealed, progress, tombstones
from hpcvbi.store.durable import write_durably

FIGURES_FOR = 16
"""People who get figures of their own; the page stays small for a large cohort."""
REMARKABLE = ("grid", "calibration", "miscalibrated", "identifiability", "resampled", "edge")
"""Plain statements that the summary repeats; the others are counted there."""


@dataclass(frozen=True)
class Picture:
    """A figure in the page: SVG as a data URI, what it shows in words, and whether it is wide."""

    uri: str
    caption: str
    wide: bool = False


def build(folder: Path | str) -> Path:
    """Write `folder`/report.html from the store alone and return its path."""
    from jinja2 import Environment, StrictUndefined

    store = Store.open(folder)
    template = files("hpcvbi.report").joinpath("report.html.jinja").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = environment.from_string(template).render(_content(store))
    path = Path(folder) / "report.html"
    write_durably(path, text.encode())
    return path


def _content(store: Store) -> dict[str, Any]:
    results, people, cost = judged(store.folder), people_of(store), cost_of(store)
    said = {result.person: findings(result) for result in results}
    params = results[0].params if results else ()
    fitted = results[0].features if results else ()
    return {
        "title": store.folder.resolve().name,
        "people": people,
        "results": results,
        "params": params,
        "rows": [row(result) for result in results],
        "summary": summary(results, people),
        "warnings": [f for of in said.values() for f in of if f.loud],
        "statements": [f for of in said.values() for f in of if f.about in REMARKABLE],
        "said": said,
        "distances": {r.person: distances_line(r) for r in results},
        "checked": {r.person: calibration_line(r) for r in results},
        "overview": _overview(results),
        "pictures": {r.person: _pictures(store, r) for r in results[:FIGURES_FOR]},
        "rounds": progress(store.folder).rounds,
        "cost": cost,
        "cost_picture": _cost_picture(cost, people),
        "glossary": glossary(params),
        "fitted": [(name, FEATURES[name].doc if name in FEATURES else "") for name in fitted],
        "terms": _terms(cost),
        "withdrawn": list(tombstones(store.folder).values()),
        "sealed": is_sealed(store.folder),
        "stamp": _stamp(cost),
        "study": list(_leaves(settings_of(store))),
        "sha256": store.sha256,
    }


def _overview(results: Sequence[Judged]) -> Picture | None:
    if not results:
        return None
    return Picture(
        data_uri(overview(results)),
        "Correlation of FC with the recorded FC: the model under the posterior beside its "
        "yardsticks. Bars are one standard deviation over draws.",
        wide=True,
    )


def _pictures(store: Store, result: Judged) -> list[Picture]:
    seen = evidence(store, result)
    pictures = [
        Picture(
            data_uri(pair_plot(result, seen)),
            "Posterior. The axes span the prior; the dashed line is the prior's density, and bins "
            "hold equal prior mass.",
        ),
        Picture(
            data_uri(predictive_check(result, seen)),
            "Fitted features: recorded value (diamond; an arrow where it is farther out) against "
            "simulated posterior draws (dots) and their predictive range (band).",
        ),
        Picture(
            data_uri(curves(result, seen)),
            "FCD and power spectrum, which need not be fitted: recorded (dark; red where it is "
            "farther out than chance allows) against simulated posterior draws (median, and the "
            "band of 90 % of them).",
        ),
        Picture(
            data_uri(yardsticks(result)),
            "FC fit beside its yardsticks. Bars are one standard deviation over draws; hollow "
            "marks are under measurement noise.",
        ),
    ]
    if seen.grid is not None:
        pictures.append(
            Picture(
                data_uri(grid_scan(result, seen, seen.grid)),
                f"FC fit of the model over a plain grid of {seen.grid.parameter}, and where the "
                "posterior lies.",
            )
        )
    if np.isfinite(result.number("calibrated")):
        pictures.append(
            Picture(
                data_uri(calibration_curves(result)),
                "Calibration over simulations with known truth. Left: ECDF of the truths' ranks "
                "less the diagonal, with the band that a calibrated one stays in (95 %). Right: "
                "share of truths inside regions of each credibility; below the diagonal a "
                "parameter's posteriors are too narrow, as are they all where regions of highest "
                "density lie there, while TARP, of all parameters together, then lies above it at "
                "first.",
            )
        )
    if any("curve" in info for info in result.learning):
        pictures.append(
            Picture(
                data_uri(training_curves(result)),
                "Held-out loss while the networks of each round learned.",
            )
        )
    pictures.append(
        Picture(
            data_uri(fc_matrices(result, seen)),
            "FC of the recording, and the mean over posterior predictive draws.",
            wide=True,
        )
    )
    return pictures


def _cost_picture(cost: Cost, people: Sequence[str]) -> Picture | None:
    if not cost.shares:
        return None
    return Picture(
        data_uri(cost_figure(cost, people)), "Seconds per person and kind of work.", True
    )


def _terms(cost: Cost) -> list[str]:
    """Under which terms the data may be used, as the runs recorded them."""
    said: dict[str, None] = {}
    for run in cost.runs:
        terms = run.stamp.get("terms", ())
        said |= dict.fromkeys([terms] if isinstance(terms, str) else terms)
    return [terms for terms in said if terms]


def _stamp(cost: Cost) -> list[tuple[str, str]]:
    """Circumstances of the last run, one line each."""
    if not cost.runs:
        return []
    stamp = {k: v for k, v in cost.runs[-1].stamp.items() if k != "terms"}
    return [(key, "unknown" if value is None else str(value)) for key, value in _leaves(stamp)]


def _leaves(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted key and value of everything in nested mappings; lists stay whole."""
    if not isinstance(value, Mapping):
        return [(prefix, ", ".join(map(str, value)) if isinstance(value, list) else value)]
    nested = ((f"{prefix}.{key}" if prefix else str(key), inner) for key, inner in value.items())
    return [leaf for key, inner in nested for leaf in _leaves(inner, key)]

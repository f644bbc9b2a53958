"""The page of a study: everybody's posteriors, how far they can be believed, how well they fit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.features import FEATURES
from hpcvbi.report.calibration import calibration_curves, calibration_line, training_curves
from hpcvbi.report.curves import curves, distances_line
from hpcvbi.report.figures import fc_matrices, pair_plot, predictive_check
from hpcvbi.report.findings import findings
from hpcvbi.report.fits import grid_scan, overview, yardsticks
from hpcvbi.report.frame import FIGURES_FOR, Picture, framed, write
from hpcvbi.report.read import Judged, evidence, judged, people_of
from hpcvbi.report.style import data_uri
from hpcvbi.report.summary import summary
from hpcvbi.report.table import glossary, row
from hpcvbi.store import Store

REMARKABLE = ("grid", "calibration", "miscalibrated", "identifiability", "resampled", "edge")
"""Plain statements that the summary repeats; the others are counted there."""


def build(folder: Path | str) -> Path:
    """Write `folder`/report.html from the store alone and return its path."""
    store = Store.open(folder)
    return write(store, "report.html.jinja", _content(store))


def _content(store: Store) -> dict[str, Any]:
    results, people = judged(store.folder), people_of(store)
    said = {result.person: findings(result) for result in results}
    params = results[0].params if results else ()
    fitted = results[0].features if results else ()
    return {
        **framed(store, people),
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
        "glossary": glossary(params),
        "fitted": [(name, FEATURES[name].doc if name in FEATURES else "") for name in fitted],
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

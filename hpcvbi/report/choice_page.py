"""The page of a choice: which of several models recordings speak for, and with what parameters."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hpcvbi.evaluate.bayes_factors import NOT_SUFFICIENT, WORDS
from hpcvbi.report.choice_figures import generations, parameters, probabilities, recognition
from hpcvbi.report.frame import FIGURES_FOR, Picture, framed, write
from hpcvbi.report.read import parameter, people_of
from hpcvbi.report.style import data_uri
from hpcvbi.report.verdict import Verdict, store_of, verdicts

STRONG = WORDS[2][0]
"""Bayes factor from which on evidence is strong."""


class ModelDraws(Protocol):
    """A model's posterior, see `campaign.ModelPosterior`."""

    @property
    def draws(self) -> np.ndarray: ...  # noqa: D102
    @property
    def warning(self) -> str: ...  # noqa: D102
    def rows(self) -> list[dict[str, Any]]: ...  # noqa: D102


def build_choice(folder: Path | str, posteriors: Mapping[str, Mapping[str, ModelDraws]]) -> Path:
    """Write `folder`/report.html from the store of a choice, and the posteriors of each person and
    model that it holds; return its path.
    """
    store = store_of(folder)
    found = list(verdicts(folder).values())
    content = {
        **framed(store, people_of(store)),
        "found": found,
        "models": found[0].models if found else (),
        "rows": [_row(each) for each in found],
        "summary": _summary(found),
        "warnings": {each.person: _warnings(each, posteriors[each.person]) for each in found},
        "not_sufficient": NOT_SUFFICIENT,
        "posteriors": posteriors,
        "overview": _overview(found),
        "pictures": {
            each.person: _pictures(each, posteriors[each.person]) for each in found[:FIGURES_FOR]
        },
    }
    return write(store, "choice.html.jinja", content)


def _next(found: Verdict) -> int:
    """Return the model that the recording speaks for most but for the best one."""
    factors = found.bayes_factor[found.best].copy()
    factors[found.best] = np.inf
    return int(np.argmin(factors))


def _row(found: Verdict) -> dict[str, Any]:
    rows, other = found.rows(), _next(found)
    bound = "> " if rows[other]["factor_is_bound"] else ""
    return {
        "person": found.person,
        "cells": [found.shown(model) for model in range(len(rows))],
        "best": found.models[found.best],
        "next": found.models[other],
        "factor": f"{bound}{rows[other]['factor']:.3g}",
        "evidence": rows[other]["evidence"],
        "epsilon": f"{found.epsilon[-1]:.3g}",
        "generations": len(found.epsilon),
        "particles": f"{found.particles:.0f}",
        "draws": found.simulated,
    }


def _summary(found: Sequence[Verdict]) -> list[str]:
    """Return how many recordings speak for each model, in plain sentences."""
    said = []
    for number, model in enumerate(found[0].models if found else ()):
        of = [each for each in found if each.best == number]
        sure = sum(each.bayes_factor[number, _next(each)] >= STRONG for each in of)
        strongly = f", {sure} strongly: by a Bayes factor of {STRONG:g} or more" if of else ""
        said.append(f"For {model}: {len(of)} of {len(found)} recordings{strongly}.")
    return said


def _warnings(found: Verdict, posteriors: Mapping[str, ModelDraws]) -> list[str]:
    return [*found.warnings, *(of.warning for of in posteriors.values() if of.warning)]


def _overview(found: Sequence[Verdict]) -> Picture | None:
    if not found:
        return None
    words = "Posterior probability of each model, given each person's recording."
    return Picture(data_uri(probabilities(found)), words, wide=True)


def _pictures(found: Verdict, posteriors: Mapping[str, ModelDraws]) -> list[Picture]:
    pictures = [
        Picture(
            data_uri(generations(found)),
            "Probabilities with their standard errors as epsilon falls: they should have come to "
            "rest.",
        )
    ]
    if np.isfinite(found.told_apart).any():
        words = (
            "How well the features tell the models apart: simulations of the prior of each model, "
            "and what a classifier takes them for."
        )
        pictures.append(Picture(data_uri(recognition(found)), words))
    for model, of in posteriors.items():
        if len(of.draws):
            params = [parameter(row["parameter"], found.priors[model]) for row in of.rows()]
            words = f"Parameters of {model}, given that model. The axes span the prior."
            pictures.append(Picture(data_uri(parameters(params, of.draws)), words))
    return pictures

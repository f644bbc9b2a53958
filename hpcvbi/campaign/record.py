"""What is written about a person, as named data with units, in ArviZ's names where it has them."""

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hpcvbi.brain.connectome import Connectome
from hpcvbi.cohort import Person
from hpcvbi.core.space import Space
from hpcvbi.evaluate.calibration_check import LEVELS
from hpcvbi.evaluate.judge import EVALUATION
from hpcvbi.features import CURVES, Measured
from hpcvbi.infer.amortised import AXES, PEOPLE
from hpcvbi.store import Output, Variable

Dataset = tuple[list[Variable], list[Variable]]
"""Variables and coordinates, as `Driver.put` takes them."""
COMPARED = ("fc", "fc_model")
"""What is kept of draws whose fit is judged."""
PREDICTED = (*COMPARED, *CURVES)
"""What is kept of draws of the posterior."""
POSTERIOR = "posterior"
"""Kind of samples that are a posterior; an optimiser's are a point estimate, and say so."""


def permissions(person: Person) -> dict[str, str]:
    """What the person's data may be used for, as far as the source says."""
    said = {"consent_scope": person.consent, "data_use_terms": person.terms}
    return {name: text for name, text in said.items() if text}


def pair_labels(labels: tuple[str, ...]) -> list[str]:
    """Name every pair of the upper triangle, row by row."""
    return [f"{a}~{b}" for i, a in enumerate(labels) for b in labels[i + 1 :]]


def features_coordinate(names: tuple[str, ...]) -> Variable:
    """Name the columns of `features`."""
    return Variable("feature", ("feature",), np.array(names))


def pairs_coordinate(labels: tuple[str, ...]) -> Variable:
    """Name the columns of `fc`."""
    return Variable("pair", ("pair",), np.array(pair_labels(labels)))


def curve_coordinates(
    times_s: np.ndarray, names: Container[str] = tuple(CURVES)
) -> dict[str, Variable]:
    """Where each of these curves is given, of signals with frames that end at `times_s` [s]."""
    return {
        name: Variable(
            curve.over, (curve.over,), curve.points(len(times_s), times_s[0]), curve.over_unit
        )
        for name, curve in CURVES.items()
        if name in names
    }


def outputs(
    keep: tuple[str, ...],
    features: tuple[str, ...],
    labels: tuple[str, ...],
    times_s: np.ndarray,
    bits: int | None = None,
) -> tuple[Output, ...]:
    """What the blocks of a round write: always the features, and what `keep` names of fc, fc_model,
    bold and the curves, rounded to `bits` bits of mantissa.
    """
    pairs = pairs_coordinate(labels)
    region = Variable("region", ("region",), np.array(labels))
    time = Variable("time", ("time",), times_s, units="s")
    known = {
        "fc": Output("fc", ("draw", "pair"), (pairs,), doc="functional connectivity"),
        "fc_model": Output("fc_model", ("draw", "pair"), (pairs,), doc="without measurement noise"),
        "bold": Output(
            "bold", ("draw", "time", "region"), (time, region), doc="BOLD signal change"
        ),
        **{
            name: Output(name, ("draw", at.name), (at,), CURVES[name].unit, doc=CURVES[name].doc)
            for name, at in curve_coordinates(times_s, keep).items()
        },
    }
    always = Output(
        "features", ("draw", "feature"), (features_coordinate(features),), dtype="float64"
    )
    return (always, *(replace(known[name], bits=bits) for name in known if name in keep))


def connectome(brain_connectome: Connectome) -> Dataset:
    """Weights and lengths as simulated."""
    labels = np.array(brain_connectome.labels)
    coords = [Variable("to", ("to",), labels), Variable("from", ("from",), labels)]
    weights = Variable("weights", ("to", "from"), brain_connectome.weights)
    lengths = Variable("lengths", ("to", "from"), brain_connectome.lengths, units="mm")
    return [weights, lengths], coords


def observed(
    recorded: Measured, names: tuple[str, ...], labels: tuple[str, ...], times_s: np.ndarray
) -> Dataset:
    """Features, FC and curves of the recording."""
    at = curve_coordinates(times_s)
    variables = [
        Variable("features", ("feature",), recorded.features[0]),
        Variable("fc", ("pair",), recorded.fc[0], doc="functional connectivity of the recording"),
        *(
            Variable(name, (at[name].name,), curve[0], CURVES[name].unit, CURVES[name].doc)
            for name, curve in recorded.curves.items()
        ),
    ]
    return variables, [features_coordinate(names), pairs_coordinate(labels), *at.values()]


def earlier(arrays: Mapping[str, np.ndarray], space: Space, names: tuple[str, ...]) -> Dataset:
    """Draws of the prior from another study, and their features."""
    variables = [
        Variable("theta", ("draw", "param"), arrays["theta"]),
        Variable("status", ("draw",), arrays["status"]),
        Variable("features", ("draw", "feature"), arrays["features"]),
    ]
    params = Variable("param", ("param",), np.array(space.names))
    return variables, [params, features_coordinate(names)]


def posterior(theta: np.ndarray, space: Space) -> Dataset:
    """Posterior samples, one variable (chain, draw) per parameter."""
    variables = [
        Variable(p.name, ("chain", "draw"), theta[None, :, column], units=p.unit, doc=p.doc)
        for column, p in enumerate(space.params)
    ]
    return variables, _chain_and_draw(len(theta))


def learned_from(
    proposed: int, learned: int, space: Space, rounds: int, kind: str = POSTERIOR
) -> dict[str, Any]:
    """Attributes of a posterior: its kind, the priors, how many rounds and draws it was learned
    from, the share that was left out.
    """
    return {
        "kind": kind,
        "rounds_learned_from": rounds,
        "priors": json.dumps(space.described()),
        "draws_proposed": proposed,
        "draws_learned_from": learned,
        "draws_excluded": proposed - learned,
        "excluded_fraction": (proposed - learned) / proposed,
    }


def space_of(about: Mapping[str, Any]) -> Space:
    """Return the space of a stored posterior with these attributes."""
    return Space.from_description(json.loads(about["priors"]))


def posterior_predictive(
    arrays: Mapping[str, np.ndarray],
    names: tuple[str, ...],
    labels: tuple[str, ...],
    times_s: np.ndarray,
) -> Dataset:
    """Features, FCs and curves of draws simulated at posterior samples, (chain, draw, ...)."""
    at = curve_coordinates(times_s)
    variables = [
        Variable("features", ("chain", "draw", "feature"), arrays["features"][None]),
        Variable("fc", ("chain", "draw", "pair"), arrays["fc"][None]),
        Variable("fc_model", ("chain", "draw", "pair"), arrays["fc_model"][None]),
        *(
            Variable(
                name,
                ("chain", "draw", place.name),
                arrays[name][None],
                CURVES[name].unit,
                CURVES[name].doc,
            )
            for name, place in at.items()
        ),
    ]
    named = [features_coordinate(names), pairs_coordinate(labels), *at.values()]
    return variables, [*_chain_and_draw(len(arrays["features"])), *named]


def evaluation(numbers: Mapping[str, np.ndarray], space: Space, names: tuple[str, ...]) -> Dataset:
    """The judgement of one person."""
    variables = []
    for name, (dims, doc) in EVALUATION.items():
        value = numbers[name]
        kind = "uint8" if value.dtype == bool else "float64"
        variables.append(Variable(name, dims, value.astype(kind), doc=doc))
    params, levels = np.array(space.names), Variable("level", ("level",), LEVELS)
    coordinates = [Variable("param", ("param",), params), Variable("other", ("other",), params)]
    return variables, [*coordinates, features_coordinate(names), levels]


def inference(arrays: Mapping[str, np.ndarray]) -> Dataset:
    """State of the algorithm, every array with dimensions of its own."""
    variables = [
        Variable(name, tuple(f"{name}_{axis}" for axis in range(value.ndim)), value)
        for name, value in arrays.items()
    ]
    return variables, []


def covariates(values: np.ndarray, names: tuple[str, ...]) -> Dataset:
    """What a network for a cohort is told of a person."""
    named = Variable("covariate", ("covariate",), np.array(names))
    return [Variable("covariates", ("covariate",), values)], [named]


def network(
    arrays: Mapping[str, np.ndarray], people: Sequence[str], names: tuple[str, ...]
) -> Dataset:
    """State of a cohort's network, with the names of the people it was learned from."""
    dims = {PEOPLE: ("person", "covariate"), AXES: ("component", "covariate")}
    variables = [replace(v, dims=dims.get(v.name, v.dims)) for v in inference(arrays)[0]]
    person = Variable("person", ("person",), np.array(people))
    return variables, [person, Variable("covariate", ("covariate",), np.array(names))]


CHOICE: dict[str, tuple[tuple[str, ...], str]] = {
    "probability": (("model",), "posterior probability of the model"),
    "error": (("model",), "standard error of the probability"),
    "prior": (("model",), "prior probability of the model"),
    "effective": (("model",), "effective number of the model's particles"),
    "bayes_factor": (("model", "other"), "Bayes factor of the model against the other"),
    "bound": (("model", "other"), "whether the Bayes factor is a lower bound"),
    "told_apart": (
        ("model", "other"),
        "probability that its simulations are the other's",
    ),
    "epsilon": (("generation",), "largest accepted distance to the recording"),
    "accepted": (("generation",), "accepted draws"),
    "simulated": (("generation",), "simulated draws"),
    "probabilities": (("generation", "model"), "probability of the model in each generation"),
    "errors": (("generation", "model"), "standard error of the probability in each generation"),
}
"""What is written of a choice between models."""


def choice(numbers: Mapping[str, np.ndarray], models: list[str]) -> Dataset:
    """Probabilities of models, and how they were reached."""
    variables = []
    for name, (dims, doc) in CHOICE.items():
        value = numbers[name]
        kinds = {"b": "uint8", "i": "int64", "f": "float64"}
        variables.append(Variable(name, dims, value.astype(kinds[value.dtype.kind]), doc=doc))
    names = np.array(models)
    return variables, [Variable("model", ("model",), names), Variable("other", ("other",), names)]


def _chain_and_draw(draws: int) -> list[Variable]:
    return [
        Variable("chain", ("chain",), np.arange(1)),
        Variable("draw", ("draw",), np.arange(draws)),
    ]

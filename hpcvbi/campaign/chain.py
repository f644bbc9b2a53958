"""A person's inference, told as one story. What the chain waits for, it yields."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hpcvbi.brain.brain import Brain
from hpcvbi.campaign import record
from hpcvbi.campaign.checks import check_calibration, check_recording
from hpcvbi.campaign.reuse import check_reuse, earlier_of
from hpcvbi.cohort import Person
from hpcvbi.config import Study, brain_of, context_of, reliability_of, taking_part
from hpcvbi.core.errors import ConfigError, DataError, TooFewSurvivors
from hpcvbi.core.seeds import derive_seed
from hpcvbi.evaluate.calibration_check import unchecked
from hpcvbi.evaluate.judge import Evidence, best_grid_point, judge
from hpcvbi.features import CURVES, Measured, groups_of, measure
from hpcvbi.infer import ALGORITHMS, Algorithm, calibration, steps, weights_of
from hpcvbi.store import Driver, Reads, tombstones

POSTERIOR_DRAWS = 1000
TWIN_DRAWS = 200
TRAINING = ("theta", "status", "features")
"""What is learned from, of a round."""


@dataclass(frozen=True)
class Simulate:
    """A wish: these draws (draw, param), as a round, and the arrays in `read` (all if None).

    In the background nobody waits for it yet. `by` is whose model it is of, if not the loop's.
    """

    round: str
    theta: np.ndarray
    keep: tuple[str, ...] = ()
    background: bool = False
    read: tuple[str, ...] | None = None
    by: "tuple[Study, Subject] | None" = None


@dataclass(frozen=True)
class Learn:
    """A wish: the result of a function that may take seconds, computed where there is room.

    `function` is a module's own, or a partial of one, and gets as keywords what `reads` names of
    the person's groups: it is read there from the store, so that no draws travel with the wish.
    """

    label: str
    function: Callable[..., Any]
    reads: Reads


Chain = Generator[Simulate | Learn, Any, None]


@dataclass(frozen=True, eq=False)
class Subject:
    """A person with what is derived from their data: brain, recorded features, all people's FC."""

    person: Person
    brain: Brain
    recorded: Measured
    reliability: np.ndarray
    cohort_fc: np.ndarray
    index: int

    @property
    def name(self) -> str:
        """The person's identifier."""
        return self.person.id

    @property
    def times_s(self) -> np.ndarray:
        """When each simulated volume ends [s]."""
        tr_s = self.person.tr_s
        return tr_s * np.arange(1, 1 + round(self.brain.duration / 1000.0 / tr_s))


def infer(study: Study, subject: Subject, store: Driver) -> Chain:
    """Infer one person: rounds of simulating and learning, then the judgement.

    What the store has is not learned again; writing again what it has changes nothing.
    """
    name, space, labels = subject.name, subject.brain.space, subject.brain.connectome.labels
    names = study.features.names
    seed = partial(derive_seed, study.seed, name)
    store.put(name, "connectome", *record.connectome(subject.brain.connectome))
    observed = record.observed(subject.recorded, names, labels, subject.times_s)
    store.put(name, "observed_data", *observed)
    earlier: Reads = {}
    proposed = 0
    if study.inference.reuse is not None:
        if not store.has(name, steps.EARLIER):
            found = earlier_of(study, subject.person)
            store.put(name, steps.EARLIER, *record.earlier(found, space, names))
        earlier = {steps.EARLIER: (steps.EARLIER, None)}
        proposed = len(store.get(name, steps.EARLIER)[0]["theta"])

    grid = _grid(study, subject)
    yield Simulate("grid", grid, record.COMPARED, background=True)

    algorithm, observed = algorithm_of(study), ("observed_data", None)
    state, learned = algorithm.init(len(space), subject.recorded.features[0]), 0
    kind = record.POSTERIOR
    rounds, last = dict[str, tuple[str, tuple[str, ...]]](), dict[str, tuple[str, None]]()
    info, truths = dict[str, Any](), np.empty((0, len(space)))
    u = algorithm.propose(state, algorithm.draws, seed("propose", 0))
    for number in range(algorithm.rounds):
        draws, group = f"round_{number:03d}", f"inference_{number:03d}"
        yield Simulate(draws, space.from_unit(u), study.keep, read=())
        rounds, proposed = {**rounds, draws: (draws, TRAINING)}, proposed + len(u)
        if not store.has(name, group):
            update = partial(steps.update, algorithm, space, seed("update", number))
            reads = {"observed": observed, **last, **earlier, **rounds}
            arrays, info = yield Learn(group, update, reads)
            store.put(name, group, *record.inference(arrays), info)
        (arrays, info), last = store.get(name, group), {"state": (group, None)}
        state, learned = algorithm.from_arrays(arrays), int(info["rows"])
        kind = info.get("kind", kind)
        if algorithm.done(state):
            break
        propose = partial(steps.propose, algorithm, seed("propose", number + 1))
        u = yield Learn(f"propose_{number + 1:03d}", propose, last)

    reads: Reads = {**last, **(rounds if algorithm.by_draws else {})}
    sample = partial(steps.posterior, algorithm, space, POSTERIOR_DRAWS, seed("posterior"))
    u = yield Learn("posterior", sample, {"observed": observed, **reads})
    about = record.learned_from(proposed, learned, space, len(rounds), kind)
    store.put(name, "posterior", *record.posterior(space.from_unit(u), space), about)
    some = space.from_unit(u[: study.yardsticks.predictive])
    cases = calibration_draws(study)
    if cases:
        draw = partial(calibration.truths, algorithm, space, cases, seed("truths"))
        truths = space.from_unit((yield Learn("propose_calibration", draw, last)))
        yield Simulate("calibration", truths, background=True)
    predicted = yield Simulate("predictive", some, record.PREDICTED)
    drawn = record.posterior_predictive(predicted, names, labels, subject.times_s)
    store.put(name, "posterior_predictive", *drawn)

    simulated = yield Simulate("grid", grid, record.COMPARED)
    column = space.names.index(study.yardsticks.grid.over)
    recorded_fc = subject.recorded.fc[0]
    best = best_grid_point(simulated["theta"][:, column], simulated["fc_model"], recorded_fc)
    fresh_theta = np.repeat(_grid_point(study, subject, best), study.yardsticks.grid.fresh, axis=0)
    fresh = yield Simulate("grid_fresh", fresh_theta, record.COMPARED)

    whole = steps.whole(predicted)
    if not whole.any():
        raise TooFewSurvivors("predictive: no draw of the posterior has finite features")
    sample = partial(steps.twins, algorithm, space, TWIN_DRAWS, seed("twins"))
    again = ("predictive", ("status", "features"))
    twins = yield Learn("twins", sample, {"predicted": again, **reads})
    calibrated = unchecked(0, len(space))
    if cases:
        yield Simulate("calibration", truths, read=())
        check = partial(check_calibration, algorithm, space, seed("calibration"))
        round_: Reads = {"calibration": ("calibration", TRAINING), "observed": observed}
        calibrated = yield Learn("check_calibration", check, {**round_, **reads})
    check = partial(check_recording, names, seed("recording"))
    prior: Reads = {"prior": ("round_000", ("status", "features")), "observed": observed}
    beside = yield Learn("check_recording", check, prior)
    statuses = [store.read(name, r, ["status"])["status"] for r in store.rounds(name)]
    numbers, words = judge(
        Evidence(
            u=u,
            theta=space.from_unit(u),
            twins_u=twins,
            twins_truth=space.to_unit(predicted["theta"][whole]),
            feature_names=names,
            recorded_features=subject.recorded.features[0],
            predicted_features=predicted["features"],
            cohort_fc=subject.cohort_fc,
            person=subject.index,
            weights=subject.brain.connectome.weights,
            reliability=subject.reliability,
            predicted_model_fc=predicted["fc_model"],
            predicted_fc=predicted["fc"],
            recorded_curves={at: curve[0] for at, curve in subject.recorded.curves.items()},
            predicted_curves={at: predicted[at] for at in CURVES},
            grid_best=best,
            fresh_model_fc=fresh["fc_model"],
            fresh_fc=fresh["fc"],
            status=np.concatenate(statuses),
            proposed=proposed,
            learned=learned,
            info=info,
            calibration=calibrated,
            recording=beside,
            parameter_names=space.names,
        )
    )
    store.put(name, "evaluation", *record.evaluation(numbers, space, names), words)


def algorithm_of(study: Study) -> Algorithm[Any]:
    """Return the study's algorithm; ConfigError where it or one of its settings is not known."""
    with study.at("inference"):
        name, settings = study.inference.algorithm, dict[str, Any](study.inference.as_settings())
        if name not in ALGORITHMS:
            raise ConfigError(f"there is no algorithm {name!r}. Known: {', '.join(ALGORITHMS)}")
        known = [field.name for field in fields(ALGORITHMS[name])]
        for setting in settings:
            if setting not in known:
                near = get_close_matches(setting, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else f". Known: {', '.join(known)}"
                raise ConfigError(f"{name} has no setting {setting!r}{hint}")
            if isinstance(settings[setting], dict) and setting != "weights":
                raise ConfigError(f"{setting} must be one value, got {settings[setting]!r}")
        if "weights" in settings:
            groups = groups_of(study.features.names)
            settings["weights"] = weights_of(settings["weights"], groups)
        algorithm = ALGORITHMS[name](**settings)
        # what does not suit so many parameters and features is refused here
        algorithm.init(len(study.parameters), np.zeros(len(study.features.names)))
        return algorithm


def calibration_draws(study: Study) -> int:
    """Return how many cases with known truth a person's posterior is checked on."""
    return study.yardsticks.calibration if calibration.has_cases(algorithm_of(study)) else 0


def _grid_point(study: Study, subject: Subject, value: float) -> np.ndarray:
    """Return one draw (1, param): the grid's parameter at `value`, the others at their prior
    median.
    """
    space = subject.brain.space
    theta = space.from_unit(np.full((1, len(space)), 0.5))
    fixed = {**study.yardsticks.grid.at, study.yardsticks.grid.over: value}
    for name, number in fixed.items():
        theta[0, space.names.index(name)] = number
    return theta


def _grid(study: Study, subject: Subject) -> np.ndarray:
    """Draws of the plain grid: evenly spaced values, each with several noise seeds."""
    space, grid = subject.brain.space, study.yardsticks.grid
    prior = space.params[space.names.index(grid.over)].prior
    assert prior is not None
    values = prior.quantile(np.linspace(0.0, 1.0, grid.points))
    points = [_grid_point(study, subject, float(value)) for value in values]
    return np.repeat(np.concatenate(points), grid.draws, axis=0)


def people_of(study: Study) -> tuple[Person, ...]:
    """Read the people of a study who have not withdrawn from its store, consent checked."""
    return taking_part(study, tombstones(Path(study.output)))


def subjects_of(study: Study, people: tuple[Person, ...]) -> list[Subject]:
    """Declare every person's brain and measure every recording; raises before anything is spent.

    They come in the order of their names, so that results do not depend on that of the study file.
    """
    check_reuse(study, algorithm_of(study))
    people = tuple(sorted(people, key=lambda person: person.id))
    brains = [brain_of(study, person) for person in people]
    recorded = [_measure(study, person) for person in people]
    cohort_fc = np.concatenate([measured.fc for measured in recorded])
    return [
        Subject(person, brain, measured, reliability_of(study, person), cohort_fc, index)
        for index, (person, brain, measured) in enumerate(
            zip(people, brains, recorded, strict=True)
        )
    ]


def _measure(study: Study, person: Person) -> Measured:
    if person.bold is None:
        raise DataError(f"person {person.id} has no recording to infer from")
    context = context_of(study, person)
    return measure(study.features.names, person.bold[None], context, tuple(CURVES))

"""A person's inference, told as one story. What the chain waits for, it yields."""

from functools import partial

import numpy as np

from hpcvbi.campaign import record
from hpcvbi.campaign.checks import check_calibration, check_recording
from hpcvbi.campaign.method import calibration_draws
from hpcvbi.campaign.rounds import learn_alone
from hpcvbi.campaign.subjects import Subject
from hpcvbi.campaign.together import learn_with_all
from hpcvbi.campaign.wishes import TRAINING, Chain, Learn, Simulate
from hpcvbi.config import Study
from hpcvbi.core.errors import TooFewSurvivors
from hpcvbi.core.seeds import derive_seed
from hpcvbi.evaluate.calibration_check import unchecked
from hpcvbi.evaluate.judge import Evidence, best_grid_point, judge
from hpcvbi.features import CURVES
from hpcvbi.infer import calibration, steps
from hpcvbi.store import Driver, Reads

POSTERIOR_DRAWS = 1000
TWIN_DRAWS = 200


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
    observed = ("observed_data", None)

    grid = _grid(study, subject)
    learn = learn_with_all if study.inference.cohort else learn_alone
    meanwhile = Simulate("grid", grid, record.COMPARED, background=True)
    fitted = yield from learn(study, subject, store, meanwhile)

    algorithm, reads = fitted.algorithm, fitted.reads
    sample = partial(steps.posterior, algorithm, space, POSTERIOR_DRAWS, seed("posterior"))
    u = yield Learn("posterior", sample, {"observed": observed, **reads})
    proposed, learned = fitted.proposed, fitted.learned
    about = record.learned_from(proposed, learned, space, fitted.number, fitted.kind)
    store.put(name, "posterior", *record.posterior(space.from_unit(u), space), about)
    some = space.from_unit(u[: study.yardsticks.predictive])
    cases, truths = calibration_draws(study), np.empty((0, len(space)))
    if cases:
        draw = partial(calibration.truths, algorithm, space, cases, seed("truths"))
        truths = space.from_unit((yield Learn("propose_calibration", draw, fitted.state)))
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
    reads = {"observed": observed}
    if fitted.rounds or cases:  # who joins a cohort has draws of the prior for calibration only
        drawn = "round_000" if fitted.rounds else "calibration"
        reads = {"prior": (drawn, ("status", "features")), **reads}
    beside = yield Learn("check_recording", check, reads)
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
            info=fitted.info,
            calibration=calibrated,
            recording=beside,
            parameter_names=space.names,
        )
    )
    store.put(name, "evaluation", *record.evaluation(numbers, space, names), words)


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

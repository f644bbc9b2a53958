"""Model selection from its first draw to its last, in one process, with any simulators.

chosen = choose({"a": Candidate(2, simulate_a), "b": Candidate(3, simulate_b)}, x, seed=1)
chosen.probabilities["a"], chosen.generations[-1].errors
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.seeds import derive_seed
from hpcvbi.infer.choice import Choice
from hpcvbi.infer.choice_state import ChoiceState
from hpcvbi.infer.draws import Draws
from hpcvbi.infer.learn import Simulator


@dataclass(frozen=True)
class Candidate:
    """A model: how many parameters it has, how it is simulated, and its prior, up to a factor."""

    n_params: int
    simulate: Simulator
    prior: float = 1.0


@dataclass(frozen=True, eq=False)
class Generation:
    """Accepted particles of all models: `model` (particle,), `u` per particle (as many parameters
    as its model has), `weights` (particle,) sum 1, the model `probabilities` (model,) and their
    standard `errors` (model,).
    """

    epsilon: float
    simulated: int
    model: np.ndarray
    u: tuple[np.ndarray, ...]
    weights: np.ndarray
    probabilities: np.ndarray
    errors: np.ndarray

    def of(self, model: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the particles (particle, param) of a model and their weights."""
        rows = np.flatnonzero(self.model == model)
        return np.array([self.u[row] for row in rows]), self.weights[rows]


@dataclass(frozen=True, eq=False)
class Chosen:
    """Posterior `probabilities` of the models by name, and all generations."""

    probabilities: dict[str, float]
    generations: tuple[Generation, ...]


def choose(
    models: Mapping[str, Candidate], x_observed: np.ndarray, seed: int, choice: Choice | None = None
) -> Chosen:
    """Run model selection in this process; TooFewSurvivors where no generation is complete."""
    choice, candidates = choice or Choice(), list(models.values())
    sizes, prior = [c.n_params for c in candidates], [c.prior for c in candidates]
    state = choice.init(sizes, x_observed, prior)
    parts: list[list[Draws]] = [[] for _ in candidates]
    done: list[Generation] = []
    while not choice.done(state):
        number = state.round
        drawn = choice.propose(state, derive_seed("propose", seed, number))
        for index, (candidate, u) in enumerate(zip(candidates, drawn, strict=True)):
            x = _simulated(candidate, u, len(state.x_observed), index, seed, number)
            parts[index].append(Draws.of(u, x, number))
        draws = [Draws.join(of) for of in parts]
        state, info = choice.update(state, draws, derive_seed("update", seed, number))
        if info.complete:
            done.append(_generation(state))
            parts = [[] for _ in candidates]
    choice.check(state)
    return Chosen(dict(zip(models, done[-1].probabilities.tolist(), strict=True)), tuple(done))


def _simulated(
    candidate: Candidate, u: np.ndarray, features: int, index: int, seed: int, number: int
) -> np.ndarray:
    wanted = len(u), features
    if not len(u):
        return np.empty(wanted)
    found = np.asarray(candidate.simulate(u, derive_seed("simulate", seed, number, index)), float)
    if found.shape != wanted:
        raise ConfigError(
            f"model {index} gave features of shape {found.shape}, not {wanted} as were observed"
        )
    return found


def _generation(state: ChoiceState) -> Generation:
    widths = state.n_params[state.particle_model]
    return Generation(
        epsilon=float(state.epsilon[-1]),
        simulated=int(state.simulated[-1]),
        model=state.particle_model,
        u=tuple(row[:n] for row, n in zip(state.particle_u, widths, strict=True)),
        weights=state.particle_weight,
        probabilities=state.probabilities[-1],
        errors=state.errors[-1],
    )

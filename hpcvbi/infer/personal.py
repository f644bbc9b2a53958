"""A cohort's network as one person sees it: `Amortised` with this person's covariates in place is
an ordinary algorithm of one round, for all steps that follow learning.

    q_i(u | x) = q(u | x, c_i)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcvbi.core.space import Space
from hpcvbi.infer.amortised import Amortised, AmortisedInfo, AmortisedState, Member
from hpcvbi.infer.draws import Draws
from hpcvbi.infer.people import People
from hpcvbi.infer.steps import Arrays, draws_of


@dataclass(frozen=True, eq=False)
class Personal:
    """The posteriors of a person with these `covariates` (covariate,), as `amortised` learns them.

    By itself it is a cohort of one.
    """

    amortised: Amortised
    covariates: np.ndarray
    rounds: int = 1
    by_draws: bool = False

    @property
    def draws(self) -> int:
        """Draws to simulate for the person, if the network is to learn from them."""
        return self.amortised.algorithm.draws

    @property
    def fits(self) -> int:
        """Networks that an update fits."""
        return self.amortised.algorithm.fits

    def init(self, n_params: int, x_observed: np.ndarray) -> AmortisedState:
        """Return the state before any simulation; `x_observed` has shape (feature,)."""
        network = self.amortised.algorithm.init(n_params, x_observed)
        return AmortisedState(network, People.of(self.covariates[None], 1))

    def propose(self, state: AmortisedState, n: int, seed: int) -> np.ndarray:
        """Return `n` draws (draw, param) of the prior."""
        return self.amortised.propose(state.network.n_params, n, seed)

    def update(
        self, state: AmortisedState, draws: Draws, seed: int
    ) -> tuple[AmortisedState, AmortisedInfo]:
        """Learn from this person alone."""
        alone = Member(draws, self.covariates, state.network.x_observed)
        return self.amortised.update([alone], seed)

    def done(self, state: AmortisedState) -> bool:
        """Whether the network is learned."""
        return self.amortised.algorithm.done(state.network)

    def posterior(
        self,
        state: AmortisedState,
        x: np.ndarray,
        n: int,
        seed: int,
        draws: Draws | None = None,
    ) -> np.ndarray:
        """Return `n` posterior draws (draw, param) given `x` (feature,), or (case, draw, param)
        given (case, feature).
        """
        return self.amortised.posterior(state, x, self.covariates, n, seed)

    def to_arrays(self, state: AmortisedState) -> dict[str, np.ndarray]:
        """Return the state as named arrays of numbers."""
        return self.amortised.to_arrays(state)

    def from_arrays(self, arrays: dict[str, np.ndarray]) -> AmortisedState:
        """Inverse of `to_arrays`, bit for bit."""
        return self.amortised.from_arrays(arrays)


def update_together(
    amortised: Amortised, space: Space, people: Sequence[str], seed: int, **arrays: Arrays
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Learn from the first rounds of `people`: the state as arrays, and its info.

    `arrays` hold `NAME/round_000`, `NAME/covariates` and `NAME/observed_data` of each.
    """
    members = [
        Member(
            draws_of(space, {"round_000": arrays[f"{name}/round_000"]}),
            arrays[f"{name}/covariates"]["covariates"],
            arrays[f"{name}/observed_data"]["features"],
        )
        for name in people
    ]
    state, info = amortised.update(members, seed)
    return amortised.to_arrays(state), info.as_dict()


def placed(
    personal: Personal, state: Arrays, observed: Arrays
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Place the person among those whom the network was learned from: what it is told, (component,)
    and which covariates are beyond everybody's; the info says so in words.
    """
    learned, x = personal.from_arrays(dict(state)), observed["features"]
    place = personal.amortised.place(learned, x, personal.covariates)
    scaling, features = learned.network.scaling, len(x)
    told = learned.people.told(personal.covariates)
    seen = np.concatenate([x, told])
    info = {
        "people": place.people,
        "distance": place.distance,
        "distance_p": place.p,
        "place": place.warning(),
        "observed_z": scaling.unclipped(seen)[:features].tolist(),
        "observed_clipped": place.clipped[:features].tolist(),
    }
    return {"told": told, "beyond": place.beyond.astype(np.uint8)}, info

"""State and info of a neural method: what the next step needs, and what only a person needs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from hpcvbi.infer.bend import Bend
from hpcvbi.infer.scaling import Scaling
from hpcvbi.infer.stored import Dims, Stored, Types, refused


@dataclass(frozen=True, eq=False)
class NeuralState(Stored):
    """What the next step needs: the recording, how draws were scaled, and the fitted networks.

    `layout` is UTF-8 text: name and shape of each part of a row of `weights`. `threshold` is the
    log density, in scaled parameters, above which a point belongs to the truncated prior.
    """

    DIMS: ClassVar[Dims] = {
        "round": (),
        "n_params": (),
        "x_observed": ("feature",),
        "low": ("feature",),
        "high": ("feature",),
        "center": ("feature",),
        "scale": ("feature",),
        "origin": ("feature",),
        "bend": ("feature",),
        "u_center": ("param",),
        "u_scale": ("param",),
        "weights": ("member", "weight"),
        "layout": ("byte",),
        "threshold": (),
    }
    TYPES: ClassVar[Types] = {
        "round": np.int64, "n_params": np.int64, "weights": np.float32, "layout": np.uint8,
    }  # fmt: skip
    INFINITE: ClassVar[tuple[str, ...]] = ("threshold",)

    round: int
    n_params: int
    x_observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    origin: np.ndarray
    bend: np.ndarray
    u_center: np.ndarray
    u_scale: np.ndarray
    weights: np.ndarray
    layout: np.ndarray
    threshold: float

    @property
    def scaling(self) -> Scaling:
        """Scaling of the features."""
        return Scaling(self.low, self.high, self.center, self.scale, Bend(self.origin, self.bend))

    def scaled(self, scaling: Scaling, center: np.ndarray, scale: np.ndarray) -> Self:
        """Return the state with a scaling of features, and of parameters by `center` and `scale`
        (param,).
        """
        return replace(
            self,
            low=scaling.low, high=scaling.high, center=scaling.center, scale=scaling.scale,
            origin=scaling.bend.origin, bend=scaling.bend.bend, u_center=center, u_scale=scale,
        )  # fmt: skip

    @classmethod
    def check(cls, found: Mapping[str, np.ndarray]) -> None:
        """Raise StoreMismatch unless the arrays fit together."""
        params = len(found["u_center"])
        if found["n_params"] != params:
            raise refused(f"it is of {params} parameters, and says {found['n_params']}")
        if found["round"] > 0 and not found["weights"].size:
            raise refused("it holds no network")
        if (found["bend"] < 0).any():
            raise refused("bend must not be negative")
        for name in ("scale", "u_scale"):
            if not (found[name] > 0).all():
                raise refused(f"{name} must be positive")
        try:
            found["layout"].tobytes().decode()
        except UnicodeDecodeError:
            raise refused("layout is no text") from None


@dataclass(frozen=True, eq=False)
class NeuralInfo:
    """What a person may want to know about an update.

    `masked` draws of this round had features that are not finite; learning conditions on their
    absence. `rows` of all rounds were learned from. `curve` is the held-out loss after each epoch,
    per network. `leakage` is the share of the network's mass outside the prior at the observed
    features; `volume` the share of the prior kept by truncation, `resampled` that of a further
    round's draws for which too few even points lie there. `observed_z` is the observation in
    standard deviations of the training features, and `observed_clipped` where it lies outside
    everything simulated: there the posterior is an extrapolation. `r_hat` is 1 where the network
    is drawn from directly; where its draws are those of `cube_sampler.py`, they do not agree with
    each other above `cube_sampler.MIXED`. `message` says what went another way than asked for.
    """

    round: int
    draws: int
    masked: int
    rows: int
    epochs: list[int]
    loss: list[float]
    validation_loss: list[float]
    curve: list[list[float]]
    leakage: float
    volume: float
    observed_z: list[float]
    observed_clipped: list[bool]
    clipped: list[float]
    resampled: float = 0.0
    r_hat: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists, ready for JSON."""
        return {**asdict(self), "message": self.message}

    @property
    def message(self) -> str:
        """Why a further round would not draw from the truncated prior itself; empty where it would.

        Where too few even points of the cube fall into the region, `uniform_in_region` resamples.
        """
        if self.resampled == 0.0:
            return ""
        resampled = "resampled from the posterior, which is approximate"
        if self.resampled < 1.0:
            return f"{self.resampled:.1%} of a further round's draws are {resampled}"
        return (
            "no even point of the prior fell into the region that is left: draws of a further "
            f"round are {resampled}"
        )

"""Balloon-Windkessel model of the BOLD signal, driven by a neural observable z.

    s' = ε z − κ s − γ (f − 1)                            s  vasodilatory signal
    f' = s                                                f  blood inflow
    v' = (f − v^(1/α)) / τ                                v  blood volume
    q' = (f E(f)/ρ − v^(1/α − 1) q) / τ                   q  deoxyhaemoglobin
    E(f) = 1 − (1 − ρ)^(1/f)                              E  oxygen extraction
    y  = V0 [k1 (1 − q) + k2 (1 − q/v) + k3 (1 − v)]      y  BOLD signal change

Time is in seconds inside these equations, as the constants are. Friston et al. (2003)
doi:10.1016/S1053-8119(03)00202-7; Stephan et al. (2007) doi:10.1016/j.neuroimage.2007.07.040.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from numpy import exp, log

from hpcvbi.core.errors import ConfigError
from hpcvbi.core.space import Param
from hpcvbi.observe.timing import check_of, check_period


@dataclass(frozen=True)
class Hemodynamics:
    """Constants of the Balloon-Windkessel model [s, 1/s or 1] and of the BOLD signal."""

    kappa: float
    gamma: float
    tau: float
    alpha: float
    rho: float
    V0: float
    k1: float
    k2: float
    k3: float
    epsilon: float = 1.0

    @property
    def dynamics(self) -> tuple[float, ...]:
        """The constants of `balloon`, in its order."""
        log_rest = float(log(1.0 - self.rho))
        return (
            self.epsilon,
            self.kappa,
            self.gamma,
            self.tau,
            self.alpha,
            self.rho,
            log_rest,
        )

    @property
    def signal(self) -> tuple[float, ...]:
        """The constants of `bold_signal`, in its order."""
        return self.V0, self.k1, self.k2, self.k3


FRISTON_2003 = Hemodynamics(
    kappa=0.65, gamma=0.41, tau=0.98, alpha=0.32, rho=0.34, V0=0.02, k1=2.38, k2=2.0, k3=0.48
)
STEPHAN_2007 = Hemodynamics(
    kappa=0.64, gamma=0.32, tau=2.0, alpha=0.32, rho=0.4, V0=4.0, k1=2.77264, k2=0.4, k3=0.0
)
HEMODYNAMICS: dict[str, Hemodynamics] = {
    "friston2003": FRISTON_2003,
    "stephan2007": STEPHAN_2007,
}

REST = (0.0, 1.0, 1.0, 1.0)
"""Resting state of (s, f, v, q)."""

LEAST_INFLOW = 0.01
"""Inflow below which E(f) is not evaluated; blood does not flow backwards."""


def balloon(s, f, v, q, z, epsilon, kappa, gamma, tau, alpha, rho, log_rest):
    """Time derivatives [1/s] of (s, f, v, q); `log_rest` is log(1 − ρ)."""
    outflow = exp(log(v) / alpha)
    extraction = (1.0 - exp(log_rest / f)) / rho
    ds = epsilon * z - kappa * s - gamma * (f - 1.0)
    dv = (f - outflow) / tau
    dq = (f * extraction - outflow / v * q) / tau
    return ds, s, dv, dq


def bold_signal(v, q, V0, k1, k2, k3):
    """BOLD signal change, in the unit of V0 (fraction or per cent)."""
    return V0 * (k1 * (1.0 - q) + k2 * (1.0 - q / v) + k3 * (1.0 - v))


@dataclass(frozen=True)
class Bold:
    """fMRI BOLD of the observable `of`, one volume every `period` ms (the repetition time, TR).

    The haemodynamic equations take Euler steps of `step` ms, driven by the mean of `of` over the
    step. Without `keep` the signal only feeds other monitors.
    """

    of: str
    period: float
    step: float = 10.0
    constants: Hemodynamics = field(default=FRISTON_2003)
    name: str = "bold"
    keep: bool = True
    params: ClassVar[tuple[Param, ...]] = ()

    def check(self, observables: tuple[str, ...], dt: float, duration: float) -> None:
        """Raise ConfigError where the monitor does not fit the model or the step."""
        check_of(self.name, self.of, observables)
        check_period(f"{self.name} (step)", self.step, dt, self.period)
        check_period(f"{self.name} (TR)", self.period, dt, duration)
        if self.step > 100.0:
            raise ConfigError(
                f"monitor {self.name}: step {self.step:g} ms is too coarse; use <= 100"
            )

"""People whose covariates change how parameters become features, with exact posteriors.

x = (A_0 + c_1 A_1 + c_2 A_2) u + sigma e,  e ~ N(0, I),  u ~ U([0, 1]^2),  c ~ U([-1, 1]^2)
"""

import numpy as np

from hpcvbi.infer import Draws
from hpcvbi.infer.amortised import Amortised, Member

MAPS = np.array(
    [
        [[1.0, 0.4], [-0.5, 1.0], [0.3, -0.8]],
        [[0.75, -0.75], [0.75, 0.75], [0.6, 0.9]],
        [[-0.6, 0.75], [0.9, 0.3], [-0.75, 0.75]],
    ]
)
SIGMA = 0.2
AXIS = (np.arange(200) + 0.5) / 200
GRID = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij"), -1).reshape(-1, 2)


def simulate(u, c, rng):
    """Features (draw, feature) of draws (draw, param) of a person with covariates (2,)."""
    mean = u @ np.tensordot([1.0, *c], MAPS, 1).T
    return mean + SIGMA * rng.standard_normal(mean.shape)


def people(rng, n):
    """Covariates (person, 2)."""
    return rng.uniform(-1.0, 1.0, (n, 2))


def member(algorithm, c, draws, rng):
    """A person to learn from."""
    u = Amortised(algorithm).propose(2, draws, int(rng.integers(2**31)))
    return Member(Draws.of(u, simulate(u, c, rng)), np.asarray(c, float))


def exact(x, c):
    """Mean and standard deviation (param,) of the posterior."""
    off = x - GRID @ np.tensordot([1.0, *c], MAPS, 1).T
    log_mass = -0.5 * (off**2).sum(1) / SIGMA**2
    mass = np.exp(log_mass - log_mass.max())
    mass /= mass.sum()
    mean = mass @ GRID
    return mean, np.sqrt(mass @ (GRID - mean) ** 2)


def off_by(drawn, x, c):
    """Error of the mean in exact standard deviations, and log ratio of the widths, root mean
    squares over parameters.
    """
    mean, sd = exact(x, c)
    shift, width = (drawn.mean(0) - mean) / sd, np.log(drawn.std(0) / sd)
    return float(np.sqrt((shift**2).mean())), float(np.sqrt((width**2).mean()))

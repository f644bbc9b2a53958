"""Firing rate of a Wong-Wang population above or below its threshold.

    H(x) = u / (1 − exp(−d u))          u = a x − b  input above threshold [kHz]
         = v / (exp(v) − 1) / d         v = −d u

Wong & Wang (2006) doi:10.1523/JNEUROSCI.3733-05.2006, equation (8), after Abbott & Chance (2005).
"""

from numpy import expm1

ALMOST_ZERO = 1e-30
"""Lost in the rounding of every other v, it turns 0/0 at threshold into the limit of the quotient.
"""


def firing_rate(x, a, b, d):
    """Firing rate [kHz] at the input current `x` [nA]: gain `a` [1/(ms nA)], threshold `b` [1/ms],
    curvature `d` [ms].
    """
    v = b * d - (a * d) * x + ALMOST_ZERO
    # 1/d does not change over time: compiled loops compute it once.
    return v / expm1(v) * (1.0 / d)

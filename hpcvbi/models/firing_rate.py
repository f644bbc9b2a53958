"""Firing rate of a Wong-Wang population above or below its threshold.

    H(u) = u / (1 − exp(−d u))          u = a x − b  input above threshold [kHz], d curvature [ms]

Wong & Wang (2006) doi:10.1523/JNEUROSCI.3733-05.2006, equation (8), after Abbott & Chance (2005).
"""

from numpy import exp, where


def firing_rate(u, d):
    """Firing rate [kHz] of the input `u` above threshold, also at u = 0, where the quotient is 0/0.

    For |d u| < .1 it is the Taylor series of the quotient, which has no cancellation; the first
    term left out is below 1e-14.
    """
    v = d * u
    square = v * v
    series = (
        1.0 + 0.5 * v + square * (1.0 / 12.0 - square * (1.0 / 720.0 - square * (1.0 / 30240.0)))
    )
    away = where(square < 0.01, 1.0, v)
    # 1/d does not change over time: compiled loops compute it once.
    return where(square < 0.01, series, away / (1.0 - exp(-away))) * (1.0 / d)

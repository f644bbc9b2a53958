"""Cases of Virtual Brain Inference, each a brain, a prior and features, one file each.

Models, priors and zones are those of Ziaeemehr, Woodman, Domide et al. (2025), eLife 14, RP106194,
DOI 10.7554/eLife.106194; durations and the connectome are not, each file says which.
"""

from vbi_cases import epileptor, epileptor_power, jansen_rit, montbrio, stuart_landau, wong_wang
from vbi_cases.case import Case

CASES: dict[str, Case] = {
    part.CASE.name: part.CASE
    for part in (jansen_rit, stuart_landau, wong_wang, montbrio, epileptor, epileptor_power)
}

__all__ = ["CASES", "Case"]

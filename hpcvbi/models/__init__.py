"""Neural mass models, one file each: equations, scalar right-hand side, parameters with units,
bounds and priors.
"""

from hpcvbi.brain.model import Model
from hpcvbi.models.damped_oscillator import damped_oscillator
from hpcvbi.models.epileptor import epileptor
from hpcvbi.models.epileptor_2d import epileptor_2d
from hpcvbi.models.epileptor_2d_tvb import epileptor_2d_tvb
from hpcvbi.models.generic_2d_oscillator import generic_2d_oscillator
from hpcvbi.models.jansen_rit import jansen_rit
from hpcvbi.models.kuramoto import kuramoto
from hpcvbi.models.larter_breakspear import larter_breakspear
from hpcvbi.models.linear import linear
from hpcvbi.models.montbrio_pazo_roxin import montbrio_pazo_roxin
from hpcvbi.models.reduced_wong_wang import reduced_wong_wang
from hpcvbi.models.stuart_landau import stuart_landau
from hpcvbi.models.wilson_cowan import wilson_cowan
from hpcvbi.models.wong_wang_ei import wong_wang_ei

MODELS: dict[str, Model] = {
    "jansen_rit": jansen_rit,
    "wong_wang_ei": wong_wang_ei,
    "reduced_wong_wang": reduced_wong_wang,
    "stuart_landau": stuart_landau,
    "epileptor": epileptor,
    "epileptor_2d": epileptor_2d,
    "epileptor_2d_tvb": epileptor_2d_tvb,
    "montbrio_pazo_roxin": montbrio_pazo_roxin,
    "wilson_cowan": wilson_cowan,
    "kuramoto": kuramoto,
    "generic_2d_oscillator": generic_2d_oscillator,
    "larter_breakspear": larter_breakspear,
    "linear": linear,
    "damped_oscillator": damped_oscillator,
}

"""Neural mass models, one file each: equations, scalar right-hand side, parameters with units."""

from hpcvbi.brain.model import Model
from hpcvbi.models.reduced_wong_wang import reduced_wong_wang
from hpcvbi.models.stuart_landau import stuart_landau
from hpcvbi.models.wong_wang_ei import wong_wang_ei

MODELS: dict[str, Model] = {
    "wong_wang_ei": wong_wang_ei,
    "reduced_wong_wang": reduced_wong_wang,
    "stuart_landau": stuart_landau,
}

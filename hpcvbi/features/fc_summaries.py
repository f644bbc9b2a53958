"""Numbers that summarise functional connectivity, alone and beside the connectome.

Correlations with the connectome are Pearson's over pairs of regions. Quantities that need an
absolute scale of the signal (BOLD variance) are left out on purpose: recording and model have no
common unit.
"""

import numpy as np

from hpcvbi.core.pairs import correlation
from hpcvbi.features.view import Feature, View


def _homotopic(view: View) -> float:
    left, right = np.asarray(view.context.homotopic).T
    return float(view.matrix[left, right].mean())


def _interhemispheric(view: View) -> float:
    left, right = np.asarray(view.context.homotopic).T
    return float(view.matrix[np.ix_(left, right)].mean())


def _first_eigenvalue_share(view: View) -> float:
    return float(np.linalg.eigvalsh(view.matrix)[-1] / len(view.matrix))


FC_SUMMARIES: dict[str, Feature] = {
    "fc_mean": Feature(lambda v: float(v.fc.mean()), "mean over pairs"),
    "fc_sd": Feature(lambda v: float(v.fc.std()), "standard deviation over pairs"),
    "fc_homotopic": Feature(_homotopic, "mean over homotopic pairs", ("homotopic",)),
    "fc_interhemispheric": Feature(
        _interhemispheric, "mean over pairs across hemispheres", ("homotopic",)
    ),
    "fc_sc_r": Feature(
        lambda v: float(correlation(v.fc, v.context.sc)), "correlation with weights", ("weights",)
    ),
    "fc_log_sc_r": Feature(
        lambda v: float(correlation(v.fc, v.context.log_sc)),
        "correlation with log weights",
        ("weights",),
    ),
    "fc_q10": Feature(lambda v: float(v.outer_deciles[0]), "10 % quantile over pairs"),
    "fc_q90": Feature(lambda v: float(v.outer_deciles[1]), "90 % quantile over pairs"),
    "fc_first_eigenvalue_share": Feature(
        _first_eigenvalue_share, "largest eigenvalue of FC / number of regions"
    ),
    "gbc_sd": Feature(
        lambda v: float(v.global_connectivity.std()),
        "standard deviation over regions of global brain connectivity, the mean FC with the others",
    ),
    "gbc_strength_r": Feature(
        lambda v: float(correlation(v.global_connectivity, v.context.strength)),
        "correlation over regions of global brain connectivity with connectome strength",
        ("weights",),
    ),
}

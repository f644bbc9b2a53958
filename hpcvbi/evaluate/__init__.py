"""How good an inference is. One rule: pure functions on arrays, no study, store or simulator."""

from hpcvbi.evaluate.fit import (
    PredictiveFit,
    cohort_fit,
    fc_fit,
    halves_fit,
    others_fit,
    predictive_fit,
    structure_fit,
)
from hpcvbi.evaluate.linear import (
    LinearFit,
    best_linear,
    correlation_of,
    linear_network_fc,
    lyapunov_covariance,
    slow_covariance,
)
from hpcvbi.evaluate.posterior import (
    Summary,
    Uniformity,
    coverage,
    coverage_tolerance,
    recovery_z,
    sbc_ranks,
    shrinkage,
    summarise,
    uniformity,
)
from hpcvbi.evaluate.predictive import FeatureCheck, JointCheck, feature_check, joint_check, verdict

__all__ = [
    "FeatureCheck",
    "JointCheck",
    "LinearFit",
    "PredictiveFit",
    "Summary",
    "Uniformity",
    "best_linear",
    "cohort_fit",
    "correlation_of",
    "coverage",
    "coverage_tolerance",
    "fc_fit",
    "feature_check",
    "halves_fit",
    "joint_check",
    "linear_network_fc",
    "lyapunov_covariance",
    "others_fit",
    "predictive_fit",
    "recovery_z",
    "sbc_ranks",
    "shrinkage",
    "slow_covariance",
    "structure_fit",
    "summarise",
    "uniformity",
    "verdict",
]

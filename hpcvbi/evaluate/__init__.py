"""How good an inference is. One rule: pure functions on arrays, no study, store or simulator."""

from hpcvbi.evaluate.chains import Chains, judge_chains
from hpcvbi.evaluate.expected_coverage import CoverageCurve, density_coverage, references_near, tarp
from hpcvbi.evaluate.fit import (
    PredictiveFit,
    cohort_fit,
    fc_fit,
    halves_fit,
    others_fit,
    predictive_fit,
    structure_fit,
)
from hpcvbi.evaluate.identifiability import (
    ActiveSubspace,
    Identifiability,
    active_subspace,
    identifiability,
    identifiability_sentences,
)
from hpcvbi.evaluate.importance import Importance, kish, pareto_smoothed
from hpcvbi.evaluate.linear import (
    LinearFit,
    best_linear,
    correlation_of,
    linear_network_fc,
    lyapunov_covariance,
    slow_covariance,
)
from hpcvbi.evaluate.local_two_samples import LocalTest, local_c2st
from hpcvbi.evaluate.misspecification import Misspecification, mmd_check
from hpcvbi.evaluate.out_of_distribution import (
    OutOfDistribution,
    out_of_distribution,
    recording_warning,
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
from hpcvbi.evaluate.predictive_distance import (
    DistanceCheck,
    fc_correlation_check,
    fc_rmse_check,
    fcd_check,
    predictive_distances,
    psd_check,
)
from hpcvbi.evaluate.rank_bands import RankBands, rank_bands
from hpcvbi.evaluate.two_samples import TwoSamples, c2st

__all__ = [
    "ActiveSubspace",
    "Chains",
    "CoverageCurve",
    "DistanceCheck",
    "FeatureCheck",
    "Identifiability",
    "Importance",
    "JointCheck",
    "LinearFit",
    "LocalTest",
    "Misspecification",
    "OutOfDistribution",
    "PredictiveFit",
    "RankBands",
    "Summary",
    "TwoSamples",
    "Uniformity",
    "active_subspace",
    "best_linear",
    "c2st",
    "cohort_fit",
    "correlation_of",
    "coverage",
    "coverage_tolerance",
    "density_coverage",
    "fc_correlation_check",
    "fc_fit",
    "fc_rmse_check",
    "fcd_check",
    "feature_check",
    "halves_fit",
    "identifiability",
    "identifiability_sentences",
    "joint_check",
    "judge_chains",
    "kish",
    "linear_network_fc",
    "local_c2st",
    "lyapunov_covariance",
    "mmd_check",
    "others_fit",
    "out_of_distribution",
    "pareto_smoothed",
    "predictive_distances",
    "predictive_fit",
    "psd_check",
    "rank_bands",
    "recording_warning",
    "recovery_z",
    "references_near",
    "sbc_ranks",
    "shrinkage",
    "slow_covariance",
    "structure_fit",
    "summarise",
    "tarp",
    "uniformity",
    "verdict",
]

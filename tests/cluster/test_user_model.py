"""A model of one's own on workers: they have the study's folder of results, not its model file."""

import json
import sys
from pathlib import Path

import numpy as np

from hpcvbi.campaign import record, subjects_of
from hpcvbi.cluster import local_executor
from hpcvbi.config import Study, brain_of, check, cohort_of, context_of, identity, load
from hpcvbi.core.block import BlockReport, blocks_of
from hpcvbi.core.seeds import derive_seed
from hpcvbi.features import measure
from hpcvbi.sim.simulate import simulate
from hpcvbi.store import Driver

MODEL = """\
from hpcvbi import Model, Param, State, Uniform


def dfun(x, c, rate):
    return (c - rate * x,)


leak = Model(
    "leak",
    dfun,
    (State("x"),),
    ("c",),
    (Param("rate", 0.05, "1/ms", 0.0, 10.0, Uniform(0.02, 0.1)),),
    ("x",),
)
"""
STUDY = """\
name: leak
output: out
cohort: {kind: tables, folder: FOLDER, tr: 0.72}
model: {name: models/leak.py:leak}
noise: {on: [x]}
values: {G: 0.01, sigma: 0.01}
parameters: {rate: {}}
simulation: {dt: 10, burn_in: 0}
bold: {of: x, step: 40}
features: {names: [fc_mean, fc_sd]}
inference: {draws: 8}
yardsticks: {grid: {over: rate}}
"""


def test_workers_simulate_a_model_that_only_the_store_holds(tmp_path: Path, people_folder: Path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models/leak.py").write_text(MODEL)
    (tmp_path / "study.yaml").write_text(STUDY.replace("FOLDER", str(people_folder)))
    study = load(tmp_path / "study.yaml")
    people = cohort_of(study)
    check(study, people)
    (anna, _) = subjects_of(study, people)
    (tmp_path / "models/leak.py").unlink()

    theta = anna.brain.space.sample(np.random.default_rng(1), 8)
    outputs = record.outputs((), study.features.names, anna.brain.connectome.labels, np.zeros(1))
    manifest, sha256 = identity(study, people)
    with Driver.create(tmp_path / "out", manifest, sha256) as store:
        store.prepare("anna", "round_000", theta, anna.brain.space.params, outputs, 8)
    (block,) = blocks_of("anna", "round_000", 8, 8)
    executor = local_executor(str(tmp_path / "out"), 1)
    try:
        executor.submit(block)
        (report,) = executor.wait(timeout=240)
    finally:
        executor.close()
    assert isinstance(report, BlockReport), report
    assert report.diverged == 0

    with Driver(tmp_path / "out") as store:
        store.mark(report)
        written = store.read("anna", "round_000")
    # the worker's kernel, from the disk, serves a file that is equal but for a comment
    for name in [name for name in sys.modules if name.startswith("hpcvbi_model_")]:
        del sys.modules[name]
    texts = {"models/leak.py": [*MODEL.split("\n"), "# moved"]}
    moved = Study.from_dict({**study.canonical(), "texts": texts})
    assert moved.sha256 != study.sha256
    seed = derive_seed("noise", study.seed, "anna", "round_000")
    here = simulate(brain_of(moved, anna.person), theta, seed=seed).signals["bold"]
    features = measure(study.features.names, here, context_of(study, anna.person)).features
    np.testing.assert_array_equal(written["features"], features)
    assert "def dfun(x, c, rate):" in json.dumps(manifest["study"]["texts"])

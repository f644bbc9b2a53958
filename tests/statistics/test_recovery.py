"""Simulated people with a known global coupling: the study finds it again."""

import numpy as np
import pytest
import xarray as xr
from conftest import hpcvbi
from synthetic_people import write_people, write_study

TRUTHS = {"a": 0.55, "b": 0.8, "c": 1.0, "d": 1.2}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recovery")
    write_people(folder / "people", TRUTHS, volumes=600)
    study = write_study(
        folder / "study.yaml", folder / "people", folder / "out", draws=160, epochs=300
    )
    done = hpcvbi("run", study)
    assert done.returncode == 0, done.stderr
    return xr.open_datatree(folder / "out/store.zarr", engine="zarr")


def test_known_couplings_are_recovered(store):
    z = {}
    for name, truth in TRUTHS.items():
        G = store[f"{name}/posterior"].ds.G.values
        z[name] = (G.mean() - truth) / G.std()
        evaluation = store[f"{name}/evaluation"].ds
        assert float(evaluation.shrinkage.sel(param="G")) > 0.8, name
    assert all(abs(value) < 3.0 for value in z.values()), z
    # Of four 90 % intervals, all but one hold the truth with probability .95.
    inside = [
        float(store[f"{n}/evaluation"].ds.lower.sel(param="G"))
        <= truth
        <= float(store[f"{n}/evaluation"].ds.upper.sel(param="G"))
        for n, truth in TRUTHS.items()
    ]
    assert np.sum(inside) >= 3, (inside, z)


def test_a_model_person_lies_inside_its_own_posterior_predictive(store):
    inside = [bool(store[f"{name}/evaluation"].ds.inside) for name in TRUTHS]
    assert sum(inside) >= 3

"""People of a finished study pooled into groups, by the function and by the command."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import files, hpcvbi
from finished_study import Cohort, Fate, space, write

from hpcvbi.campaign import difference, pool_people
from hpcvbi.cohort import read_column
from hpcvbi.core.errors import DataError, StoreError
from hpcvbi.infer.hierarchy import pool
from hpcvbi.store import Store

PEOPLE = ("101", "102", "103", "104")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    people = Cohort({name: Fate() for name in PEOPLE}, unjudged=("105",))
    return write(tmp_path_factory.mktemp("group") / "study", people)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """People 101 and 103 are patients, 102 and 104 controls; nothing is said of 105."""
    rows = [f"{name}\t{('controls', 'patients')[int(name) % 2]}\t30" for name in PEOPLE]
    text = ["participant_id\tgroup\tage", *rows, "105\tn/a\t41"]
    (tmp_path / "people.tsv").write_text("\n".join(text) + "\n")
    return tmp_path / "people.tsv"


def test_the_group_is_that_of_the_stored_draws(folder: Path) -> None:
    before = files(folder)
    found = pool_people(folder)["all"]
    assert files(folder) == before
    assert found.people == PEOPLE
    assert found.space.names == ("G", "sigma")
    assert [p.unit for p in found.space.params] == ["1", "1/sqrt(ms)"]
    assert [p.prior for p in found.space.params] == [p.prior for p in space().params]
    store = Store.open(folder)
    stored = [store.get(name, "posterior")[0] for name in PEOPLE]
    theta = np.array([np.column_stack([of["G"][0], of["sigma"][0]]) for of in stored])
    want = pool(space().to_unit(theta), seed=1)
    for p, sd in enumerate(want.centre_u.std(0)):
        difference = found.pooled.centre_u[:, p].mean() - want.centre_u[:, p].mean()
        assert abs(difference) < 0.3 * sd
    # everybody's truth is G = 1, sigma = 3e-4
    low, high = np.quantile(found.centre, [0.02, 0.98], axis=0)
    assert (low < [1.0, 3e-4]).all() and (high > [1.0, 3e-4]).all()
    alone = theta.std(1)
    assert (found.theta.std(1) < alone).all()
    assert (found.spread > 0).all() and found.spread.shape == (1000, 2)
    again = pool_people(folder / "store.zarr")["all"]
    np.testing.assert_array_equal(again.pooled.people_u, found.pooled.people_u)


def test_groups_are_pooled_apart_and_compared(folder: Path, table: Path) -> None:
    found = pool_people(folder, read_column(table, "group"), draws=500)
    assert {name: of.people for name, of in found.items()} == {
        "controls": ("102", "104"),
        "patients": ("101", "103"),
    }
    differ = difference(found["patients"], found["controls"])
    np.testing.assert_array_equal((differ.centre > 0).mean(0), differ.probability)
    assert ((differ.probability > 0.02) & (differ.probability < 0.98)).all()
    means = [found[name].pooled.mean for name in ("patients", "controls")]
    assert np.abs(np.corrcoef(means[0][:, 0], means[1][:, 0])[0, 1]) < 0.2
    with pytest.raises(StoreError, match="102, 104"):
        difference(found["controls"], replace(found["controls"], name="same"))


def test_the_command_prints_groups_people_and_difference(folder: Path, table: Path) -> None:
    wide = {"COLUMNS": "120"}
    done = hpcvbi("group", folder, env=wide)
    assert done.returncode == 0, done.stderr
    assert "group all (4)" in done.stdout and "sigma in 1/sqrt(ms)" in done.stdout
    assert all(name in done.stdout for name in PEOPLE)
    done = hpcvbi("group", folder, "--table", table, "--by", "group", env=wide)
    assert done.returncode == 0, done.stderr
    assert "group patients (2)" in done.stdout
    assert "controls less patients" in done.stdout and "P(more)" in done.stdout
    assert "left out: 105" in done.stdout
    assert "WARNING patients: the spread of a group of 2" in done.stdout


def test_options_that_go_together(folder: Path, table: Path) -> None:
    done = hpcvbi("group", folder, "--by", "group")
    assert done.returncode == 2 and "go together" in done.stderr
    done = hpcvbi("group", folder, "--table", table, "--by", "sex")
    assert done.returncode == 2 and "it has group, age" in done.stderr


def test_who_cannot_be_pooled_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="name people as it does: 101, 102"):
        pool_people(folder, {"999": "a"})
    with pytest.raises(StoreError, match="nobody of b has a posterior"):
        pool_people(folder, {"101": "a", "105": "b"})
    with pytest.raises(StoreError, match="does not exist"):
        pool_people(tmp_path / "nowhere")
    with pytest.raises(DataError, match="column"):
        (tmp_path / "t.tsv").write_text("participant_id\tgroup\n101\tn/a\n")
        read_column(tmp_path / "t.tsv", "group")

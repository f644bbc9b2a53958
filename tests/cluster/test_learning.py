"""Learning steps on real workers: where they run, what becomes of errors and of deaths."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import learning_steps
import numpy as np
import pytest
from conftest import environment

from hpcvbi.campaign.method import algorithm_of
from hpcvbi.campaign.subjects import people_of, subjects_of
from hpcvbi.campaign.wishes import TRAINING
from hpcvbi.cluster import Executor, Learned, local_executor
from hpcvbi.cluster.deaths import Death
from hpcvbi.cluster.settings import THREADS
from hpcvbi.config import load
from hpcvbi.core.errors import ClusterError, StoreError, TooFewSurvivors
from hpcvbi.core.seeds import derive_seed
from hpcvbi.store import Store, lengths, read_current


@pytest.fixture(scope="module")
def executor(finished: Path):
    executor = local_executor(str(finished.parent / "out"), 2)
    yield executor
    executor.close()


def outcomes(executor: Executor, count: int = 1) -> list[Learned]:
    found: list[Learned] = []
    end = time.monotonic() + 250
    while len(found) < count:
        assert time.monotonic() < end
        found += [o for o in executor.wait(timeout=1) if isinstance(o, Learned)]
    return found


def learn(executor: Executor, function, attempts: int = 3) -> Learned:
    executor.learn("anna", "inference_000", function, {}, attempts)
    (learned,) = outcomes(executor)
    assert learned.chain == "anna"
    return learned


def test_a_child_has_one_thread_and_leaves_ctrl_c_to_the_driver(executor):
    learned = learn(executor, learning_steps.surroundings)
    assert learned.error is None, learned.error
    seen = learned.result
    assert seen["threads"] == {"1"} and len(THREADS) >= 6
    assert seen["torch"] == 1
    assert seen["ctrl_c"] == signal.SIG_IGN
    workers = set(executor._client.run(os.getpid).values())
    assert seen["parent"] in workers and seen["pid"] not in workers


def test_a_worker_imports_nothing_of_what_its_children_learn_with(executor):
    def loaded() -> list[str]:
        import sys

        heavy = ("torch", "sklearn", "hpcvbi.infer", "hpcvbi.evaluate", "learning_steps")
        return [name for name in sys.modules if name.startswith(heavy)]

    assert learn(executor, learning_steps.surroundings).error is None
    assert list(executor._client.run(loaded).values()) == [[], []]


TALK = """
import logging
from hpcvbi.cluster.deaths import Death
from hpcvbi.cluster import local_executor

def talk():
    logging.getLogger("distributed.sizeof").warning("mere chatter")
    logging.getLogger("distributed.worker").error("real trouble")

if __name__ == "__main__":
    executor = local_executor(".", workers=1)
    executor._client.run(talk)
    executor.close()
"""


def test_a_worker_prints_what_is_an_error_and_nothing_less(tmp_path):
    script = tmp_path / "talk.py"
    script.write_text(TALK)
    words = [sys.executable, str(script)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=environment())
    assert done.returncode == 0, done.stderr
    assert "real trouble" in done.stderr and "mere chatter" not in done.stderr


def test_two_people_learn_at_once_what_the_store_has(executor, finished, tmp_path):
    """Each update waits for the other's; both equal what the undisturbed run stored."""
    study, store = load(finished), Store.open(finished.parent / "out")
    space = subjects_of(study, people_of(study))[0].brain.space
    for mine, other in (("anna", "ben"), ("ben", "anna")):
        seed = derive_seed(study.seed, mine, "update", 0)
        settings = (tmp_path, mine, other, algorithm_of(study), space, seed)
        update = partial(learning_steps.update_together, *settings)
        reads = {"observed": ("observed_data", None), "round_000": ("round_000", TRAINING)}
        executor.learn(mine, "inference_000", update, reads, 1)
    learned = outcomes(executor, 2)
    assert [one.error for one in learned] == [None, None]
    assert max(one.begin for one in learned) < min(one.end for one in learned)
    for one in learned:
        assert one.seconds > 0 and one.host
        arrays, info = one.result
        stored, attrs = store.get(one.chain, "inference_000")
        assert arrays.keys() == stored.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, stored[name], strict=True)
        assert info.items() <= attrs.items()


def test_what_a_step_raises_is_its_outcome_at_once(executor, tmp_path):
    learned = learn(executor, partial(learning_steps.too_few, tmp_path))
    assert isinstance(learned.error, TooFewSurvivors) and str(learned.error) == "round 0: none"
    learned = learn(executor, partial(learning_steps.broken, tmp_path))
    assert isinstance(learned.error, ZeroDivisionError)
    assert "learning_steps.py" in "".join(learned.error.__notes__)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("whom", ["child", "worker"])
def test_a_step_whose_process_dies_is_tried_again_a_bounded_number_of_times(
    executor, tmp_path, whom
):
    (tmp_path / "once").mkdir()
    (tmp_path / "always").mkdir()
    learned = learn(executor, partial(learning_steps.die, tmp_path / "once", 1, whom))
    assert (learned.error, learned.result) == (None, 1)
    learned = learn(executor, partial(learning_steps.die, tmp_path / "always", 9, whom), 2)
    words = {"child": "the process that learned was killed", "worker": "its worker was killed"}
    assert isinstance(learned.error, ClusterError)
    assert f"anna: inference_000 cannot be learned: {words[whom]}" in str(learned.error)
    assert len(list((tmp_path / "always").iterdir())) == 2


def test_a_ledger_that_is_not_seen_whole_is_waited_for_and_then_refused(finished, monkeypatch):
    folder = finished.parent / "out"
    reads, seen = {"draws": ("round_000", ("status",))}, lengths(folder)
    (name, size), *_ = seen.items()
    assert (read_current(folder, "anna", reads, seen)["draws"]["status"] == 1).all()
    monkeypatch.setattr("hpcvbi.store.current.PATIENCE_S", 0.3)
    with pytest.raises(StoreError, match="on a file system that all hosts share"):
        read_current(folder, "anna", reads, {**seen, name: size + 1})


def test_a_step_that_goes_with_its_whole_job_is_not_to_blame(executor, tmp_path, monkeypatch):
    ended = Death(frozenset(), "the whole job of its worker ended", outside=True)
    monkeypatch.setattr(executor._learning, "_judge", lambda worker: ended)
    learned = learn(executor, partial(learning_steps.die, tmp_path, 1, "worker"), 1)
    assert (learned.error, learned.result) == (None, 1)

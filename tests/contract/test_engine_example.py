"""The example in the documentation of `simulate` runs as it is written."""

import doctest
from importlib import import_module


def test_example_of_simulate():
    outcome = doctest.testmod(import_module("hpcvbi.sim.simulate"))
    assert outcome.attempted > 0 and outcome.failed == 0

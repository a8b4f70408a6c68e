"""The examples in the docstrings of the spiking core are run, so that they stay true."""

import doctest
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import lsnn_rl

ELSEWHERE = ("lsnn_rl.agents", "lsnn_rl.envs", "lsnn_rl.zoo")
CORE = [
    module.name
    for module in walk_packages([str(Path(lsnn_rl.__file__).parent)], "lsnn_rl.")
    if not module.name.startswith(ELSEWHERE)
]


@pytest.mark.parametrize("name", CORE)
def test_the_examples_in_the_docstrings_are_true(name):
    result = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)

    assert result.failed == 0


def test_the_examples_of_cells_surrogates_and_networks_are_among_them():
    assert {"lsnn_rl.neurons.alif", "lsnn_rl.surrogates.triangular", "lsnn_rl.network.lsnn"} <= set(CORE)

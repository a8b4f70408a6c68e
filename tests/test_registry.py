import pytest

from lsnn_rl.encoders import ENCODERS
from lsnn_rl.errors import UnknownName
from lsnn_rl.neurons import CELLS, Cell
from lsnn_rl.registry import Registry
from lsnn_rl.surrogates import SURROGATES, Surrogate


def test_a_typo_is_answered_with_the_nearest_name_and_all_known_ones():
    with pytest.raises(UnknownName, match=r"No cell is called 'alf'. Did you mean 'alif'\? Known: alif, gru, lif"):
        CELLS.get("alf")


def test_a_name_is_imported_when_first_asked_for():
    table = Registry("tool")
    table.add("counter", "collections:Counter")

    assert table.get("counter")("aab") == {"a": 2, "b": 1}
    assert table.names() == ["counter"]


def test_a_name_is_given_once():
    table = Registry("tool")
    table.add("counter", "collections:Counter")

    with pytest.raises(ValueError, match="Choose another name"):
        table.add("counter", "collections:OrderedDict")


@pytest.mark.parametrize("name", CELLS.names())
def test_every_registered_cell_keeps_the_contract(name):
    assert issubclass(CELLS.get(name), Cell)


@pytest.mark.parametrize("name", SURROGATES.names())
def test_every_registered_surrogate_keeps_the_contract(name):
    assert issubclass(SURROGATES.get(name), Surrogate)


def test_every_registered_encoder_can_be_imported():
    assert all(callable(ENCODERS.get(name)) for name in ENCODERS.names())

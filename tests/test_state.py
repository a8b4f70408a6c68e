import pytest
import torch

from lsnn_rl.errors import ShapeMismatch
from lsnn_rl.state import check_rows, detach, pack, reset_where, rows, size, take, unpack


def some_state():
    return {"v": torch.arange(6.0).view(3, 2) + 1, "ring": torch.arange(12.0).view(3, 2, 2) + 1}


def test_a_reset_puts_only_the_starting_rows_to_rest():
    state = reset_where(some_state(), torch.tensor([0.0, 1.0, 0.0]))

    assert state["v"].tolist() == [[1, 2], [0, 0], [5, 6]]
    assert state["ring"][1].abs().sum() == 0 and torch.equal(state["ring"][2], some_state()["ring"][2])


def test_packing_and_unpacking_return_the_same_state():
    state = some_state()

    flat = pack(state)
    again = unpack(flat, like=state)

    assert flat.shape == (3, size(state)) and list(again) == list(state)
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_rows_are_taken_by_index_or_slice():
    assert take(some_state(), torch.tensor([2, 0]))["v"].tolist() == [[5, 6], [1, 2]]
    assert rows(take(some_state(), slice(1, 3))) == 2


def test_detaching_keeps_numbers_and_drops_history():
    state = {"v": torch.ones(2, 1, requires_grad=True) * 3}

    cut = detach(state)

    assert cut["v"].tolist() == [[3], [3]] and not cut["v"].requires_grad


def test_a_state_of_other_rows_is_refused_with_both_remedies():
    with pytest.raises(ShapeMismatch, match=r"holds 3 environments, the observation 4.*initial_state\(4\)"):
        check_rows(some_state(), 4)

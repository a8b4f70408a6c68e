"""First weights under Dale's law have the signs, the balance and the spectrum that were promised."""

import pytest
import torch

from lsnn_rl.errors import BadValue
from lsnn_rl.network import LSNN
from lsnn_rl.network.initial import balance, cell_signs, dale_matrix, spectral_radius


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("size, inhibitory", [(80, 19), (220, 54), (400, 99)])
def test_three_quarters_of_the_cells_and_one_more_are_excitatory_as_in_the_released_code(size, inhibitory):
    signs = cell_signs(size)

    assert signs[:inhibitory].tolist() == [-1.0] * inhibitory
    assert signs[inhibitory:].tolist() == [1.0] * (size - inhibitory)


@pytest.mark.parametrize("post", [5, 60, 150])
def test_each_column_has_the_sign_of_its_cell_and_each_row_sums_to_zero(post):
    signs = cell_signs(60)

    w = dale_matrix(post, signs, generator=seeded(0))

    assert w.shape == (post, 60)
    assert (w.sign() == signs).all()
    assert w.sum(dim=1).abs().max() < 1e-5 * w.abs().sum(dim=1).min()


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_the_recurrent_matrix_has_the_promised_spectral_radius(gain):
    w = dale_matrix(60, cell_signs(60), gain, generator=seeded(1))

    assert abs(torch.linalg.eigvals(w).abs().max().item() - gain) < 1e-4


def test_more_postsynaptic_than_presynaptic_cells_repeat_rows_of_the_square_matrix():
    square = dale_matrix(20, cell_signs(20), generator=seeded(2))

    tall = dale_matrix(50, cell_signs(20), generator=seeded(2))

    assert all((row == square).all(dim=1).any() for row in tall)


def test_fewer_postsynaptic_cells_take_the_first_rows():
    square = dale_matrix(20, cell_signs(20), generator=seeded(2))

    assert torch.equal(dale_matrix(7, cell_signs(20), generator=seeded(2)), square[:7])


def test_balancing_keeps_signs_and_absent_synapses():
    w = torch.randn(30, 40, generator=seeded(3)) * (torch.rand(30, 40, generator=seeded(4)) < 0.3)

    balanced = balance(w)

    assert balanced.sum(dim=1).abs().max() < 1e-5
    assert torch.equal(balanced.sign(), w.sign())
    assert (balanced.abs() >= w.abs()).all()


def test_cells_of_one_sign_only_cannot_balance_and_are_only_scaled():
    w = dale_matrix(10, torch.ones(10), generator=seeded(5))

    assert (w > 0).all()
    assert abs(spectral_radius(w) - 1) < 1e-5


def test_the_spectral_radius_of_a_rotation_is_its_scale():
    assert spectral_radius(torch.tensor([[0.0, -3.0], [3.0, 0.0]])) == pytest.approx(3.0)


def test_an_lsnn_under_dales_law_has_the_cells_of_the_paper():
    network = LSNN(inputs=80, regular=120, adaptive=100, readouts=10, dale=True, generator=seeded(6))

    assert int((network.sign_in > 0).sum()) == 61
    assert network.sign_in[:19].tolist() != [-1.0] * 19  # input lines are shuffled
    assert (network.w_in.sign() == network.sign_in).all()
    assert (network.w_rec[:, network.populations["inhibitory"]] < 0).all()
    assert (network.w_rec[:, network.populations["adaptive"]] > 0).all()
    assert (network.w_out.sign() == network.sign_rec).all()


def test_signs_other_than_plus_and_minus_one_are_refused():
    with pytest.raises(BadValue, match="cell_signs"):
        dale_matrix(3, torch.tensor([1.0, 0.5]))

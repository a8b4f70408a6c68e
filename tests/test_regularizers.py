import pytest
import torch

from lsnn_rl.errors import BadValue, ShapeMismatch
from lsnn_rl.network import LSNN
from lsnn_rl.regularizers import firing_rate, voltage


def test_the_rate_cost_is_the_squared_distance_to_the_target_in_spikes_per_step():
    counts = torch.tensor([[20.0, 0.0], [40.0, 0.0]])  # over 1000 steps: rates 0.03 and 0

    assert firing_rate(counts, 1000, target_hz=10.0).item() == pytest.approx((0.02**2 + 0.01**2) / 2)
    assert firing_rate(counts, 1000, target_hz=10.0, reduction="sum").item() == pytest.approx(0.02**2 + 0.01**2)


def test_a_target_in_hertz_means_the_same_for_any_length_of_step():
    counts = torch.full((2, 3), 20.0)

    assert firing_rate(counts, steps=4000, dt_ms=0.5, target_hz=10.0).item() == pytest.approx(0.0, abs=1e-12)


def test_rows_of_different_length_have_rates_of_their_own():
    counts = torch.tensor([[10.0], [5.0]])

    cost = firing_rate(counts, torch.tensor([1000, 500]), target_hz=10.0)

    assert cost.item() == pytest.approx(0.0, abs=1e-12)


def test_following_the_rate_cost_brings_the_rate_to_its_target():
    torch.manual_seed(0)
    network = LSNN(10, regular=20, adaptive=0, readouts=1)
    optimizer = torch.optim.Adam([network.w_in, network.w_rec], lr=0.01)
    x = (torch.rand(100, 8, 10) < 0.2).float()

    costs = []
    for _ in range(40):
        cost = firing_rate(network.run(x)[0].counts, steps=100, target_hz=50.0)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        costs.append(cost.item())

    assert costs[-1] < costs[0] / 4


def test_the_voltage_cost_begins_one_threshold_away_and_grows_on_both_sides():
    v = torch.tensor([-0.03, -0.01, 0.0, 0.01, 0.02])

    assert voltage(v, 0.01, reduction="sum").item() == pytest.approx(2.0**2 + 1.0**2, rel=1e-5)


@pytest.mark.parametrize(
    ("call", "error", "remedy"),
    [
        (lambda: firing_rate(torch.ones(3), 10), ShapeMismatch, r"\[N, H\]"),
        (lambda: firing_rate(torch.ones(3, 2), 0), BadValue, r"T \* K"),
        (lambda: firing_rate(torch.ones(3, 2), 10, reduction="men"), BadValue, "'mean' or 'sum'"),
    ],
)
def test_a_cost_that_makes_no_sense_is_refused(call, error, remedy):
    with pytest.raises(error, match=remedy):
        call()

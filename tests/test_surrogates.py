import pytest
import torch

from lsnn_rl.errors import BadValue, UnknownName
from lsnn_rl.surrogates import SURROGATES, build_surrogate

AROUND = torch.linspace(-3, 3, 601, dtype=torch.float64)


def triangle_area(u, dampening):
    """The integral of dampening * max(0, 1 - |u|) from -1."""
    inside = u.clamp(-1, 1)
    return dampening * torch.where(inside < 0, (1 + inside) ** 2 / 2, 1 - (1 - inside) ** 2 / 2)


@pytest.mark.parametrize("name", SURROGATES.names())
def test_a_spike_needs_a_voltage_strictly_above_the_threshold(name):
    spikes = build_surrogate(name)(torch.tensor([-1.0, 0.0, 1e-7, 1.0]))

    assert spikes.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("name", SURROGATES.names())
def test_the_gradient_of_a_spike_is_the_slope(name):
    surrogate = build_surrogate(name)
    distance = AROUND.clone().requires_grad_()

    (surrogate(distance) * torch.arange(601)).sum().backward()

    assert torch.equal(distance.grad, surrogate.slope(AROUND) * torch.arange(601))


@pytest.mark.parametrize("name", SURROGATES.names())
def test_the_slope_is_even_highest_at_the_threshold_and_as_high_as_the_dampening(name):
    slope = build_surrogate(name, dampening=0.4).slope(AROUND)

    assert torch.allclose(slope, slope.flip(0)) and slope.argmax() == 300
    assert slope.max() == pytest.approx(0.4) and bool((slope >= 0).all())


def test_the_triangular_slope_is_the_finite_difference_of_the_area_under_a_triangle():
    u, h = AROUND + 1e-3, 1e-5  # beside the corners

    difference = (triangle_area(u + h, 0.3) - triangle_area(u - h, 0.3)) / (2 * h)

    assert torch.allclose(build_surrogate("triangular", dampening=0.3).slope(u), difference, atol=1e-8)


def test_the_triangle_is_blind_beyond_one_threshold_and_the_fast_sigmoid_is_not():
    far = torch.tensor([1.5])

    assert build_surrogate("triangular").slope(far) == 0 and build_surrogate("fast_sigmoid").slope(far) > 0


def test_a_slope_of_no_height_is_refused():
    with pytest.raises(BadValue, match="Give a positive number, such as 0.3"):
        build_surrogate("triangular", dampening=0.0)


def test_an_unknown_surrogate_is_answered_with_the_known_ones():
    with pytest.raises(UnknownName, match="Did you mean 'triangular'"):
        build_surrogate("triangle")

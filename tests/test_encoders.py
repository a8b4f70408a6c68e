import math

import numpy as np
import pytest
import torch
from gymnasium import spaces

from lsnn_rl.encoders import ENCODERS, build_encoder
from lsnn_rl.encoders.base import per_dimension
from lsnn_rl.errors import BadValue, ShapeMismatch, UnknownName

ARENA = spaces.Box(np.float32([-1, -1, -1, -1, 0, 0]), np.float32([1, 1, 1, 1, 1, 1]))
ONE = spaces.Box(0.0, 1.0, (1,))


@pytest.mark.parametrize("name", ENCODERS.names())
def test_every_encoder_makes_as_many_lines_as_it_says_for_any_number_of_leading_axes(name):
    encoder = build_encoder(name, ONE)

    assert encoder(torch.rand(7, 3, 1)).shape[1:] == (3, encoder.size)
    assert encoder(torch.rand(7, 3, 2, 1)).shape[1:] == (3, 2, encoder.size)


@pytest.mark.parametrize("name", ENCODERS.names())
@pytest.mark.parametrize(
    ("obs", "error", "remedy"),
    [
        (torch.tensor([[0.1], [math.nan]]), BadValue, r"nan at \[1, 0\].*must be finite"),
        (torch.tensor([[math.inf], [0.1]]), BadValue, r"inf at \[0, 0\]"),
        (torch.zeros(4, 2), ShapeMismatch, r"Pass \[..., 1\]"),
    ],
)
def test_what_no_encoder_can_read_is_refused_at_once(name, obs, error, remedy):
    with pytest.raises(error, match=remedy):
        build_encoder(name, ONE)(obs)


def test_the_arena_is_read_by_tuning_curves_groups_of_lines_and_a_constant():
    encoder = build_encoder("population", ARENA, curves=[24, 24, 12, 12, 1, 1], gain={4: 6})

    lines = encoder(torch.tensor([0.0, 1.0, -1.0, 0.5, 1.0, 0.0]))

    assert encoder.size == 2 * 24 + 2 * 12 + 2 * 8 + 1 and encoder.bias_line == 88
    assert lines[72:80].tolist() == [12.0] * 8 and lines[80:88].tolist() == [0.0] * 8 and lines[88] == 1


def test_a_tuning_curve_is_a_gaussian_of_one_spacing_that_ends_at_two_and_a_half_sigma():
    encoder = build_encoder("population", spaces.Box(-1, 1, (1,)), curves=24, bias=False)
    x = 0.3

    lines = encoder(torch.tensor([x]))

    centres, sigma = np.linspace(-1, 1, 24), 2 / 24
    expected = np.exp(-((x - centres) ** 2) / (2 * sigma**2)) * (np.abs(x - centres) < 2.5 * sigma)
    assert np.allclose(lines.numpy(), expected, atol=1e-6) and (lines > 0).sum() == 5


def test_every_place_is_seen_by_some_curve_and_places_beyond_the_bounds_as_the_border():
    encoder = build_encoder("population", spaces.Box(-2, 3, (1,)), curves=10, bias=False)

    seen = encoder(torch.linspace(-2, 3, 501)[:, None])

    assert seen.sum(dim=1).min() > 0.9
    assert torch.equal(encoder(torch.tensor([[5.0]])), encoder(torch.tensor([[3.0]])))


def test_one_hot_choices_are_flags_and_the_rule_can_be_overruled():
    choices = build_encoder("population", spaces.Discrete(3), lines=2, bias=False)
    grey = build_encoder("population", ONE, flags=[], curves=5, bias=False)

    assert choices(torch.tensor([0.0, 1.0, 0.0])).tolist() == [0, 0, 2, 2, 0, 0]
    assert grey(torch.tensor([0.5])).argmax() == 2


def test_numbers_without_bounds_are_refused_or_squashed_on_request():
    space = spaces.Box(np.float32([-np.inf, -1]), np.float32([np.inf, 1]))

    with pytest.raises(BadValue, match=r"Numbers \[0\].*Pass bounds=1.0.*'current'"):
        build_encoder("population", space)
    encoder = build_encoder("population", space, bounds=2.0, curves=9, bias=False)
    lines = encoder(torch.tensor([2 * math.atanh(0.5), 0.5]))

    assert torch.allclose(lines[:9], lines[9:], atol=1e-6)


def test_poisson_lines_are_spikes_at_the_asked_rate():
    encoder = build_encoder("population", spaces.Box(-1, 1, (1,)), curves=3, poisson=True, rate_max_hz=200.0)
    torch.manual_seed(0)

    spikes = encoder(torch.zeros(20_000, 1))

    assert encoder.stochastic and set(spikes.unique().tolist()) == {0, 1}
    rate = spikes.mean(dim=0)
    assert rate[1].item() == pytest.approx(0.2, rel=0.05)
    assert rate[0].item() == pytest.approx(0.2 * math.exp(-0.5 * 1.5**2), rel=0.1)  # 1.5 sigma away


def test_auto_takes_tuning_curves_where_there_are_bounds_and_plain_currents_where_there_are_none():
    cart_pole = spaces.Box(np.float32([-4.8, -3.4e38]), np.float32([4.8, 3.4e38]))

    assert repr(build_encoder("auto", ARENA)) == "Population(6 -> 113)"
    assert repr(build_encoder("auto", cart_pole)) == "Current(2 -> 2)"


def test_currents_are_scaled_by_bounds_and_left_alone_without():
    space = spaces.Box(np.float32([-2, 0, -np.inf]), np.float32([6, 1, np.inf]))

    encoder = build_encoder("current", space, gain={2: 0.1}, bias=True)

    assert encoder(torch.tensor([6.0, 1.0, 50.0])).tolist() == [1, 1, 5, 1]
    assert encoder(torch.tensor([2.0, 0.0, 0.0])).tolist() == [0, 0, 0, 1]


def crossings(y, thresholds):
    """The rule of the released code, pixel by pixel."""
    spikes = np.zeros((len(y), 2 * (len(thresholds) - 1) + 1))
    for i in range(len(y)):
        for k, threshold in enumerate(thresholds[:-1]):
            if i + 1 < len(y):
                spikes[i, 2 * k] = y[i] < threshold <= y[i + 1]
                spikes[i, 2 * k + 1] = y[i] >= threshold > y[i + 1]
        spikes[i, -1] = y[i] == 1
    return spikes


def test_threshold_crossings_follow_the_released_code():
    rng = np.random.default_rng(0)
    y = rng.random((784, 3)).astype(np.float32)
    y[rng.random((784, 3)) < 0.1] = 1.0
    encoder = build_encoder("threshold_crossing", ONE)

    spikes = encoder(torch.tensor(y)[..., None]).numpy()

    assert encoder.size == 80 and spikes.shape == (784 + 56, 3, 80)
    grey = torch.linspace(0, 1, 40).numpy()
    for row in range(3):
        assert np.array_equal(spikes[:784, row, :79], crossings(y[:, row], grey))
    assert spikes[:784, :, 79].sum() == 0 and spikes[784:, :, 79].all() and spikes[784:, :, :79].sum() == 0
    assert spikes[..., :2].sum() == 0  # nothing can fall below threshold 0


def test_the_causal_variant_spikes_one_step_later_and_never_looks_ahead():
    y = torch.tensor([0.0, 0.0, 0.6, 0.6])[:, None, None]
    options = {"thresholds": 3, "cue_steps": 0}

    ahead = build_encoder("threshold_crossing", ONE, **options)(y)
    causal = build_encoder("threshold_crossing", ONE, causal=True, **options)(y)

    assert ahead[:, 0, 2].tolist() == [0, 1, 0, 0] and causal[:, 0, 2].tolist() == [0, 0, 1, 0]


def test_two_steps_a_pixel_give_one_spike_a_crossing_at_the_end_of_the_old_pixel():
    y = torch.tensor([0.0, 0.6])[:, None, None]

    spikes = build_encoder("threshold_crossing", ONE, thresholds=3, repeat=2, cue_steps=1)(y)

    assert spikes[:, 0, 2].tolist() == [0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("build", "error", "remedy"),
    [
        (lambda: build_encoder("populatoin", ONE), UnknownName, "Did you mean 'population'"),
        (lambda: build_encoder("threshold_crossing", ARENA), BadValue, "Take the encoder 'population'"),
        (lambda: build_encoder("population", ARENA, curves=[24, 24]), ShapeMismatch, "Give one, or 6"),
        (lambda: build_encoder("population", ARENA, gain={6: 2.0}), BadValue, "Count from 0 to 5"),
        (lambda: build_encoder("population", ARENA, width=0.0), BadValue, "positive width"),
        (lambda: build_encoder("current", spaces.Sequence(spaces.Discrete(2))), BadValue, "Wrap the environment"),
    ],
)
def test_an_encoder_that_makes_no_sense_is_refused_with_what_to_type_instead(build, error, remedy):
    with pytest.raises(error, match=remedy):
        build()


@pytest.mark.parametrize("name", ENCODERS.names())
def test_an_encoder_computes_in_the_precision_it_was_converted_to(name):
    assert build_encoder(name, ONE).double()(torch.rand(4, 2, 1)).dtype == torch.float64


def test_one_number_stands_for_all_dimensions():
    assert per_dimension("gain", 2.0, 1.0, features=3) == [2.0, 2.0, 2.0]


def test_numbers_by_index_may_be_named_in_words_as_json_has_them():
    assert per_dimension("gain", {"4": 6, 5: 3}, 1, 6) == [1, 1, 1, 1, 6, 3]


@pytest.mark.parametrize("flag", [5, -1])
def test_a_flag_beyond_the_observation_is_refused(flag):
    with pytest.raises(BadValue, match=rf"names numbers \[{flag}\] of an observation with 2"):
        build_encoder("population", spaces.Box(-1, 1, (2,)), flags=[flag], curves=4)

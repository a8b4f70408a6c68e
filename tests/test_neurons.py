import math

import numpy as np
import pytest
import torch

from lsnn_rl.errors import BadValue, ShapeMismatch, UnknownName
from lsnn_rl.neurons import CELLS
from lsnn_rl.neurons.alif import ALIF
from lsnn_rl.neurons.lif import LIF
from lsnn_rl.probe import spike_times


@pytest.fixture
def float64():
    """Constants in double precision, for comparisons to the last digit."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


SPIKING = [name for name in CELLS.names() if CELLS.get(name).spiking]


def drive(cell, currents):
    """Spikes and states of an isolated cell under currents [T, H]."""
    state = cell.initial_state(1, currents.dtype)
    spikes, states = [], []
    for now in currents:
        z, state = cell.step(now[None], torch.zeros_like(now)[None], state)
        spikes.append(z[0])
        states.append(state)
    return torch.stack(spikes), states


def by_hand(currents, official, beta=1.8, tau_adapt=700.0, tau_mem=20.0, thr=0.01, silence=3):
    """The equations of the paper (or of the released code) for one neuron, written down in plain Python floats."""
    alpha, rho = math.exp(-1 / tau_mem), math.exp(-1 / tau_adapt)
    v = b = z = 0.0
    quiet_until, spikes, voltages = -1, [], []
    for t, current in enumerate(currents):
        if official:
            b = rho * b + (1 - rho) * z
            level = thr + beta * b
            crossed = v > level
            v = alpha * v + (1 - alpha) * current - level * z
        else:
            v = alpha * v + (1 - alpha) * current - (thr + beta * b) * z
            b = rho * b + (1 - rho) * z
            crossed = v > thr + beta * b
        z = float(crossed and t > quiet_until)
        if z:
            quiet_until = t + silence
        spikes.append(z)
        voltages.append(v)
    return spikes, voltages


def test_constant_current_makes_an_adapting_neuron_fire_ever_more_slowly():
    cell = ALIF(1, beta=1.8, tau_adapt_ms=700.0, thr=0.01, tau_mem_ms=20.0)

    assert spike_times(cell, current=0.05, steps=40) == [5, 11, 19, 28, 39]


@pytest.mark.parametrize("cell", [LIF(1, refractory_ms=0), ALIF(1, beta=0.0, refractory_ms=3)])
def test_without_adaptation_the_same_current_gives_a_steady_rhythm(cell):
    assert spike_times(cell, current=0.05, steps=40) == [5, 10, 15, 19, 24, 29, 34, 39]


def test_the_released_code_fires_doublets_where_no_refractory_period_hides_them():
    cell = LIF(1, timing="official", refractory_ms=0)

    assert spike_times(cell, current=0.05, steps=25) == [5, 6, 14, 15, 23, 24]


@pytest.mark.parametrize("timing", ["paper", "official"])
@pytest.mark.parametrize("name", SPIKING)
def test_refractory_period_of_five_steps_gives_a_spike_every_six_under_strong_drive(name, timing):
    times = spike_times(CELLS.get(name)(1, refractory_ms=5.0, timing=timing), current=2.0, steps=60)

    assert set(np.diff(times)) == {6}


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_voltages_and_spikes_equal_the_equations_written_down_by_hand(float64, official, seed):
    currents = np.random.default_rng(seed).normal(0.1, 0.2, size=400)
    cell = ALIF(1, refractory_ms=3, timing="official" if official else "paper")

    spikes, states = drive(cell, torch.tensor(currents)[:, None])

    expected_spikes, expected_voltages = by_hand(currents, official)
    assert spikes[:, 0].tolist() == expected_spikes and sum(expected_spikes) > 20
    assert np.allclose([float(state["v"]) for state in states], expected_voltages, atol=1e-6)


def test_the_gradient_of_a_train_of_spikes_equals_its_closed_form(float64):
    """d spikes / d w of one neuron with I(t) = w x(t): the chain rule step by step, with the triangle for dz/du."""
    x = np.random.default_rng(1).normal(1.0, 1.0, size=60)
    alpha, rho, thr, beta, w, silence = math.exp(-1 / 20), math.exp(-1 / 100), 0.01, 1.8, 0.05, 2
    weight = torch.tensor(w, requires_grad=True)
    cell = ALIF(1, beta=beta, tau_adapt_ms=100.0, refractory_ms=silence)

    spikes, _ = drive(cell, (weight * torch.tensor(x))[:, None])
    (gradient,) = torch.autograd.grad((spikes[:, 0] * torch.arange(60)).sum(), weight)

    v = b = z = dv = db = dz = expected = 0.0
    wait = 0
    for t in range(60):
        dv = alpha * dv + (1 - alpha) * x[t] - beta * db * z - (thr + beta * b) * dz
        v = alpha * v + (1 - alpha) * w * x[t] - (thr + beta * b) * z
        b, db = rho * b + (1 - rho) * z, rho * db + (1 - rho) * dz
        level = thr + beta * b
        ready = wait == 0
        dz = ready * 0.3 * max(0.0, 1 - abs(v - level) / level) * (dv / level - v * beta * db / level**2)
        z = float(ready and v > level)
        wait = silence if z else max(0, wait - 1)
        expected += t * dz
    assert float(gradient) == pytest.approx(expected, rel=1e-9) and expected != 0


def test_a_suppressed_spike_passes_no_gradient():
    current = torch.tensor([2.0, 2.0], requires_grad=True)
    cell = LIF(1, refractory_ms=1, tau_mem_ms=1.0, thr=2.0, detach_reset=True)

    spikes, _ = drive(cell, torch.stack([current[:1] * 4, current[1:]]))
    (gradient,) = torch.autograd.grad(spikes[1].sum(), current)

    assert spikes[:, 0].tolist() == [1, 0] and gradient.tolist() == [0, 0]


def test_detaching_the_reset_removes_its_share_of_the_gradient():
    def slope(**options):
        current = torch.full((2, 1), 0.21, requires_grad=True)  # just above the threshold after one step
        _, states = drive(LIF(1, refractory_ms=0, **options), current)
        return torch.autograd.grad(states[-1]["v"].sum(), current)[0][0].item()

    alpha, thr = math.exp(-1 / 20), 0.01
    u = (1 - alpha) * 0.21 / thr - 1

    assert slope(detach_reset=True) == pytest.approx(alpha * (1 - alpha), rel=1e-4)
    through_the_spike = thr * 0.3 * (1 - u) * (1 - alpha) / thr
    assert slope() == pytest.approx(alpha * (1 - alpha) - through_the_spike, rel=1e-3)


def test_detaching_the_adaptation_stops_the_gradient_from_the_trace_to_the_spike():
    def trace(**options):
        current = torch.full((2, 1), 0.21, requires_grad=True)
        _, states = drive(ALIF(1, **options), current)
        return states[-1]["b"], current

    b, current = trace()
    alone, _ = trace(detach_adaptation=True)

    assert torch.autograd.grad(b.sum(), current)[0][0] > 0
    assert torch.equal(b, alone) and not alone.requires_grad


def test_the_surrogate_over_the_base_threshold_is_steeper_in_an_adapted_neuron():
    def slope(scale):
        current = torch.tensor([[0.3]], requires_grad=True)
        cell = ALIF(1, surrogate_scale=scale)
        state = {**cell.initial_state(1), "b": torch.tensor([[0.01]])}  # threshold 0.01 + 1.8 * 0.01 = 0.028
        z, _ = cell.step(current, torch.zeros(1, 1), state)
        return torch.autograd.grad(z.sum(), current)[0].item()

    alpha, rho = math.exp(-1 / 20), math.exp(-1 / 700)
    level, v = 0.01 + 1.8 * 0.01 * rho, (1 - alpha) * 0.3
    for scale, denominator in (("adapted", level), ("base", 0.01)):
        u = (v - level) / denominator
        expected = 0.3 * max(0.0, 1 - abs(u)) / denominator * (1 - alpha)
        assert slope(scale) == pytest.approx(expected, rel=1e-3, abs=1e-7)


def test_constants_may_differ_from_neuron_to_neuron():
    cell = LIF(2, tau_mem_ms=[10.0, 40.0], thr=torch.tensor([0.01, 0.02]))

    assert cell.decay_mem.tolist() == pytest.approx([math.exp(-0.1), math.exp(-0.025)])
    assert cell.thr.tolist() == pytest.approx([0.01, 0.02])


@pytest.mark.parametrize(
    ("distribution", "low", "high"), [(("uniform", 1, 1000), 1, 1000), (("log_uniform", 10, 2000), 10, 2000)]
)
def test_sampled_time_constants_stay_in_their_range_and_are_as_reproducible_as_their_generator(distribution, low, high):
    def sample():
        return ALIF(300, tau_adapt_ms=distribution, generator=torch.Generator().manual_seed(3)).decay_adapt

    tau = -1 / torch.log(sample().double())

    assert torch.equal(sample(), sample())
    assert low * 0.99 < tau.min() < tau.median() < tau.max() < high * 1.01 and tau.std() > (high - low) / 10


def test_a_normal_distribution_has_its_mean_and_spread():
    thr = LIF(4000, thr=("normal", 0.05, 0.005), generator=torch.Generator().manual_seed(0)).thr

    assert thr.mean().item() == pytest.approx(0.05, rel=0.01) and thr.std().item() == pytest.approx(0.005, rel=0.05)


@pytest.mark.parametrize(
    ("options", "error", "remedy"),
    [
        ({"tau_mem_ms": -1.0}, BadValue, "positive number of milliseconds"),
        ({"thr": 0.0}, BadValue, "Give positive numbers"),
        ({"thr": [0.01, 0.01]}, ShapeMismatch, "Give one number, or 3"),
        ({"thr": float("nan")}, BadValue, "Give finite numbers"),
        ({"thr": ("unifrom", 0.01, 0.1)}, UnknownName, "Did you mean 'uniform'"),
        ({"thr": ("uniform", 0.1, 0.01)}, BadValue, "empty range"),
        ({"thr": ("uniform", 0.1)}, BadValue, "two finite numbers"),
        ({"tau_adapt_ms": 1.2}, BadValue, "did you mean 1200"),
        ({"beta": -1.0}, BadValue, "zero or positive"),
        ({"timing": "papr"}, UnknownName, "Did you mean 'paper'"),
        ({"trainable": ("tau_adpt",)}, UnknownName, "Did you mean 'tau_adapt'"),
        ({"refractory_ms": -1}, BadValue, "zero or a positive number"),
    ],
)
def test_a_constant_that_makes_no_sense_is_refused_with_what_to_type_instead(options, error, remedy):
    with pytest.raises(error, match=remedy):
        ALIF(3, **options)


def test_trained_constants_begin_where_they_were_put_and_keep_their_sign_whatever_the_optimiser_does():
    names = ("thr", "beta", "tau_mem", "tau_adapt")
    plain, trained = ALIF(2, beta=[0.0, 1.8]), ALIF(2, beta=[0.0, 1.8], trainable=names)
    optimizer = torch.optim.SGD(trained.parameters(), lr=1e4)

    assert all(torch.equal(getattr(plain, name), getattr(trained, name)) for name in ("thr", "beta", "decay_adapt"))
    _, states = drive(trained, torch.full((30, 2), 0.1))
    (states[-1]["v"] + states[-1]["b"]).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in trained.parameters())
    optimizer.step()

    assert bool((trained.thr >= 0).all()) and trained.beta[0] == 0 and trained.beta[1] >= 0
    assert bool(((trained.decay_mem >= 0) & (trained.decay_mem <= 1)).all())


def test_a_trained_time_constant_grows_by_the_exponential_of_its_log_gain():
    cell = ALIF(1, tau_adapt_ms=100.0, trainable=("tau_adapt",))

    with torch.no_grad():
        next(cell.parameters()).fill_(math.log(3))

    assert cell.decay_adapt.item() == pytest.approx(math.exp(-1 / 300), rel=1e-6)


@pytest.mark.parametrize("name", CELLS.names())
def test_the_rest_state_of_every_cell_is_all_zeros_and_stays_at_rest_without_current(name):
    cell = CELLS.get(name)(4)
    rest = cell.initial_state(3)

    silence = torch.zeros(3, 4 * cell.currents)
    output, state = cell.step(silence, silence, rest)

    assert list(state) == list(rest) and all(value.shape == (3, 4) for value in rest.values())
    assert output.abs().sum() == 0 and all(value.abs().sum() == 0 for value in state.values())


@pytest.mark.parametrize(
    ("name", "reference"), [("gru", torch.nn.GRUCell), ("lstm", torch.nn.LSTMCell), ("rnn", torch.nn.RNNCell)]
)
def test_a_gated_step_is_torchs_own_cell(name, reference):
    theirs, ours = reference(5, 4).double(), CELLS.get(name)(4)
    x, h, c = torch.randn(3, 3, 5).double()[0], torch.randn(3, 4).double(), torch.randn(3, 4).double()
    expected = theirs(x, (h, c) if name == "lstm" else h)

    drive = torch.nn.functional.linear(x, theirs.weight_ih, theirs.bias_ih)
    recurrent = torch.nn.functional.linear(h, theirs.weight_hh, theirs.bias_hh)
    _, state = ours.step(drive, recurrent, {"h": h, "c": c} if name == "lstm" else {"h": h})

    for mine, other in zip(state.values(), expected if name == "lstm" else [expected], strict=True):
        assert torch.allclose(mine, other, atol=1e-14)


def test_a_cell_without_units_is_refused():
    with pytest.raises(BadValue, match="Give at least 1"):
        LIF(0)

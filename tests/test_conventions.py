"""One neuron in two conventions spikes at the same times; the e-prop side is simulated here, from its own equations."""

import pytest
import torch

from lsnn_rl.errors import ShapeMismatch
from lsnn_rl.network.readout import follow
from lsnn_rl.neurons.alif import ALIF
from lsnn_rl.neurons.conventions import (
    Constants,
    constants_of,
    from_eprop,
    readout_from_eprop,
    readout_to_eprop,
    state_from_eprop,
    state_to_eprop,
    to_eprop,
)
from lsnn_rl.neurons.lif import LIF

torch.set_num_threads(1)
H, INPUTS, REFRACTORY = 30, 10, 3


def varied_cell():
    """Every constant different for every neuron, in float64."""
    g = torch.Generator().manual_seed(0)
    cell = ALIF(
        H,
        thr=("uniform", 0.01, 0.03),
        beta=("uniform", 0.0, 1.8),
        tau_mem_ms=("uniform", 15, 30),
        tau_adapt_ms=("uniform", 100, 1200),
        refractory_ms=REFRACTORY,
        generator=g,
    ).double()
    w_in = torch.randn(H, INPUTS, generator=g, dtype=torch.float64) / INPUTS**0.5
    w_rec = 0.3 * torch.randn(H, H, generator=g, dtype=torch.float64) / H**0.5
    return cell, w_in, w_rec


def noise(steps, seed=1):
    return torch.randn(steps, INPUTS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 0.3


def lsnn_spikes(cell, w_in, w_rec, x, state=None):
    state, spikes = state or {k: v.double() for k, v in cell.initial_state(1).items()}, []
    for line in x:
        z, state = cell.step((w_in @ line)[None], (w_rec @ state["z"][0])[None], state)
        spikes.append(z[0])
    return torch.stack(spikes), state


def eprop_spikes(constants, w_in, w_rec, x, state=None):
    """v' = decay v + W_in x + W_rec z - A z, b' = rho b + z, and a spike where v' > thr + beta b'."""
    v, b, z, wait = (state[k] for k in ("v", "b", "z", "refractory")) if state else (torch.zeros(H).double(),) * 4
    thr, beta, decay, rho = constants
    spikes = []
    for line in x:
        v = decay * v + w_in @ line + w_rec @ z - (thr + beta * b) * z
        b = rho * b + z
        z = ((v > thr + beta * b) & (wait == 0)).double()
        wait = torch.where(z > 0, float(REFRACTORY), (wait - 1).clamp(min=0))
        spikes.append(z)
    return torch.stack(spikes), {"v": v, "b": b, "z": z, "refractory": wait}


@pytest.mark.parametrize("thr", [None, 0.6])
def test_spikes_are_identical_over_thousands_of_noisy_steps(thr):
    cell, w_in, w_rec = varied_cell()
    x = noise(5000)
    constants, weights = to_eprop(constants_of(cell), [w_in, w_rec], thr=thr)

    ours, _ = lsnn_spikes(cell, w_in, w_rec, x)
    theirs, _ = eprop_spikes(constants, *weights, x)

    assert ours.sum() > 2000
    assert (ours.sum(0) > 0).sum() > H // 2
    assert torch.equal(ours, theirs)


def test_the_constants_of_sequential_mnist_become_those_of_the_eprop_code():
    constants, weights = to_eprop(constants_of(ALIF(1)), [torch.ones(1, 3)])

    assert constants.thr.item() == pytest.approx(0.205, abs=5e-4)
    assert constants.beta.item() == pytest.approx(0.0527, abs=5e-5)
    assert torch.equal(weights[0], torch.ones(1, 3))


def test_a_chosen_threshold_is_reached_by_scaling_the_weights():
    constants, (w,) = to_eprop(constants_of(LIF(4)), [torch.ones(4, 2)], thr=0.6)

    assert torch.allclose(constants.thr, torch.tensor(0.6))
    assert torch.allclose(w, torch.tensor(0.6 / (0.01 / (1 - 0.951229424))), rtol=1e-4)


@pytest.mark.parametrize("thr", [None, 0.6])
def test_there_and_back_again_changes_nothing(thr):
    cell, w_in, w_rec = varied_cell()
    before = constants_of(cell)

    eprop, weights = to_eprop(before, [w_in, w_rec], thr=thr)
    back, returned = from_eprop(eprop, weights, thr=before.thr)

    for value, expected in zip((*back, *returned), (*before, w_in, w_rec), strict=True):
        assert torch.allclose(value, expected, rtol=1e-14, atol=0)


def test_a_running_network_can_change_convention_and_return():
    cell, w_in, w_rec = varied_cell()
    x = noise(3000, seed=2)
    lsnn = constants_of(cell)
    eprop, weights = to_eprop(lsnn, [w_in, w_rec])
    whole, _ = lsnn_spikes(cell, w_in, w_rec, x)

    first, state = lsnn_spikes(cell, w_in, w_rec, x[:1000])
    state = {name: value[0] for name, value in state_to_eprop(state, lsnn, eprop).items()}
    middle, state = eprop_spikes(eprop, *weights, x[1000:2000], state)
    state = {name: value[None] for name, value in state_from_eprop(state, eprop, from_eprop(eprop)[0]).items()}
    last, _ = lsnn_spikes(cell, w_in, w_rec, x[2000:], state)

    assert torch.equal(torch.cat([first, middle, last]), whole)


def test_the_readout_decays_by_the_same_factor_and_reads_the_same():
    w_out = torch.randn(2, 5, generator=torch.Generator().manual_seed(3))
    kappa = torch.tensor([0.9, 0.5])
    w_eprop = readout_to_eprop(w_out, kappa)
    y_lsnn = y_eprop = torch.zeros(1, 2)

    for step in range(20):
        z = (torch.rand(1, 5, generator=torch.Generator().manual_seed(step)) < 0.3).float()
        y_lsnn = follow(y_lsnn, z @ w_out.T, kappa)
        y_eprop = kappa * y_eprop + z @ w_eprop.T

    assert torch.allclose(y_lsnn, y_eprop, rtol=1e-5)
    assert torch.allclose(readout_from_eprop(w_eprop, kappa), w_out)


def test_weights_that_do_not_lead_onto_these_neurons_are_refused():
    constants = Constants(*(torch.full((4,), x) for x in (0.01, 1.8, 0.95, 0.99)))

    with pytest.raises(ShapeMismatch, match="readout_to_eprop"):
        to_eprop(constants, [torch.ones(2, 4)])


def test_a_state_without_adaptation_is_converted_too():
    cell = LIF(3)
    ours = constants_of(cell)
    theirs, _ = to_eprop(ours)
    state = {**cell.initial_state(1), "v": torch.full((1, 3), 0.5)}

    there = state_to_eprop(state, ours, theirs)
    back = state_from_eprop(there, theirs, from_eprop(theirs, thr=ours.thr)[0])

    torch.testing.assert_close(there["v"], state["v"] * theirs.thr / ours.thr)
    torch.testing.assert_close(back["v"], state["v"])

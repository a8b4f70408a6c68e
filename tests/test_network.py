import copy
import math

import numpy as np
import pytest
import torch

from lsnn_rl.errors import BadValue, ShapeMismatch, UnknownName
from lsnn_rl.network import LSNN, Populations, RecurrentNetwork, build_network
from lsnn_rl.neurons import CELLS
from lsnn_rl.neurons.lif import LIF
from lsnn_rl.surrogates import Surrogate

NETWORKS = {
    **{name: {"cell": name, "size": 12} for name in CELLS.names()},
    "lsnn": {"cell": "lsnn", "regular": 7, "adaptive": 5},
    "lsnn with delays": {"cell": "lsnn", "regular": 7, "adaptive": 5, "delay_ms": 4},
    "lsnn with substeps": {"cell": "lsnn", "regular": 7, "adaptive": 5, "substeps": 3},
    "lsnn, official timing": {"cell": "lsnn", "regular": 7, "adaptive": 5, "timing": "official"},
    "lsnn, masked": {"cell": "lsnn", "regular": 7, "adaptive": 5, "connectivity": 0.3},
    "gru with substeps and a leak": {"cell": "gru", "size": 12, "substeps": 2, "tau_out_ms": 5.0},
}


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def make(name, inputs=5, readouts=3, **more):
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    return build_network(inputs=inputs, readouts=readouts, generator=generator, **NETWORKS[name], **more)


def play(steps=30, rows=4, inputs=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(steps, rows, inputs, generator=generator)
    return x, torch.rand(steps, rows, generator=generator) < 0.1


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("backend", ["law", "auto"])
def test_stepping_one_by_one_equals_running_the_sequence(float64, name, backend):
    network = make(name)
    network.backend = backend
    x, starts = play()

    whole, end = network.run(x, starts=starts, spikes=True)
    state, steps = network.initial_state(4), []
    for t in range(len(x)):
        step, state = network.run(x[t : t + 1], state, starts[t : t + 1], spikes=True)
        steps.append(step)

    assert torch.allclose(torch.cat([step.readout for step in steps]), whole.readout, atol=1e-12)
    assert list(state) == list(end) and all(torch.allclose(state[key], end[key], atol=1e-12) for key in end)
    if network.spiking:
        assert torch.equal(torch.cat([step.spikes for step in steps]), whole.spikes) and whole.spikes.sum() > 50
        assert torch.equal(sum(step.counts for step in steps), whole.counts)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_reset_of_one_lifetime_leaves_its_neighbours_untouched(float64, name):
    network = make(name)
    x, _ = play()
    starts = torch.zeros(30, 4)
    starts[17, 2] = 1

    reset, _ = network.run(x, starts=starts)
    plain, _ = network.run(x)
    afresh, _ = network.run(x[17:, 2:3])

    others = [0, 1, 3]
    assert torch.allclose(reset.readout[:, others], plain.readout[:, others], atol=1e-12)
    assert torch.allclose(reset.readout[17:, 2:3], afresh.readout, atol=1e-12)
    assert not torch.allclose(reset.readout[17:, 2], plain.readout[17:, 2])


@pytest.mark.parametrize("name", NETWORKS)
def test_auto_and_law_agree_in_results_and_gradients(float64, name):
    network = make(name)
    x, starts = play()

    def results(backend):
        network.backend = backend
        network.zero_grad()
        output, state = network.run(x, starts=starts)
        cost = (output.readout**2).sum() + sum((value**2).sum() for value in state.values())
        (cost if output.counts is None else cost + output.counts.sum()).backward()
        return output, {key: p.grad for key, p in network.named_parameters()}

    output, gradients = results("law")
    other, others = results("auto")

    assert torch.allclose(output.readout, other.readout, atol=1e-12)
    for key, gradient in gradients.items():
        assert torch.allclose(gradient, others[key], rtol=1e-9, atol=1e-10), key


class Smooth(Surrogate):
    """Half a spike at the threshold: with it a network is differentiable, and nothing may hide from its gradient."""

    def __call__(self, distance):
        return torch.sigmoid(3 * distance)


@pytest.mark.parametrize("timing", ["paper", "official"])
@pytest.mark.parametrize("extra", [{}, {"delay_ms": 3}, {"substeps": 2, "noise": 0.03}])
def test_gradients_of_a_smooth_network_equal_finite_differences_in_every_parameter(float64, timing, extra):
    network = LSNN(
        2,
        regular=2,
        adaptive=2,
        readouts=2,
        surrogate=Smooth(),
        refractory_ms=0,
        tau_adapt_ms=50.0,
        timing=timing,
        trainable=("thr", "beta", "tau_mem", "tau_adapt"),
        generator=torch.Generator().manual_seed(0),
        **extra,
    )
    x = torch.rand(4, 2, 2, generator=torch.Generator().manual_seed(1), requires_grad=True)
    names, parameters = zip(*network.named_parameters(), strict=True)
    noise = torch.randn(4, 2, 2, 4, generator=torch.Generator().manual_seed(2)) if "noise" in extra else None
    starts = torch.zeros(4, 2)
    starts[2, 1] = 1

    def outcome(x, *values):
        call = (x, None, starts), {"noise": noise}
        output, state = torch.func.functional_call(network, dict(zip(names, values, strict=True)), *call)
        return output.readout, output.counts, *state.values()

    assert torch.autograd.gradcheck(outcome, (x, *parameters), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize(("cell", "kind"), [("gru", torch.nn.GRU), ("lstm", torch.nn.LSTM), ("rnn", torch.nn.RNN)])
@pytest.mark.parametrize("backend", ["law", "auto"])
def test_gated_cells_equal_torchs_modules_in_output_and_gradients(float64, cell, kind, backend):
    network = make(cell)
    network.backend = backend
    module = kind(5, 12)
    with torch.no_grad():
        for theirs, ours in zip(
            module.parameters(), [network.w_in, network.w_rec, network.bias_in, network.bias_rec], strict=True
        ):
            theirs.copy_(ours)
    x, _ = play()

    output, _ = network.run(x)
    expected = torch.nn.functional.linear(module(x)[0], network.w_out, network.bias_out)
    (output.readout**2).sum().backward()
    gradients = [p.grad for p in (network.w_in, network.w_rec, network.bias_in, network.bias_rec)]
    network.zero_grad()
    (torch.nn.functional.linear(module(x)[0], network.w_out, network.bias_out) ** 2).sum().backward()

    assert torch.allclose(output.readout, expected, atol=1e-12)
    for mine, theirs in zip(gradients, module.parameters(), strict=True):
        assert torch.allclose(mine, theirs.grad, rtol=1e-9, atol=1e-10)


def test_the_counts_of_parameters_are_those_of_the_papers_table():
    def count(**sizes):
        return sum(p.numel() for p in LSNN(inputs=80, readouts=10, **sizes).parameters())

    assert count(regular=120, adaptive=100) == count(regular=220, adaptive=0) == 68_210
    assert count(regular=350, adaptive=350) - 10 == 553_000  # the table leaves the ten biases out here
    lstm = torch.nn.LSTM(1, 128)
    ours = build_network("lstm", inputs=1, readouts=10, size=128)
    # 67,850 in the table, which counts one bias per gate; torch has two.
    assert sum(p.numel() for p in ours.parameters()) - 4 * 128 == 67_850
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in lstm.parameters()) + 1290


def test_an_observation_can_make_a_spike_and_move_a_readout_in_its_own_step():
    network = LSNN(1, regular=1, adaptive=0, readouts=1, tau_out_ms=0, readout_bias=False)
    with torch.no_grad():
        network.w_in.fill_(1.0)
        network.w_out.fill_(2.0)

    output, _ = network.run(torch.tensor([[[0.0]], [[1.0]], [[0.0]]]), spikes=True)

    assert output.spikes.flatten().tolist() == [0, 1, 0] and output.readout.flatten().tolist() == [0, 2, 0]


def test_a_spike_reaches_the_membrane_of_the_next_step():
    network = LSNN(1, regular=2, adaptive=0, readouts=1)
    with torch.no_grad():
        network.w_in.copy_(torch.tensor([[1.0], [0.0]]))
        network.w_rec.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0]]))

    output, _ = network.run(torch.tensor([[[1.0]], [[0.0]], [[0.0]]]), spikes=True)

    assert output.spikes[:, 0, 0].tolist() == [[1, 0], [0, 1], [0, 0]]


def test_delays_played_by_hand():
    """A pulse at step 2 over an input delay of 1 makes cell 0 spike at 3; over recurrent delays of 1 and 3 its spike
    reaches cell 1 at 4 and cell 2 at 6; cell 2 hears the pulse itself without delay, too weakly to spike."""
    network = LSNN(1, regular=3, adaptive=0, readouts=1, delay_ms=3)
    with torch.no_grad():
        network.w_in.copy_(torch.tensor([[1.0], [0.0], [0.1]]))
        network.delay_in.copy_(torch.tensor([[1], [0], [0]]))
        network.w_rec.zero_()
        network.w_rec[1, 0] = network.w_rec[2, 0] = 1.0
        network.delay_rec.fill_(1)
        network.delay_rec[2, 0] = 3
    x = torch.zeros(8, 1, 1)
    x[2] = 1.0

    output, state = network.run(x, spikes=True)
    first, middle = network.run(x[:5], spikes=True)
    second, end = network.run(x[5:], middle, spikes=True)

    assert output.spikes[:, 0, 0].nonzero().tolist() == [[3, 0], [4, 1], [6, 2]]
    assert torch.equal(torch.cat([first.spikes, second.spikes]), output.spikes)
    assert middle["ring"].shape == (1, 3, 3) and middle["ring"].abs().sum() == 1  # one spike is still on its way
    assert torch.equal(end["ring"], state["ring"])


def test_delays_of_synapses_are_drawn_from_one_to_the_longest_and_from_none_to_one_less_for_inputs():
    network = LSNN(50, regular=40, adaptive=0, delay_ms=10)

    assert (network.delay_rec.min(), network.delay_rec.max()) == (1, 10)
    assert (network.delay_in.min(), network.delay_in.max()) == (0, 9)


def test_a_leaky_readout_is_an_exponential_average_of_weighted_spikes(float64):
    network = make("lsnn", tau_out_ms=[20.0, 5.0, 0.0])
    x, _ = play()

    output, _ = network.run(x, spikes=True)

    z, w = output.spikes[:, 0].detach().numpy(), network.w_out.detach().numpy()
    kappa, y, expected = np.exp([-1 / 20, -1 / 5, -np.inf]), np.zeros((4, 3)), []
    for spikes in z:
        y = kappa * y + (1 - kappa) * (spikes @ w.T)
        expected.append(y)
    assert np.allclose(output.readout.detach().numpy(), expected, atol=1e-12)


def test_each_input_is_presented_for_all_its_substeps(float64):
    slow, fast = make("lsnn with substeps"), make("lsnn")
    x, _ = play()

    output, state = slow.run(x, spikes=True)
    expected, end = fast.run(x.repeat_interleave(3, dim=0), spikes=True)

    assert torch.equal(output.spikes.flatten(0, 1), expected.spikes[:, 0])
    assert torch.allclose(output.readout, expected.readout[2::3]) and torch.equal(output.counts, expected.counts)
    assert torch.allclose(state["v"], end["v"])


def test_spiking_cells_have_no_synapse_onto_themselves():
    network = LSNN(2, regular=6, adaptive=0)
    x, _ = play(inputs=2)
    before, _ = network.run(x)

    with torch.no_grad():
        network.w_rec.fill_diagonal_(100.0)
    after, _ = network.run(x)
    after.readout.sum().backward()

    assert torch.equal(before.readout, after.readout)
    assert network.w_rec.grad.diagonal().abs().sum() == 0 and network.w_rec.grad.abs().sum() > 0


def test_a_fixed_mask_keeps_the_asked_fraction_and_its_synapses_get_no_gradient():
    network = make("lsnn, masked")
    x, _ = play()

    network.run(x)[0].readout.pow(2).sum().backward()

    assert network.mask_rec.sum() == round(0.3 * 144) and network.mask_in.sum() == round(0.3 * 60)
    assert network.w_rec.grad[network.mask_rec == 0].abs().sum() == 0


def test_the_first_weights_have_the_variance_of_the_released_code():
    network = LSNN(400, regular=300, adaptive=0, recurrent_gain=0.5)

    assert network.w_in.std().item() == pytest.approx(1 / math.sqrt(400), rel=0.02)
    assert network.w_rec.std().item() == pytest.approx(0.5 / math.sqrt(300), rel=0.02)
    assert network.w_out.abs().max().item() <= math.sqrt(6 / 310)


def test_weights_are_worked_out_again_only_when_they_change():
    network = make("lsnn, masked")
    x, _ = play()

    with torch.no_grad():
        first, again = network.weights(), network.weights()
        before = network.run(x)[0].readout
        network.w_rec.mul_(3.0)
        changed, after = network.weights(), network.run(x)[0].readout

    assert first is again and changed is not first and not torch.equal(before, after)
    assert network.weights().w_rec.requires_grad and torch.equal(network.weights().w_rec, changed.w_rec)


def test_noise_kept_with_a_rollout_replays_it_and_its_strength_is_trained(float64):
    network = make("lsnn", noise=0.03)
    x, _ = play()
    samples = torch.randn(30, 1, 4, 12)

    first, _ = network.run(x, noise=samples)
    second, _ = network.run(x, noise=samples)
    silent, _ = network.run(x, noise=torch.zeros_like(samples))
    without, _ = network.run(x)
    first.readout.sum().backward()

    assert torch.equal(first.readout, second.readout) and not torch.equal(first.readout, without.readout)
    assert torch.allclose(silent.readout, without.readout, atol=1e-12)
    assert network.noise_std.shape == (12,) and network.noise_std.grad.abs().sum() > 0


def test_equal_generators_make_equal_networks_and_a_state_dict_carries_one_over():
    one, two = make("lsnn with delays"), make("lsnn with delays")
    other = LSNN(5, regular=7, adaptive=5, readouts=3, delay_ms=4)
    x, _ = play()

    other.load_state_dict(one.state_dict())

    expected = one.run(x)[0].readout
    assert torch.equal(two.run(x)[0].readout, expected) and torch.equal(other.run(x)[0].readout, expected)


def test_a_network_with_trained_constants_can_be_copied():
    network = make("lsnn", trainable=("tau_adapt", "thr"))
    x, _ = play()

    twin = copy.deepcopy(network)

    assert torch.equal(twin.run(x)[0].readout, network.run(x)[0].readout)
    network.run(x)[0].readout.sum().backward()
    assert all(p.grad is not None for p in network.parameters()) and all(p.grad is None for p in twin.parameters())


def test_adaptive_cells_may_have_sampled_constants_and_regular_cells_stay_regular():
    network = LSNN(3, regular=4, adaptive=6, tau_adapt_ms=("uniform", 100, 1000), beta=("uniform", 1, 2))

    assert network.cell.beta[:4].abs().sum() == 0 and network.cell.beta[4:].min() >= 1
    assert len(set(network.cell.decay_adapt[4:].tolist())) == 6


def test_a_network_without_adaptive_cells_is_made_of_lif_cells():
    network = LSNN(3, regular=4, adaptive=0)

    assert type(network.cell) is LIF and "b" not in network.initial_state(2)


def test_populations_of_the_papers_network_under_dales_law():
    cells = Populations(regular=120, adaptive=100, inhibitory=54)

    assert {part: cells[part] for part in cells} == {
        "regular_inhibitory": slice(0, 54),
        "regular_excitatory": slice(54, 120),
        "adaptive_excitatory": slice(120, 220),
    }
    assert cells["regular"] == slice(0, 120) and cells["inhibitory"] == slice(0, 54)
    with pytest.raises(UnknownName, match="Did you mean 'adaptive'"):
        cells["adaptiv"]


def test_under_dales_law_a_cell_excites_or_inhibits():
    network = LSNN(80, regular=120, adaptive=100, dale=True)

    for weight in (network.w_in, network.w_rec, network.w_out):
        assert bool(((weight >= 0).all(dim=0) | (weight <= 0).all(dim=0)).all())
    assert bool((network.w_rec[:, network.populations["inhibitory"]] <= 0).all())
    assert network.populations["inhibitory"] == slice(0, 54)


@pytest.mark.parametrize("substeps", [1, 2])
def test_counts_add_up_the_spikes_of_all_simulation_steps(substeps):
    network = make("lsnn", substeps=substeps)
    x, starts = play()

    output, _ = network.run(x, starts=starts, spikes=True)

    assert output.spikes.shape == (30, substeps, 4, 12)
    assert torch.equal(output.spikes.sum((0, 1)), output.counts)
    assert network.run(x, counts=False)[0].counts is None and network.run(x)[0].spikes is None


@pytest.mark.parametrize(
    ("change", "error", "remedy"),
    [
        ({"x": torch.zeros(3, 5)}, ShapeMismatch, r"x\[None\]"),
        ({"x": torch.zeros(3, 4, 6)}, ShapeMismatch, r"\[T, N, 5\]"),
        ({"x": torch.zeros(0, 4, 5)}, ShapeMismatch, "T >= 1"),
        ({"x": torch.full((3, 4, 5), math.nan)}, BadValue, "NaN or infinity"),
        ({"x": torch.zeros(3, 4, 5).double()}, BadValue, "network.double"),
        ({"starts": torch.zeros(4)}, ShapeMismatch, r"starts\[None\]"),
        ({"noise": torch.zeros(3, 1, 4, 12)}, BadValue, "noise=0.03"),
    ],
)
def test_what_a_network_cannot_run_over_is_answered_before_it_runs(change, error, remedy):
    with pytest.raises(error, match=remedy):
        make("lsnn").run(**{"x": torch.zeros(3, 4, 5), **change})


def test_a_state_of_other_rows_is_refused():
    network = make("lsnn")

    with pytest.raises(ShapeMismatch, match=r"initial_state\(4\)"):
        network.run(torch.zeros(3, 4, 5), network.initial_state(8))


def test_the_state_of_another_network_is_refused():
    lsnn, other = make("lsnn"), LSNN(5, regular=3, adaptive=2, readouts=3)

    with pytest.raises(ShapeMismatch, match=r"v has the shape \[4, 5\], and this network needs \[4, 12\]"):
        lsnn.run(torch.zeros(3, 4, 5), other.initial_state(4))
    with pytest.raises(ShapeMismatch, match="an entry 'b', the given one only v, z, refractory, readout"):
        lsnn.run(torch.zeros(3, 4, 5), make("lif").initial_state(4))


@pytest.mark.parametrize(
    ("build", "error", "remedy"),
    [
        (lambda: build_network("alf", 5, 3), UnknownName, "Did you mean 'alif'"),
        (lambda: build_network("gru", 5, 3, sizes=4), UnknownName, "Did you mean 'size'"),
        (lambda: LSNN(5, regularr=4), UnknownName, "Did you mean 'regular'"),
        (lambda: build_network("gru", 5, 3, delay_ms=4), BadValue, "take cell='lsnn'"),
        (lambda: LSNN(5, regular=10.5), BadValue, "regular = 10.5 is not a number of cells. Give a whole number"),
        (lambda: LSNN(5, tau_mem_ms="a"), BadValue, "tau_mem_ms = 'a' is not a number"),
        (lambda: LSNN(5, regular=0, adaptive=0), BadValue, "at least one cell"),
        (lambda: LSNN(5, connectivity=12), BadValue, "such as 0.12"),
        (lambda: LSNN(0), BadValue, "at least 1"),
        (lambda: LSNN(5, tau_out_ms=-1), BadValue, "0 for a readout that does not leak"),
        (lambda: LSNN(5, dale=True, excitatory=75), BadValue, "such as 0.75"),
    ],
)
def test_a_network_that_makes_no_sense_is_refused_with_what_to_type_instead(build, error, remedy):
    with pytest.raises(error, match=remedy):
        build()


def test_an_unknown_backend_is_answered_with_the_known_ones():
    network = make("lsnn")
    network.backend = "lew"

    with pytest.raises(UnknownName, match="Did you mean 'law'"):
        network.run(torch.zeros(1, 1, 5))


def test_a_network_says_what_it_is_computed_by():
    network = make("gru")

    assert "torch's sequence kernel" in repr(network)
    network.backend = "law"
    assert "computed by law" in repr(network)


class Leak(LIF):
    """A cell of somebody else's."""


def test_a_new_cell_needs_one_line_in_the_table():
    CELLS.add("leak", Leak)

    network = build_network("leak", inputs=2, readouts=1, size=3, refractory_ms=2.0)

    assert isinstance(network, RecurrentNetwork) and network.cell.refractory == 2
    assert network.run(torch.ones(4, 2, 2))[0].readout.shape == (4, 2, 1)
    CELLS._targets.pop("leak")


@pytest.mark.parametrize(
    "build", [lambda: LSNN(8, 20, 20, 3, input_gain=3.0), lambda: build_network("gru", 8, 3, size=40)]
)
def test_a_parametrised_weight_that_changed_acts_at_once(build):
    network = build()
    torch.nn.utils.parametrize.register_parametrization(network, "w_in", Doubled())
    x = torch.rand(30, 4, 8)

    for _ in range(10):
        with torch.no_grad():
            network.parametrizations.w_in.original.mul_(0.9)
            acted = network.run(x)[0].readout
        torch.testing.assert_close(acted, network.run(x)[0].readout.detach(), rtol=1e-4, atol=1e-5)


class Doubled(torch.nn.Module):
    def forward(self, w):
        return 2 * w


@pytest.mark.parametrize("adaptive", [-1, 9])
def test_more_adaptive_cells_than_cells_are_refused(adaptive):
    with pytest.raises(BadValue, match=f"adaptive = {adaptive} of 8 cells"):
        build_network("alif", 4, 2, size=8, adaptive=adaptive)


@pytest.mark.parametrize("backend", ["law", "auto"])
def test_a_network_may_be_made_and_run_in_inference_mode(backend):
    made = build_network("lsnn", 4, 2, regular=6, adaptive=5, generator=torch.Generator().manual_seed(0))
    x = torch.rand(1, 3, 4)
    with torch.inference_mode():
        network = build_network("lsnn", 4, 2, regular=6, adaptive=5, generator=torch.Generator().manual_seed(0))
        network.backend = backend
        found = [network.run(x)[0].readout for _ in range(2)]

    for readout in found:
        torch.testing.assert_close(readout.clone(), made.run(x)[0].readout.detach())

import pytest
import torch

from lsnn_rl import probe
from lsnn_rl.errors import BadValue, ShapeMismatch, UnknownName
from lsnn_rl.network import LSNN, build_network
from lsnn_rl.neurons.alif import ALIF


def played(rows=2):
    torch.manual_seed(0)
    network = LSNN(3, regular=4, adaptive=6, readouts=2)
    _, state = network.run(torch.randn(20, rows, 3))
    return network, {name: value.detach() for name, value in state.items()}


def test_a_trace_of_currents_may_be_given_instead_of_a_constant():
    currents = [0.0] * 10 + [0.05] * 6

    assert probe.spike_times(ALIF(1), currents) == [15]


def test_a_recording_holds_every_state_variable_after_each_step():
    torch.manual_seed(0)
    network = LSNN(3, regular=4, adaptive=6, readouts=2)
    x = torch.randn(15, 2, 3)

    output, state, trace = probe.record(network, x, spikes=True)

    plain, _ = network.run(x, spikes=True)
    assert torch.equal(output.readout, plain.readout) and torch.equal(output.counts, plain.counts)
    assert torch.equal(trace["z"], plain.spikes[:, 0]) and torch.equal(trace["v"][-1], state["v"])
    assert torch.allclose(trace["threshold"], network.cell.thr + network.cell.beta * trace["b"])


def test_a_recording_takes_the_noise_of_a_run():
    torch.manual_seed(0)
    network = LSNN(3, regular=4, adaptive=6, readouts=2, noise=0.03)
    x, noise = torch.randn(9, 2, 3), torch.randn(9, 1, 2, 10)

    output, _, _ = probe.record(network, x, noise=noise)

    assert torch.equal(output.readout, network.run(x, noise=noise)[0].readout)


def test_gated_networks_are_recorded_too():
    network = build_network("lstm", inputs=3, readouts=2, size=4)

    _, _, trace = probe.record(network, torch.randn(5, 2, 3))

    assert trace["h"].shape == trace["c"].shape == (5, 2, 4) and "threshold" not in trace


def test_zeroing_a_population_leaves_the_rest_and_the_old_state_alone():
    network, state = played()
    before = state["b"].clone()

    wiped = probe.zero(state, "b", network.populations["adaptive"])

    assert wiped["b"][:, 4:].abs().sum() == 0 and torch.equal(wiped["b"][:, :4], state["b"][:, :4])
    assert torch.equal(state["b"], before) and before.abs().sum() > 0 and wiped["v"] is state["v"]


def test_frozen_units_keep_the_value_they_had():
    network, before = played()
    _, after = network.run(torch.randn(5, 2, 3), before)

    frozen = probe.freeze(before, after, ["v", "b"], [0, 7])

    assert torch.equal(frozen["b"][:, [0, 7]], before["b"][:, [0, 7]])
    assert torch.equal(frozen["v"][:, 1:7], after["v"][:, 1:7]) and torch.equal(frozen["z"], after["z"])


def test_shuffling_moves_the_same_numbers_to_other_units_of_the_same_row():
    network, state = played()
    generator = torch.Generator().manual_seed(1)

    mixed = probe.shuffle(state, "b", network.populations["adaptive"], generator)

    assert torch.equal(mixed["b"].sort(dim=1).values, state["b"].sort(dim=1).values)
    assert not torch.equal(mixed["b"], state["b"]) and torch.equal(mixed["b"][:, :4], state["b"][:, :4])


def test_a_transplant_carries_some_entries_over():
    _, donor = played()
    _, host = played()
    host = {name: value + 1 for name, value in host.items()}

    mixed = probe.transplant(donor, host, "b")

    assert torch.equal(mixed["b"], donor["b"]) and torch.equal(mixed["v"], host["v"])
    with pytest.raises(ShapeMismatch, match="take"):
        probe.transplant(played(rows=3)[1], host, "b")


def test_a_cell_is_dead_if_it_was_silent_in_every_row():
    counts = torch.tensor([[0.0, 0.0, 5.0, 1.0], [0.0, 2.0, 9.0, 0.0]])

    assert probe.dead_fraction(counts) == 0.25
    assert probe.dead_fraction(counts, steps=100, below=0.02) == 0.75


def test_a_misspelt_entry_is_answered_with_the_known_ones():
    _, state = played()

    with pytest.raises(UnknownName, match="Known: b, readout, refractory, v, z"):
        probe.zero(state, "voltage")


def test_an_operation_can_be_kept_to_some_lifetimes():
    _, state = played(rows=3)

    wiped = probe.zero(state, ["v", "b"], units=[0, 5], rows=[True, False, True])

    assert wiped["b"][[0, 2]][:, [0, 5]].abs().sum() == 0 and torch.equal(wiped["b"][1], state["b"][1])
    assert torch.equal(wiped["v"][:, 1:5], state["v"][:, 1:5])


def test_a_recording_can_be_operated_on_at_any_step():
    network, _ = played()
    x = torch.randn(12, 2, 3)

    _, _, trace = probe.record(network, x, operate=lambda t, state: probe.zero(state, "b") if t == 7 else state)

    assert trace["b"][7].abs().sum() == 0 and trace["b"][6].abs().sum() > 0 and trace["b"][11].abs().sum() > 0


def test_entries_of_different_width_are_shuffled_together():
    _, state = played()

    mixed = probe.shuffle({**state, "readout": torch.arange(4.0).view(2, 2)}, ["v", "b", "readout"])

    assert torch.equal(mixed["readout"].sort(dim=1).values, torch.arange(4.0).view(2, 2))
    where = [state["v"][0].tolist().index(v) for v in mixed["v"][0].tolist()]
    assert torch.equal(mixed["b"], state["b"][:, where])  # v and b of a cell stay together


def test_a_label_is_answered_with_what_to_pass_instead():
    _, state = played()

    with pytest.raises(BadValue, match=r"network.populations\['adaptive'\]"):
        probe.zero(state, "b", "adaptive")


def remembering_by_thresholds():
    """Two cells without synapses between them, each driven by its own line; a burst leaves its trace in b alone."""
    network = LSNN(2, regular=0, adaptive=2, readouts=2, tau_adapt_ms=1000.0, beta=1.8, refractory_ms=0)
    with torch.no_grad():
        network.w_in.copy_(0.05 * torch.eye(2))
        network.w_rec.zero_()
    x = torch.zeros(300, 2, 2)  # a burst of 100 steps, then silence for ten membrane time constants
    x[:100, 0, 0] = x[:100, 1, 1] = 1.0  # lifetime 0 is told of cell 0, lifetime 1 of cell 1
    with torch.no_grad():
        _, state = network.run(x)
    return network, state


@pytest.mark.parametrize(("name", "moves"), [("b", True), ("v", False), ("z", False)])
def test_a_memory_known_to_lie_in_the_thresholds_moves_with_them_and_with_nothing_else(name, moves):
    network, state = remembering_by_thresholds()
    exchanged = {entry: value.flip(0) for entry, value in state.items()}

    host = probe.transplant(exchanged, state, name)
    with torch.no_grad():
        output, _ = network.run(torch.ones(100, 2, 2), host)  # both cells are asked alike: the tired one answers less

    tired = output.counts.argmin(dim=1).tolist()
    assert tired == ([1, 0] if moves else [0, 1])

"""The fused kernel against the law, which is the referee: the same spikes, the same gradients, on any network and
input."""

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lsnn_rl.errors import BadValue, LSNNError, ShapeMismatch
from lsnn_rl.kernels import buffers, cpu, threads
from lsnn_rl.network.lsnn import LSNN


def make(inputs=9, regular=14, adaptive=13, readouts=5, dtype=torch.float64, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    network = LSNN(inputs, regular, adaptive, readouts, generator=generator, **options)
    return network.to(dtype)


def play(network, steps=20, rows=5, rate=0.25, resets=0.1, seed=1):
    """Input lines, a state in the middle of things (a leaf in every entry), and resets here and there."""
    generator = torch.Generator().manual_seed(seed)
    dtype, size = network.w_in.dtype, network.size
    x = torch.randn(steps, rows, network.inputs, generator=generator) * 2
    x = x * (torch.rand(x.shape, generator=generator) < rate)
    state = network.initial_state(rows)
    state = {name: 0.01 * torch.randn(value.shape, generator=generator).to(dtype) for name, value in state.items()}
    if "b" in state:
        state["b"] = state["b"].abs()
    spiked = torch.rand(rows, size, generator=generator) < 0.1
    waiting = torch.randint(0, network.cell.refractory + 1, (rows, size), generator=generator)
    state["z"], state["refractory"] = spiked.to(dtype), torch.where(spiked, network.cell.refractory, waiting).to(dtype)
    starts = torch.rand(steps, rows, generator=generator) < resets
    return x.to(dtype).requires_grad_(), state, starts


def results(network, x, state, starts, backend, asked=("readout", "counts", "spikes", "state")):
    """Everything a run yields, and the gradient of a random weighing of it towards everything that it came from."""
    network.backend = backend
    state = {name: value.detach().clone().requires_grad_(name != "refractory") for name, value in state.items()}
    leaves = dict(network.named_parameters(), x=x, **{name: v for name, v in state.items() if v.requires_grad})
    for leaf in leaves.values():
        leaf.grad = None
    output, last = network.run(x, state, starts, counts="counts" in asked, spikes="spikes" in asked)
    values = {name: value for name, value in output._asdict().items() if value is not None}
    values |= {f"last {name}": value for name, value in last.items()}
    generator = torch.Generator().manual_seed(2)
    loss = torch.zeros((), dtype=x.dtype)
    for name, value in values.items():
        weight = torch.randn(value.shape, generator=generator).to(x.dtype)
        if value.requires_grad and (name in asked or (name.startswith("last") and "state" in asked)):
            loss = loss + (value * weight).sum()
    loss.backward()
    gradients = {f"towards {name}": leaf.grad for name, leaf in leaves.items() if leaf.grad is not None}
    return {name: value.detach() for name, value in values.items()}, gradients


def distance(a, b):
    return float((a - b).norm() / max(float(b.norm()), 1e-12))


def assert_agreement(network, x, state, starts, tolerance=1e-9, **asked):
    assert network.backend_in_use() == "fused kernel"
    values, gradients = results(network, x, state, starts, "auto", **asked)
    expected_values, expected_gradients = results(network, x, state, starts, "law", **asked)
    assert values.keys() == expected_values.keys()
    assert torch.equal(values.get("spikes", x), expected_values.get("spikes", x))
    for name, expected in expected_values.items():
        assert distance(values[name], expected) < tolerance, name
    for name, expected in expected_gradients.items():
        if name not in gradients:
            assert not expected.any(), name
        else:
            assert distance(gradients[name], expected) < tolerance, name
    return expected_values


networks = st.fixed_dictionaries(
    {
        "inputs": st.integers(1, 40),
        "regular": st.integers(0, 50),
        "adaptive": st.integers(1, 60),
        "readouts": st.integers(1, 20),
        "refractory_ms": st.sampled_from([0.0, 1.0, 5.0]),
        "delay_ms": st.sampled_from([1.0, 1.0, 2.0, 4.0, 11.0, 37.0]),
        "tau_out_ms": st.sampled_from([0.0, 20.0, "each"]),
        "connectivity": st.sampled_from([1.0, 0.3]),
        "dormant_gradients": st.booleans(),
        "substeps": st.sampled_from([1, 1, 2, 3]),
        "trainable": st.sampled_from([(), ("thr", "beta", "tau_mem", "tau_adapt"), ("tau_adapt",)]),
        "thr": st.sampled_from([0.01, ("uniform", 0.005, 0.02)]),
        "tau_mem_ms": st.sampled_from([20.0, ("uniform", 15.0, 30.0)]),
        "seed": st.integers(0, 9),
    }
)
runs = st.fixed_dictionaries(
    {
        "steps": st.integers(1, 40),
        "rows": st.integers(1, 40),
        "rate": st.sampled_from([0.0, 0.1, 1.0]),
        "resets": st.sampled_from([0.0, 0.1, 1.0]),
    }
)
things = st.sets(st.sampled_from(["readout", "counts", "spikes", "state"]), min_size=1)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(options=networks, run=runs, asked=things)
def test_spikes_and_all_gradients_agree_with_the_law_in_double_precision(options, run, asked):
    if options["tau_out_ms"] == "each":
        options = options | {"tau_out_ms": torch.linspace(0.0, 30.0, options["readouts"])}
    network = make(**options)

    assert_agreement(network, *play(network, **run), asked=asked)


@pytest.mark.parametrize("connectivity", [1.0, 0.2])
def test_many_rows_and_many_units_agree_with_the_law(connectivity):
    network = make(20, 160, 170, 20, connectivity=connectivity)

    assert_agreement(network, *play(network, steps=12, rows=70, resets=0.02))


@pytest.mark.parametrize("dormant_gradients", [True, False])
def test_long_delays_of_many_rows_with_resets_agree_with_the_law(dormant_gradients):
    network = make(regular=60, adaptive=50, delay_ms=90.0, dormant_gradients=dormant_gradients)

    assert_agreement(network, *play(network, steps=120, rows=20, resets=0.03))


def test_regular_cells_alone_agree_with_the_law():
    network = make(regular=30, adaptive=0, trainable=("thr", "tau_mem"))

    assert_agreement(network, *play(network))


@pytest.mark.parametrize("options", [{}, {"connectivity": 0.2}, {"delay_ms": 4.0}, {"substeps": 3}], ids=str)
def test_single_precision_agrees_where_no_spike_flips(options):
    network = make(regular=30, adaptive=33, dtype=torch.float32, **options)

    values = assert_agreement(network, *play(network, steps=30, rows=18), tolerance=1e-5)

    assert values["counts"].sum() > 100


@pytest.mark.parametrize("rows", [1, 7, 18])
@pytest.mark.parametrize("options", [{}, {"delay_ms": 5.0}, {"substeps": 3, "tau_out_ms": 0.0}], ids=str)
def test_stepping_one_by_one_equals_the_sequence_bit_for_bit(options, rows):
    network = make(regular=40, adaptive=30, dtype=torch.float32, **options)
    x, _, starts = play(network, steps=25, rows=rows)

    whole, last = network.run(x, starts=starts, spikes=True)
    with torch.no_grad():
        state, outputs = network.initial_state(rows), []
        for line, start in zip(x.detach(), starts, strict=False):
            output, state = network.run(line[None], state, start[None])
            outputs.append(output)

    assert torch.equal(torch.cat([output.readout for output in outputs]), whole.readout)
    assert torch.equal(sum(output.counts for output in outputs), whole.counts)
    assert list(state) == list(last)
    assert all(torch.equal(state[name], value) for name, value in last.items())
    assert whole.counts.sum() > 0


def test_a_row_has_the_same_bits_whatever_rows_are_beside_it():
    network = make(regular=40, adaptive=30, dtype=torch.float32, connectivity=0.3)
    x, _, starts = play(network, steps=25, rows=37)

    whole, _ = network.run(x, starts=starts, spikes=True)
    part, _ = network.run(x[:, 30:33], starts=starts[:, 30:33], spikes=True)

    assert torch.equal(whole.spikes[:, :, 30:33], part.spikes)
    assert torch.equal(whole.readout[:, 30:33], part.readout)


def test_acting_notices_that_a_weight_has_changed():
    network = make(dtype=torch.float32)
    x, _, _ = play(network, steps=1)
    x = x.detach()
    with torch.no_grad():
        before, _ = network.run(x, network.initial_state(5))
        again, _ = network.run(x, network.initial_state(5))
        network.w_out.mul_(2)
        network.bias_out.add_(1)
        after, _ = network.run(x, network.initial_state(5))

    assert torch.equal(before.readout, again.readout)
    assert torch.equal(after.readout, 2 * before.readout + 1)


REPLACEMENTS = {
    "all weights, by assignment": lambda n: n.load_state_dict(make(seed=9, tau_out_ms=10.0).state_dict(), assign=True),
    "w_out": lambda n: setattr(n, "w_out", torch.nn.Parameter(2 * n.w_out)),
    "bias_out": lambda n: setattr(n, "bias_out", torch.nn.Parameter(n.bias_out + 1)),
    "kappa": lambda n: setattr(n, "kappa", torch.zeros_like(n.kappa)),
    "thr": lambda n: setattr(n.cell, "thr", 0.5 * n.cell.thr),
    "a mask": lambda n: setattr(n, "mask_out", torch.zeros_like(n.w_out)),
    "the cell": lambda n: setattr(n, "cell", make(seed=9, beta=3.0).cell),
    "substeps": lambda n: setattr(n, "substeps", 3),
}


@pytest.mark.parametrize("what", REPLACEMENTS)
def test_acting_notices_that_a_part_has_been_replaced(what):
    network = make(tau_out_ms=10.0)
    x, _, _ = play(network, steps=6)
    x = 3 * x.detach()
    with torch.no_grad():
        for _ in range(2):
            step_through(network, x)
        REPLACEMENTS[what](network)
        acted = step_through(network, x)
        network.backend = "law"

        assert distance(acted, step_through(network, x)) < 1e-9


def step_through(network, x):
    """Readouts of single steps from rest."""
    state, readouts = network.initial_state(x.shape[1]), []
    for line in x:
        output, state = network.run(line[None], state)
        readouts.append(output.readout)
    return torch.cat(readouts)


def test_buffers_taken_by_many_threads_have_their_size():
    wrong = []

    def work(seed):
        luck = np.random.default_rng(seed)
        for count in luck.choice([100, 1000, 10_000, 100_000], 800):
            if buffers.take(int(count), np.float64).size != count:
                wrong.append(count)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    finally:
        sys.setswitchinterval(interval)

    assert wrong == []


def test_the_state_handed_out_by_one_step_is_left_alone_by_the_next():
    network = make(dtype=torch.float32)
    x, _, _ = play(network, steps=2)
    with torch.no_grad():
        network.run(x[:1].detach(), network.initial_state(5))
        _, first = network.run(x[:1].detach(), network.initial_state(5))
        kept = {name: value.clone() for name, value in first.items()}
        network.run(x[1:].detach(), first)

    assert all(torch.equal(first[name], kept[name]) for name in kept)


def test_dormant_synapses_receive_the_gradient_they_would_have_if_active():
    network = make(regular=20, adaptive=20)
    with torch.no_grad():
        network.w_rec.mul_(torch.rand(40, 40, generator=torch.Generator().manual_seed(3)) < 0.1)
    x, state, starts = play(network)

    _, gradients = results(network, x, state, starts, "auto")

    dormant = (network.w_rec == 0) & ~torch.eye(40, dtype=torch.bool)
    assert (gradients["towards w_rec"][dormant] != 0).float().mean() > 0.9


@pytest.mark.parametrize("delay_ms", [1.0, 3.0, 40.0])
def test_without_gradients_for_dormant_synapses_the_active_ones_get_theirs(delay_ms):
    network, generator = make(regular=20, adaptive=20, delay_ms=delay_ms), torch.Generator().manual_seed(3)
    with torch.no_grad():
        for w in (network.w_in, network.w_rec, network.w_out):
            w.mul_(torch.rand(w.shape, generator=generator) < 0.3)
    run = play(network, steps=90)
    _, everything = results(network, *run, "auto")

    network.dormant_gradients = False
    assert_agreement(network, *run)
    _, active = results(network, *run, "auto")

    for name in ("w_in", "w_rec", "w_out"):
        alive, towards = getattr(network, name) != 0, f"towards {name}"
        assert not active[towards][~alive].any()
        assert everything[towards][~alive].any()
        assert distance(active[towards][alive], everything[towards][alive]) < 1e-12


def test_the_same_run_gives_the_same_gradient_bit_for_bit():
    network = make(regular=60, adaptive=40, dtype=torch.float32)
    run = play(network, steps=30, rows=40)

    first, second = (results(network, *run, "auto")[1] for _ in range(2))

    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_two_threads_give_the_same_spikes_and_nearly_the_same_gradients(two_threads):
    network = make(regular=100, adaptive=100, dtype=torch.float32, connectivity=0.2)
    run = play(network, steps=50, rows=64)
    assert len(threads.split(64, threads.lanes_for(64), 50 * 64 * 200)) == 2

    values, gradients = results(network, *run, "auto")
    torch.set_num_threads(1)
    expected, expected_gradients = results(network, *run, "auto")

    assert torch.equal(values["spikes"], expected["spikes"])
    assert all(distance(gradients[name], value) < 1e-6 for name, value in expected_gradients.items())


def _work_in_a_child(seed, answers):
    torch.set_num_threads(1)
    network = make(seed=seed)
    values, gradients = results(network, *play(network), "auto")
    answers.put((float(values["readout"].sum()), float(gradients["towards w_rec"].sum())))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_kernel_survives_a_new_process(method):
    if method not in multiprocessing.get_all_start_methods():
        assert sys.platform == "win32"
        return
    network = make(seed=4)
    values, gradients = results(network, *play(network), "auto")  # compiled and used before the process begins
    context = multiprocessing.get_context(method)
    answers = context.Queue()

    process = context.Process(target=_work_in_a_child, args=(4, answers))
    process.start()
    answer = answers.get(timeout=60)
    process.join()

    assert answer == (float(values["readout"].sum()), float(gradients["towards w_rec"].sum()))


PLAIN = """
import torch
from lsnn_rl.kernels import simd
from tests.test_kernels import assert_agreement, make, play
torch.set_num_threads(1)
network = make(connectivity=0.3)
assert_agreement(network, *play(network))
print("plain" if not simd.PACKED else "packed")
"""


def test_processors_that_cannot_compress_registers_take_the_plain_path(tmp_path):
    environment = os.environ | {"LSNN_RL_PLAIN": "1", "NUMBA_OPT": "1", "NUMBA_CACHE_DIR": str(tmp_path)}

    command, root = [sys.executable, "-c", PLAIN], Path(__file__).parent.parent
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)

    assert done.stdout.strip() == "plain", done.stderr
    assert done.stderr.count("compiling the spiking kernels once") == 1


def test_memory_of_a_run_is_used_again_by_the_next():
    network = make(dtype=torch.float32)
    run = play(network)
    results(network, *run, "auto")
    results(network, *run, "auto")
    before = sum(base.size for base in buffers._free)

    results(network, *run, "auto")

    assert sum(base.size for base in buffers._free) == before > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timing": "official"}, "timing='official'"),
        ({"surrogate": "gaussian"}, "surrogate"),
        ({"surrogate_scale": "base"}, "surrogate"),
        ({"detach_reset": True}, "detached"),
        ({"noise": 0.03}, "noise"),
        ({"dtype": torch.bfloat16}, "bfloat16"),
    ],
)
def test_what_the_kernel_cannot_do_is_left_to_the_law_and_repr_says_why(options, words):
    network = make(**options)

    assert f"law ({words}" in repr(network) or words in repr(network).split("law")[1]


def wrong_x(network, x, state, starts):
    return network, x[..., :-1], state, starts


def wrong_precision(network, x, state, starts):
    return network, x.float(), state, starts


def wrong_units(network, x, state, starts):
    return network, x, state | {"v": state["v"][:, :-1]}, starts


def wrong_rows(network, x, state, starts):
    return network, x, state | {"ring": state["ring"][:-1]}, starts


def wrong_readouts(network, x, state, starts):
    return network, x, state | {"readout": state["readout"][:, :-1]}, starts


def missing_entry(network, x, state, starts):
    return network, x, {name: value for name, value in state.items() if name != "b"}, starts


def wrong_starts(network, x, state, starts):
    return network, x, state, starts[:-1]


def broken_number(network, x, state, starts):
    x = x.detach().clone()
    x[3, 2, 1] = torch.nan
    return network, x, state, starts


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (wrong_x, ShapeMismatch),
        (wrong_precision, BadValue),
        (wrong_units, ShapeMismatch),
        (wrong_rows, ShapeMismatch),
        (wrong_readouts, ShapeMismatch),
        (missing_entry, ShapeMismatch),
        (wrong_starts, ShapeMismatch),
        (broken_number, BadValue),
    ],
)
def test_what_does_not_fit_is_explained_before_memory_is_touched(spoil, error):
    network = make(delay_ms=3.0)
    network, x, state, starts = spoil(network, *play(network))

    with pytest.raises(error) as caught:
        cpu.run(network, x, state, starts, True, False)

    assert isinstance(caught.value, LSNNError) and str(caught.value).count(".") >= 2


def test_a_gradient_of_a_gradient_is_refused_and_left_to_the_law():
    network = LSNN(4, 6, 5, 2, input_gain=3.0)
    loss = network.run(torch.rand(12, 3, 4))[0].readout.square().sum()
    (first,) = torch.autograd.grad(loss, network.w_in, create_graph=True)

    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.square().sum().backward()

    network.backend = "law"
    loss = network.run(torch.rand(12, 3, 4))[0].readout.square().sum()
    (first,) = torch.autograd.grad(loss, network.w_in, create_graph=True)
    first.square().sum().backward()
    assert network.w_out.grad.norm() > 0

"""Captured CUDA graphs against the law in double precision on the CPU. Skipped where there is no such device."""

import copy

import pytest
import torch

from lsnn_rl.kernels import cuda
from lsnn_rl.network import LSNN, RecurrentNetwork
from lsnn_rl.rewiring import REWIRINGS, DeepR
from lsnn_rl.state import detach

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

OPTIONS = {
    "plain": {},
    "substeps and readouts that do not leak": {"substeps": 3, "tau_out_ms": None},
    "delays": {"delay_ms": 4.0},
    "noise": {"noise": 0.3},
    "trained constants": {"trainable": ("beta", "tau_adapt")},
    "official timing, another surrogate": {"timing": "official", "surrogate": "gaussian"},
    "Dale's law": {"dale": True, "connectivity": 0.4},
}


def pair(**options) -> tuple[RecurrentNetwork, RecurrentNetwork]:
    """The same network on the device, to be captured, and on the CPU, computed by the law."""
    generator = torch.Generator().manual_seed(0)
    here = LSNN(inputs=7, regular=12, adaptive=9, readouts=4, generator=generator, **options).double()
    there = copy.deepcopy(here).cuda()
    here.backend = "law"
    return there, here


def batch(network, seed=0, steps=25, rows=5):
    generator = torch.Generator().manual_seed(seed)
    x = 3 * torch.rand(steps, rows, 7, generator=generator, dtype=torch.double)
    state = {name: value.to(x) for name, value in network.initial_state(rows).items()}
    state["v"] = 0.005 * torch.randn(state["v"].shape, generator=generator, dtype=torch.double)
    starts = torch.rand(steps, rows, generator=generator) < 0.1
    shape = (steps, network.substeps, rows, network.size)
    noise = torch.randn(shape, generator=generator, dtype=torch.double) if network.noise_std is not None else None
    return x, state, starts, noise


def learn(network, x, state, starts, noise):
    """Everything a run yields, and every gradient, on the CPU."""
    device = network.w_in.device
    x = x.to(device).requires_grad_()
    state = {name: value.to(device).requires_grad_(name in ("v", "b")) for name, value in state.items()}
    noise = None if noise is None else noise.to(device)
    output, after = network.run(x, state, starts.to(device), noise=noise, spikes=True)
    loss = output.readout.square().sum() + output.counts.square().sum() + after["v"].sum() + after["b"].square().sum()
    sources = [x, state["v"], state["b"], *network.parameters()]
    gradients = torch.autograd.grad(loss, sources, allow_unused=True)
    results = [output.readout, output.counts, output.spikes, *after.values(), *gradients]
    return [None if value is None else value.detach().cpu() for value in results]


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_a_captured_run_is_the_law_while_weights_move_on(options):
    there, here = pair(**options)
    for turn in range(4):  # eager, captured, replayed twice
        given = batch(here, seed=turn)
        expected = learn(here, *given)
        assert_same(learn(there, *given), expected)
        with torch.no_grad():
            for mine, yours in zip(there.parameters(), here.parameters(), strict=True):
                yours.mul_(1.01)
                mine.copy_(yours)
    assert expected[1].sum() > 50, "nothing was tested if nobody spikes"
    assert any(graph is not None for graph in cuda._graphs[there].values())


def test_backward_passes_may_come_late_twice_and_in_any_order():
    there, here = pair()
    for turn in range(2):
        learn(there, *batch(here, seed=turn))

    def losses(network):
        device = network.w_in.device
        kept = []
        for seed in (5, 6):
            x, state, starts, _ = batch(here, seed=seed)
            state = {name: value.to(device) for name, value in state.items()}
            kept.append(network.run(x.to(device), state, starts.to(device))[0].readout.square().sum())
        first, second = kept
        order = (first, second, first)
        return [torch.autograd.grad(loss, network.w_rec, retain_graph=True)[0].cpu() for loss in order]

    for mine, yours in zip(losses(there), losses(here), strict=True):
        torch.testing.assert_close(mine, yours, rtol=1e-9, atol=1e-11)


def test_a_weight_changed_between_forward_and_backward_is_noticed():
    there, here = pair()
    given = batch(here)
    for _ in range(2):
        learn(there, *given)
    x, state = given[0].cuda(), {name: value.cuda() for name, value in given[1].items()}
    loss = there.run(x, state)[0].readout.sum()
    loss = there.run(x, state)[0].readout.sum()
    loss = there.run(x, state)[0].readout.sum()
    with torch.no_grad():
        there.w_rec.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_acting_step_by_step_is_one_sequence_and_follows_new_weights():
    there, here = pair()
    x, state, starts, _ = batch(here)
    for factor in (1.0, 1.2):
        with torch.no_grad():
            for network in (there, here):
                network.w_rec.mul_(factor)
            expected, _ = here.run(x, state, starts)
            now = {name: value.cuda() for name, value in state.items()}
            steps = []
            for line, start in zip(x.cuda(), starts.cuda(), strict=True):
                output, now = there.run(line[None], detach(now), start[None])
                steps.append(output.readout.cpu())
        torch.testing.assert_close(torch.cat(steps), expected.readout, rtol=1e-9, atol=1e-11)


def test_a_mask_that_moves_between_steps_is_followed():
    there, _ = pair()
    optimizer = torch.optim.Adam(there.parameters(), lr=0.01)
    DeepR.for_network(optimizer, there, 0.3, generator=torch.Generator().manual_seed(1))
    eager = copy.deepcopy(there)
    x = 3 * torch.rand(20, 4, 7, device="cuda", dtype=torch.double)
    for _ in range(5):
        optimizer.zero_grad()
        there.run(x)[0].readout.square().sum().backward()
        optimizer.step()
    eager.load_state_dict(there.state_dict())
    eager.backend = "law"
    torch.testing.assert_close(there.run(x)[0].readout, eager.run(x)[0].readout, rtol=1e-9, atol=1e-11)


def test_the_learner_trains_on_the_device_and_its_agent_goes_home_to_the_cpu(tmp_path):
    import numpy as np

    from lsnn_rl import LSNNPolicy, RecurrentPPO

    kwargs = {"regular": 20, "adaptive": 20, "connectivity": 0.3}
    model = RecurrentPPO(
        LSNNPolicy, "LSNNArena-v0", n_envs=8, n_steps=64, batch_size=256, device="cuda", seed=0, policy_kwargs=kwargs
    )
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    model.learn(8 * 64 * 4)
    assert any(not torch.equal(value, before[name]) for name, value in model.policy.state_dict().items())
    model.save(tmp_path / "agent")
    home = RecurrentPPO.load(tmp_path / "agent", device="cpu")
    obs = np.asarray(model.get_env().reset())
    (there, _), (here, _) = (m.predict(obs, deterministic=True) for m in (model, home))
    np.testing.assert_allclose(there, here, atol=1e-4)


@pytest.mark.parametrize("method", REWIRINGS.names())
def test_every_rewiring_follows_its_network_to_the_device(method):
    network = pair()[1]
    optimizer = REWIRINGS.get(method).for_network(torch.optim.Adam(network.parameters(), lr=0.01), network, 0.3)
    network.cuda()
    for _ in range(3):
        optimizer.zero_grad()
        network.run(3 * torch.rand(20, 4, 7, device="cuda", dtype=torch.double))[0].readout.square().sum().backward()
        optimizer.step()
    assert all(value.device == network.w_in.device for values in optimizer.beside() for value in values.values())
    assert 0 < optimizer.active_count() <= 1.2 * optimizer.budget  # soft DEEP R holds it in expectation

"""The hand-derived GRU and LSTM: gradients against finite differences, resets against the open law."""

import pytest
import torch

from lsnn_rl.network import build_network, gated_loops

STEPS, ROWS, INPUTS, SIZE = 7, 3, 4, 5


@pytest.fixture
def float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def starts(share, steps=STEPS):
    return torch.rand(steps, ROWS, generator=torch.Generator().manual_seed(3)) < share


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_gradients_equal_finite_differences_in_every_argument(float64, cell, share):
    luck, lines = torch.Generator().manual_seed(0), {"gru": 3, "lstm": 4}[cell] * SIZE
    shapes = [(STEPS, ROWS, INPUTS), (ROWS, SIZE), (ROWS, SIZE), (lines, INPUTS), (lines, SIZE), (lines,), (lines,)]
    x, h, c, *weights = (torch.randn(shape, generator=luck, requires_grad=True) for shape in shapes)
    resets = gated_loops.keeps(starts(share), torch.float64)

    def run(x, h, c, *weights):
        if cell == "gru":
            return gated_loops.gru(x, h, list(weights), resets)
        return gated_loops.lstm(x, h, c, list(weights), resets)

    assert len(resets) == (0 if share == 0 else 6)
    assert torch.autograd.gradcheck(run, (x, h, c, *weights))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("substeps", [1, 3])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3])
def test_with_resets_anywhere_outputs_states_and_gradients_are_those_of_the_law(float64, cell, substeps, share):
    luck = torch.Generator().manual_seed(1)
    network = build_network(cell, INPUTS, 2, size=SIZE, substeps=substeps, generator=luck)
    x = torch.randn(30, ROWS, INPUTS, generator=luck, requires_grad=True)
    begin = {name: torch.randn(value.shape, generator=luck) for name, value in network.initial_state(ROWS).items()}
    found = {}
    for backend in ("auto", "law"):
        network.backend = backend
        network.zero_grad()
        x.grad = None
        output, state = network.run(x, begin, starts(share, 30))
        (output.readout.square().sum() + sum((3 * value).square().sum() for value in state.values())).backward()
        gradients = [x.grad, *(p.grad for p in network.parameters())]
        found[backend] = [output.readout, *state.values(), *gradients]

    for mine, law in zip(found["auto"], found["law"], strict=True):
        torch.testing.assert_close(mine, law, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_halves_learn_too(name):
    network, x = build_network(name, 4, 2, size=8).bfloat16(), torch.rand(6, 3, 4)
    starts = torch.zeros(6, 3)
    starts[2, 1] = 1

    network.run(x.bfloat16(), starts=starts)[0].readout.sum().backward()
    assert torch.isfinite(network.w_rec.grad).all() and network.w_rec.grad.abs().sum() > 0

    mixed = build_network(name, 4, 2, size=8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed.run(x, starts=starts)[0].readout.sum().backward()
    assert torch.isfinite(mixed.w_rec.grad).all() and mixed.w_rec.grad.abs().sum() > 0

"""The network that a recipe describes, and what the answer is read from."""

from typing import Any

import torch
from torch import Tensor, nn

from lsnn_rl.errors import BadValue
from lsnn_rl.network import RecurrentNetwork, build_network
from lsnn_rl.neurons import CELLS
from lsnn_rl.neurons.alif import ALIF
from lsnn_rl.neurons.gated import LSTM
from lsnn_rl.pretrain.recipe import PretrainRecipe
from lsnn_rl.registry import check_keywords
from lsnn_rl.rewiring import Rewiring, choose
from lsnn_rl.state import State
from lsnn_rl.tasks import TASKS, Task


class ThresholdReader(nn.Module):
    """Adds to the readouts what the thresholds of the adaptive cells say at the end of the sequence.

        y_k = sum_j W_kj beta_j b_j / thr_j        the rise of each threshold over its rest, [N, R]

    A threshold is a trace of the cell's own spikes over the last `tau_adapt_ms`: reading it spares the network to turn
    what it remembers into spikes, and gradients reach every spike of an adaptive cell directly.

    Args: adaptive: how many of the cells, the last ones, are read. generator: of the small first weights.
    """

    def __init__(self, adaptive: int, readouts: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.adaptive = adaptive
        self.weight = nn.Parameter(0.01 * torch.randn(readouts, adaptive, generator=generator))

    def forward(self, cell: ALIF, state: State) -> Tensor:
        rise = (cell.beta * state["b"] / cell.thr)[:, -self.adaptive :]
        return rise @ self.weight.t()


class Model(nn.Module):
    """A network and, where the recipe says so, a reader of its thresholds, or a twin that hears everything backwards.

    The readouts of the twin are added, which is one layer of readouts over the cells of both. An input of nothing but
    zeros is what a batch is filled up with: the twin begins at rest behind it.
    """

    def __init__(
        self,
        network: RecurrentNetwork,
        reader: ThresholdReader | None = None,
        backward: RecurrentNetwork | None = None,
    ) -> None:
        super().__init__()
        self.network, self.reader, self.backward_network = network, reader, backward

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, Tensor | None, State]:
        """Readouts [T, N, R], spike counts [N, H] and the state after the last step."""
        output, state = self.network.run(x, state)
        readout = output.readout
        if self.reader is not None:
            readout = readout + self.reader(self.network.cell, state)
        if self.backward_network is None:
            return readout, output.counts, state
        reversed_x = x.flip(0)
        empty = (reversed_x == 0).all(dim=2).to(x.dtype)
        heard, _ = self.backward_network.run(reversed_x, starts=empty.roll(1, 0))
        counts = None
        if output.counts is not None and heard.counts is not None:
            counts = torch.cat([output.counts, heard.counts], dim=1)
        return readout + heard.readout.flip(0), counts, state

    @property
    def rewired(self) -> dict[str, nn.Parameter]:
        """The matrices that share one budget of synapses."""
        matrices = {
            f"{name}{end}": getattr(network, name)
            for end, network in self.networks.items()
            for name in ("w_in", "w_rec", "w_out")
        }
        return matrices if self.reader is None else {**matrices, "w_thresholds": self.reader.weight}

    @property
    def networks(self) -> dict[str, RecurrentNetwork]:
        """The network, and its twin if there is one, by the end of their matrices' names."""
        return {"": self.network} | ({"_backward": self.backward_network} if self.backward_network is not None else {})


def build_task(recipe: PretrainRecipe) -> Task:
    """The task, with spikes or with plain numbers as the recipe's cell needs."""
    cell = str(recipe.network.get("cell", "lsnn"))
    spiking = cell == "lsnn" or CELLS.get(cell).spiking
    kind = TASKS.get(recipe.task.name)
    check_keywords(recipe.task.name, kind, recipe.task.kwargs)
    task: Task = kind(spiking=spiking, **recipe.task.kwargs)
    return task


def build_model(recipe: PretrainRecipe, task: Task) -> Model:
    """The untrained network for the task. An LSTM may be given a `forget_bias`.

    Raises: BadValue where thresholds are asked for and there are none, or where the task wants answers on the way.
    """
    options: dict[str, Any] = {"cell": "lsnn", **recipe.network}
    if "noise" in options:
        raise BadValue(
            f"network.noise = {options['noise']}, but supervised training keeps no samples of it to resume from. "
            "Leave it out; for a loop of your own see network.run(x, noise=...)."
        )
    generator = torch.Generator().manual_seed(recipe.train.seed)
    options = _as_tuples(options) | {"generator": generator}
    forget_bias = options.pop("forget_bias", 0.0)
    cell = options.pop("cell")
    network = build_network(cell, task.inputs, task.readouts, **options)
    backward = None
    if recipe.bidirectional:
        if task.carries_state or task.answers_last:
            raise BadValue(
                f"bidirectional: true hears a sequence from its end as well, and {recipe.task.name} cannot: it answers "
                "at the end, or goes on from batch to batch. Leave it out."
            )
        backward = build_network(cell, task.inputs, task.readouts, **{**options, "readout_bias": False})
    if forget_bias:
        for direction in (network, backward):
            if direction is not None:
                _lift_forget_gates(direction, forget_bias)
    if not recipe.thresholds:
        return Model(network, backward=backward)
    if not isinstance(network.cell, ALIF) or not task.answers_last:
        raise BadValue(
            "thresholds: true reads the thresholds of adaptive cells at the end of a sequence. Take the cell lsnn or "
            "alif and a task with one answer at its end, or leave it out."
        )
    cells = network.populations["adaptive"]
    return Model(network, ThresholdReader(cells.stop - cells.start, task.readouts, generator))


def build_optimizer(recipe: PretrainRecipe, model: Model) -> torch.optim.Optimizer | Rewiring:
    """Adam over weights and trained constants, inside a rewiring method where the recipe names one."""
    settings = recipe.optimizer
    constants = [p for name, p in model.named_parameters() if "network.cell." in name]
    others = [p for name, p in model.named_parameters() if "network.cell." not in name]
    groups: list[dict[str, Any]] = [{"params": others, "lr": settings.learning_rate}]
    if constants:
        groups.append({"params": constants, "lr": settings.learning_rate * settings.constants})
    adam = torch.optim.Adam(groups, lr=settings.learning_rate, eps=settings.epsilon)
    if recipe.rewiring is None:
        return adam
    method, options = choose({"seed": recipe.train.seed, **recipe.rewiring})
    for end, network in model.networks.items():
        method.check(network)
        if network.spiking:
            options.setdefault("forbidden", {})[f"w_rec{end}"] = torch.eye(network.size, dtype=torch.bool)
        if network.spiking and getattr(network, "sign_rec", None) is not None and "signs" not in recipe.rewiring:
            cells = network.sign_rec
            options.setdefault("signs", {}).update(
                {f"w_in{end}": network.sign_in, f"w_rec{end}": cells, f"w_out{end}": cells}
            )
    rewiring: Rewiring = method(adam, model.rewired, **options)
    return rewiring


@torch.no_grad()
def _lift_forget_gates(network: RecurrentNetwork, bias: float) -> None:
    """An LSTM that remembers at first: TensorFlow's BasicLSTMCell begins with 1."""
    if not isinstance(network.cell, LSTM) or network.bias_in is None:
        raise BadValue(f"forget_bias belongs to the cell lstm, not to {type(network.cell).__name__}. Leave it out.")
    network.bias_in[network.size : 2 * network.size] += bias


def _as_tuples(options: dict[str, Any]) -> dict[str, Any]:
    """YAML has no tuples: [uniform, 1, 1000] is a named distribution."""
    return {
        key: tuple(value)
        if isinstance(value, list) and value and isinstance(value[0], str) and len(value) == 3
        else value
        for key, value in options.items()
    }

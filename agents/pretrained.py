"""A policy that begins with a cell trained elsewhere: what is taken, what is fitted to size, what stays as it is.

    RecurrentPPO("LSNNPolicy", id, policy_kwargs=dict(pretrained="store_recall/mine"))      policy.load_cell(folder)

A source is an agent (a folder, a run, a zoo name, "hf:user/name") or a supervised run (`lsnn-rl pretrain`). Cells are
matched within each population, the first ones with the first ones; what lies between matched cells is taken whole.

    w_rec                     between matched cells; synapses from and to the others keep their first weights
    w_in, as many lines       rows of matched cells
    w_in, another number      mixed: each line drives a random mixture of what the source's lines drove, as strongly
    w_out, as many readouts   columns of matched cells, and biases; another number answers other questions: left
    gates' biases, delays, trained constants     of matched cells
    constants that were set, not trained         left: they are the policy's own keywords; differences are told
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load as read_weights
from torch import Tensor

from lsnn_rl.agents.sharing import load_agent
from lsnn_rl.agents.zoo_places import places
from lsnn_rl.errors import BrokenFile, MissingFile, ShapeMismatch
from lsnn_rl.network import RecurrentNetwork

WEIGHTS = "network.safetensors"  # of a supervised run


@dataclass(frozen=True)
class Taken:
    """What a policy got from a source, name by name, each with a word on how, or on why not.

    >>> print(Taken("runs/store_recall", 20, 300, {"w_rec": "20 x 20 of 300 x 300"}, {"w_out": "2 readouts, not 64"}))
    20 of 300 cells begin as in runs/store_recall
      taken: w_rec (20 x 20 of 300 x 300)
      left as it was: w_out (2 readouts, not 64)
    """

    source: str
    cells: int
    size: int
    taken: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.cells} of {self.size} cells begin as in {self.source}"]
        for title, entries in (("taken", self.taken), ("left as it was", self.left)):
            if entries:
                lines.append(f"  {title}: " + ", ".join(f"{name} ({how})" for name, how in entries.items()))
        return "\n".join(lines)


def load_cell(policy: Any, where: str | Path) -> Taken:
    """Give a policy's network the cell of `where`; a critic with a network of its own gets the same.

    The optimiser is not touched; `LSNNPolicy.load_cell` also makes a new one.

    Raises: MissingFile, BrokenFile; ShapeMismatch if nothing fits.
    """
    source = read_network(where)
    report = transfer(source, policy.lstm_actor.network, str(where))
    if policy.lstm_critic is not None:
        transfer(source, policy.lstm_critic.network, str(where))
    return report


def read_network(where: str | Path) -> RecurrentNetwork:
    """The network of an agent or of a supervised run. Raises: MissingFile, BrokenFile."""
    for folder in places(where):
        if (folder / WEIGHTS).is_file():
            return _supervised(folder)
    try:
        policy = load_agent(where).policy
    except MissingFile as problem:
        raise MissingFile(
            f"{problem}. A supervised run serves too, once it has ended and holds {WEIGHTS}: lsnn-rl pretrain TASK"
        ) from problem
    network: RecurrentNetwork = getattr(policy, "network", policy)  # another kind of policy is refused by `transfer`
    return network


@torch.no_grad()
def transfer(source: RecurrentNetwork, target: RecurrentNetwork, name: str) -> Taken:
    """Copy into `target` what of `source` fits it.

    Raises: ShapeMismatch if the cells are of another kind, or no population of the target is among the source's.
    """
    here, there = _matched(source, target, name)
    size, n = target.size, len(here)
    report = Taken(name, n, size)
    all_in = source.w_in.shape[1]
    acting = source.weights()  # masked synapses are zero, whether or not the target has a mask
    rows_here, rows_there = _lines(target, here), _lines(source, there)

    w_rec = acting.w_rec[rows_there][:, there]
    target.w_rec[rows_here[:, None], here] = w_rec
    report.taken["w_rec"] = _share("whole", n, size, f"{n} x {n} of {size} x {size} cells")

    w_in = acting.w_in[rows_there]
    signed = hasattr(target, "sign_in")
    if all_in == target.inputs:
        target.w_in[rows_here] = w_in
        if signed:
            target.sign_in.copy_(source.sign_in)
        report.taken["w_in"] = _share("whole", n, size, f"all {all_in} lines of {n} cells")
    elif signed:
        report.left["w_in"] = f"{all_in} lines, not {target.inputs}, and mixing them would break Dale's law"
    else:
        silent = ~target.w_in.any(dim=0)  # a line that the policy keeps silent at first, such as a bias
        target.w_in[rows_here] = _mixed(w_in, target.inputs).masked_fill_(silent, 0.0)
        report.taken["w_in"] = f"{all_in} lines mixed into {target.inputs}"

    if source.readouts == target.readouts:
        target.w_out[:, here] = acting.w_out[:, there]
        report.taken["w_out"] = _share("whole", n, size, f"columns of {n} cells")
        if source.bias_out is not None and target.bias_out is not None:
            target.bias_out.copy_(source.bias_out)
    else:
        report.left["w_out"] = f"{source.readouts} readouts, not {target.readouts}"

    for bias in ("bias_in", "bias_rec"):
        if getattr(target, bias) is not None:
            getattr(target, bias)[rows_here] = getattr(source, bias)[rows_there]
            report.taken[bias] = _share("whole", n, size, f"of {n} units")
    _take_delays(source, target, here, there, report)
    _take_constants(source, target, here, there, report)
    return report


def _matched(source: RecurrentNetwork, target: RecurrentNetwork, name: str) -> tuple[Tensor, Tensor]:
    """Cells of the target and the cells of the source that they become, population by population."""
    if not isinstance(target, RecurrentNetwork) or not isinstance(source, RecurrentNetwork):
        raise ShapeMismatch(
            f"{name} holds a {_kind(source)}, this policy a {_kind(target)}: a network without recurrence has no cell "
            "to hand on. Leave pretrained out, or take another cell."
        )
    alike = source.spiking == target.spiking and (source.spiking or type(source.cell) is type(target.cell))
    pairs: list[tuple[range, range]] = []
    for label in target.populations if alike else ():
        wanted = target.populations[label]
        try:
            found = source.populations[label]
        except ValueError:
            continue
        n = min(wanted.stop - wanted.start, found.stop - found.start)
        pairs.append((range(wanted.start, wanted.start + n), range(found.start, found.start + n)))
    if not pairs:
        raise ShapeMismatch(
            f"Nothing of {name} fits: it holds a {_kind(source)}, this policy a {_kind(target)}. Make the policy with "
            "the same cell (policy_kwargs=dict(cell=...)), or pretrain with that of the policy (--cell ...)."
        )
    here, there = (torch.tensor([cell for pair in pairs for cell in pair[side]]) for side in (0, 1))
    return here.to(target.w_in.device), there.to(target.w_in.device)


def _lines(network: RecurrentNetwork, cells: Tensor) -> Tensor:
    """Rows of w_in and w_rec of these cells: one a gate, gate by gate."""
    return torch.cat([gate * network.size + cells for gate in range(network.cell.currents)])


def _mixed(w_in: Tensor, lines: int) -> Tensor:
    """Random mixtures [rows, lines] of columns: what two cells have in common, and how strongly each is driven, stays.

    With Q [I, lines] of N(0, 1) / sqrt(lines) the expected product of two rows of W Q is that of W.
    """
    generator = torch.Generator().manual_seed(0)
    mixture = torch.randn(w_in.shape[1], lines, generator=generator) / math.sqrt(lines)
    return w_in @ mixture.to(w_in)


def _take_delays(
    source: RecurrentNetwork, target: RecurrentNetwork, here: Tensor, there: Tensor, report: Taken
) -> None:
    if target.delay_rec is None and source.delay_rec is None:
        return
    if target.delay_rec is None or source.delay_rec is None or source.delays != target.delays:
        report.left["delays"] = f"up to {source.delays} steps, not {target.delays}"
        return
    target.delay_rec[here[:, None], here] = source.delay_rec[there[:, None], there]
    if source.inputs == target.inputs and target.delay_in is not None and source.delay_in is not None:
        target.delay_in[here] = source.delay_in[there]
    report.taken["delays"] = f"of {len(here)} cells"


def _take_constants(
    source: RecurrentNetwork, target: RecurrentNetwork, here: Tensor, there: Tensor, report: Taken
) -> None:
    """Trained constants of the cells, where both train them; of the others, tell which differ."""
    trained = dict(source.cell.named_parameters())
    for name, value in target.cell.named_parameters():
        if name in trained:
            value[here] = trained[name][there] if trained[name].dim() else trained[name]
            report.taken[name] = "trained"
        else:
            report.left[name] = "trained here, not there"
    others = dict(source.cell.named_buffers())
    for name, own in target.cell.named_buffers():
        old = others.get(name)
        if old is None or own.shape[:1] != (target.size,) or old.shape[:1] != (source.size,):
            continue
        if not torch.allclose(own[here], old[there].to(own)):
            report.left[name] = "the policy's own, which differs from the source's"


def _supervised(folder: Path) -> RecurrentNetwork:
    """The network of a supervised run, rebuilt from its recipe; lines and readouts are read off the weights."""
    from lsnn_rl.pretrain.model import build_model
    from lsnn_rl.pretrain.recipe import read_recipe

    recipe = read_recipe(folder)
    raw = (folder / WEIGHTS).read_bytes()
    try:
        weights = read_weights(raw)
        lines, readouts = weights["network.w_in"].shape[1], weights["network.w_out"].shape[0]
        model = build_model(recipe, SimpleNamespace(inputs=lines, readouts=readouts, answers_last=True))  # type: ignore[arg-type]
        model.load_state_dict(weights)
    except Exception as problem:  # safetensors has its own error class per binding version
        raise BrokenFile(
            f"{folder / WEIGHTS} does not hold the network of its recipe.yml ({problem}). Copy the whole run "
            "folder, or train it again."
        ) from problem
    return model.network


def _share(whole: str, n: int, size: int, part: str) -> str:
    return whole if n == size else part


def _kind(network: Any) -> str:
    if not isinstance(network, RecurrentNetwork):
        return type(network).__name__
    cells = ", ".join(f"{s.stop - s.start} {label}" for label, s in network.populations.items())
    return (
        f"network of {type(network.cell).__name__} cells ({cells})"
        if network.spiking
        else (f"{type(network.cell).__name__} of {network.size} units")
    )

"""What every rewiring method shares: it wraps an optimiser, keeps dormant synapses dormant, and counts.

A synapse is dormant when its weight is exactly 0.0 and active otherwise, so the wiring lives in the weights themselves:
no mask has to be carried, saved or handed to the network. Dormant synapses do receive gradients (the network computes
them densely, unless it was made with dormant_gradients=False), the wrapped optimiser keeps regular moments for them,
and its step is undone for them afterwards.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from lsnn_rl.errors import BadValue, BrokenFile, ShapeMismatch, unknown_name

if TYPE_CHECKING:
    from lsnn_rl.network import RecurrentNetwork

Matrices = Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Mapping[str, Tensor]
Populations = Mapping[str, slice | Sequence[int] | Tensor]  # label -> units

NEWBORN = 1e-12  # magnitude of a regrown synapse: active, and yet without effect until the optimiser moves it


class Rewiring(Optimizer):
    """An optimiser around another one: same param_groups, same state, and a `step` that also rewires.

    Args:
        optimizer: any torch optimiser. Parameters that are not listed in `parameters` are its business alone.
        parameters: the weight matrices to rewire, [post, pre]; tensors, (name, tensor) pairs, or a dict of names.
        connectivity: fraction of active synapses; one number, or one for each matrix.
        forbidden: masks of synapses that may never exist (self-connections, say), in the order of `parameters` or by
            name; True forbids. They count neither as active nor as room.
        seed: of the generator behind every random choice (ignored when `generator` is given).
    Raises: BadValue for a connectivity outside (0, 1]; ShapeMismatch for masks that do not fit.
    """

    keeps_signs: ClassVar[bool] = False  # whether a newborn synapse may be given the sign of its cell

    def __init__(
        self,
        optimizer: Optimizer,
        parameters: Matrices,
        connectivity: float | Sequence[float] = 0.12,
        *,
        forbidden: Sequence[Tensor | None] | Mapping[str, Tensor] | None = None,
        seed: int = 0,
        generator: torch.Generator | None = None,
    ) -> None:
        self.optimizer = optimizer
        super().__init__(optimizer.param_groups, optimizer.defaults)
        self._share()
        self.generator = generator if generator is not None else torch.Generator().manual_seed(seed)
        self.matrices = _named(parameters)
        self._check_owned()
        masks = self._by_matrix(forbidden, "forbidden mask")
        self.allowed = {name: _allowed(name, p, masks[name]) for name, p in self.matrices.items()}
        self.populations: Mapping[str, tuple[Populations, Populations]] = {}  # how `report` groups, unless told
        self.possible = {name: int(mask.sum()) for name, mask in self.allowed.items()}
        self.budgets = self._budgets(connectivity)

    @classmethod
    def for_network(
        cls,
        optimizer: Optimizer,
        network: "RecurrentNetwork",
        connectivity: float | Sequence[float] = 0.12,
        **options: Any,
    ) -> "Rewiring":
        """Rewire the input, recurrent and readout weights of a RecurrentNetwork (spiking: no self-connections).

        Biases and everything else of the network stay with the wrapped optimiser.
        """
        cls.check(network)
        matrices = {"w_in": network.w_in, "w_rec": network.w_rec, "w_out": network.w_out}
        if network.spiking:
            no_self = torch.eye(network.size, dtype=torch.bool, device=network.w_rec.device)
            options.setdefault("forbidden", {"w_rec": no_self})
        rewiring = cls(optimizer, matrices, connectivity, **options)
        if network.spiking:
            cells, lines, outputs = dict(network.populations), {"inputs": slice(None)}, {"readouts": slice(None)}
            rewiring.populations = {"w_in": (cells, lines), "w_rec": (cells, cells), "w_out": (outputs, cells)}
        return rewiring

    @classmethod
    def check(cls, network: "RecurrentNetwork") -> None:
        """Raises BadValue for a network that this method cannot rewire."""
        if getattr(network, "sign_rec", None) is not None and not cls.keeps_signs:
            raise BadValue(
                f"{cls.__name__} draws the signs of new synapses, and under Dale's law (dale=True) a cell has one. "
                "Rewire by deep_r or soft_deep_r, or leave dale out."
            )

    # ---- one iteration -----------------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """The wrapped optimiser's step, undone for dormant synapses, then this method's rewiring."""
        self._follow()
        active = {name: p.detach() != 0 for name, p in self.matrices.items()}
        loss = self.optimizer.step(closure)
        with torch.no_grad():
            self.rewire(active)
        return loss

    def beside(self) -> list[dict[str, Tensor]]:
        """What is kept by matrix and must lie on its device."""
        return [self.allowed]

    def _follow(self) -> None:
        """Go where the matrices went: Stable-Baselines3 makes a policy's optimiser first and moves the policy then."""
        for values in self.beside():
            values.update({name: value.to(self.matrices[name].device) for name, value in values.items()})

    def rewire(self, active: dict[str, Tensor]) -> None:
        """Turn the weights as the optimiser left them into the next wiring.

        Args: active: which synapses were active before the optimiser's step, bool like each matrix.
        """
        raise NotImplementedError

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)

    # ---- what methods build on ---------------------------------------------------------------------------------------

    @torch.no_grad()
    def prune(self) -> None:
        """Make forbidden synapses zero, and a uniformly chosen surplus in every matrix above its budget."""
        for name, p in self.matrices.items():
            p.masked_fill_(~self.allowed[name], 0.0)
            surplus = int(p.count_nonzero()) - self.budgets[name]
            if surplus > 0:
                p.view(-1)[self.choose(p != 0, surplus)] = 0.0

    def learning_rate(self, name: str) -> float:
        """The current rate of the group that holds this matrix: schedulers change it at any time."""
        wanted = self.matrices[name]
        return next(float(group["lr"]) for group in self.param_groups if any(p is wanted for p in group["params"]))

    def grow(self, name: str, places: Tensor, signs: Tensor) -> None:
        """Give birth to synapses at these flat indices, as small as a weight can be without being nothing."""
        self.matrices[name].view(-1)[places] = NEWBORN * signs.to(self.matrices[name].dtype)

    def choose(self, mask: Tensor, count: int) -> Tensor:
        """`count` different flat indices where mask is True, every set of them equally likely."""
        flat = mask.flatten()
        if 8 * count < len(flat):  # throw darts at the whole matrix: listing the candidates would cost far more
            darts = torch.randint(len(flat), (8 * count,), generator=self.generator).to(flat.device)
            hits = list(dict.fromkeys(darts[flat[darts]].tolist()))
            if len(hits) >= count:
                return torch.tensor(hits[:count], dtype=torch.long, device=flat.device)
        candidates = flat.nonzero().squeeze(1)
        order = torch.randperm(len(candidates), generator=self.generator)[:count]
        return candidates[order.to(candidates.device)]

    def dormant(self, name: str) -> Tensor:
        """Where a synapse could grow, bool like the matrix."""
        return (self.matrices[name].detach() == 0) & self.allowed[name]

    def active_count(self) -> int:
        return sum(int(p.detach().count_nonzero()) for p in self.matrices.values())

    @property
    def budget(self) -> int:
        """The largest number of active synapses, over all matrices together."""
        return sum(self.budgets.values())

    def report(self, populations: Mapping[str, tuple[Populations, Populations]] | None = None) -> dict[str, Any]:
        """Connectivity, counted from the weights.

        Args: populations: by matrix, the groups of its rows (post) and of its columns (pre); a rewired network's own
            populations if None.
        Returns: {"all": {...}, matrix: {"active", "possible", "connectivity", "pairs": {"pre -> post": fraction}}}

        >>> from lsnn_rl.rewiring import SET
        >>> layer = torch.nn.Linear(4, 2)
        >>> SET(torch.optim.SGD(layer.parameters(), lr=0.1), {"w": layer.weight}, 0.5).report()["w"]
        {'active': 4, 'possible': 8, 'connectivity': 0.5, 'pairs': {}}
        """
        populations = self.populations if populations is None else populations
        for name in populations:
            if name not in self.matrices:
                raise unknown_name("rewired matrix", name, self.matrices)
        table: dict[str, Any] = {}
        for name, p in self.matrices.items():
            active, allowed = p.detach() != 0, self.allowed[name]
            post, pre = populations.get(name, ({}, {}))
            pairs = {
                f"{source} -> {target}": _fraction(active[rows][:, cols], allowed[rows][:, cols])
                for target, rows in post.items()
                for source, cols in pre.items()
            }
            table[name] = _entry(int(active.sum()), self.possible[name]) | {"pairs": pairs}
        entries = list(table.values())
        return {"all": _entry(sum(e["active"] for e in entries), sum(e["possible"] for e in entries))} | table

    # ---- saving ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The wrapped optimiser's state plus "rewiring"; the wiring itself is saved with the weights."""
        return {**self.optimizer.state_dict(), "rewiring": self.rewiring_state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if "rewiring" not in state_dict:
            raise BrokenFile(
                "This optimiser state was saved without rewiring. "
                "Load it into the plain optimiser, or wrap it only after loading."
            )
        self.optimizer.load_state_dict({key: value for key, value in state_dict.items() if key != "rewiring"})
        self._share()
        self.load_rewiring_state(state_dict["rewiring"])

    def rewiring_state(self) -> dict[str, Any]:
        return {"generator": self.generator.get_state()}

    def load_rewiring_state(self, state: dict[str, Any]) -> None:
        self.generator.set_state(state["generator"].cpu())

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.active_count()} of {self.budget} synapses)\naround {self.optimizer!r}"

    # ---- setting up --------------------------------------------------------------------------------------------------

    def _share(self) -> None:
        """One set of groups and moments for both, so that a scheduler may be given either."""
        self.param_groups, self.state = self.optimizer.param_groups, self.optimizer.state

    def _check_owned(self) -> None:
        owned = {id(p) for group in self.param_groups for p in group["params"]}
        for name, p in self.matrices.items():
            if id(p) not in owned:
                raise BadValue(f"Matrix {name!r} is not among the optimiser's parameters. Build the optimiser with it.")
            if not p.is_contiguous() or p.dtype not in (torch.float32, torch.float64):
                raise BadValue(
                    f"Matrix {name!r} is {p.dtype} with strides {p.stride()}. Rewiring needs a contiguous float32 or "
                    "float64 tensor: half precision cannot hold a newborn synapse."
                )

    def _by_matrix(self, values: Any, what: str) -> dict[str, Any]:
        """One value (or None) for each matrix, from a mapping by name or a sequence in order."""
        if values is None:
            return dict.fromkeys(self.matrices)
        if isinstance(values, Mapping):
            for name in values:
                if name not in self.matrices:
                    raise unknown_name("rewired matrix", name, self.matrices)
            return {name: values.get(name) for name in self.matrices}
        if len(values) != len(self.matrices):
            raise ShapeMismatch(
                f"{len(values)} values for {what}, {len(self.matrices)} matrices. Give one for each, or a dict by name."
            )
        return dict(zip(self.matrices, values, strict=True))

    def _budgets(self, connectivity: float | Sequence[float]) -> dict[str, int]:
        """Active synapses that each matrix starts with; only their sum is held constant by a global method."""
        fractions = [connectivity] * len(self.matrices) if isinstance(connectivity, (int, float)) else connectivity
        budgets = {}
        for name, fraction in self._by_matrix(fractions, "connectivity").items():
            if not 0 < fraction <= 1:
                raise BadValue(f"connectivity = {fraction} for {name!r}. Give a fraction above 0 and at most 1.")
            budgets[name] = round(fraction * self.possible[name])
        return budgets


def _named(parameters: Matrices) -> dict[str, Tensor]:
    if isinstance(parameters, Mapping):
        return dict(parameters)
    items = list(parameters)
    if not items:
        raise BadValue("No matrix to rewire. List at least one, for example [layer.weight].")
    pairs = [item if isinstance(item, tuple) else (str(i), item) for i, item in enumerate(items)]
    return dict(pairs)


def _allowed(name: str, p: Tensor, forbidden: Tensor | None) -> Tensor:
    if forbidden is None:
        return torch.ones_like(p, dtype=torch.bool)
    if forbidden.shape != p.shape:
        raise ShapeMismatch(
            f"The forbidden mask of {name!r} is {list(forbidden.shape)}, the matrix {list(p.shape)}. "
            "Give a mask of the matrix's own shape, [post, pre]."
        )
    return ~forbidden.to(device=p.device, dtype=torch.bool)


def _fraction(active: Tensor, allowed: Tensor) -> float:
    return int(active.sum()) / max(1, int(allowed.sum()))


def _entry(active: int, possible: int) -> dict[str, Any]:
    return {"active": active, "possible": possible, "connectivity": active / max(1, possible)}

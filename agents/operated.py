"""Lay hands on a running agent: its state is changed at chosen moments, while `evaluate`, a window or you let it play.

    forgetful = Operated(agent, "zero", "b", "adaptive", when=new_trial)
    evaluate(forgetful, "LSNNArena-v0")

The operations are those of `lsnn_rl.probe`. For a loop of your own around Stable-Baselines3's `predict`, whose state is
an LSTM's pair (h, c), there is `edit`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from lsnn_rl import probe
from lsnn_rl.agents.contract import let_watch
from lsnn_rl.errors import BadValue, unknown_name
from lsnn_rl.state import State, reset_where

OPERATIONS = ("zero", "freeze", "shuffle", "transplant")


class Moment(NamedTuple):
    """The moment before an agent acts.

    Attributes:
        obs: what it is about to act upon, [N, ...].
        starts: does a lifetime begin with it? [N].
        task: the rules of the world, with ages, trials and successes; None if the agent was not shown its world (see
            `lsnn_rl.agents.contract.let_watch`).
    """

    obs: NDArray
    starts: NDArray[np.bool_]
    task: Any


When = Callable[[Moment], NDArray[np.bool_]]  # -> [N], where to operate


def always(moment: Moment) -> NDArray[np.bool_]:
    """Before every step."""
    return np.ones(len(moment.starts), bool)


def new_trial(moment: Moment) -> NDArray[np.bool_]:
    """Where the step before was the first of a new trial: how the last one ended has been seen and acted upon."""
    task = _task(moment)
    return (task.trial > 0) & (task.trial_start == task.age - 1)


def at_step(*ages: int) -> When:
    """Before the steps of these numbers, counted from 0 in every lifetime."""
    return lambda moment: np.isin(_task(moment).age, ages)


def at_trial(*numbers: int) -> When:
    """Where trials of these numbers have begun, counted from 0; each as in `new_trial`."""
    return lambda moment: new_trial(moment) & np.isin(_task(moment).trial, numbers)


class Operated:
    """An agent whose state is operated on while it plays; to everyone else an agent as any other.

    Args:
        agent: one with a state by names, such as `load_agent` returns.
        operation: "zero", "shuffle" or "transplant", done before the agent acts; "freeze", which undoes what its step
            did; or a function `(state, rows [N]) -> state` of your own, called before it acts.
        names: entries of the state, such as "b" or ("v", "z").
        units: a label of the network's populations, a slice, indices or a mask; None for all.
        when: which lifetimes to operate on, given the Moment; `always` unless told.
        donor: the state to transplant from, with as many rows as lifetimes played.
        seed: of the permutation, which is drawn once: a cell's value goes to the same wrong place every time.
    Raises: UnknownName, BadValue.
    """

    def __init__(
        self,
        agent: Any,
        operation: str | Callable[[State, torch.Tensor], State],
        names: str | Sequence[str] = "b",
        units: str | probe.Units = None,
        when: When = always,
        donor: State | None = None,
        seed: int = 0,
    ) -> None:
        self.agent, self.when, self.names, self.donor, self.seed = agent, when, names, donor, seed
        if isinstance(operation, str) and operation not in OPERATIONS:
            raise unknown_name("operation", operation, OPERATIONS)
        if (operation == "transplant") != (donor is not None):
            raise BadValue(
                f"Operation {operation!r} with donor = {donor}. A transplant needs donor=STATE, others none."
            )
        self.operation = operation
        self.units = units_of(agent, units)
        self.task: Any = None

    def __getattr__(self, name: str) -> Any:
        if name == "agent":  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.agent, name)  # policy, name, env_id ...: as without the operation

    def watch(self, venv: Any) -> None:
        """See the world it plays in, so that `when` can ask for steps and successes."""
        self.task = getattr(venv.unwrapped, "task", None)
        let_watch(self.agent, venv)

    def initial_state(self, n: int) -> Any:
        return self.agent.initial_state(n)

    def act(
        self, obs: NDArray, state: Any, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, Any]:
        """As the agent acts, with another state than it had left itself."""
        if not isinstance(state, dict):
            raise BadValue(
                f"The state of {self.agent} is a {type(state).__name__}, and operations name entries of a dict. "
                "Operate on a policy of lsnn_rl.agents.policies."
            )
        rows = torch.from_numpy(np.asarray(self.when(Moment(obs, np.asarray(starts, bool), self.task)), bool))
        if not rows.any():
            return self.agent.act(obs, state, starts, deterministic)
        if self.operation == "freeze":
            before = reset_where(state, torch.as_tensor(np.asarray(starts)))  # a new lifetime begins at rest
            actions, after = self.agent.act(obs, state, starts, deterministic)
            return actions, probe.freeze(before, after, self.names, self.units, rows)
        return self.agent.act(obs, self._operate(state, rows), starts, deterministic)

    def _operate(self, state: State, rows: torch.Tensor) -> State:
        if not isinstance(self.operation, str):
            return self.operation(state, rows)
        if self.operation == "shuffle":
            luck = torch.Generator().manual_seed(self.seed)
            return probe.shuffle(state, self.names, self.units, luck, rows)
        if self.operation == "transplant":
            assert self.donor is not None
            return probe.transplant(self.donor, state, self.names, self.units, rows)
        return probe.zero(state, self.names, self.units, rows)


def units_of(agent: Any, units: str | probe.Units) -> probe.Units:
    """Units by a label of the agent's populations, "adaptive" for example, as a slice; anything else as it is."""
    if not isinstance(units, str):
        return units
    network = getattr(getattr(agent, "policy", agent), "network", None)
    populations = getattr(network, "populations", None)
    if populations is None:
        raise BadValue(
            f"{agent} has no populations, asked for {units!r}. Give indices, or an agent with spiking cells."
        )
    return populations[units]


def edit(model: Any, state: tuple[Any, ...], change: Callable[[State], State]) -> tuple[Any, ...]:
    """The state of `predict` with one change made to it by names.

    Args:
        model: lsnn_rl's or sb3_contrib's RecurrentPPO with a policy of ours, or that policy.
        state: what `predict` returned, (h, c).
        change: `state by names -> state by names`, for example `lambda state: probe.zero(state, "b")`.
    Returns: the state to pass to the next `predict`; the old one stays as it was.
    Raises: ShapeMismatch for a state of another policy.
    """
    packing = getattr(model, "policy", model).lstm_actor.packing
    pair = tuple(torch.as_tensor(np.array(part)) for part in state)
    changed = packing.pack(change(packing.unpack(pair)), pair[0].shape[1])
    return tuple(part.cpu().numpy() for part in changed)


def _task(moment: Moment) -> Any:
    if moment.task is None:
        raise BadValue(
            "This moment of a lifetime can only be known by looking at the world. Play through evaluate or live, "
            "or show it: agent.watch(env)."
        )
    return moment.task

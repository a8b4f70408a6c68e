"""Look into an agent while it lives: every neuron and its state, what was seen and done, and what the world hid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.adapters import as_agent, name_of
from lsnn_rl.agents.contract import let_watch
from lsnn_rl.errors import BadValue, unknown_name

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Lives:
    """T steps of N lifetimes side by side.

    Attributes:
        state: the entries that were asked for, after each step, {name: [T, N, ...]}; "threshold" in resting thresholds.
        obs: what was acted upon, [T, N, ...]. actions: [T, N, ...].
        success: did the step end a trial well? [T, N]. alive: was the lifetime still going on? [T, N].
        task: the hidden task, [T, N, V]; known: had the agent met what tells it? [T, N]. Both as `obs` was seen.
        place: where the agent was as `obs` was seen, [T, N, 2]; None in a world without places.
        parts: populations of the network, label -> slice, in order.
        period: only every so many steps were kept.
    """

    state: dict[str, Floats]
    obs: Floats
    actions: Floats
    success: NDArray[np.bool_]
    alive: NDArray[np.bool_]
    task: Floats
    known: NDArray[np.bool_]
    place: Floats | None
    parts: dict[str, slice]
    period: int = 1


@dataclass(frozen=True)
class Inside:
    """One stretch of one lifetime, T environment steps.

    Attributes:
        spikes: of every cell in the last simulation step of each environment step, [T, H], 0 or 1.
        threshold: of the adaptive cells, [T, A], in units of the resting threshold.
        hits: did the step reach the goal? [T].
        regular: how many of the H cells do not adapt; they come first.
        parts: populations of the network, label -> slice, in order.
    """

    spikes: Floats
    threshold: Floats
    hits: NDArray[np.bool_]
    regular: int
    parts: dict[str, slice]


def record_lives(
    agent: Any,
    env_id: str,
    env_kwargs: Mapping[str, Any] | None = None,
    split: str = "test",
    lifetimes: Sequence[int] = range(8),
    steps: int | None = None,
    names: Sequence[str] = ("z",),
    every: int = 1,
    deterministic: bool = True,
) -> Lives:
    """Let an agent live numbered lifetimes side by side, and note what goes on in it.

    Args:
        agent: as for `evaluate`, with a network of its own.
        steps: of each lifetime; all of them unless told.
        names: entries of the state to keep: "v", "b", "z", "readout" ..., and "threshold".
        every: keep only every so many steps, for long recordings; `success` and `place` are thinned out alike.
    Raises: BadValue for an agent without a network to look at; UnknownName for an entry that its state has not.
    """
    actor = as_agent(agent, env_id, {**(env_kwargs or {}), "split": split})
    network = network_of(actor)
    env = gym.make_vec(env_id, num_envs=len(lifetimes), split=split, **(env_kwargs or {}))
    rules: Any = env.unwrapped
    notes: dict[str, list[Any]] = {key: [] for key in ("obs", "actions", "success", "alive", "task", "known", "place")}
    states: dict[str, list[Floats]] = {name: [] for name in names}
    try:
        obs, _ = env.reset(options={"lifetimes": np.asarray(lifetimes)})
        let_watch(actor, env)
        n = len(lifetimes)
        state, starts, alive = actor.initial_state(n), np.ones(n, bool), np.ones(n, bool)
        for t in range(rules.task.steps if steps is None else steps):
            actions, state = actor.act(obs, state, starts, deterministic)
            keep = t % every == 0
            if keep:
                for name in names:
                    states[name].append(_entry(network, state, name))
                place = getattr(rules.task, "place", None)
                before = (obs, actions, alive.copy(), rules.task_vector(), rules.task_known(), place)
                for key, value in zip(("obs", "actions", "alive", "task", "known", "place"), before, strict=True):
                    notes[key].append(np.array(value))
            obs, _, terminated, truncated, info = env.step(actions)
            if keep:
                notes["success"].append(alive & np.asarray(info.get("success", np.zeros(n)), bool))
            alive &= ~(terminated | truncated)
            starts = np.zeros(n, bool)
            if not alive.any():
                break
    finally:
        env.close()
    has_place = np.asarray(notes["place"][0]).dtype != object
    return Lives(
        {name: np.stack(values) for name, values in states.items()},
        np.stack(notes["obs"]),
        np.stack(notes["actions"]),
        np.stack(notes["success"]),
        np.stack(notes["alive"]),
        np.stack(notes["task"]),
        np.stack(notes["known"]),
        np.stack(notes["place"]).astype(np.float32) if has_place else None,
        {label: network.populations[label] for label in getattr(network, "populations", {})},
        every,
    )


def look_inside(
    agent: Any,
    env_id: str,
    env_kwargs: Mapping[str, Any] | None = None,
    split: str = "test",
    lifetime: int = 0,
    steps: int = 600,
) -> Inside:
    """Let a spiking agent live the first `steps` steps of a numbered lifetime and note its spikes and thresholds.

    Raises: BadValue for an agent that does not spike.
    """
    actor = as_agent(agent, env_id, {**(env_kwargs or {}), "split": split})
    network = getattr(getattr(actor, "policy", None), "network", None)
    if network is None or not getattr(network, "spiking", False):
        raise BadValue(f"{agent} has no spikes to look at. Choose an agent with cell lsnn, alif or lif.")
    lives = record_lives(actor, env_id, env_kwargs, split, [lifetime], steps, ("z", "threshold"))
    beta = getattr(network.cell, "beta", None)  # zero makes a cell regular
    regular = network.size if beta is None else int((beta.expand(network.size) == 0).sum())
    threshold = lives.state["threshold"][:, 0, regular:]
    return Inside(lives.state["z"][:, 0], threshold, lives.success[:, 0], regular, lives.parts)


def network_of(agent: Any) -> Any:
    """The recurrent network of an agent. Raises BadValue for one without."""
    network = getattr(getattr(agent, "policy", None), "network", None)
    if network is None or not hasattr(network, "cell"):
        raise BadValue(
            f"{name_of(agent)} has no recurrent network to look at. Choose an agent with a cell: lsnn, lif, gru ..."
        )
    return network


def _entry(network: Any, state: Mapping[str, Any], name: str) -> Floats:
    if name == "threshold" and hasattr(network.cell, "threshold"):
        level = network.cell.threshold(state) / network.cell.thr
        return level.expand(len(state["v"]), -1).float().cpu().numpy()
    if name not in state:
        raise unknown_name("state entry", name, state)
    return state[name].float().cpu().numpy().copy()

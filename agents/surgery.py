"""Which part of an agent's state is its memory? Move it into another agent, and see where that one goes.

Two lifetimes, two goals. The host has been to goal A, the donor to goal B on the other side of the arena. Now one entry
of the donor's state takes the place of the host's, and the host is put into the middle of the arena. The goal itself
is taken away, as in the probe trial of the water maze, so that nothing but memory tells where to go. An entry carries
the memory if with it, and nothing else, the host goes to B.

Source of the probe trial: Morris 1984.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from lsnn_rl import probe
from lsnn_rl import state as states
from lsnn_rl.agents.adapters import as_agent, name_of
from lsnn_rl.agents.cards import Card, env_hash, versions
from lsnn_rl.agents.decoder import Decoder, fit_decoders
from lsnn_rl.agents.inside import network_of
from lsnn_rl.agents.operated import units_of
from lsnn_rl.agents.statistics import share_interval
from lsnn_rl.envs.arena import Arena
from lsnn_rl.envs.registration import has_lifetimes
from lsnn_rl.errors import BadValue
from lsnn_rl.state import State

SCHEMA = 1
APART = np.deg2rad(150.0)  # two goals of a pair lie at least so far apart, seen from the middle
NOWHERE = 1e6  # arena radii: the place of a goal that is taken away
OWN, OTHER, NEITHER = 0, 1, 2
ENTRIES = {  # what to call an entry of the state
    "v": "voltages",
    "b": "thresholds",
    "z": "last spikes",
    "refractory": "refractory times",
    "readout": "readouts",
    "ring": "spikes on their way",
    "h": "hidden units",
    "c": "cell memory",
}


class Operation(NamedTuple):
    """Transplant entries of the donor's state; `units` is a label of the populations, or None for all."""

    label: str
    names: tuple[str, ...]
    units: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What N hosts did after one operation, K steps each.

    Attributes:
        operation: what was transplanted.
        place: where they were after each step, in arena radii, [K, N, 2].
        reached: whose goal they came to first: OWN, OTHER or NEITHER, [N].
        belief: by the entry it is read from, the decoded goal on the way from A (0) to B (1), [K, N].
    """

    operation: Operation
    place: NDArray[np.float64]
    reached: NDArray[np.int64]
    belief: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Surgery:
    """Everything that was found out, for figures; `card` is what goes into a file.

    Attributes:
        own, other: goals of hosts and donors, [N, 2]. radius, goal_radius: of the world.
        outcomes: by operation. card: shares with intervals.
    """

    own: NDArray[np.float64]
    other: NDArray[np.float64]
    radius: float
    goal_radius: float
    outcomes: dict[str, Outcome]
    card: Card


def operate(
    agent: Any,
    env_id: str = "LSNNArena-v0",
    env_kwargs: Mapping[str, Any] | None = None,
    split: str = "test",
    pairs: int = 200,
    *,
    after_goals: int = 5,
    delay: int = 10,
    window: int = 100,
    operations: Sequence[Operation] | None = None,
    read_from: Sequence[str] = ("v", "b", "z", "readout"),
    training: int = 64,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> Surgery:
    """Transplant every entry of the state between lifetimes, alone and in groups, and count whose goal the hosts visit.

    Args:
        agent: one with a network of its own, trained for an arena.
        pairs: lifetimes lived, each once as host; fewer pairs are left where goals were not found.
        after_goals, delay: states are taken so many steps after the agent saw that it had reached its n-th goal.
        window: steps a host is followed.
        operations: what to transplant; every entry, every group and population unless told.
        read_from: entries from which the belief is decoded, if the state has them; () to save the time.
        training: lifetimes of the training split on which decoders are fitted.
        seed: of who is paired with whom.
    Raises: BadValue for another world than an arena, or if no two lifetimes make a pair.
    """
    actor = as_agent(agent, env_id, {**(env_kwargs or {}), "split": split})
    network_of(actor)
    report = on_progress or (lambda share: None)
    kept, goals, arena = _memories(actor, env_id, env_kwargs, split, pairs, after_goals, delay)
    report(0.2)
    hosts, donors = _pair_up(goals, seed)
    host, donor = states.take(kept, torch.from_numpy(hosts)), states.take(kept, torch.from_numpy(donors))
    own, other = goals[hosts], goals[donors]
    readable = {name: (name,) for name in read_from if name in host}
    decoders = fit_decoders(actor, env_id, env_kwargs, readable, lifetimes=training, held_out=max(1, training // 2))
    report(0.6)
    chosen = list(operations) if operations is not None else all_operations(actor, host)
    outcomes = {}
    for number, operation in enumerate(chosen):
        operated = host
        if operation.names:
            operated = probe.transplant(donor, host, operation.names, units_of(actor, operation.units))
        env = _probe_trial(env_id, env_kwargs, split, len(hosts))
        outcomes[operation.label] = _follow(actor, operated, env, operation, own, other, window, decoders)
        report(0.6 + 0.4 * (number + 1) / len(chosen))
    card = Card(
        schema=SCHEMA,
        kind="surgery",
        env=env_id,
        env_kwargs=dict(env_kwargs or {}),
        env_hash=env_hash(env_id, env_kwargs or {}),
        split=split,
        agent=name_of(agent),
        pairs=len(hosts),
        lifetimes=pairs,
        after_goals=after_goals,
        delay=delay,
        window=window,
        seed=seed,
        readings={name: {"r2": round(d.r2, 4), "error": round(d.error, 4)} for name, d in decoders.items()},
        operations={label: _shares(outcome) for label, outcome in outcomes.items()},
        carried_by=_carriers(outcomes),
        versions=versions(),
    )
    return Surgery(own, other, arena.radius, arena.goal_radius, outcomes, card)


def all_operations(agent: Any, state: State) -> list[Operation]:
    """Nothing, every entry alone, the voltages of each population, all but one of v and b, everything."""
    names = tuple(name for name in state if not name.startswith("critic."))
    found = [Operation("nothing", ())]
    for name in names:
        word = ENTRIES.get(name, name)
        found.append(Operation(f"{word} ({name})", (name,)))
    populations = list(getattr(network_of(agent), "populations", {}))
    if "v" in names and len(populations) > 1:
        found += [Operation(f"voltages of {p.replace('_', ' ')} cells", ("v",), p) for p in populations]
    if len(names) > 2:
        for name in names:
            if name in ("v", "b"):
                found.append(Operation(f"all but {ENTRIES[name]}", tuple(n for n in names if n != name)))
    return [*found, Operation("everything", names)]


def table(card: Mapping[str, Any]) -> str:
    """The card for a person: whose goal the hosts went to, in percent, after each operation."""
    lines = [
        f"{card['agent']} on {card['env']}: {card['pairs']} pairs of {card['split']} lifetimes, {card['window']} steps",
        f"{'the donor gave':<30}{'own goal':>10}{'donor':>8}{'neither':>9}   donor, 95 % interval",
    ]
    for label, entry in card["operations"].items():
        own, other, neither = (f"{100 * entry[word]['mean']:.0f} %" for word in ("own", "other", "neither"))
        low, high = (100 * bound for bound in entry["other"]["ci95"])
        lines.append(f"{label:<30}{own:>10}{other:>8}{neither:>9}   {low:.0f} to {high:.0f} %")
    carriers = [f"{ENTRIES.get(name, name)} ({name})" for name in card["carried_by"]]
    return "\n".join([*lines, "The memory moves with: " + (", ".join(carriers) or "no entry alone")])


def _memories(
    agent: Any, env_id: str, env_kwargs: Mapping[str, Any] | None, split: str, n: int, after_goals: int, delay: int
) -> tuple[State, NDArray[np.float64], Arena]:
    """States of lifetimes that know their goal, [M, ...], their goals [M, 2], and the world they live in."""
    env = gym.make_vec(env_id, num_envs=n, split=split, **(env_kwargs or {})) if has_lifetimes(env_id) else None
    task = getattr(env and env.unwrapped, "task", None)
    if env is None or not isinstance(task, Arena):
        raise BadValue(f"{env_id} is no arena: surgery asks which of two places an agent goes to. Use LSNNArena-v0.")
    obs, _ = env.reset(options={"lifetimes": np.arange(n)})
    state, starts = agent.initial_state(n), np.ones(n, bool)
    kept, taken = {name: value.clone() for name, value in state.items()}, np.zeros(n, bool)
    goals = np.zeros((n, 2))  # at that moment: in some arenas the goal moves later
    for _ in range(task.steps):
        actions, state = agent.act(obs, state, starts)
        ripe = ~taken & (task.trial >= after_goals) & (task.age - task.trial_start == delay)
        if ripe.any():
            for name, value in state.items():
                kept[name][ripe] = value[ripe]
            goals[ripe] = task.goal[ripe]
            taken |= ripe
        if taken.all():
            break
        obs, *_ = env.step(actions)
        starts = np.zeros(n, bool)
    rows = np.flatnonzero(taken)
    env.close()
    return states.take(kept, torch.from_numpy(rows)), goals[rows], task


def _pair_up(goals: NDArray[np.float64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Hosts and their donors: of those whose goal lies on the other side of the arena, one at random."""
    luck = np.random.default_rng(seed)
    angle = np.arctan2(goals[:, 1], goals[:, 0])
    hosts, donors = [], []
    for host in range(len(goals)):
        apart = np.abs((angle - angle[host] + np.pi) % (2 * np.pi) - np.pi)
        across = np.flatnonzero(apart >= APART)
        if len(across):
            hosts.append(host)
            donors.append(int(luck.choice(across)))
    if not hosts:
        raise BadValue(
            f"{len(goals)} lifetimes knew their goal, and no two of the goals lie opposite each other. Give more "
            "lifetimes (pairs), fewer goals to wait for (after_goals), or an agent that finds its goal."
        )
    return np.array(hosts), np.array(donors)


def _probe_trial(env_id: str, env_kwargs: Mapping[str, Any] | None, split: str, n: int) -> gym.vector.VectorEnv:
    """The arena without its goal, every agent in the middle of it, standing."""
    env = gym.make_vec(env_id, num_envs=n, split=split, **(env_kwargs or {}))
    env.reset(options={"lifetimes": np.arange(n)})
    task = env.unwrapped.task  # type: ignore[attr-defined]
    task.goal[:], task.place[:], task.action[:], task.wall[:] = NOWHERE, 0.0, 0.0, False
    return env


def _follow(
    agent: Any,
    state: State,
    env: gym.vector.VectorEnv,
    operation: Operation,
    own: NDArray[np.float64],
    other: NDArray[np.float64],
    window: int,
    decoders: Mapping[str, Decoder],
) -> Outcome:
    task = env.unwrapped.task  # type: ignore[attr-defined]
    obs, starts = task.observe(), np.zeros(len(own), bool)
    reached = np.full(len(own), NEITHER)
    places, beliefs = [], {name: [] for name in decoders}  # type: ignore[var-annotated]
    for _ in range(window):
        for name, decoder in decoders.items():
            beliefs[name].append(_along(decoder(state), own, other))
        actions, state = agent.act(obs, state, starts)
        obs, *_ = env.step(actions)
        places.append(task.place.copy())
        for whose, goal in ((OWN, own), (OTHER, other)):
            here = np.hypot(*(task.place - goal).T) <= task.goal_radius
            reached = np.where((reached == NEITHER) & here, whose, reached)
    env.close()
    return Outcome(operation, np.array(places), reached, {name: np.array(path) for name, path in beliefs.items()})


def _along(belief: NDArray, own: NDArray, other: NDArray) -> NDArray[np.float64]:
    """How far beliefs [N, 2] are on the straight way from one goal (0) to the other (1), [N]."""
    way = other - own
    return ((belief - own) * way).sum(axis=1) / (way * way).sum(axis=1)


def _shares(outcome: Outcome) -> dict[str, Any]:
    n = len(outcome.reached)
    found: dict[str, Any] = {"names": list(outcome.operation.names), "units": outcome.operation.units}
    for word, whose in (("own", OWN), ("other", OTHER), ("neither", NEITHER)):
        found[word] = share_interval(int((outcome.reached == whose).sum()), n).as_dict()
    for name, path in outcome.belief.items():
        found[f"belief_from_{name}"] = {"at_once": round(float(path[0].mean()), 3), "at_end": _late(path)}
    return found


def _late(path: NDArray[np.float64]) -> float:
    return round(float(path[-10:].mean()), 3)


def _carriers(outcomes: Mapping[str, Outcome]) -> list[str]:
    """The entries that, transplanted alone, send more than half of the hosts to the donor's goal, beyond doubt."""
    alone = [outcome for outcome in outcomes.values() if len(outcome.operation.names) == 1]
    whole = [outcome for outcome in alone if outcome.operation.units is None]
    sure = [o for o in whole if share_interval(int((o.reached == OTHER).sum()), len(o.reached)).low > 0.5]
    return [outcome.operation.names[0] for outcome in sure]

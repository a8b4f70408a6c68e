"""Live through fixed lifetimes and write the card.

Every agent lives the same numbered lifetimes of a split, so scores can be compared in pairs and do not depend on how
many run side by side. A control lives them again with the agent hampered: with its state wiped one step after each
trial ended, an agent whose score rested on memory falls back to what it can do without.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents import controls as handicaps
from lsnn_rl.agents import measures
from lsnn_rl.agents.adapters import as_agent, check_fits, name_of, spike_counter, world_of
from lsnn_rl.agents.cards import SCHEMA, Card, env_hash, uses_memory, versions
from lsnn_rl.agents.contract import Agent, let_feel, let_watch
from lsnn_rl.agents.measures import Lifetimes
from lsnn_rl.agents.statistics import Interval, mean_interval
from lsnn_rl.envs.references import reference_scores
from lsnn_rl.envs.registration import has_lifetimes
from lsnn_rl.envs.splits import check_own_arguments, split_hash
from lsnn_rl.errors import BadValue, unknown_name

BINS = 20  # stretches of the lifetime in a card's curve
CONTROLS: dict[str, dict[str, Any]] = {
    "state_reset": {"wipe_after_trial": True},
    "sampled": {"deterministic": False},
    **{name: {"hamper": hamper} for name, hamper in handicaps.CONTROLS.items()},
}


def evaluate(
    agent: Any,
    env_id: str | None = None,
    split: str = "test",
    lifetimes: int = 1000,
    deterministic: bool = True,
    controls: Sequence[str] = ("state_reset",),
    env_kwargs: Mapping[str, Any] | None = None,
    *,
    slots: int = 250,
    seed: int = 0,
    name: str | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Card:
    """The card of an agent on lifetimes 0 .. `lifetimes` - 1 of a split.

    Args:
        agent: an Agent, a Stable-Baselines3 or sb3-contrib model, one with Meta-World's MetaLearningAgent protocol, a
            function, a run folder, a zoo name, "hf:user/name" or a classical agent's name.
        env_id: a world of this package, for example "LSNNArena-v0", or any id that Gymnasium knows, where `lifetimes`
            test episodes are lived as in `evaluate_episodes`; None is the world that the agent was trained in, with
            its settings.
        split: "test", "train" or "test-ood".
        deterministic: take the most probable action. If not, actions are drawn with a generator seeded by `seed`.
        controls: any of "state_reset" (the state is wiped one step after each trial ended), "sampled" (actions drawn
            from the agent's distribution) and those of `lsnn_rl.agents.controls`; each lives all lifetimes once more.
        env_kwargs: settings of the world, for example {"teleport": "same_step"}.
        slots: how many lifetimes run side by side: a matter of speed (and of the luck of drawn actions).
        name: what the card calls the agent.
        on_progress: called with the share done, 0 to 1.
    Raises: UnknownName for an agent, world, split or control; BadValue for fewer than one lifetime, and for what
        episodes elsewhere do not have.
    """
    if lifetimes < 1:
        raise BadValue(f"lifetimes = {lifetimes} leaves nothing to average. Give at least 1; a claim needs hundreds.")
    for control in controls:
        if control not in CONTROLS:
            raise unknown_name("control", control, CONTROLS)
    if env_id is None:
        env_id, own = world_of(agent)
        env_kwargs = {**own, **(env_kwargs or {})}
    elif not isinstance(env_id, str):
        raise BadValue(
            f"env_id = {env_id} is an environment; evaluate makes fresh ones, so it wants the id. "
            'Write evaluate(agent, "LSNNArena-v0", env_kwargs={...}).'
        )
    if not has_lifetimes(env_id):
        from lsnn_rl.agents.episodes import evaluate_episodes  # which stands on this module

        if split != "test" or any(control != "state_reset" for control in controls):
            raise BadValue(
                f"split = {split!r} with controls {list(controls)} was asked in {env_id}, which has episodes, not "
                "lifetimes: there is only the split test, and one control (the state wiped at every step), which is "
                "always lived. Leave both out."
            )
        return evaluate_episodes(
            agent, env_id, lifetimes, deterministic, env_kwargs, seed=seed, name=name, on_progress=on_progress
        )
    check_own_arguments(env_kwargs or {})
    began = time.perf_counter()
    kwargs = dict(env_kwargs or {})
    numbers = np.arange(lifetimes)
    env = gym.make_vec(env_id, num_envs=min(slots, lifetimes), split=split, **kwargs)
    try:
        score_of = score_of_world(env)
        actor = as_agent(agent, env_id, {**kwargs, "split": split})
        check_fits(actor, env_id, env.single_observation_space, env.single_action_space)
        report = _Progress(on_progress, lifetimes * (1 + len(controls)))
        main = live(actor, env, numbers, deterministic=deterministic, seed=seed, on_batch=report.add)
        hampered = {
            control: live(
                actor,
                env,
                numbers,
                **{"deterministic": deterministic, **CONTROLS[control]},
                seed=seed,
                on_batch=report.add,
            )
            for control in controls
        }
    finally:
        env.close()
    card = make_card(
        env_id,
        kwargs,
        split,
        lifetimes,
        name or name_of(agent),
        main,
        hampered,
        score_of,
        deterministic=deterministic,
        seed=seed,
    )
    card["wall_s"] = round(time.perf_counter() - began, 1)
    return card


def make_card(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    split: str,
    lifetimes: int,
    name: str,
    main: Lifetimes,
    hampered: Mapping[str, Lifetimes],
    score_of: str,
    *,
    deterministic: bool = True,
    seed: int = 0,
) -> Card:
    """The card of what was lived: lifetimes 0 .. `lifetimes` - 1 of a split, by whoever it was, and under controls."""
    kwargs = dict(env_kwargs)
    card = Card(
        schema=SCHEMA,
        env=env_id,
        env_kwargs=kwargs,
        env_hash=env_hash(env_id, kwargs),
        split=split,
        split_hash=split_hash(split, lifetimes),
        agent=name,
        lifetimes=lifetimes,
        deterministic=deterministic,
        seed=seed,
    )
    card.update(results(main, hampered, reference_scores(env_id, split, **kwargs), score_of))
    card.update(versions=versions(), wall_s=0.0)
    return card


def results(
    main: Lifetimes, hampered: Mapping[str, Lifetimes], references: Mapping[str, float] | None, score_of: str = "goals"
) -> dict[str, Any]:
    """The part of a card that follows from what was lived: scores, measures, curves, controls, the claim.

    Args:
        main, hampered: the lifetimes of the agent, and of the agent under each control.
        references: random, amnesic, best_known and oracle in units of the score, if known.
        score_of: "goals" or "return": what is compared with the references.
    """
    score, normalized = _score(main, score_of, references)
    found: dict[str, Any] = {
        "return": mean_interval(main.returns).as_dict(),
        "score": {"of": score_of, **score.as_dict()},
        "references": references,
        "normalized": normalized,
        "measures": measures.summary(main, references["oracle"] if references and score_of == "goals" else None),
        "curve": _curve(main, score_of),
        "trials": measures.by_trial(main),
        "controls": {},
    }
    for control, lives in hampered.items():
        score, normalized = _score(lives, score_of, references)
        found["controls"][control] = {**score.as_dict(), "normalized": normalized, "curve": _curve(lives, score_of)}
    found["claims"] = {"uses_memory": uses_memory(found) if len(main.steps) > 1 else None}  # one has no interval
    found["per_lifetime"] = {
        "goals": main.goals.tolist(),
        "returns": [round(float(r), 4) for r in main.returns],
        "first_find": main.first_find.tolist(),
    }
    return found


def live(
    agent: Agent,
    env: gym.vector.VectorEnv,
    numbers: NDArray[np.int64],
    *,
    deterministic: bool = True,
    wipe_after_trial: bool = False,
    hamper: Callable[[Agent], Agent] | None = None,
    seed: int = 0,
    on_batch: Callable[[int], None] | None = None,
) -> Lifetimes:
    """Live the numbered lifetimes, as many at a time as the vector environment has slots.

    Args:
        env: a vector environment whose `reset` takes `options={"lifetimes": numbers}`.
        wipe_after_trial: begin the agent's state afresh one step after it saw the end of a trial: it has met the
            reward, and nothing of it remains.
        hamper: makes of the agent the one that lives, see `lsnn_rl.agents.controls`.
        on_batch: called with the number of lifetimes just finished.
    """
    slots = env.num_envs
    agent = agent if hamper is None else hamper(agent)
    parts = []
    for begin in range(0, len(numbers), slots):
        batch = numbers[begin : begin + slots]
        filled = np.resize(batch, slots)  # surplus slots repeat lifetimes, and are dropped below
        with luck(seed + begin):
            part = _live_once(agent, env, filled, deterministic, wipe_after_trial)
        parts.append(_rows(part, len(batch)))
        if on_batch is not None:
            on_batch(len(batch))
    return _join(parts)


def _live_once(
    agent: Agent,
    env: gym.vector.VectorEnv,
    numbers: NDArray[np.int64],
    deterministic: bool,
    wipe_after_trial: bool,
) -> Lifetimes:
    n = env.num_envs
    keep_rewards = score_of_world(env) == "return"
    observation, info = env.reset(options={"lifetimes": numbers})
    let_watch(agent, env)
    count_spikes = spike_counter(agent)
    state = agent.initial_state(n)
    starts = np.ones(n, bool)
    alive, steps, returns, spikes = np.ones(n, bool), np.zeros(n, np.int64), np.zeros(n), np.zeros(n)
    hit_rows, hit_steps, rewards = [], [], []
    trial = np.asarray(info.get("trial", 0))
    while alive.any():
        actions, state = agent.act(observation, state, starts, deterministic)
        if count_spikes is not None:
            spikes += alive * count_spikes(state)
        observation, reward, terminated, truncated, info = env.step(actions)
        let_feel(agent, reward, terminated, truncated)
        steps += alive
        returns += alive * reward
        if keep_rewards:
            rewards.append((alive * reward).astype(np.float32))
        hit = alive & np.asarray(info.get("success", False), bool)
        rows = np.flatnonzero(hit)
        hit_rows.append(rows)
        hit_steps.append(steps[rows])
        alive &= ~(terminated | truncated)
        # Where a new trial was counted, the last one ended a step ago: the agent has acted on the observation of it.
        before, trial = trial, np.asarray(info.get("trial", 0))
        starts = np.broadcast_to(trial != before, n) if wipe_after_trial else np.zeros(n, bool)
    row, step = np.concatenate(hit_rows), np.concatenate(hit_steps)
    order = np.lexsort((step, row))
    return Lifetimes(
        numbers,
        steps,
        returns,
        row[order],
        step[order],
        spikes if count_spikes else None,
        np.stack(rewards, axis=1) if keep_rewards else None,
    )


@contextmanager
def luck(seed: int) -> Iterator[None]:
    """torch draws from a generator seeded here, and goes on afterwards as if nothing had happened."""
    torch = sys.modules.get("torch")  # an agent that draws from torch has loaded it
    if torch is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _rows(lives: Lifetimes, n: int) -> Lifetimes:
    kept = lives.hit_row < n
    return Lifetimes(
        lives.numbers[:n],
        lives.steps[:n],
        lives.returns[:n],
        lives.hit_row[kept],
        lives.hit_step[kept],
        None if lives.spikes is None else lives.spikes[:n],
        None if lives.rewards is None else lives.rewards[:n],
    )


def _join(parts: list[Lifetimes]) -> Lifetimes:
    offsets = np.cumsum([0, *(len(part.steps) for part in parts[:-1])])
    spikes = [part.spikes for part in parts if part.spikes is not None]
    rewards = [part.rewards for part in parts if part.rewards is not None]
    return Lifetimes(
        np.concatenate([part.numbers for part in parts]),
        np.concatenate([part.steps for part in parts]),
        np.concatenate([part.returns for part in parts]),
        np.concatenate([part.hit_row + offset for part, offset in zip(parts, offsets, strict=True)]),
        np.concatenate([part.hit_step for part in parts]),
        np.concatenate(spikes) if spikes else None,
        _stack_unequal(rewards) if rewards else None,
    )


def _stack_unequal(parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Rows of different lengths under each other, zeros behind the shorter ones."""
    longest = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, longest - part.shape[1]))) for part in parts])


def score_of_world(env: gym.vector.VectorEnv) -> str:
    """What counts in a world: "goals" or "return"; elsewhere than in ours, what is earned."""
    return getattr(getattr(env.unwrapped, "task", None), "score", "return")


def _score(lives: Lifetimes, of: str, references: Mapping[str, Any] | None) -> tuple[Interval, dict[str, Any] | None]:
    score = mean_interval(lives.goals if of == "goals" else lives.returns)
    if references is None:
        return score, None
    return score, measures.normalized(score, references["amnesic"], references["best_known"]).as_dict()


def _curve(lives: Lifetimes, of: str) -> dict[str, Any]:
    """The score in each stretch of the lifetime, with Student's intervals over lifetimes."""
    bin_steps = max(1, round(int(lives.steps.max()) / BINS))
    by_goals = of == "goals" or lives.rewards is None
    stretches = measures.adaptation(lives, bin_steps) if by_goals else measures.reward_by_age(lives, bin_steps)
    columns = zip(*(mean_interval(column) for column in stretches.T), strict=True)
    named = zip(("mean", "low", "high"), columns, strict=True)
    return {"of": "goals per 100 steps" if by_goals else "reward per step", "bin_steps": bin_steps} | {
        name: [round(x, 4) for x in column] for name, column in named
    }


class _Progress:
    def __init__(self, report: Callable[[float], None] | None, total: int) -> None:
        self.report, self.total, self.done = report, total, 0

    def add(self, lifetimes: int) -> None:
        self.done += lifetimes
        if self.report is not None:
            self.report(self.done / self.total)

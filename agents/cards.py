"""The card: one JSON object that says how well an agent does, on which lifetimes, against what, and made by which code.

Tables and figures are drawn from cards only. Keys (numbers with an interval are {mean, ci95: [low, high]}):

    schema                     version of this layout
    env, env_kwargs, env_hash  the world; the hash changes when its rules or settings do
    split, split_hash          the lifetimes; the hash changes when they do
    agent, lifetimes, deterministic, seed
    return                     sum of rewards per lifetime
    score                      what is normalised: {of: "goals" | "return", mean, ci95}
    references                 random, amnesic, best_known, oracle, in units of the score; null for a world without
    normalized                 (score - amnesic) / (best_known - amnesic)
    measures                   found, first_find, after_discovery_ratio, memory_gain, spikes_per_goal
    curve                      the score over the lifetime: {of: "goals per 100 steps" | "reward per step", bin_steps,
                               mean: [...], low: [...], high: [...]}
    trials                     restricted mean length of the 1st, 2nd, ... trial
    controls                   by name, each {mean, ci95, normalized, curve}: the same lifetimes, the agent hampered
    claims                     {uses_memory: true | false | null}
    per_lifetime               goals, returns, first_find of every lifetime, in order of their numbers
    versions, wall_s
"""

import hashlib
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from lsnn_rl.agents.zoo_places import places
from lsnn_rl.errors import BadValue, BrokenFile, MissingFile
from lsnn_rl.files import replace_file, to_json

SCHEMA = 1


class Card(dict[str, Any]):
    """A dictionary with the keys above, which knows how to be written and read."""

    def save(self, path: str | Path) -> Path:
        """Write the card as JSON, as card.json if `path` is a folder; a crash leaves the old file or none, never half.

        Returns: the file.
        """
        file = Path(path)
        if file.is_dir():
            file = file / "card.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, (self.to_json() + "\n").encode())
        return file

    def to_json(self) -> str:
        """The card as one JSON object, a list of numbers on one line; NaN is refused, because JSON has none."""
        return to_json(self)

    @classmethod
    def load(cls, path: str | Path) -> "Card":
        """The card in a file, or in `card.json` of a run folder or of the zoo ("LSNNArena-v0/lsnn").

        Raises: MissingFile, BrokenFile; BadValue for the card of a supervised task.
        """
        where: Path = next((place for place in places(path) if place.exists()), Path(path))
        file = where / "card.json" if where.is_dir() else where
        if not file.is_file():
            raise MissingFile(f"There is no card at {file}. Make one: lsnn-rl evaluate AGENT --json FILE")
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as problem:
            raise BrokenFile(f"{file} is not JSON: {problem}. Make it again with lsnn-rl evaluate.") from problem
        if isinstance(data, dict) and "task" in data:
            raise BadValue(
                f"{file} is the card of a supervised task, {data['task']}, and the card of an agent in a world was "
                "asked for. Its table: lsnn-rl zoo show; for function_learning lsnn-rl plot FOLDER --kind lessons."
            )
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            found = data.get("schema") if isinstance(data, dict) else type(data).__name__
            raise BrokenFile(
                f"{file} has schema {found}, this version reads {SCHEMA}. Make it again with lsnn-rl evaluate."
            )
        return cls(data)


def uses_memory(card: Mapping[str, Any]) -> bool | None:
    """Whether the claim rule holds; None where the card cannot tell.

    "Uses memory" needs both: a normalised score above zero with its whole interval, and the same agent with its state
    wiped after each trial back at a normalised score of at most 0.1. The first alone could be a lucky search strategy,
    the second alone an agent that does nothing well.

    >>> uses_memory({"normalized": {"mean": 0.6, "ci95": [0.5, 0.7]},
    ...              "controls": {"state_reset": {"normalized": {"mean": -0.2, "ci95": [-0.3, -0.1]}}}})
    True
    """
    score, control = card.get("normalized"), card.get("controls", {}).get("state_reset", {}).get("normalized")
    if score is None or control is None:
        return None
    return bool(score["ci95"][0] > 0 and control["mean"] <= 0.1)


def versions() -> dict[str, str]:
    """What the numbers were made with."""
    names = ("lsnn-rl", "numpy", "torch", "numba", "gymnasium", "stable-baselines3", "sb3-contrib")
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = getattr(sys.modules.get(name.replace("-", "_")), "__version__", "not installed")
    return found


def env_hash(env_id: str, kwargs: Mapping[str, Any]) -> str:
    """Sixteen hex digits that stand for what happens in a world: another rule or setting gives other digits.

    A fixed player, who heeds the world's expert (if it has one) or acts at random, lives 200 steps of eight test
    lifetimes; what it saw and earned is hashed. How the rules are written down makes no difference.
    """
    env = gym.make_vec(env_id, num_envs=8, split="test", **kwargs)
    digest, luck = hashlib.sha256(env_id.encode()), np.random.default_rng(0)
    seen, _ = env.reset(options={"lifetimes": np.arange(8)})
    env.single_action_space.seed(0)
    for _ in range(200):
        wild = np.stack([env.single_action_space.sample() for _ in range(8)])
        heeds = luck.random(8) < 0.7
        try:
            advice = env.unwrapped.expert()  # type: ignore[attr-defined]
        except NotImplementedError:  # nobody knows better in this world
            advice = wild
        actions = np.where(heeds.reshape(-1, *[1] * (wild.ndim - 1)), advice, wild)
        seen, earned, _, truncated, _ = env.step(actions.astype(wild.dtype))
        for number in (seen, earned, truncated):  # rounded, so that another processor's last bit does not matter
            digest.update((np.round(np.asarray(number, np.float64), 4) + 0.0).tobytes())
    env.close()
    return digest.hexdigest()[:16]


def short(card: Mapping[str, Any]) -> str:
    """One line a person can read.

    >>> short({"agent": "lsnn", "env": "LSNNArena-v0", "split": "test", "lifetimes": 100,
    ...        "score": {"of": "goals", "mean": 40.25, "ci95": [39.5, 41.0]}, "normalized": None})
    'lsnn on LSNNArena-v0 (test, 100 lifetimes): 40.2 goals [39.5, 41.0]'
    """
    score = card["score"]
    low, high = score["ci95"]
    line = f"{card['agent']} on {card['env']} ({card['split']}, {card['lifetimes']} lifetimes): "
    digits = decimals([score["mean"]])
    line += f"{score['mean']:.{digits}f} {score['of']} [{low:.{digits}f}, {high:.{digits}f}]"
    if card["normalized"] is not None:
        line += f", {100 * card['normalized']['mean']:.0f} % of the way from amnesic to best known"
    return line


def decimals(values: Sequence[float]) -> int:
    """Decimals that tell values of these sizes apart: 1 for goals in the tens, 3 below 2.

    >>> decimals([54.2, 5.8]), decimals([-71.5, -0.12, 0.0]), decimals([0.7, 0.65])
    (1, 2, 3)
    """
    sizes = [abs(value) for value in values if value]
    most, least = max(sizes, default=0.0), min(sizes, default=0.0)
    return 3 if most < 2 else 1 if most >= 20 and least >= 0.5 else 2

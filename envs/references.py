"""Known scores of every world: knows nothing, remembers nothing, best known, knows the task.

The figures are measured, not typed: `scripts/make_references.py` plays the classical agents and writes
`references.json` beside this file, with seeds, counts and intervals.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from lsnn_rl.envs.registration import WORLDS, bare_id
from lsnn_rl.envs.task import load_task, settings_of

FILE = Path(__file__).with_name("references.json")
NAMES = ("random", "amnesic", "best_known", "oracle")


@cache
def reference_table() -> dict[str, Any]:
    """The whole file: id -> rows of {rules, scores: {name: {agent, mean, ci95, ...}}, others: {agent: {...}}}."""
    return json.loads(FILE.read_text()) if FILE.is_file() else {}


def reference_row(env_id: str, split: str = "train", **settings: Any) -> dict[str, Any] | None:
    """The measured row for these rules, or None where none was measured: other rules have other scores.

    Settings that are only about seeing (parts of the observation, rendering) make no difference.
    """
    world = bare_id(env_id)
    if world not in WORLDS:
        return None
    asked = rules_of(world, split, **settings)
    return next((row for row in reference_table().get(world, []) if row["rules"] == asked), None)


def rules_of(env_id: str, split: str = "train", **settings: Any) -> dict[str, Any]:
    """Every setting that decides what can be scored, defaults included.

    >>> rules_of("LSNNArenaDisc-v0", teleport="same_step")["ring"] is None
    True
    """
    target, own = WORLDS[env_id]
    task = load_task(target)
    if settings.get("max_episode_steps") is not None:
        settings = {**settings, "steps": settings["max_episode_steps"]}
    rules = settings_of(task, split, {**own, **settings})
    return {name: rules[name] for name in sorted(rules) if name not in task.views}


def reference_scores(env_id: str, split: str = "train", **settings: Any) -> dict[str, float] | None:
    """Mean score per lifetime of {random, amnesic, best_known, oracle} under these settings, or None if not measured.

    >>> scores = reference_scores("LSNNArena-v0", teleport="same_step")
    >>> scores["random"] < scores["amnesic"] < scores["best_known"] < scores["oracle"]
    True
    """
    row = reference_row(env_id, split, **settings)
    return None if row is None else {name: row["scores"][name]["mean"] for name in NAMES}

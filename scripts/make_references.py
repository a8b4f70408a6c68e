"""Measure the reference scores: classical agents live fixed test lifetimes of every world.

Writes envs/references.json, which `lsnn_rl.envs.references` reads. Run it again when a rule or an agent changes; what
moved then belongs into the changelog under "Numbers that moved".
"""

import json
import time
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
import typer

import lsnn_rl
from lsnn_rl.agents.classical import REFERENCE_AGENTS, classical
from lsnn_rl.agents.evaluate import live
from lsnn_rl.agents.statistics import mean_interval
from lsnn_rl.envs.references import FILE, rules_of
from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.envs.splits import split_hash

# Besides its defaults, the settings under which a world's scores are worth knowing.
VARIANTS = {"lsnn_rl.envs.arena:Arena": [{"teleport": "next_step"}, {"teleport": "same_step"}]}


def measure(env_id: str, split: str, lifetimes: int, settings: dict[str, Any]) -> dict[str, Any]:
    """One row of the table: every reference agent on lifetimes 0 .. `lifetimes` - 1 of the split."""
    scores = {}
    for name, agent in REFERENCE_AGENTS[WORLDS[env_id][0]].items():
        began = time.perf_counter()
        env = gym.make_vec(env_id, num_envs=min(lifetimes, 250), split=split, **settings)
        player = classical(agent, env_id, split=split, **settings)
        lives = live(player, env, np.arange(lifetimes))
        env.close()
        goals = mean_interval(lives.goals)
        scores[name] = {
            "agent": agent,
            "mean": round(goals.mean, 2),
            "ci95": [round(goals.low, 2), round(goals.high, 2)],
            "first_find": round(float(lives.first_find.mean()), 1),  # where none was found: the lifetime's length
            "found": round(float((lives.goals > 0).mean()), 4),
        }
        print(f"{env_id} {split} {settings} {name} ({agent}): {goals.mean:.2f}, {time.perf_counter() - began:.0f} s")
    return {
        "rules": rules_of(env_id, split, **settings),
        "unit": "goals per lifetime",
        "split": split,
        "split_hash": split_hash(split, lifetimes),
        "lifetimes": lifetimes,
        "first_lifetime": 0,
        "agent_seed": 0,
        "version": lsnn_rl.__version__,
        "scores": scores,
    }


def main(lifetimes: Annotated[int, typer.Option(help="Test lifetimes per agent.")] = 1000) -> None:
    """Measure every reference score and write the table."""
    table = {
        env_id: [
            measure(env_id, split, lifetimes, settings)
            for settings in VARIANTS.get(task, [{}])
            for split in ("test", "test-ood")
        ]
        for env_id, (task, _) in WORLDS.items()
    }
    FILE.write_text(json.dumps(table, indent=1) + "\n")
    print(f"Wrote {FILE}")


if __name__ == "__main__":
    typer.run(main)

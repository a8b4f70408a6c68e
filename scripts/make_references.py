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
from lsnn_rl.agents.classical import classical, key_of, players_of, roles_of
from lsnn_rl.agents.evaluate import live
from lsnn_rl.agents.measures import Lifetimes
from lsnn_rl.agents.statistics import mean_interval
from lsnn_rl.envs.references import FILE, reference_table, rules_of
from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.envs.splits import split_hash
from lsnn_rl.envs.task import load_task
from lsnn_rl.errors import unknown_name

# Besides its defaults, the settings under which a world's scores are worth knowing.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "lsnn_rl.envs.arena:Arena": [{"teleport": "next_step"}, {"teleport": "same_step"}],
    "lsnn_rl.envs.bandits:BernoulliBandit": [
        {},
        {"arms": 5, "steps": 10},
        {"arms": 10, "steps": 200, "pay": "popgym"},
    ],
    "lsnn_rl.envs.bandits:DependentBandit": [{}, *({"difficulty": name} for name in ("easy", "medium", "hard"))],
    "lsnn_rl.envs.navigation:PointRobotSparse": [{}, {"horizon": 100}],
    "lsnn_rl.envs.mazes:MetaMaze": [{}, {"size": 11}],
    "lsnn_rl.envs.mazes:TMaze": [{}, {"active": True}],
}


def measure(env_id: str, split: str, lifetimes: int, settings: dict[str, Any]) -> dict[str, Any]:
    """One row of the table: every classical agent on lifetimes 0 .. `lifetimes` - 1 of the split."""
    target = WORLDS[env_id][0]
    score = load_task(target).score
    roles, scores, others = roles_of(env_id), {}, {}
    for agent in players_of(env_id):
        began = time.perf_counter()
        env = gym.make_vec(env_id, num_envs=min(lifetimes, 250), split=split, **settings)
        lives = live(classical(agent, env_id, split=split, **settings), env, np.arange(lifetimes))
        env.close()
        entry = _entry(lives, score)
        for role in (name for name, player in roles.items() if player == agent):
            scores[role] = {"agent": agent, **entry}
        if agent not in roles.values():
            others[agent] = entry
        print(f"{env_id} {split} {settings} {agent}: {entry['mean']}, {time.perf_counter() - began:.0f} s", flush=True)
    return {
        "rules": rules_of(env_id, split, **settings),
        "unit": f"{load_task(target).unit} per lifetime",
        "split": split,
        "split_hash": split_hash(split, lifetimes),
        "lifetimes": lifetimes,
        "first_lifetime": 0,
        "agent_seed": 0,
        "version": lsnn_rl.__version__,
        "scores": {role: scores[role] for role in roles},
        "others": others,
    }


def _entry(lives: Lifetimes, score: str) -> dict[str, Any]:
    mean = mean_interval(lives.goals if score == "goals" else lives.returns)
    digits = 2 if score == "goals" else 4
    entry: dict[str, Any] = {
        "mean": round(mean.mean, digits),
        "ci95": [round(mean.low, digits), round(mean.high, digits)],
    }
    if score == "goals":
        entry["first_find"] = round(float(lives.first_find.mean()), 1)  # where none was found: the lifetime's length
        entry["found"] = round(float((lives.goals > 0).mean()), 4)
    return entry


def main(
    worlds: Annotated[list[str] | None, typer.Argument(help="Ids to measure again; all if none is given.")] = None,
    lifetimes: Annotated[int, typer.Option(help="Test lifetimes per agent.")] = 1000,
) -> None:
    """Measure reference scores and write the table; the rows of other worlds stay as they are."""
    table = dict(reference_table())
    for env_id in worlds or list(WORLDS):
        if env_id not in WORLDS:
            raise typer.BadParameter(str(unknown_name("world", env_id, WORLDS)))
        table[env_id] = [
            measure(env_id, split, lifetimes, settings)
            for settings in VARIANTS.get(key_of(env_id), [{}])
            for split in ("test", "test-ood")
        ]
        ordered = {name: table[name] for name in WORLDS if name in table}
        FILE.write_text(json.dumps(ordered, indent=1) + "\n")
    print(f"Wrote {FILE}")


if __name__ == "__main__":
    typer.run(main)

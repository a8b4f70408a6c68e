"""A run's score as POPGym's authors count, beside what they published: `python -m lsnn_rl.agents.popgym_scores RUN...`

A run's card gets its score as `training.mmer`, which the tables and figures of the zoo are drawn from.

    MMER, "max-mean episodic reward": the mean return of the lifetimes of one training batch (65,536 steps there),
    actions drawn as in training; of these means the largest over the training; then averaged over seeds.

Exploring lowers it, the largest of many means raises it; so the greedy agent's return on fresh lifetimes, from the
run's card, is told beside it.
"""

import csv
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lsnn_rl.agents.cards import Card
from lsnn_rl.agents.recipe import read_recipe
from lsnn_rl.agents.statistics import Interval, mean_interval
from lsnn_rl.errors import BadValue, LSNNError, MissingFile

BATCH_STEPS = 65_536  # of POPGym's baselines: 1,024 steps of 4 workers with 16 environments each


class Published(NamedTuple):
    """What is to be met: GRU's MMER, the best of 13 memory models, and a plain Bayes-UCB where it was computed."""

    gru: float
    best: float
    bayes_ucb: float | None = None
    best_name: str = "several"


# MMER: Morad et al. 2023, arXiv 2303.01859, appendix B, as transcribed second-hand. Bayes-UCB (1.5 standard deviations
# above the mean of a uniform prior's posterior): our simulation of the same rules.
PUBLISHED = {
    "POPGymMultiarmedBanditEasy-v0": Published(0.619, 0.631, 0.733, "Elman"),
    "POPGymMultiarmedBanditMedium-v0": Published(0.538, 0.598, 0.825, "TCN"),
    "POPGymMultiarmedBanditHard-v0": Published(0.516, 0.574, 0.860, "TCN"),
    "POPGymRepeatFirstEasy-v0": Published(1.0, 1.0),
    "POPGymRepeatPreviousEasy-v0": Published(1.0, 1.0),
}


def mmer(run: str | Path, batch_steps: int = BATCH_STEPS) -> float:
    """The largest mean return of a training batch in a run folder, from its logs; unfinished batches do not count.

    Raises: MissingFile without logs; BadValue if training was shorter than one batch.
    """
    files = sorted(Path(run).glob("logs/*/progress.csv"))
    if not files:
        raise MissingFile(f"{run} holds no logs/1/progress.csv. Give the folder that lsnn-rl train wrote.")
    batches: dict[int, list[float]] = defaultdict(list)
    last = 0
    for file in files:
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                if row.get("rollout/ep_rew_mean") and row.get("time/total_timesteps"):
                    last = max(last, int(row["time/total_timesteps"]))
                    number = (int(row["time/total_timesteps"]) - 1) // batch_steps
                    batches[number].append(float(row["rollout/ep_rew_mean"]))
    whole = [float(np.mean(means)) for number, means in batches.items() if (number + 1) * batch_steps <= last]
    if not whole:
        raise BadValue(
            f"{run} was trained for {last:,} steps, less than one batch of {batch_steps:,} whose mean could be taken. "
            "Train longer."
        )
    return max(whole)


def note_mmer(run: str | Path) -> Card:
    """Write the run's MMER into its card, as `training.mmer`, and return the card; its logs are not kept with it."""
    card = Card.load(run)
    card["training"] = {**card.get("training", {}), "mmer": round(mmer(run), 4)}
    card.save(Path(run) / "card.json")
    return card


def table(runs: Sequence[str | Path]) -> str:
    """Lines for people: by world and cell, MMER and greedy return over the runs, and what was published.

    The runs' cards are given their MMER on the way.
    """
    groups: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for run in map(Path, runs):
        recipe = read_recipe(run)
        groups[recipe.env.id, str(recipe.policy.get("cell", "lsnn"))].append(run)
    lines = []
    for (env_id, cell), members in sorted(groups.items()):
        cards = [note_mmer(run) for run in members if (run / "card.json").is_file()]
        line = f"{env_id} {cell}: MMER {_said(mean_interval([mmer(run) for run in members]))}"
        if cards:
            line += f", greedy {_said(mean_interval([card['return']['mean'] for card in cards]))}"
        line += f" over {len(members)} seed{'s' if len(members) > 1 else ''}"
        if env_id in PUBLISHED:
            known = PUBLISHED[env_id]
            line += f"; published MMER of a GRU {known.gru:.3f}, of the best of 13 models {known.best:.3f}"
            line += f"; Bayes-UCB {known.bayes_ucb:.3f}" if known.bayes_ucb else ""
        lines.append(line)
    return "\n".join(lines)


def _said(interval: Interval) -> str:
    if interval.low == interval.high:
        return f"{interval.mean:.3f}"
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


if __name__ == "__main__":
    try:
        print(table(sys.argv[1:]))
    except LSNNError as mistake:
        print(f"popgym_scores: {mistake}", file=sys.stderr)
        raise SystemExit(2) from None

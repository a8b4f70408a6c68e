"""The card of a supervised run: one JSON object that says what was trained, how, and how well it does in the end.

schema                    version of this layout
task, task_kwargs, data   the task, its keywords, and what it says about its data
cell, recipe, seed        the cell's name, the recipe's name, and the seed of weights and of the order of examples
parameters                {all, active}: trained numbers, and those that are not dormant synapses
connectivity              active fraction by matrix, null without rewiring
iterations, planned       done, and what the recipe asks for; ended: "iterations" | "minutes" | "goal" | "patience"
validation                {best, iteration, examples}: chosen by it
test                      {mean, ci95, answers}: of the measure, once, with the weights that validation chose
by_example                {mean, ci95}: a list each, the test measure by place in a sequence of examples; null without
measure                   what was counted, and larger_is_better
rate_hz, silent           of the cells on the test split: mean rate, share that never spikes; null without spikes
curve                     {iteration, train, validation, loss}: each a list
wall_s, iteration_ms      time of training, validation included; of one iteration without it
command, versions
"""

import json
import math
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lsnn_rl._version import __version__
from lsnn_rl.errors import BrokenFile, MissingFile
from lsnn_rl.files import replace_file, to_json

SCHEMA = 1


def interval(scores: Tensor) -> dict[str, Any]:
    """Mean of independent answers with its 95 % interval (normal approximation).

    Of scores [N, E], the E examples of a sequence depend on each other, and each sequence counts as one answer.

    >>> interval(torch.tensor([1.0, 1.0, 0.0, 1.0]))
    {'mean': 0.75, 'ci95': [0.26, 1.24], 'answers': 4}
    """
    if scores.dim() > 1:
        scores = scores.mean(dim=1)
    mean = float(scores.double().mean())
    half = 1.96 * float(scores.double().std()) / math.sqrt(len(scores)) if len(scores) > 1 else 0.0
    return {"mean": round(mean, 6), "ci95": [round(mean - half, 6), round(mean + half, 6)], "answers": len(scores)}


def by_example(scores: Tensor) -> dict[str, list] | None:
    """The intervals of each of E examples over N sequences, of scores [N, E]; None for scores without examples."""
    if scores.dim() == 1:
        return None
    columns = [interval(column) for column in scores.unbind(dim=1)]
    return {"mean": [column["mean"] for column in columns], "ci95": [column["ci95"] for column in columns]}


def save_card(card: Mapping[str, Any], path: str | Path) -> None:
    """Write the card, all or nothing, a list of numbers on one line."""
    replace_file(Path(path), (to_json(card) + "\n").encode())


def load_card(path: str | Path) -> dict[str, Any]:
    """The card in a file, or in `card.json` of a folder. Raises MissingFile, BrokenFile."""
    file = Path(path) / "card.json" if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise MissingFile(
            f"There is no card at {file}. A run writes it when it ends: lsnn-rl pretrain --resume FOLDER."
        )
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise BrokenFile(
            f"{file} is no JSON ({problem}). Make it again: lsnn-rl pretrain --resume FOLDER."
        ) from problem
    if not isinstance(card, dict) or card.get("schema") != SCHEMA or "task" not in card:
        raise BrokenFile(
            f"{file} is no card of a supervised run of schema {SCHEMA}. Make it again with lsnn-rl pretrain."
        )
    return card


def short(card: Mapping[str, Any]) -> str:
    """One line a person can read.

    >>> short({"cell": "lsnn", "task": "smnist", "measure": "accuracy", "seed": 0, "iterations": 10, "planned": 20,
    ...        "test": {"mean": 0.9412, "ci95": [0.937, 0.946], "answers": 10000}})
    'lsnn on smnist: accuracy 0.9412 [0.9370, 0.9460] on 10,000 test answers, 10 of 20 iterations, seed 0'
    """
    test = card["test"]
    low, high = test["ci95"]
    done = f"{card['iterations']:,} of {card['planned']:,} iterations, seed {card['seed']}"
    score = f"{card['measure']} {test['mean']:.4f} [{low:.4f}, {high:.4f}]"
    return f"{card['cell']} on {card['task']}: {score} on {test['answers']:,} test answers, {done}"


def versions() -> dict[str, str]:
    """What the numbers were made with."""
    found = {"lsnn-rl": __version__, "python": platform.python_version(), "platform": platform.platform()}
    found["torch"] = torch.__version__
    for name in ("numpy", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found

"""A recipe says how a network learns a supervised task: plain data, every default once (here), YAML what differs.

task:      {name: smnist, kwargs: {ms_per_pixel: 1}}
network:   {cell: lsnn, regular: 120, adaptive: 100}          # keywords of build_network
rewiring:  {method: deep_r, connectivity: 0.12}               # keywords of a rewiring method; null for none
optimizer: {learning_rate: 0.01, schedule: cosine}
cost:      {firing_rate: 0.1, rate_target_hz: 10}
train:     {iterations: 36000, batch: 256}
cells:     {lstm: {network: {size: 128}, rewiring: null}}     # what changes with --cell lstm
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from lsnn_rl.errors import BadValue, unknown_name
from lsnn_rl.settings import Settings, check_seed, number_if_spelt
from lsnn_rl.tasks import TASKS

SCHEDULES = ("constant", "steps", "cosine")  # of the learning rate


@dataclass(frozen=True)
class TaskRecipe:
    """The task's name in TASKS and its keywords."""

    name: str = "store_recall"
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OptimizerRecipe:
    """Adam, and how its rate falls; see lsnn_rl.pretrain.schedules."""

    learning_rate: float = 0.01
    schedule: str = "constant"  # one of SCHEDULES
    every: int = 2500  # iterations between two steps down
    factor: float = 0.8  # of a step down
    warm_up: int = 0  # iterations in which the rate rises
    constants: float = 1.0  # rate of trained neuron constants, times learning_rate
    epsilon: float = 1e-8
    max_norm: float | None = None  # of the gradient of all parameters together


@dataclass(frozen=True)
class CostRecipe:
    """Firing away from a rate costs: weight of the sum over cells of (rate - target)^2, in (spikes per step)^2."""

    firing_rate: float = 0.0
    rate_target_hz: float = 10.0


@dataclass(frozen=True)
class TrainRecipe:
    """How long, and when to look at the validation split; training ends at the first of iterations, minutes, goal."""

    iterations: int = 1000
    batch: int = 128
    seed: int = 0
    minutes: float | None = None  # the schedule follows the clock where that is faster than the iterations
    validate_every: int = 100
    validation_batch: int = 500
    goal: float | None = None  # stop when the validation score is this good
    patience: int | None = None  # stop after so many validations without a better score
    threads: int = 1
    checkpoint_every_s: float = 120.0


@dataclass(frozen=True)
class PretrainRecipe(Settings):
    """Everything that makes a trained network.

    >>> PretrainRecipe.from_dict({"optimizer": {"learning_rate": "5e-3"}}).optimizer.learning_rate
    0.005
    """

    task: TaskRecipe = field(default_factory=TaskRecipe)
    network: dict[str, Any] = field(default_factory=lambda: {"cell": "lsnn"})
    thresholds: bool = False  # the answer is also read from the adaptive cells' thresholds
    bidirectional: bool = False  # a second network hears the sequence from its end
    rewiring: dict[str, Any] | None = None
    optimizer: OptimizerRecipe = field(default_factory=OptimizerRecipe)
    cost: CostRecipe = field(default_factory=CostRecipe)
    train: TrainRecipe = field(default_factory=TrainRecipe)
    cells: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        _check(self)

    def with_cell(self, cell: str) -> "PretrainRecipe":
        """The recipe for another cell, as its section `cells` says; a changed network replaces the first one whole.

        Raises: UnknownName for a cell that the recipe says nothing about.
        """
        data = self.to_dict()
        own = data["network"].get("cell", "lsnn")
        if cell == own:
            return self
        if cell not in self.cells:
            raise unknown_name("cell of this recipe", cell, [*self.cells, own])
        for section, value in (self.cells[cell] or {}).items():
            if section == "network":
                data["network"] = {"cell": cell, **value}
            elif isinstance(value, Mapping) and isinstance(data.get(section), dict):
                data[section] = {**data[section], **{key: number_if_spelt(entry) for key, entry in value.items()}}
            else:
                data[section] = value
        return PretrainRecipe.from_dict({**data, "cells": {}})

    def with_connectivity(self, connectivity: float) -> "PretrainRecipe":
        """The recipe with that fraction of synapses; 1 leaves rewiring out."""
        data = self.to_dict()
        if connectivity == 1:
            data["rewiring"] = None
        else:
            data["rewiring"] = {"method": "deep_r", **(data["rewiring"] or {}), "connectivity": connectivity}
        return PretrainRecipe.from_dict(data)


def zoo() -> Path:
    """Where recipes and cards of supervised tasks are kept, by task and name."""
    return Path(import_module("lsnn_rl.zoo").__path__[0]) / "pretrained"


def recipe_names(task: str) -> list[str]:
    """Names of the recipes that ship for a task, for "task_inference:LSNNArena-v0" those of task_inference."""
    return sorted(file.parent.name for file in (zoo() / task.partition(":")[0]).glob("*/recipe.yml"))


def default_name(task: str) -> str | None:
    """The recipe that is meant where none is named: "ours" where there is one, else "paper"."""
    return next((name for name in ("ours", "paper") if name in recipe_names(task)), None)


def find_recipe(task: str, name: str | None = None) -> PretrainRecipe:
    """The recipe of that name for the task, or the one in a file; without a name the default one.

    Args: task: a name in TASKS, and what it is about where the task takes that: "task_inference:LSNNArena-v0".
    Raises: UnknownName for a task or a name; MissingFile, BrokenFile.

    >>> find_recipe("task_inference:LSNNTMaze-v0").task.kwargs["env"]
    'LSNNTMaze-v0'
    """
    task, _, value = task.partition(":")
    about = TASKS.get(task).about
    if not value:
        return _find(task, name)
    if about is None:
        raise BadValue(f"{task} takes nothing after a colon; {value} was given. Leave it out.")
    return _find(task, name).with_changes([f"task.kwargs.{about}={value}"])


def _find(task: str, name: str | None) -> PretrainRecipe:
    known, name = recipe_names(task), name or default_name(task)
    if name is None:
        return PretrainRecipe.from_dict({"task": {"name": task}})
    if name in known:
        return read_recipe(zoo() / task / name)
    if not Path(name).exists():
        raise unknown_name(f"recipe of {task}", name, known)
    recipe = read_recipe(name)
    if recipe.task.name != task:
        raise BadValue(f"{name} is a recipe of {recipe.task.name}, not of {task}. Name that task, or another recipe.")
    return recipe


def read_recipe(path: str | Path) -> PretrainRecipe:
    """The recipe in a YAML file, or in `recipe.yml` of a folder."""
    return PretrainRecipe.read(path, "the folder of a run")


def _check(recipe: PretrainRecipe) -> None:
    TASKS.get(recipe.task.name)
    positive = {
        "optimizer.learning_rate": recipe.optimizer.learning_rate,
        "optimizer.every": recipe.optimizer.every,
        "train.iterations": recipe.train.iterations,
        "train.batch": recipe.train.batch,
        "train.validate_every": recipe.train.validate_every,
        "train.validation_batch": recipe.train.validation_batch,
        "train.threads": recipe.train.threads,
        "train.checkpoint_every_s": recipe.train.checkpoint_every_s,
        "train.minutes": recipe.train.minutes,
        "train.patience": recipe.train.patience,
        "optimizer.max_norm": recipe.optimizer.max_norm,
    }
    check_seed(recipe.train.seed)
    if recipe.optimizer.schedule not in SCHEDULES:
        raise unknown_name("schedule", recipe.optimizer.schedule, SCHEDULES)
    for where, amount in {"warm_up": recipe.optimizer.warm_up, "epsilon": recipe.optimizer.epsilon}.items():
        if amount < 0:
            raise BadValue(f"optimizer.{where} = {amount} is below nothing. Give 0 or more.")
    for where, value in positive.items():
        if value is not None and not value > 0:
            raise BadValue(f"{where} = {value} leaves nothing to do. Give a positive number.")

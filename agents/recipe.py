"""A recipe says how to make an agent: plain data, every default once (here), a YAML file holds what differs.

    env:       {id: LSNNArena-v0, n_envs: 64}
    policy:    {cell: lsnn, regular: 150, adaptive: 150}        # keywords of LSNNPolicy
    ppo:       {learning_rate: {schedule: linear, start: 0.001}} # keywords of RecurrentPPO
    warm_up:   {iterations: 500}
    auxiliary: {task_inference: 0.3}
    train:     {minutes: 10}

No Python in strings, no mini-language. YAML reads `1e-3` as a string; it is converted here, nonsense is refused.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium as gym

from lsnn_rl.agents.zoo_places import ZOO, zoo_name
from lsnn_rl.envs.splits import check_split
from lsnn_rl.errors import BadValue, unknown_name
from lsnn_rl.settings import Settings, check_seed

ELSEWHERE: dict[str, Any] = {
    "ppo": {"n_steps": 128, "batch_size": 512, "n_epochs": 4, "gae_lambda": 0.9},
    "train": {"total_steps": 500_000, "validate_every_steps": 50_000},
    "test": {"lifetimes": 100},
}


@dataclass(frozen=True)
class EnvRecipe:
    """The world: its id, how many lifetimes run side by side, and the world's own keywords."""

    id: str = "LSNNArena-v0"
    n_envs: int = 64
    kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PPORecipe:
    """Keywords of RecurrentPPO. `batch_size` counts transitions: 8,000 of 64 x 500 are 4 minibatches."""

    learning_rate: float | dict[str, Any] = field(default_factory=lambda: {"schedule": "linear", "start": 0.001})
    n_steps: int = 500
    batch_size: int = 8000
    n_epochs: int = 3
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_range: float | dict[str, Any] = 0.2
    clip_range_vf: float | None = None
    normalize_advantage: bool = True
    ent_coef: float | dict[str, Any] = 0.0
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    target_kl: float | None = None
    bptt_steps: int | None = None
    burn_in_steps: int = 0
    bootstrap: bool = True
    reward_scale: float = 1.0
    privileged_critic: bool = False
    stagger: bool = True


@dataclass(frozen=True)
class WarmUpRecipe:
    """Supervised start: the core learns to tell the hidden task from a noisy expert's walk. 0 iterations: none."""

    iterations: int = 0
    batch: int = 32
    steps: int = 500
    learning_rate: float = 0.005


@dataclass(frozen=True)
class AuxiliaryRecipe:
    """Costs beside PPO's: telling the hidden task (known in training only), firing beside a rate, voltages beyond
    threshold, and a budget of spikes (0: none)."""

    task_inference: float = 0.0
    firing_rate: float = 0.0
    rate_target_hz: float = 20.0
    voltage: float = 0.0
    spike_budget_hz: float = 0.0
    spike_budget_step: float = 0.001


@dataclass(frozen=True)
class TrainRecipe:
    """How long and from which seed; training ends at whichever of `total_steps` and `minutes` comes first.

    The agent that is kept in the end is the best of those that lived `validation_lifetimes` lifetimes of the training
    split every `validate_every_steps` environment steps; None keeps the last one. TensorBoard gets pictures of a
    spiking agent at work every `pictures_every_steps`.
    """

    total_steps: int = 20_000_000
    minutes: float | None = None
    seed: int = 0
    threads: int = 1
    checkpoint_every_s: float = 120.0
    validate_every_steps: int | None = 1_000_000
    validation_lifetimes: int = 64
    pictures_every_steps: int | None = 1_000_000


@dataclass(frozen=True)
class TestRecipe:
    """The lifetimes that the card is made from."""

    __test__ = False  # not for pytest to collect

    split: str = "test"
    lifetimes: int = 1000
    deterministic: bool = True


@dataclass(frozen=True)
class Recipe(Settings):
    """Everything that makes an agent; `policy` and `rewiring` are keywords of LSNNPolicy and of DEEP R.

    >>> Recipe.from_dict({"ppo": {"gamma": "9.9e-1"}}).ppo.gamma
    0.99
    >>> Recipe().with_changes(["train.seed=3", "env.kwargs.teleport=same_step"]).train.seed
    3
    """

    env: EnvRecipe = field(default_factory=EnvRecipe)
    policy: dict[str, Any] = field(default_factory=dict)
    ppo: PPORecipe = field(default_factory=PPORecipe)
    warm_up: WarmUpRecipe = field(default_factory=WarmUpRecipe)
    auxiliary: AuxiliaryRecipe = field(default_factory=AuxiliaryRecipe)
    rewiring: dict[str, Any] | None = None
    train: TrainRecipe = field(default_factory=TrainRecipe)
    test: TestRecipe = field(default_factory=TestRecipe)

    def check(self) -> None:
        _check(self)


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a YAML file, or in `recipe.yml` of a folder.

    Raises: MissingFile, BrokenFile if it is not YAML, UnknownName for a key, BadValue for a value of the wrong type.
    """
    return Recipe.read(path, "a name from: lsnn-rl zoo list")


def find_recipe(name: str) -> Recipe:
    """The recipe a person means: a path, a zoo name ("LSNNArena-v0/lsnn", "LSNNArena-v0/lstm:direct"), or a world's id.

    An id means that world's LSNN from the zoo, or all defaults where the zoo has none. The id of a world that is not of
    this package means settings for short episodes and environments that are stepped one by one.
    """
    if Path(name).exists():
        return read_recipe(name)
    known = _zoo_recipes()
    for candidate in (zoo_name(name), f"{zoo_name(name)}/lsnn"):
        if candidate in known:
            return read_recipe(known[candidate])
    if name in _world_ids():
        return Recipe.from_dict({"env": {"id": name}})
    if name in gym.registry:
        return Recipe.from_dict({"env": {"id": name, "n_envs": 16}, **ELSEWHERE})
    if name.endswith((".yml", ".yaml")):
        return read_recipe(name)  # which says what to give instead
    raise unknown_name("recipe or world", name, [*zoo_names(), *_world_ids()])


def zoo_names() -> list[str]:
    """Names of the recipes that ship with the package, "<env id>/<agent>" or "<env id>/<agent>:<variant>"."""
    return sorted(_zoo_recipes())


def _zoo_recipes() -> dict[str, Path]:
    """Files by name: recipe.yml of an agent's folder, and recipe-VARIANT.yml beside it."""
    files = {file: file.stem.removeprefix("recipe").replace("-", ":", 1) for file in ZOO.glob("*/*/recipe*.yml")}
    return {f"{file.parent.relative_to(ZOO).as_posix()}{variant}": file for file, variant in files.items()}


def _world_ids() -> list[str]:
    from lsnn_rl.envs.registration import WORLDS

    return sorted(WORLDS)


def _check(recipe: Recipe) -> None:
    positive = {
        "env.n_envs": recipe.env.n_envs,
        "ppo.n_steps": recipe.ppo.n_steps,
        "ppo.batch_size": recipe.ppo.batch_size,
        "ppo.n_epochs": recipe.ppo.n_epochs,
        "train.total_steps": recipe.train.total_steps,
        "train.threads": recipe.train.threads,
        "train.checkpoint_every_s": recipe.train.checkpoint_every_s,
        "train.validate_every_steps": recipe.train.validate_every_steps or 1,
        "train.validation_lifetimes": recipe.train.validation_lifetimes,
        "test.lifetimes": recipe.test.lifetimes,
        "warm_up.batch": recipe.warm_up.batch,
        "warm_up.steps": recipe.warm_up.steps,
    }
    for where, value in positive.items():
        if not value > 0:
            raise BadValue(f"{where} = {value} leaves nothing to do. Give a positive number.")
    if recipe.train.minutes is not None and not recipe.train.minutes > 0:
        raise BadValue(
            f"train.minutes = {recipe.train.minutes} leaves no time. Give a positive number, or leave it out."
        )
    check_seed(recipe.train.seed)
    check_split(recipe.test.split)
    shares = (("ppo.gamma", recipe.ppo.gamma), ("ppo.gae_lambda", recipe.ppo.gae_lambda))
    for where, value in shares:
        if not 0 <= value <= 1:
            raise BadValue(
                f"{where} = {value} lies outside 0 to 1. Discounts are per environment step, for example 0.99."
            )

"""POPGym's worlds for our learner: the same rules from its package, seen as its own baselines see them.

    POPGymMultiarmedBanditEasy-v0  is  popgym-MultiarmedBanditEasy-v0  with one flat observation:
    what the world shows, choices one-hot | the previous action | whether this is the first step [| the previous reward]

Previous action and first step are there because the published baselines have them (wrappers PreviousAction and
Antialias). In RepeatFirst that does the remembering: who repeats the previous action earns all there is, so hide it
there (previous_action=False). The agent is told nothing of the hidden state (POPGym's bandit, for one, puts the arms'
means into `info`); a learner may ask the bandits for theirs while it trains (`PopgymBandits`), as POPGym's `get_state`
allows.

The rules run one environment after the other, so this is slower than a world of this package. POPGym hides its state
in its objects; a checkpoint therefore keeps the generator that a lifetime began with and what was done since, and
lives it again.

Source: Morad et al. 2023, arXiv 2303.01859; pip install 'lsnn-rl[popgym]'.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from lsnn_rl.errors import BadValue, missing_package, unknown_name

NAMES = (
    *("Autoencode", "Battleship", "Concentration", "CountRecall", "HigherLower", "MineSweeper", "MultiarmedBandit"),
    *("NoisyPositionOnlyCartPole", "NoisyPositionOnlyPendulum", "PositionOnlyCartPole", "PositionOnlyPendulum"),
    *("RepeatFirst", "RepeatPrevious", "VelocityOnlyCartpole"),
)
LEVELS = ("Easy", "Medium", "Hard")
PREFIX = "POPGym"


def register_popgym() -> None:
    """Make the ids known to Gymnasium; POPGym itself is imported when one of them is made."""
    for name in (f"{name}{level}" for name in NAMES for level in LEVELS):
        many = "PopgymBandits" if name.startswith("MultiarmedBandit") else "PopgymVectorEnv"
        if f"{PREFIX}{name}-v0" not in gym.registry:
            gym.register(
                id=f"{PREFIX}{name}-v0",
                entry_point="lsnn_rl.envs.popgym_bridge:PopgymEnv",
                vector_entry_point=f"lsnn_rl.envs.popgym_bridge:{many}",
                kwargs={"name": name},
            )


class PopgymEnv(gym.Env[NDArray[np.float32], Any]):
    """One of POPGym's worlds with a flat observation.

    Args:
        name: POPGym's, without "popgym-" and "-v0", for example "RepeatFirstEasy".
        previous_action, first_step, previous_reward: whether the observation has them.
    Raises: MissingPackage; UnknownName for a name that POPGym does not have.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        name: str,
        previous_action: bool = True,
        first_step: bool = True,
        previous_reward: bool = False,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise BadValue(f"render_mode = {render_mode!r}, but POPGym's worlds are not drawn. Leave it out.")
        self.inner = _make(name)
        self.previous_action, self.first_step, self.previous_reward = previous_action, first_step, previous_reward
        self.action_space = self.inner.action_space
        seen = [spaces.flatten_space(self.inner.observation_space)]
        seen += [_action_space(self.action_space)] if previous_action else []
        seen += [spaces.Box(0, 1, (1,))] if first_step else []
        seen += [spaces.Box(-1, 1, (1,))] if previous_reward else []
        low, high = (np.concatenate([getattr(part, end).ravel() for part in seen]) for end in ("low", "high"))
        self.observation_space = spaces.Box(low.astype(np.float32), high.astype(np.float32))
        self._nothing = np.zeros(_action_space(self.action_space).shape, np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        if seed is not None:
            self.generator = seeding.np_random(seed)[0]
        shown, _ = self.inner.reset()
        return self._seen(shown, self._nothing, True, 0.0), {}

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        shown, reward, terminated, truncated, _ = self.inner.step(action)
        done = _as_numbers(self.action_space, action) if self.previous_action else self._nothing
        return self._seen(shown, done, False, float(reward)), float(reward), bool(terminated), bool(truncated), {}

    @property
    def generator(self) -> np.random.Generator:
        """The luck of POPGym's rules, from which `reset` and `step` draw."""
        return self.inner.unwrapped.np_random

    @generator.setter
    def generator(self, generator: np.random.Generator) -> None:
        self.inner.unwrapped.np_random = generator

    def _seen(self, shown: Any, action: NDArray, first: bool, reward: float) -> NDArray[np.float32]:
        parts: list[Any] = [spaces.flatten(self.inner.observation_space, shown)]
        parts += [action] if self.previous_action else []
        parts += [(float(first),)] if self.first_step else []
        parts += [(min(1.0, max(-1.0, reward)),)] if self.previous_reward else []
        return np.concatenate(parts, dtype=np.float32, casting="same_kind")


class PopgymVectorEnv(VectorEnv):
    """N of POPGym's worlds side by side; slot i seeded s lives as `PopgymEnv` seeded s + i.

    Args:
        name, settings: as for `PopgymEnv`.
        num_envs: N.
        autoreset_mode: "SameStep" only, or the `AutoresetMode`: the step that ends a lifetime begins the next.
        max_episode_steps: accepted as None; how long a lifetime is belongs to POPGym's rules.
    """

    def __init__(
        self,
        name: str,
        num_envs: int = 1,
        autoreset_mode: str | AutoresetMode = AutoresetMode.SAME_STEP,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        if autoreset_mode not in (AutoresetMode.SAME_STEP, "SameStep") or max_episode_steps is not None:
            raise BadValue(
                f"autoreset_mode = {autoreset_mode!r}, max_episode_steps = {max_episode_steps}: POPGym's worlds side "
                "by side reset in the step that ends a lifetime, and end by their own rules. Leave both out, or take "
                'gymnasium.make_vec(id, num_envs, vectorization_mode="sync").'
            )
        self.num_envs, self.render_mode = num_envs, render_mode
        self.metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}
        self.singles = [PopgymEnv(name, render_mode=render_mode, **settings) for _ in range(num_envs)]
        self.single_observation_space = self.singles[0].observation_space
        self.single_action_space = self.singles[0].action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._lives: list[dict[str, Any]] = [{} for _ in range(num_envs)]

    def reset(
        self, *, seed: int | Iterable[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        several = isinstance(seed, Iterable)
        seeds = list(seed) if several else [None if seed is None else seed + i for i in range(self.num_envs)]  # type: ignore[arg-type, operator]
        return np.stack([self._begin(i, one) for i, one in enumerate(seeds)]), {}

    def step(self, actions: Any) -> tuple[NDArray, NDArray, NDArray, NDArray, dict[str, Any]]:
        n = self.num_envs
        seen = np.empty((n, *self.single_observation_space.shape), np.float32)  # type: ignore[misc]
        rewards, ends = np.zeros(n), np.zeros((2, n), np.bool_)
        infos: dict[str, Any] = {}
        for i, (single, action) in enumerate(zip(self.singles, actions, strict=True)):
            seen[i], rewards[i], ends[0, i], ends[1, i], _ = single.step(action)
            self._lives[i]["actions"].append(action)
            if ends[:, i].any():
                last = infos.setdefault("final_obs", np.full(n, None, dtype=object))
                last[i] = seen[i].copy()
                seen[i] = self._begin(i)
        if infos:
            over = ends.any(axis=0)
            infos |= {"_final_obs": over, "final_info": {}, "_final_info": over.copy()}
        return seen, rewards, ends[0], ends[1], infos

    def _begin(self, slot: int, seed: int | None = None) -> NDArray[np.float32]:
        single = self.singles[slot]
        if seed is not None:
            single.generator = seeding.np_random(seed)[0]
        self._lives[slot] = {"luck": single.generator.bit_generator.state, "actions": []}
        return single.reset()[0]

    def get_state(self) -> list[dict[str, Any]]:
        """For each slot the generator as its lifetime began, and what was done since."""
        return [{"luck": life["luck"], "actions": np.array(life["actions"])} for life in self._lives]

    def set_state(self, state: list[dict[str, Any]]) -> None:
        """Live the given lifetimes again, up to where they were."""
        for slot, (single, life) in enumerate(zip(self.singles, state, strict=True)):
            single.generator.bit_generator.state = life["luck"]
            self._begin(slot)
            for action in life["actions"]:
                single.step(action)
                self._lives[slot]["actions"].append(action)


class PopgymBandits(PopgymVectorEnv):
    """The bandits: their hidden state stays the same for a lifetime, so it is a task that a critic can be told."""

    def task_vector(self) -> NDArray[np.float32]:
        """How often each arm pays, [N, arms]."""
        return np.stack([single.inner.unwrapped.get_state() for single in self.singles])  # type: ignore[attr-defined]

    def task_known(self) -> NDArray[np.bool_]:
        """Where some pull has told something about it, [N]."""
        return np.array([len(life["actions"]) > 0 for life in self._lives])


def _make(name: str) -> gym.Env:
    try:
        import popgym  # noqa: F401  (it registers its ids)
    except ImportError as problem:
        raise missing_package("popgym", "popgym", "POPGym's worlds") from problem
    known = {
        env_id.removeprefix("popgym-").removesuffix("-v0"): env_id for env_id in gym.registry if "popgym-" in env_id
    }
    if name not in known:
        raise unknown_name("world of POPGym", name, known)
    return gym.make(known[name], disable_env_checker=True)


def _action_space(space: spaces.Space) -> spaces.Box:
    """How an action looks in the observation: choices one-hot, numbers scaled to -1 .. 1."""
    if isinstance(space, spaces.Box):
        return spaces.Box(-1, 1, (int(np.prod(space.shape)),))
    flat = spaces.flatten_space(space)
    assert isinstance(flat, spaces.Box)
    return flat


def _as_numbers(space: spaces.Space, action: Any) -> NDArray[np.float32]:
    if isinstance(space, spaces.Box):
        half = (space.high - space.low) / 2
        return ((np.clip(action, space.low, space.high) - space.low) / half - 1).astype(np.float32).ravel()
    return np.asarray(spaces.flatten(space, action), np.float32)

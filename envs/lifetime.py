"""The two faces of every world: `LifetimeEnv`, one lifetime at a time, and `LifetimeVectorEnv`, N side by side.

Both play the same batched rules (`task.LifetimeTask`), so slot i of the vector environment seeded s is, bit for bit,
the single environment seeded s + i. Gymnasium's episode is a lifetime; it ends by `truncated`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from lsnn_rl.envs.references import reference_scores
from lsnn_rl.envs.splits import numbered_generator, seeded_generator
from lsnn_rl.envs.task import LifetimeTask, Rows, check_actions, make_task
from lsnn_rl.errors import BadValue, ShapeMismatch, unknown_name

_OPTIONS = ("ages", "lifetimes", "reset_mask")
_METADATA = {"render_modes": ["human", "rgb_array"], "render_fps": 60}


class _Face:
    """What both faces share: dealing lifetimes to slots, the privileged views, saving."""

    task: LifetimeTask
    split: str

    def _deal(self, rows: Rows, seeds: list[int | None] | None, lifetimes: NDArray | None) -> None:
        """Give each slot in `rows` the generator of its seed or of its numbered lifetime; otherwise it goes on."""
        luck = self.task.luck
        for slot in rows:
            if lifetimes is not None:
                luck.deal(slot, numbered_generator(self.split, int(lifetimes[slot])))
            elif seeds is not None and seeds[slot] is not None:
                luck.deal(slot, seeded_generator(self.split, seeds[slot]))
            elif luck.generators[slot] is None:
                luck.deal(slot, seeded_generator(self.split, None))

    def _begin(self, rows: Rows, ages: NDArray | None = None) -> None:
        self.task.begin(rows)
        if ages is not None:
            self.task.age[rows] = self.task.trial_start[rows] = ages[rows]

    def _whole_numbers(self, options: dict[str, Any], name: str, below: int | None = None) -> NDArray | None:
        """Option `name` as one whole number per slot, or None where it is not given."""
        if options.get(name) is None:
            return None
        array = np.atleast_1d(np.asarray(options[name]))
        if array.shape != (self.task.slots,):
            raise ShapeMismatch(
                f"options[{name!r}] has shape {list(array.shape)}, there are {self.task.slots} lifetimes. "
                f"Give one whole number per slot, shape [{self.task.slots}]."
            )
        if array.dtype.kind not in "iu" or np.any(array < 0) or (below is not None and np.any(array >= below)):
            room = "zero or above" if below is None else f"0 to {below - 1}"
            raise BadValue(f"options[{name!r}] = {array.tolist()[:8]}. Give whole numbers, {room}.")
        return array.astype(np.int64)

    def get_state(self) -> dict[str, Any]:
        """Everything that decides what comes next, as arrays and plain numbers: for exact resume."""
        return self.task.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue exactly where `get_state` was called, in an environment made with the same settings."""
        self.task.set_state(state)


class LifetimeEnv(_Face, gym.Env):
    """One world as a `gymnasium.Env`.

    Args:
        task: the rules, a `LifetimeTask` or its "module:class".
        split: "train", "test" or "test-ood": where lifetimes come from.
        render_mode: None, "human" (a window) or "rgb_array".
        privileged: put the hidden task into `info["privileged"]`.
        settings: keywords of the rules, for example `teleport="same_step"`.

    `reset(options=...)`: `{"lifetimes": 7}` plays lifetime number 7 of the split, `{"ages": 500}` begins at that age.
    """

    metadata = _METADATA

    def __init__(
        self,
        task: str | type[LifetimeTask],
        split: str = "train",
        render_mode: str | None = None,
        privileged: bool = False,
        **settings: Any,
    ) -> None:
        self.split, self.render_mode, self.privileged = split, _check_render_mode(render_mode), privileged
        self.settings = settings
        self.task = make_task(task, 1, split, settings)
        self.observation_space, self.action_space = self.task.observation_space, self.task.action_space
        self.ended = True
        self._history: list[Any] = []
        self._screen: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        options = _check_options(options)
        if seed is not None:
            self._np_random = seeded_generator(self.split, seed)
        if self._np_random is not None and self._np_random is not self.task.luck.generators[0]:
            self.task.luck.deal(0, self._np_random)
        self._deal(self.task.every, None, self._whole_numbers(options, "lifetimes"))
        self._np_random = self.task.luck.generators[0]
        self._begin(self.task.every, self._whole_numbers(options, "ages", below=self.task.steps))
        self.ended = False
        self._history = [self.task.glimpse(0)]
        if self.render_mode == "human":
            self.render()
        return self.task.observe()[0], self._info()

    def step(self, action: Any):
        if self.ended:
            raise BadValue(
                f"step() was called, but no lifetime is running (age {self.task.age[0]} of {self.task.steps} steps). "
                "Call reset() first."
            )
        task = self.task
        reward = task.step(check_actions(np.asarray(action)[None], self.action_space, 1, task.clips))
        task.tick()
        self.ended = bool(task.age[0] >= task.steps)
        info = self._info()
        if self.ended:
            info.update({name: value[0].item() for name, value in task.summary().items()})
        if self.render_mode is not None:
            self._history.append(task.glimpse(0))
            if self.render_mode == "human":
                self.render()
        return task.observe()[0], float(reward[0]), False, self.ended, info

    def _info(self) -> dict[str, Any]:
        task = self.task
        info: dict[str, Any] = {
            "trial": int(task.trial[0]),
            "trial_steps": int(task.age[0] - task.trial_start[0]),
            "success": bool(task.success[0]),
        }
        if self.privileged:
            info["privileged"] = {name: value[0].copy() for name, value in task.answer().items()}
        return info

    def task_vector(self) -> NDArray[np.float32]:
        """The hidden task of this lifetime, [V]."""
        return self.task.task_vector()[0]

    def task_known(self) -> bool:
        """Has the agent already met what tells it the task?"""
        return bool(self.task.task_known()[0])

    def expert(self) -> Any:
        """What an agent that knows the hidden task would do now: an action."""
        return self.task.expert()[0]

    @property
    def lifetime_age(self) -> int:
        """Steps taken in this lifetime."""
        return int(self.task.age[0])

    def render(self):
        """Draw the lifetime: an image [height, width, 3], uint8, or (human) into the window."""
        if self.render_mode is None:
            name = self.spec.id if self.spec else "this world"
            gym.logger.warn(
                "You are calling render method without specifying any render mode. "
                f'Choose one when making the environment, e.g. gymnasium.make("{name}", render_mode="rgb_array").'
            )
            return None
        if self._screen is None:
            from lsnn_rl.envs.canvas import Screen  # pygame is loaded by whoever looks, and by nobody else

            self._screen = Screen(window=self.render_mode == "human", fps=self.metadata["render_fps"])
        return self._screen.show(self.task, 0, self._history, self._references())

    @property
    def window_closed(self) -> bool:
        """Has a person closed the window?"""
        return self._screen is not None and self._screen.closed

    def _references(self) -> dict[str, float] | None:
        return reference_scores(self.spec.id, split=self.split, **self.settings) if self.spec else None

    def close(self) -> None:
        if self._screen is not None:
            self._screen.close()
            self._screen = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_screen": None}  # a window cannot be copied; the copy opens its own

    def get_state(self) -> dict[str, Any]:
        return {"task": self.task.get_state(), "ended": self.ended}

    def set_state(self, state: dict[str, Any]) -> None:
        self.task.set_state(state["task"])
        self.ended = bool(state["ended"])
        self._np_random = self.task.luck.generators[0]
        self._history = []


class LifetimeVectorEnv(_Face, VectorEnv):
    """The same world for `num_envs` lifetimes side by side, one numpy step for all.

    Args:
        task, split, privileged, settings: as for `LifetimeEnv`.
        num_envs: N.
        autoreset_mode: "NextStep" (default), "SameStep" or "Disabled", or the `AutoresetMode`.
        render_mode: None or "rgb_array" (render() returns one image per slot).
        max_episode_steps: if given, the length of a lifetime; the same as keyword `steps`.

    `reset(options=...)`: `{"lifetimes": [N]}` plays these lifetimes of the split, `{"ages": [N]}` begins that old,
    `{"reset_mask": [N]}` resets only some slots. Infos are arrays [N] with masks `_name`, as Gymnasium has them.
    """

    def __init__(
        self,
        task: str | type[LifetimeTask],
        num_envs: int = 1,
        split: str = "train",
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        privileged: bool = False,
        max_episode_steps: int | None = None,
        **settings: Any,
    ) -> None:
        if max_episode_steps is not None:
            settings["steps"] = max_episode_steps
        if num_envs < 1:
            raise BadValue(f"num_envs = {num_envs}. Give the number of lifetimes side by side, 1 or more.")
        self.num_envs, self.split, self.privileged, self.settings = num_envs, split, privileged, settings
        self.autoreset_mode = _check_autoreset_mode(autoreset_mode)
        self.render_mode = _check_render_mode(render_mode)
        if render_mode == "human":
            raise BadValue(
                f'render_mode="human" was asked for {num_envs} lifetimes side by side; a window shows one. '
                'Use gymnasium.make(id, render_mode="human"), or render_mode="rgb_array" here.'
            )
        self.metadata = {**_METADATA, "autoreset_mode": self.autoreset_mode}
        self.task = make_task(task, num_envs, split, settings)
        self.single_observation_space, self.single_action_space = self.task.observation_space, self.task.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.ended = np.ones(num_envs, np.bool_)
        self._histories: list[list[Any]] = [[] for _ in range(num_envs)]
        self._screen: Any = None

    def reset(self, *, seed: int | Iterable[int | None] | None = None, options: dict[str, Any] | None = None):
        options = _check_options(options)
        rows = self.task.every if options.get("reset_mask") is None else self._masked(options["reset_mask"])
        if isinstance(seed, (int, np.integer)):
            seed = [int(seed) + slot for slot in range(self.num_envs)]
        seeds = None if seed is None else list(seed)
        if seeds is not None and len(seeds) != self.num_envs:
            raise ShapeMismatch(
                f"{len(seeds)} seeds were given, there are {self.num_envs} lifetimes. Give one seed each, or one number."
            )
        lifetimes = self._whole_numbers(options, "lifetimes")
        ages = self._whole_numbers(options, "ages", below=self.task.steps)
        self._deal(rows, seeds, lifetimes)
        self._restart(rows, ages)
        began = np.zeros(self.num_envs, np.bool_)
        began[rows] = True
        return self.task.observe(), self._infos(began)

    def _masked(self, mask: Any) -> Rows:
        if not (isinstance(mask, np.ndarray) and mask.dtype == np.bool_ and mask.shape == (self.num_envs,)):
            raise ShapeMismatch(
                f"options['reset_mask'] = {mask!r}. Give a numpy array of {self.num_envs} booleans, True where to reset."
            )
        if not mask.any():
            raise BadValue("options['reset_mask'] is False everywhere. Set True where a lifetime should begin anew.")
        return np.flatnonzero(mask)

    def _restart(self, rows: Rows, ages: NDArray | None = None) -> None:
        self._begin(rows, ages)
        self.ended[rows] = False
        if self.render_mode is not None:
            for slot in rows:
                self._histories[slot] = [self.task.glimpse(slot)]

    def step(self, actions: Any):
        task, over = self.task, None
        if np.count_nonzero(self.ended):
            if self.autoreset_mode is not AutoresetMode.NEXT_STEP:
                raise BadValue(
                    f"Slot {np.flatnonzero(self.ended)[0]} was stepped, but its lifetime is over or has not begun. "
                    'Call reset() first; with autoreset_mode="Disabled", reset(options={"reset_mask": ended}).'
                )
            over = self.ended.copy()
            actions = self._ignoring(actions, over)
        if over is not None and over.all():
            reward = np.zeros(self.num_envs)
        else:
            task.luck.held = over
            reward = task.step(check_actions(actions, self.single_action_space, self.num_envs, task.clips))
            task.luck.held = None
            task.tick()
        if over is not None:
            self._restart(np.flatnonzero(over))
            reward[over] = 0.0

        truncated = task.age >= task.steps
        self.ended = truncated.copy()
        if self.render_mode is not None:
            for slot in range(self.num_envs):
                self._histories[slot].append(task.glimpse(slot))
        everywhere = np.ones(self.num_envs, np.bool_)
        if not np.count_nonzero(truncated):
            infos = self._infos(everywhere)
        elif self.autoreset_mode is AutoresetMode.SAME_STEP:
            rows = np.flatnonzero(truncated)
            last, last_infos = task.observe(), self._infos(truncated, ends=truncated)
            self._restart(rows)
            infos = self._infos(everywhere)
            infos["final_obs"] = np.full(self.num_envs, None, dtype=object)
            for slot in rows:
                infos["final_obs"][slot] = last[slot].copy()
            infos["final_info"] = last_infos
            infos["_final_obs"], infos["_final_info"] = truncated.copy(), truncated.copy()
        else:
            infos = self._infos(everywhere, ends=truncated)
        return task.observe(), reward, np.zeros(self.num_envs, np.bool_), truncated, infos

    def _ignoring(self, actions: Any, over: NDArray[np.bool_]) -> NDArray:
        """The actions with some harmless one where a new lifetime begins in place of a step."""
        array = np.array(actions)
        if array.shape == self.action_space.shape:
            space = self.single_action_space
            array[over] = space.start if isinstance(space, gym.spaces.Discrete) else 0.0
        return array

    def _infos(self, mask: NDArray[np.bool_], ends: NDArray[np.bool_] | None = None) -> dict[str, Any]:
        """Infos of the slots in `mask`, and the summaries of the lifetimes that end here."""
        task = self.task
        infos = {
            "trial": task.trial.copy(),
            "trial_steps": task.age - task.trial_start,
            "success": task.success.copy(),
        }
        infos.update({f"_{name}": mask.copy() for name in list(infos)})
        if ends is not None:
            for name, value in task.summary().items():
                infos[name], infos[f"_{name}"] = value, ends.copy()
        if self.privileged:
            answer = task.answer()
            infos["privileged"] = {**answer, **{f"_{name}": mask.copy() for name in answer}}
            infos["_privileged"] = mask.copy()
        return infos

    def task_vector(self) -> NDArray[np.float32]:
        """The hidden task of every lifetime, [N, V]."""
        return self.task.task_vector()

    def task_known(self) -> NDArray[np.bool_]:
        """Where the agent has already met what tells it the task, [N]."""
        return self.task.task_known()

    def expert(self) -> NDArray:
        """What an agent that knows the hidden task would do now, [N, ...]."""
        return self.task.expert()

    @property
    def lifetime_age(self) -> NDArray[np.int64]:
        """Steps taken in every lifetime, [N]."""
        return self.task.age.copy()

    @property
    def np_random(self) -> tuple[np.random.Generator, ...]:
        """The slots' generators."""
        self._deal(self.task.every, None, None)
        return tuple(self.task.luck.generators)

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """One image [height, width, 3] per slot."""
        if self.render_mode is None:
            gym.logger.warn('render() needs a render mode: gymnasium.make_vec(id, num_envs, render_mode="rgb_array").')
            return None
        if self._screen is None:
            from lsnn_rl.envs.canvas import Screen

            self._screen = Screen(window=False, fps=self.metadata["render_fps"])
        known = reference_scores(self.spec.id, split=self.split, **self.settings) if self.spec else None
        return tuple(self._screen.show(self.task, slot, self._histories[slot], known) for slot in range(self.num_envs))

    def close_extras(self, **kwargs: Any) -> None:
        if self._screen is not None:
            self._screen.close()
            self._screen = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_screen": None}

    def get_state(self) -> dict[str, Any]:
        return {"task": self.task.get_state(), "ended": self.ended.copy()}

    def set_state(self, state: dict[str, Any]) -> None:
        self.task.set_state(state["task"])
        self.ended = np.array(state["ended"], np.bool_)


def _check_options(options: dict[str, Any] | None) -> dict[str, Any]:
    for name in options or {}:
        if name not in _OPTIONS:
            raise unknown_name("reset option", name, _OPTIONS)
    return options or {}


def _check_render_mode(mode: str | None) -> str | None:
    if mode is not None and mode not in _METADATA["render_modes"]:
        raise unknown_name("render mode", mode, _METADATA["render_modes"])
    return mode


def _check_autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    for known in AutoresetMode:
        if mode in (known, known.value, known.name):
            return known
    raise unknown_name("autoreset mode", mode, [known.value for known in AutoresetMode])

"""A world as a native `gymnasium.vector.VectorEnv`: N lifetimes side by side, one numpy step for all.

Slot i seeded s is, bit for bit, the single environment (`lifetime.LifetimeEnv`) seeded s + i, in all three of
Gymnasium's autoreset modes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from lsnn_rl.envs.face import METADATA, Face, check_options, check_render_mode
from lsnn_rl.envs.references import reference_scores
from lsnn_rl.envs.task import LifetimeTask, Moment, Rows, check_actions, make_task
from lsnn_rl.errors import BadValue, ShapeMismatch, unknown_name


class LifetimeVectorEnv(Face, VectorEnv):
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
        self.render_mode = check_render_mode(render_mode)
        if render_mode == "human":
            raise BadValue(
                f'render_mode="human" was asked for {num_envs} lifetimes side by side; a window shows one. '
                'Use gymnasium.make(id, render_mode="human"), or render_mode="rgb_array" here.'
            )
        self.metadata = {**METADATA, "autoreset_mode": self.autoreset_mode}
        self.task = make_task(task, num_envs, split, settings)
        self.single_observation_space, self.single_action_space = self.task.observation_space, self.task.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.ended = np.ones(num_envs, np.bool_)
        self._histories: list[list[Moment]] = [[] for _ in range(num_envs)]
        self._screen: Any = None

    def reset(
        self, *, seed: int | Iterable[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray, dict[str, Any]]:
        options = check_options(options)
        rows = self.task.every if options.get("reset_mask") is None else self._masked(options["reset_mask"])
        seeds: list[int | None] | None
        if isinstance(seed, (int, np.integer)):
            seeds = [int(seed) + slot for slot in range(self.num_envs)]
        else:
            seeds = None if seed is None else list(seed)
        if seeds is not None and len(seeds) != self.num_envs:
            raise ShapeMismatch(
                f"{len(seeds)} seeds were given, there are {self.num_envs} lifetimes. "
                "Give one seed each, or one number."
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
                f"options['reset_mask'] = {mask!r}. "
                f"Give a numpy array of {self.num_envs} booleans, True where to reset."
            )
        if not mask.any():
            raise BadValue("options['reset_mask'] is False everywhere. Set True where a lifetime should begin anew.")
        return np.flatnonzero(mask)

    def _restart(self, rows: Rows, ages: NDArray | None = None) -> None:
        self._begin(rows, ages)
        self.ended[rows] = False
        if self.render_mode is not None:
            for slot in rows:
                self._histories[slot] = [self.task.moment(slot, None, 0.0)]

    def step(self, actions: Any) -> tuple[NDArray, NDArray, NDArray, NDArray, dict[str, Any]]:
        task, over = self.task, self._over()
        if over is None:
            reward = task.step(check_actions(actions, self.single_action_space, self.num_envs, task.clips))
            task.tick()
        elif over.all():
            reward = np.zeros(self.num_envs)
        else:
            actions = check_actions(self._ignoring(actions, over), self.single_action_space, self.num_envs, task.clips)
            task.luck.held = over
            reward = task.step(actions)
            task.luck.held = None
            task.tick()
            reward[over] = 0.0
        if self.render_mode is not None:
            for slot in range(self.num_envs):
                history = self._histories[slot]
                history.append(task.moment(slot, history[-1] if history else None, float(reward[slot])))
        if over is not None:
            self._restart(np.flatnonzero(over))

        truncated = task.age >= task.steps
        self.ended = truncated.copy()
        everywhere = np.ones(self.num_envs, np.bool_)
        if not np.count_nonzero(truncated):
            infos = self._infos(everywhere)
        elif self.autoreset_mode is AutoresetMode.SAME_STEP:
            infos = self._restart_at_once(truncated)
        else:
            infos = self._infos(everywhere, ends=truncated)
        return task.observe(), reward, np.zeros(self.num_envs, np.bool_), truncated, infos

    def _over(self) -> NDArray[np.bool_] | None:
        """Where a new lifetime begins in place of this step, [N]; None where it does so nowhere."""
        if not np.count_nonzero(self.ended):
            return None
        if self.autoreset_mode is not AutoresetMode.NEXT_STEP or self.task.luck.generators[0] is None:
            raise BadValue(
                f"Slot {np.flatnonzero(self.ended)[0]} was stepped, but its lifetime is over or has not begun. "
                'Call reset() first; with autoreset_mode="Disabled", reset(options={"reset_mask": ended}).'
            )
        return self.ended.copy()

    def _restart_at_once(self, truncated: NDArray[np.bool_]) -> dict[str, Any]:
        """Begin the next lifetimes; the infos of their beginning, which also tell how the last ones ended."""
        rows = np.flatnonzero(truncated)
        last, last_infos = self.task.observe(), self._infos(truncated, ends=truncated)
        self._restart(rows)
        infos = self._infos(np.ones(self.num_envs, np.bool_))
        infos["final_obs"] = np.full(self.num_envs, None, dtype=object)
        for slot in rows:
            infos["final_obs"][slot] = last[slot].copy()
        infos["final_info"] = last_infos
        infos["_final_obs"], infos["_final_info"] = truncated.copy(), truncated.copy()
        return infos

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
        infos: dict[str, Any] = {
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

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """One image [height, width, 3] per slot."""
        if self.render_mode is None:
            gym.logger.warn('render() needs a render mode: gymnasium.make_vec(id, num_envs, render_mode="rgb_array").')
            return None
        if not all(self._histories):
            raise BadValue("render() draws lifetimes, and none has begun. Call reset() first.")
        if self._screen is None:
            from lsnn_rl.envs.canvas import Screen

            self._screen = Screen(window=False, fps=METADATA["render_fps"])
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
        self._histories = [[self.task.moment(slot, None, 0.0)] for slot in range(self.num_envs)]


def _check_autoreset_mode(mode: str | AutoresetMode) -> AutoresetMode:
    for known in AutoresetMode:
        if mode in (known, known.value, known.name):
            return known
    raise unknown_name("autoreset mode", mode, [known.value for known in AutoresetMode])

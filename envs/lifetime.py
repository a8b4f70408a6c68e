"""A world as a `gymnasium.Env`: one lifetime at a time. Gymnasium's episode is a lifetime; it ends by `truncated`.

The same batched rules (`task.LifetimeTask`) are played by `vector.LifetimeVectorEnv` for N lifetimes side by side.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.face import METADATA, Face, check_options, check_render_mode
from lsnn_rl.envs.references import reference_scores
from lsnn_rl.envs.splits import seeded_generator
from lsnn_rl.envs.task import LifetimeTask, Moment, check_actions, make_task
from lsnn_rl.errors import BadValue


class LifetimeEnv(Face, gym.Env[NDArray, Any]):
    """One world as a `gymnasium.Env`.

    Args:
        task: the rules, a `LifetimeTask` or its "module:class".
        split: "train", "test" or "test-ood": where lifetimes come from.
        render_mode: None, "human" (a window) or "rgb_array".
        privileged: put the hidden task into `info["privileged"]`.
        settings: keywords of the rules, for example `teleport="same_step"`.

    `reset(options=...)`: `{"lifetimes": 7}` plays lifetime number 7 of the split, `{"ages": 500}` begins at that age.
    """

    metadata = METADATA

    def __init__(
        self,
        task: str | type[LifetimeTask],
        split: str = "train",
        render_mode: str | None = None,
        privileged: bool = False,
        **settings: Any,
    ) -> None:
        self.split, self.render_mode, self.privileged = split, check_render_mode(render_mode), privileged
        self.settings = settings
        self.task = make_task(task, 1, split, settings)
        self.observation_space, self.action_space = self.task.observation_space, self.task.action_space
        self.ended = True
        self._history: list[Moment] = []
        self._screen: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray, dict[str, Any]]:
        super().reset(seed=seed)
        options = check_options(options)
        lifetimes = self._whole_numbers(options, "lifetimes")
        ages = self._whole_numbers(options, "ages", below=self.task.steps)
        if seed is not None:
            self._np_random = seeded_generator(self.split, seed)
        if self._np_random is not None and self._np_random is not self.task.luck.generators[0]:
            self.task.luck.deal(0, self._np_random)
        self._deal(self.task.every, None, lifetimes)
        self._np_random = self.task.luck.generators[0]
        self._begin(self.task.every, ages)
        self.ended = False
        self._history = [self.task.moment(0, None, 0.0)]
        if self.render_mode == "human":
            self.render()
        return self.task.observe()[0], self._info()

    def step(self, action: Any) -> tuple[NDArray, float, bool, bool, dict[str, Any]]:
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
            self._history.append(task.moment(0, self._history[-1], float(reward[0])))
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

    def render(self) -> NDArray[np.uint8] | None:
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
        self._history = [self.task.moment(0, None, 0.0)]

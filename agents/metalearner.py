"""Agents written for Meta-World's `MetaLearningAgent` protocol, in worlds whose lifetimes know no break.

    here                                            its protocol
    lifetimes begin                                 init()
    the first share of a lifetime                   adapt_action(obs), then step(Timestep(...)) with what came of it
    the end of that share                           adapt(), then reset(all)
    the rest of the lifetime                        eval_action(obs)
    the state of some rows is wiped (a control)     reset(mask)

Meta-World gives adaptation for free and scores what follows; here the whole lifetime counts, exploration included, and
`adaptation` says how much of it there is.

Source: metaworld.evaluation 3.1 (names and order of the calls).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.errors import BadValue


class Timestep(NamedTuple):
    """What `step` is told: the fields of metaworld.evaluation.Timestep, N rows each."""

    observation: NDArray
    action: NDArray
    reward: NDArray
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    aux_policy_outputs: Mapping[str, NDArray]


class MetaLearner:
    """A `MetaLearningAgent` as an Agent. Its state stays inside it, so one wrapper lives one batch at a time.

    Args:
        agent: with init, adapt_action, step, adapt, eval_action and reset.
        adaptation: share of a lifetime in which it gathers experience, 0 to 1; 1 for agents that never stop adapting
            (RL2). In a world that does not tell how long its lifetimes are it never stops either.
    Raises: BadValue for a method that is missing, or a share beyond 0 to 1.
    """

    def __init__(self, agent: Any, adaptation: float = 0.25) -> None:
        methods = ("init", "adapt_action", "step", "adapt", "eval_action", "reset")
        missing = [name for name in methods if not hasattr(agent, name)]
        if missing:
            raise BadValue(
                f"Meta-World's protocol has {', '.join(methods)}; {type(agent).__name__} lacks {', '.join(missing)}. "
                "Write them, if only with `pass`."
            )
        if not 0 <= adaptation <= 1:
            raise BadValue(f"adaptation = {adaptation} is no share of a lifetime. Give a number from 0 to 1.")
        self.agent, self.adaptation, self.name = agent, adaptation, type(agent).__name__
        self.steps: int | None = None
        self.age, self._begins = 0, True

    def watch(self, venv: Any) -> None:
        """Learn from the environment how long a lifetime is."""
        self.steps = getattr(getattr(venv.unwrapped, "task", None), "steps", None)

    def initial_state(self, n: int) -> None:
        self._begins = True  # a row that starts later had its state wiped, even if all do so in one step

    def act(
        self, obs: NDArray, state: None, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, None]:
        """Actions [N, ...]; `deterministic` is for the agent to decide, which explores or does not by phase."""
        if self._begins:
            self.age, self._begins = 0, False
            self.agent.init()
            if not self._adapting():
                self._settle(len(obs))
        elif starts.any():
            self.agent.reset(starts)
        if self._adapting():
            actions, aux = self.agent.adapt_action(obs)
            self._last = (obs, actions, aux)
        else:
            actions = self.agent.eval_action(obs)
        return actions, None

    def feel(self, rewards: NDArray, terminated: NDArray[np.bool_], truncated: NDArray[np.bool_]) -> None:
        """Hand on what the last action brought; at the end of its share let the agent adapt."""
        if self._adapting():
            obs, actions, aux = self._last
            self.agent.step(Timestep(obs, actions, rewards, terminated, truncated, aux))
            self.age += 1
            if not self._adapting():
                self._settle(len(obs))

    def _adapting(self) -> bool:
        return self.steps is None or self.age < round(self.adaptation * self.steps)

    def _settle(self, n: int) -> None:
        self.agent.adapt()
        self.agent.reset(np.ones(n, np.bool_))

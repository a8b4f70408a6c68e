"""An agent living one numbered lifetime, with everything that can be looked at kept: for viewers that go back in time.

Nothing is drawn here. What an agent without a network shows is its actions alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray

from lsnn_rl.agents.adapters import as_agent, name_of, spike_counter
from lsnn_rl.agents.contract import let_watch
from lsnn_rl.agents.decoder import Decoder
from lsnn_rl.envs.references import reference_scores
from lsnn_rl.envs.task import LifetimeTask, Moment

Floats = NDArray[np.float32]


class Look(NamedTuple):
    """The agent's network after one environment step, as far as the agent has such things.

    Attributes:
        activity: spikes of the last simulation step (0 or 1), or the units of a gated network (-1 to 1), [H].
        threshold: of the adaptive cells, in units of the resting threshold, [A].
        value: what the agent expects to earn from here on, discounted; NaN where it says nothing.
        belief: the hidden task as read from the state by the decoder, [V], or None.
        spikes, operations: in this environment step: of all cells, and additions they cause at synapses.
    """

    activity: Floats
    threshold: Floats
    value: float
    belief: Floats | None
    spikes: float
    operations: float


class Performance:
    """One agent in one lifetime of a world; `step` goes on, `looks[k]` and `at(k)` tell how it was after k steps.

    Args:
        agent: anything `evaluate` takes.
        decoder: reads the agent's belief about the hidden task from its state.
    """

    def __init__(
        self,
        agent: Any,
        env_id: str,
        env_kwargs: Mapping[str, Any] | None = None,
        split: str = "test",
        lifetime: int = 0,
        decoder: Decoder | None = None,
        deterministic: bool = True,
    ) -> None:
        kwargs = dict(env_kwargs or {})
        self.env_id, self.lifetime, self.name = env_id, lifetime, name_of(agent)
        self.agent = as_agent(agent, env_id, {**kwargs, "split": split})
        self.decoder, self.deterministic = decoder, deterministic
        self.env = gym.make_vec(env_id, num_envs=1, split=split, autoreset_mode="NextStep", **kwargs)
        self.references = reference_scores(env_id, split=split, **kwargs)
        self._obs, _ = self.env.reset(options={"lifetimes": np.array([lifetime])})
        let_watch(self.agent, self.env)
        self._state, self._starts = self.agent.initial_state(1), np.ones(1, bool)
        self._count = spike_counter(self.agent)
        network = getattr(getattr(self.agent, "policy", None), "network", None)
        self.network = network if hasattr(network, "cell") else None
        self._fan_out = None if self.network is None or self._count is None else _fan_out(self.network)
        self.ended = False
        self.observations = [self._obs[0].copy()]
        self.moments: list[Moment] = [self.task.moment(0, None, 0.0)]
        self.looks: list[Look] = [self._look(np.nan)]
        self._worlds = [self._arrays()]

    @property
    def task(self) -> LifetimeTask:
        """The rules, with the arrays of the newest step."""
        return self.env.unwrapped.task  # type: ignore[attr-defined]

    @property
    def spiking(self) -> bool:
        return self._count is not None

    @property
    def steps(self) -> int:
        """Steps taken so far."""
        return len(self.looks) - 1

    def step(self) -> bool:
        """Live one step more; False once the lifetime is over."""
        if self.ended:
            return False
        value = np.nan
        if hasattr(self.agent, "act_and_value"):
            # A critic that was told the task in training is told it here as well: the action does not depend on it.
            task = {"task": self.env.unwrapped.task_vector()} if getattr(self.agent, "told", False) else {}  # type: ignore[attr-defined]
            actions, values, self._state = self.agent.act_and_value(
                self._obs, self._state, self._starts, self.deterministic, **task
            )
            value = float(values[0])
        else:
            actions, self._state = self.agent.act(self._obs, self._state, self._starts, self.deterministic)
        self._starts = np.zeros(1, bool)
        self._obs, reward, terminated, truncated, _ = self.env.step(actions)
        self.ended = bool(terminated[0] or truncated[0])
        self.observations.append(self._obs[0].copy())
        self.moments.append(self.task.moment(0, self.moments[-1], float(reward[0])))
        self.looks.append(self._look(value))
        self._worlds.append(self._arrays())
        return not self.ended

    @contextmanager
    def at(self, step: int) -> Iterator[LifetimeTask]:
        """The rules as they were after that many steps, for as long as the block lasts."""
        now = self._arrays()
        _put(self.task, self._worlds[step])
        try:
            yield self.task
        finally:
            _put(self.task, now)

    def close(self) -> None:
        self.env.close()

    def _arrays(self) -> dict[str, NDArray]:
        return {name: getattr(self.task, name).copy() for name in self.task.memory}

    def _look(self, value: float) -> Look:
        activity, threshold = np.zeros(0, np.float32), np.zeros(0, np.float32)
        belief, spikes, operations = None, 0.0, 0.0
        if self.network is not None:
            cell = self.network.cell
            activity = self._state[cell.output][0].float().cpu().numpy()
            if self._count is not None and "b" in self._state:
                level = cell.threshold(self._state).expand(1, -1) / cell.thr
                threshold = level[0].float().cpu().numpy()[self.network.populations["adaptive"]]
            if self._count is not None:
                spikes = float(self._count(self._state)[0])
                operations = float(activity @ self._fan_out) * self.network.substeps
            if self.decoder is not None:
                belief = self.decoder(self._state)[0].astype(np.float32)
        return Look(activity, threshold, value, belief, spikes, operations)


def _fan_out(network: Any) -> Floats:
    """Synapses that a spike of each cell reaches, recurrent ones and readouts, [H]."""
    with torch.no_grad():
        _, w_rec, w_out = network.weights()
    return ((w_rec != 0).sum(0) + (w_out != 0).sum(0)).float().cpu().numpy()


def _put(task: LifetimeTask, arrays: dict[str, NDArray]) -> None:
    for name, value in arrays.items():
        setattr(task, name, value)

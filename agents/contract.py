"""What an agent is, for whoever plays it: the evaluation, the viewer, the reference tables.

Spiking networks, gated networks, Stable-Baselines3 models and classical searchers all answer to these two calls. The
state is handed in and handed back; only the caller holds it.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class Agent(Protocol):
    """Anything that acts for N lifetimes at once.

    An agent that may look behind the scenes (an oracle) also has `watch(venv)`, called once before the first step with
    the environment it plays in; see `let_watch`.
    """

    def initial_state(self, n: int) -> Any:
        """The state of an agent that has seen nothing, for `n` lifetimes; every part has leading axis N."""
        ...

    def act(
        self, obs: NDArray, state: Any, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, Any]:
        """Act in every lifetime.

        Args:
            obs: what is seen, [N, ...].
            state: as returned by the last call, or `initial_state(n)`.
            starts: [N], True where a lifetime begins with this observation: there the state is forgotten first.
            deterministic: the most likely action instead of a sampled one, where there is such a difference.
        Returns: actions [N, ...] and the new state; the state handed in stays as it was.
        """
        ...


def let_watch(agent: Any, venv: Any) -> None:
    """Show the environment to an agent that asks to see it; others are left alone."""
    if hasattr(agent, "watch"):
        agent.watch(venv)


def let_feel(agent: Any, rewards: NDArray, terminated: NDArray[np.bool_], truncated: NDArray[np.bool_]) -> None:
    """Tell what a step brought, [N] each, to an agent that asks for it beside its observations (`feel`)."""
    if hasattr(agent, "feel"):
        agent.feel(rewards, terminated, truncated)

"""Agents hampered in one respect each, to find out what a score rests on.

Every control is a function from an agent to an agent; `evaluate(..., controls=["adaptation_zeroed"])` lets it live the
same lifetimes once more. What "reward" and "previous action" are in an observation, the world says.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.contract import let_watch
from lsnn_rl.agents.operated import Operated, new_trial
from lsnn_rl.errors import BadValue

REWARD, ACTION = ("success", "wall", "reward"), ("action",)  # what worlds call these parts of an observation


class Misled:
    """An agent that is shown something else than what there is.

    Args:
        agent: any agent.
        parts: names of parts of the observation, of those the world has.
        change: `(their numbers [N, P]) -> what is shown instead`.
    Raises: BadValue when the world shows none of these parts.
    """

    def __init__(self, agent: Any, parts: Sequence[str], change: Callable[[NDArray], NDArray]) -> None:
        self.agent, self.parts, self.change = agent, parts, change
        self.where: NDArray[np.intp] | None = None

    def __getattr__(self, name: str) -> Any:
        if name == "agent":  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.agent, name)

    def watch(self, venv: Any) -> None:
        """Learn where in the observation the parts are."""
        self.where = places_of(venv, self.parts)
        let_watch(self.agent, venv)

    def initial_state(self, n: int) -> Any:
        return self.agent.initial_state(n)

    def act(
        self, obs: NDArray, state: Any, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, Any]:
        if self.where is None:
            raise BadValue("A misled agent must see its world first: agent.watch(env). evaluate and live do it.")
        shown = obs.copy()
        shown[:, self.where] = self.change(obs[:, self.where])
        return self.agent.act(shown, state, starts, deterministic)


def places_of(venv: Any, parts: Sequence[str]) -> NDArray[np.intp]:
    """Where in the observation these parts of a world are; parts it does not show are passed over.

    >>> import gymnasium, lsnn_rl
    >>> places_of(gymnasium.make_vec("LSNNArena-v0", num_envs=2), ["success", "wall"])
    array([4, 5])
    """
    task = getattr(venv.unwrapped, "task", None)
    parts_of_world = getattr(task, "parts", None)
    seen = dict(getattr(task, "seen", ())) if parts_of_world is None else parts_of_world.where
    numbers = np.arange(venv.single_observation_space.shape[0]) if seen else np.zeros(0, np.intp)
    places = [np.atleast_1d(numbers[seen[part]]) for part in parts if part in seen]
    if not places:
        raise BadValue(
            f"{type(task).__name__} names none of {', '.join(parts)} in its observation; it names "
            f"{', '.join(seen) or 'nothing'}. Leave this control out for this world."
        )
    return np.concatenate(places)


def shuffled_between_lifetimes(numbers: NDArray) -> NDArray:
    """Every lifetime gets its neighbour's numbers: as many rewards as ever, told to the wrong one.

    >>> shuffled_between_lifetimes(np.array([[1.0], [0.0], [0.0]])).ravel().tolist()
    [0.0, 1.0, 0.0]
    """
    if len(numbers) < 2:
        raise BadValue("One lifetime alone has no neighbour to get its rewards from. Live at least 2 side by side.")
    return np.roll(numbers, 1, axis=0)


# A state is operated on one step after the end of a trial was seen, as in the control "state_reset".
CONTROLS: dict[str, Callable[[Any], Any]] = {
    "adaptation_zeroed": partial(Operated, operation="zero", names="b", when=new_trial),
    "adaptation_shuffled": partial(Operated, operation="shuffle", names="b", units="adaptive", when=new_trial),
    "adaptation_frozen": partial(Operated, operation="freeze", names="b"),  # at rest, where a lifetime begins
    "voltage_zeroed": partial(Operated, operation="zero", names=("v", "z"), when=new_trial),
    "voltage_shuffled": partial(Operated, operation="shuffle", names=("v", "z"), when=new_trial),
    "reward_shuffled": partial(Misled, parts=REWARD, change=shuffled_between_lifetimes),
    "action_removed": partial(Misled, parts=ACTION, change=np.zeros_like),
}

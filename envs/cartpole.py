"""CartPole that shows where things are, not how fast they move: the smallest control problem that needs memory."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from numpy.typing import NDArray

SHOWN = [0, 2]  # of CartPole's position, velocity, angle and angular velocity


class CartPoleNoVel(CartPoleEnv):
    """Gymnasium's CartPole-v1, its rules and its luck unchanged, without the two velocities.

    ## Description
    A pole stands on a cart; pushing the cart left or right keeps it upright.

    ## Observation Space
    | number | meaning | unit | the episode ends beyond |
    |---|---|---|---|
    | 0 | position of the cart | m | -2.4 to 2.4 |
    | 1 | angle of the pole | rad | -0.209 to 0.209 |

    ## Rewards
    1 a step, for 500 steps at most; 475 on average count as solved.

    ## What must be remembered
    Where things were: a velocity is a difference of positions. Who pushes against the lean alone swings the pole up
    until it falls.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # The last observation lies beyond the ends of the episode, by the way of one step.
        self.observation_space = spaces.Box(-1.5 * self._ends(), 1.5 * self._ends())

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        everything, info = super().reset(seed=seed, options=options)
        return everything[SHOWN], info

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        everything, reward, terminated, truncated, info = super().step(action)
        return everything[SHOWN], reward, terminated, truncated, info

    def _ends(self) -> NDArray[np.float32]:
        return np.array([self.x_threshold, self.theta_threshold_radians], np.float32)

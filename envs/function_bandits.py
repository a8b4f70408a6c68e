"""Climbing a function within a lifetime: choose a place, be told its value, choose again; a bandit of endless arms.

The functions come from the same families as in `functions.py`, where they are to be predicted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lsnn_rl.envs.function_families import Family, GaussianProcess, Parabolas, Sines, TargetNetworks, gaussian
from lsnn_rl.envs.functions import FunctionWorld
from lsnn_rl.envs.task import Floats, Hand, Moment, Rows
from lsnn_rl.errors import BadValue

if TYPE_CHECKING:
    from lsnn_rl.envs.canvas import Canvas


class FunctionBandit(FunctionWorld):
    """The rules of climbing, for any family of functions; `GPBandit` says how it is played.

    Args:
        noise: standard deviation of what is added to every value.
    """

    memory: ClassVar[tuple[str, ...]] = (*FunctionWorld.memory, "reward", "value", "best_x", "best", "regret")
    views: ClassVar[frozenset[str]] = frozenset(["observe_action", "observe_reward"])

    def __init__(
        self, slots: int, steps: int, family: Family, noise: float, observe_action: bool, observe_reward: bool
    ) -> None:
        super().__init__(slots, steps, family)
        if not 0 <= noise < math.inf:
            raise BadValue(f"noise = {noise} is not a standard deviation. Give zero or a positive number.")
        self.noise = noise
        self.reward = np.zeros((slots, 1))  # what the last pull paid
        self.value = np.zeros(slots)  # the same without noise
        self.best_x, self.best = np.zeros((slots, family.inputs)), np.zeros(slots)  # the top: where, how high
        self.regret = np.zeros(slots)  # what perfect pulls would have paid more, so far
        beyond = (family.highest - family.lowest) / 4.0  # room for noise; what is seen of rewards is cut there
        self._seen_reward = family.lowest - beyond, family.highest + beyond
        self._see(
            [
                ("x", family.inputs, observe_action, min(family.low, 0.0), family.high),
                ("reward", 1, observe_reward, *self._seen_reward),
            ]
        )
        self.action_space = spaces.Box(-1.0, 1.0, (family.inputs,), np.float32)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.x[rows] = self.reward[rows] = 0.0
        self.value[rows] = self.regret[rows] = 0.0
        self.best_x[rows], self.best[rows] = self.family.peak(self.function[rows])

    def step(self, actions: Floats) -> Floats:
        self._count()
        family = self.family
        self.x = family.low + (family.high - family.low) / 2.0 * (np.clip(actions, -1.0, 1.0) + 1.0)
        self.value = family.value(self.function, self.x)
        missed = self.best - self.value
        self.regret += missed
        self.success = missed <= family.close
        reward = self.value.copy()
        if self.noise > 0:
            reward += self.noise * gaussian(self.luck.take(self.every, 2))[:, 0]
        self.reward = np.clip(reward, *self._seen_reward)[:, None]
        return reward

    def expert(self) -> NDArray[np.float32]:
        """The action that pulls the top of the function, [N, D]."""
        family = self.family
        part = (self.best_x - family.low) / (family.high - family.low)
        return np.clip(2.0 * part - 1.0, -1.0, 1.0).astype(np.float32)

    def answer(self) -> dict[str, NDArray]:
        return {"task": self.task_vector(), "best_x": self.best_x.copy(), "best": self.best.copy()}

    def summary(self) -> dict[str, NDArray]:
        return {"regret": self.regret.copy()}

    # -- drawing ------------------------------------------------------------------------------------------------------

    def glimpse(self, slot: int) -> tuple[tuple[float, ...], float, float]:
        """The last pull: its x, what it paid, what it missed."""
        missed = float(self.best[slot] - self.value[slot])
        return tuple(self.x[slot].tolist()), float(self.reward[slot, 0]), missed

    def hand(self, slot: int, hand: Hand) -> NDArray[np.float32] | None:
        """A click pulls the place under the pointer; without one the world waits."""
        from lsnn_rl.envs.functions_view import place_at

        if not (hand.clicked and hand.point is not None):
            return None
        part = (place_at(self, hand.point) - self.family.low) / (self.family.high - self.family.low)
        return np.clip(2.0 * part - 1.0, -1.0, 1.0).astype(np.float32)

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.functions_view import draw_bandit  # only whoever draws needs it

        draw_bandit(canvas, self, slot, history, references)


class GPBandit(FunctionBandit):
    """Find the top of a smooth random curve by trying places: a draw of a Gaussian process a lifetime.

    ## Action space
    `Box(-1, 1, (1,))`, mapped straight onto the places x in [0, 1]. Finite numbers outside are cut.

    ## Observation space
    `Box` of up to 2 numbers, zeros before the first pull:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0 | the previous x | 0, 1 | observe_action |
    | 1 | the previous reward, cut to the range | -6, 6 | observe_reward |

    ## Rewards
    The curve's value at x plus Gaussian noise.

    ## Starting state
    A curve with mean 0, variance 1 and kernel exp(-(x - x')^2 / (2 length_scale^2)), exact on 201 places, see
    `function_families.GaussianProcess`.

    ## Lifetime
    `steps` pulls of one curve; it ends by `truncated`. Each pull is a trial, `success` a pull within 0.1 of the top.

    ## What must be remembered
    Where it was tried and what came of it.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `regret`, the sum of what was missed, without noise, at the end of
    a lifetime; `privileged = {"task": values at 0, 0.1 ... 1, "best_x", "best"}` only if asked for.

    ## Reference scores
    Summed regret of 30 pulls by an independent simulation, at length scale 0.2 (0.1): random 33.7 (44.3), greedy 14.1
    (22.7), Thompson sampling with the true kernel 5.37 (10.1), GP-UCB with beta 2 4.72 (9.13). `reference_scores(id)`
    has rewards of random pulls, of staying where it pays ("amnesic"), of GP-UCB ("best_known") and of the top.

    ## Arguments
    steps; length_scale; noise: its standard deviation; observe_action, observe_reward: what is seen. The split
    "test-ood" has length_scale 0.1.

    ## Version history
    v0: first release.
    """

    title: ClassVar[str] = "Gaussian process bandit"
    ood: ClassVar[dict[str, Any]] = {"length_scale": 0.1}

    def __init__(
        self,
        slots: int = 1,
        *,
        steps: int = 30,
        length_scale: float = 0.2,
        noise: float = 0.1,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        super().__init__(slots, steps, GaussianProcess(length_scale), noise, observe_action, observe_reward)


class QuadraticBandit(FunctionBandit):
    """Find the top of a parabola of known shape: -(x - c)^2 with a new c a lifetime. Hochreiter et al. 2001.

    ## Action space
    `Box(-1, 1, (1,))`: the place x. Finite numbers outside are cut.

    ## Observation space
    `Box` of up to 2 numbers, zeros before the first pull:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0 | the previous x | -1, 1 | observe_action |
    | 1 | the previous reward, cut to the range | -5, 1 | observe_reward |

    ## Rewards
    -(x - c)^2, plus Gaussian noise if asked for.

    ## Starting state
    c is uniform in [-1, 1].

    ## Lifetime
    `steps` pulls of one parabola; it ends by `truncated`. Each pull is a trial, `success` a pull within 0.1 of c.

    ## What must be remembered
    Two pulls and what they paid: from then on the top is known exactly.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `regret` at the end of a lifetime; `privileged = {"task": [c],
    "best_x", "best"}` only if asked for.

    ## Reference scores
    Without noise, exactly: random pulls cost 2/3 each, 13.33 in 20. One look at 0, a guess at the sign, the top: 1.
    The least any strategy can expect to pay is 4 - 2 sqrt(3) = 0.536: the first look, at s = 2 - sqrt(3), tells c for
    certain if c < 2 s - 1, else up to its side of s; a second look as near to s as one likes tells the side, at a cost
    of (c - s)^2. Together 1/3 + s^2 + (1 - s)^3 / 3, least where 2 s = (1 - s)^2. `reference_scores(id)` has random
    pulls, staying where it pays ("amnesic"), this strategy ("best_known") and the top.

    ## Arguments
    steps; noise: its standard deviation; observe_action, observe_reward: what is seen. The split "test-ood" has noise
    0.1.

    ## Version history
    v0: first release.
    """

    title: ClassVar[str] = "Quadratic bandit"
    ood: ClassVar[dict[str, Any]] = {"noise": 0.1}

    def __init__(
        self,
        slots: int = 1,
        *,
        steps: int = 20,
        noise: float = 0.0,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        super().__init__(slots, steps, Parabolas(), noise, observe_action, observe_reward)


class SineBandit(FunctionBandit):
    """Find the top of a sine of unknown height and phase: a new A sin(phi + x) a lifetime.

    ## Action space
    `Box(-1, 1, (1,))`, mapped straight onto the places x in [-5, 5]. Finite numbers outside are cut.

    ## Observation space
    `Box` of up to 2 numbers, zeros before the first pull:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0 | the previous x | -5, 5 | observe_action |
    | 1 | the previous reward, cut to the range | -7.5, 7.5 | observe_reward |

    ## Rewards
    The sine's value at x plus Gaussian noise.

    ## Starting state
    Amplitude A is uniform in [0.1, 5], phase phi in [0, pi/2].

    ## Lifetime
    `steps` pulls of one sine; it ends by `truncated`. Each pull is a trial, `success` a pull within 0.25 of the top.

    ## What must be remembered
    Two places with different values: they give the sine away, but for noise.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `regret` at the end of a lifetime; `privileged = {"task": [A, phi],
    "best_x", "best"}` only if asked for.

    ## Reference scores
    From theory: a pull of the top pays E[A] = 2.55, one at x = pi/4, the best without any memory of pulls, 2.30.
    `reference_scores(id)` has random pulls, that one place or staying where it pays ("amnesic"), the best of those who
    know that it is a sine ("best_known"), and the top.

    ## Arguments
    steps; noise: its standard deviation; least_amplitude, most_amplitude (at most 5); least_phase, most_phase: radians;
    observe_action, observe_reward: what is seen. The split "test-ood" has the phases from pi/2 to pi.

    ## Version history
    v0: first release.
    """

    title: ClassVar[str] = "Sine bandit"
    ood: ClassVar[dict[str, Any]] = {"least_phase": math.pi / 2, "most_phase": math.pi}

    def __init__(
        self,
        slots: int = 1,
        *,
        steps: int = 30,
        noise: float = 0.1,
        least_amplitude: float = 0.1,
        most_amplitude: float = 5.0,
        least_phase: float = 0.0,
        most_phase: float = math.pi / 2,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        family = Sines(least_amplitude, most_amplitude, least_phase, most_phase)
        super().__init__(slots, steps, family, noise, observe_action, observe_reward)


class TargetNetworkBandit(FunctionBandit):
    """Find where a random network of two inputs says most: a new network 2-10-1 a lifetime.

    ## Action space
    `Box(-1, 1, (2,))`: the place x. Finite numbers outside are cut, each by itself.

    ## Observation space
    `Box` of up to 3 numbers, zeros before the first pull:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0, 1 | the previous x | -1, 1 | observe_action |
    | 2 | the previous reward, cut to the range | -0.25, 1.25 | observe_reward |

    ## Rewards
    The network's output at x, from 0 to 1, plus Gaussian noise.

    ## Starting state
    All weights and biases are uniform in [-1, 1], the output is scaled to reach from 0 to 1, see
    `function_families.TargetNetworks`.

    ## Lifetime
    `steps` pulls of one network; it ends by `truncated`. Each pull is a trial, `success` a pull within 0.05 of the top.

    ## What must be remembered
    Which way it goes up; nearly always that leads into a corner.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `regret` at the end of a lifetime; `privileged = {"task": values at
    the corners, edges and centre [9], "best_x", "best"}` only if asked for.

    ## Reference scores
    From theory: the top pays 1 a pull, a fixed place 0.5, because a network with all output weights reversed is as
    likely. `reference_scores(id)` has random pulls, staying where it pays ("amnesic"), UCB with the family's own mean
    and covariance ("best_known"), and the top.

    ## Arguments
    steps; noise: its standard deviation; hidden: "sigmoid" or "tanh"; weight_range: more is more curved;
    observe_action, observe_reward: what is seen. The split "test-ood" has weight_range 3.

    ## Version history
    v0: first release.
    """

    title: ClassVar[str] = "Target network bandit"
    ood: ClassVar[dict[str, Any]] = {"weight_range": 3.0}

    def __init__(
        self,
        slots: int = 1,
        *,
        steps: int = 30,
        noise: float = 0.05,
        hidden: str = "sigmoid",
        weight_range: float = 1.0,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        family = TargetNetworks(hidden, weight_range)
        super().__init__(slots, steps, family, noise, observe_action, observe_reward)

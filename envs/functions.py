"""Learning a function from a teacher within a lifetime: an example at a time, with no weight changing.

Bellec et al. 2018 (arXiv 1803.09574), learning to learn from a teacher. `function_bandits.py` has the worlds in which a
function is not to be predicted but to be climbed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lsnn_rl.envs.function_families import Family, Sines, TargetNetworks
from lsnn_rl.envs.task import Floats, Hand, LifetimeTask, Moment, Rows
from lsnn_rl.errors import BadValue

if TYPE_CHECKING:
    from lsnn_rl.envs.canvas import Canvas

Part = tuple[str, int, bool, float, float]  # name of an array, its width, is it seen, lowest, highest


class FunctionWorld(LifetimeTask):
    """What worlds of functions share: a family, the function of every lifetime, and what is seen."""

    memory: ClassVar[tuple[str, ...]] = (*LifetimeTask.memory, "function", "x", "steps_done")
    clips: ClassVar[bool] = True
    score: ClassVar[str] = "return"
    unit: ClassVar[str] = "reward"
    title: ClassVar[str]  # of its picture

    def __init__(self, slots: int, steps: int, family: Family) -> None:
        super().__init__(slots, steps)
        self.family = family
        self.function = np.zeros((slots, family.parameters))
        self.x = np.zeros((slots, family.inputs))
        self.steps_done = np.zeros(slots, np.int64)  # in this lifetime, which may have begun at an age

    def _see(self, parts: list[Part]) -> None:
        """Lay out the observation: the parts that are switched on, side by side."""
        seen = [part for part in parts if part[2]]
        if not seen:
            raise BadValue("All parts of the observation are switched off. Leave at least one observe_... on.")
        ends = np.cumsum([0, *(width for _, width, *_ in seen)])
        self.seen = {name: slice(a, b) for (name, *_), a, b in zip(seen, ends[:-1], ends[1:], strict=True)}
        low, high = (np.repeat([part[k] for part in seen], [part[1] for part in seen]) for k in (3, 4))
        self.observation_space = spaces.Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.function[rows] = self.family.draw(self.luck.take(rows, self.family.luck))
        self.steps_done[rows] = 0

    def _count(self) -> None:
        """Every step is a trial of its own."""
        self.next_trial(np.flatnonzero(self.steps_done))
        self.steps_done += 1

    def observe(self) -> NDArray[np.float32]:
        seen = np.empty((self.slots, *self.observation_space.shape), np.float32)  # type: ignore[misc]
        for name, where in self.seen.items():
            seen[:, where] = getattr(self, name)
        return seen

    def task_vector(self) -> NDArray[np.float32]:
        """What tells the function from others (see `Family.describe`), [N, V]."""
        return self.family.describe(self.function)


class FunctionRegression(FunctionWorld):
    """The rules of learning from a teacher, for any family of functions; `SineRegression` says how it is played.

    Args:
        examples_to_know: after that many examples, an agent that knows the family can know the function.
    """

    memory: ClassVar[tuple[str, ...]] = (*FunctionWorld.memory, "last_x", "target", "prediction", "reward", "squares")
    views: ClassVar[frozenset[str]] = frozenset(["observe_target", "observe_action", "observe_reward"])

    def __init__(
        self,
        slots: int,
        steps: int,
        family: Family,
        examples_to_know: int,
        observe_target: bool,
        observe_action: bool,
        observe_reward: bool,
    ) -> None:
        super().__init__(slots, steps, family)
        self.examples_to_know = examples_to_know
        self.last_x = np.zeros((slots, family.inputs))  # of the example before: only pictures ask for it
        self.target, self.prediction, self.reward = (np.zeros((slots, 1)) for _ in range(3))
        self.squares = np.zeros(slots)  # summed squared errors
        span = family.highest - family.lowest
        self._see(
            [
                ("x", family.inputs, True, family.low, family.high),
                ("target", 1, observe_target, family.lowest, family.highest),
                ("prediction", 1, observe_action, family.lowest, family.highest),
                ("reward", 1, observe_reward, -span * span, 0.0),
            ]
        )
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.x[rows] = self._fresh(rows)
        self.last_x[rows] = self.target[rows] = self.prediction[rows] = self.reward[rows] = 0.0
        self.squares[rows] = 0.0

    def step(self, actions: Floats) -> Floats:
        self._count()
        family = self.family
        middle, half = (family.highest + family.lowest) / 2.0, (family.highest - family.lowest) / 2.0
        self.prediction = middle + half * np.clip(actions, -1.0, 1.0)
        self.target = family.value(self.function, self.x)[:, None]
        error = self.prediction - self.target
        self.reward = -error * error
        self.success = np.abs(error[:, 0]) <= family.close
        self.squares -= self.reward[:, 0]
        self.last_x, self.x = self.x, self._fresh(self.every)
        return self.reward[:, 0].copy()

    def _fresh(self, rows: Rows) -> Floats:
        low, high = self.family.low, self.family.high
        return low + (high - low) * self.luck.take(rows, self.family.inputs)

    def task_known(self) -> NDArray[np.bool_]:
        """Where there were as many examples as the family needs, [N]."""
        return self.steps_done >= self.examples_to_know

    def expert(self) -> NDArray[np.float32]:
        """The action that predicts the target of the x now seen, [N, 1]."""
        family = self.family
        part = (family.value(self.function, self.x) - family.lowest) / (family.highest - family.lowest)
        return np.clip(2.0 * part - 1.0, -1.0, 1.0)[:, None].astype(np.float32)

    def answer(self) -> dict[str, NDArray]:
        return {"task": self.task_vector(), "target": self.family.value(self.function, self.x)}

    def summary(self) -> dict[str, NDArray]:
        return {"mean_squared_error": self.squares / np.maximum(self.steps_done, 1)}

    # -- drawing ------------------------------------------------------------------------------------------------------

    def glimpse(self, slot: int) -> tuple[tuple[float, ...], float, float]:
        """The example just judged: its x, its target, what was predicted."""
        return tuple(self.last_x[slot].tolist()), float(self.target[slot, 0]), float(self.prediction[slot, 0])

    def hand(self, slot: int, hand: Hand) -> NDArray[np.float32] | None:
        """A click says how high the value will be; without one the world waits."""
        from lsnn_rl.envs.functions_view import height_at

        if not (hand.clicked and hand.point is not None):
            return None
        part = (height_at(self, slot, hand.point) - self.family.lowest) / (self.family.highest - self.family.lowest)
        return np.clip(np.array([2.0 * part - 1.0]), -1.0, 1.0).astype(np.float32)

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.functions_view import draw_regression  # only whoever draws needs it

        draw_regression(canvas, self, slot, history, references)


class SineRegression(FunctionRegression):
    """Predict A sin(phi + x) at places x chosen by chance, being told the last place's true value: a sine a lifetime.

    ## Action space
    `Box(-1, 1, (1,))`: the prediction, as part of the range of values, so that 1 predicts 5 and -0.2 predicts -1.
    Finite numbers outside are cut.

    ## Observation space
    `Box` of up to 4 numbers, in this order:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0 | x, the place whose value is to be predicted now | -5, 5 | |
    | 1 | target: the true value at the *previous* x (0 before the first) | -5, 5 | observe_target |
    | 2 | the previous prediction (0 before the first) | -5, 5 | observe_action |
    | 3 | the previous reward, which follows from the two | -100, 0 | observe_reward (off) |

    ## Rewards
    Minus the squared error, in the step that predicts.

    ## Starting state
    Amplitude A is uniform in [0.1, 5], phase phi in [0, pi/2], every x in [-5, 5].

    ## Lifetime
    `steps` examples of one sine; it ends by `truncated`. Each example is a trial, `success` a prediction that misses by
    at most 0.25, a fortieth of the range.

    ## What must be remembered
    The previous x, until its target is told a step later; and the sine, which two examples give away.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `mean_squared_error` at the end of a lifetime;
    `privileged = {"task": [A, phi], "target": of the x now seen}` only if asked for.

    ## Reference scores
    Per example, from theory: guessing at random costs 25/3 + E[A^2]/2 = 12.585, always 0 costs E[A^2]/2 = 4.252, the
    family's mean at x costs 1.616, the sine itself 0. `reference_scores(id)` has random guesses, the best guess without
    memory ("amnesic"), the best linear estimate by one who knows that it is a sine ("best_known"), and 0.

    ## Arguments
    steps; least_amplitude, most_amplitude (at most 5); least_phase, most_phase: radians; observe_target,
    observe_action, observe_reward: what is seen. The split "test-ood" has the phases from pi/2 to pi.

    ## Version history
    v0: first release.
    """

    title: ClassVar[str] = "Sine regression"
    ood: ClassVar[dict[str, Any]] = {"least_phase": math.pi / 2, "most_phase": math.pi}

    def __init__(
        self,
        slots: int = 1,
        *,
        steps: int = 500,
        least_amplitude: float = 0.1,
        most_amplitude: float = 5.0,
        least_phase: float = 0.0,
        most_phase: float = math.pi / 2,
        observe_target: bool = True,
        observe_action: bool = True,
        observe_reward: bool = False,
    ) -> None:
        family = Sines(least_amplitude, most_amplitude, least_phase, most_phase)
        super().__init__(slots, steps, family, 2, observe_target, observe_action, observe_reward)


class TargetNetworkRegression(FunctionRegression):
    """Predict a random network's output at places chosen by chance, being told the last one's: one network a lifetime.

    ## Action space
    `Box(-1, 1, (1,))`: the prediction, as part of the range of values, so that -1 predicts 0 and 1 predicts 1. Finite
    numbers outside are cut.

    ## Observation space
    `Box` of up to 5 numbers, in this order:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0, 1 | x, the place whose value is to be predicted now | -1, 1 | |
    | 2 | target: the true value at the *previous* x (0 before the first) | 0, 1 | observe_target |
    | 3 | the previous prediction (0 before the first) | 0, 1 | observe_action |
    | 4 | the previous reward, which follows from the two | -1, 0 | observe_reward (off) |

    ## Rewards
    Minus the squared error, in the step that predicts.

    ## Starting state
    A network 2-10-1 with all weights and biases uniform in [-1, 1], its output scaled to reach from 0 to 1 (see
    `function_families.TargetNetworks`); every x is uniform in [-1, 1]^2.

    ## Lifetime
    `steps` examples of one network; it ends by `truncated`. Each example is a trial, `success` a prediction that misses
    by at most 0.05.

    ## What must be remembered
    The previous x, until its target is told a step later; and the slope and bend of the function.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `mean_squared_error` at the end of a lifetime; `privileged =
    {"task": values at the corners, edges and centre [9], "target": of the x now seen}` only if asked for.

    ## Reference scores
    Measured per example: guessing always the function's own mean costs 0.057, a plane fitted to 450 examples 0.0010
    (0.0052 with `hidden="tanh"`; scaled by 500 values instead of the grid: 0.061 and 0.0011). At weight_range 1 these
    networks are nearly planes, so a straight fit must be shown beside any network's score; the paper's spiking network
    is remembered to have reached 0.0056. `reference_scores(id)` has random guesses, the best guess without memory
    ("amnesic"), the best linear estimate by one who knows the family ("best_known"), and 0.

    ## Arguments
    steps; hidden: "sigmoid" or "tanh"; weight_range: 1 in the paper, more is more curved; observe_target,
    observe_action, observe_reward: what is seen. The split "test-ood" has weight_range 2.

    ## Version history
    v0: first release.
    """

    title: ClassVar[str] = "Target network regression"
    ood: ClassVar[dict[str, Any]] = {"weight_range": 2.0}

    def __init__(
        self,
        slots: int = 1,
        *,
        steps: int = 500,
        hidden: str = "sigmoid",
        weight_range: float = 1.0,
        observe_target: bool = True,
        observe_action: bool = True,
        observe_reward: bool = False,
    ) -> None:
        family = TargetNetworks(hidden, weight_range)
        super().__init__(slots, steps, family, 10, observe_target, observe_action, observe_reward)

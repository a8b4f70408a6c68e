"""What a world is: the rules of N lifetimes side by side, in numpy.

A world is one subclass of `LifetimeTask`. It says how a lifetime begins, what an action does and what is seen, always
for all slots at once; `lifetime.py` makes a `gymnasium.Env` and a native vector environment of it. Gymnasium's
conventions (autoreset, seeding, infos) are the faces' business and no world's.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from lsnn_rl.envs.luck import Luck
from lsnn_rl.envs.splits import check_split
from lsnn_rl.errors import BadValue, ShapeMismatch, unknown_name

if TYPE_CHECKING:
    from lsnn_rl.envs.canvas import Canvas

Rows = NDArray[np.intp]  # slot numbers
Floats = NDArray[np.float64]
_ONE = np.array(1)


class Moment(NamedTuple):
    """One step of a lifetime, as pictures remember it.

    Attributes:
        age, trial, success: as in the rules, after the step.
        scored: what the lifetime has brought so far, in the unit of the world's score.
        seen: the world's own `glimpse`.
    """

    age: int
    trial: int
    success: bool
    scored: float
    seen: Any


class Hand(NamedTuple):
    """What a person does with keyboard and mouse, in words that need no window.

    Attributes:
        held, tapped: names of keys that are down, and of those that went down since the last look ("left", "a", "1").
        point: where the pointer is on the page (see `canvas`), or None.
        pressed, clicked: the mouse button is down; it went down since the last look.
    """

    held: frozenset[str] = frozenset()
    tapped: frozenset[str] = frozenset()
    point: tuple[float, float] | None = None
    pressed: bool = False
    clicked: bool = False


def direction_of(held: frozenset[str]) -> Floats:
    """Where arrow keys or WASD point together, [2], x to the right and y upwards; zeros where none is down.

    >>> direction_of(frozenset({"left", "w"})).tolist()
    [-1.0, 1.0]
    """
    right, left, up, down = ({"right", "d"}, {"left", "a"}, {"up", "w"}, {"down", "s"})
    pushed = [float(bool(keys & held)) for keys in (right, left, up, down)]
    return np.array([pushed[0] - pushed[1], pushed[2] - pushed[3]])


class LifetimeTask:
    """The rules of one world for `slots` lifetimes at once; N slots, A action size, V size of the hidden task.

    A subclass sets `observation_space` and `action_space` (of one slot) and writes `begin`, `step`, `observe`,
    `task_vector` and `expert`, and a picture of its own if it wants one. It keeps every changing number in an array
    [N, ...] whose name it adds to `memory`, and takes all randomness from `self.luck`. No slot may look at another one,
    and no per-slot Python loop belongs in `step` or `observe`.

    The face calls `begin(rows)`, then `step(actions)` over and over; after each step it calls `tick()`, and it begins
    a new lifetime where `age` has reached `steps`. In Gymnasium's NEXT_STEP mode a slot whose lifetime is over may be
    stepped once more, without luck being used up, and what comes out is thrown away.
    """

    memory: ClassVar[tuple[str, ...]] = ("age", "trial", "trial_start", "success")
    ood: ClassVar[dict[str, Any]] = {}  # settings that differ in split "test-ood"; spaces must stay the same
    clips: ClassVar[bool] = False  # finite actions outside a Box are dealt with by a rule of the world
    secret: bool = False  # pictures show the hidden task only when it is met: for a person who plays
    views: ClassVar[frozenset[str]] = frozenset()  # settings that change what is seen, not what can be scored
    score: ClassVar[str] = "goals"  # what is compared with the reference scores: "goals" (successes) or "return"
    unit: ClassVar[str] = "goals"  # what a person calls that score
    restless: ClassVar[bool] = False  # the hidden task may change within a lifetime

    observation_space: spaces.Space
    action_space: spaces.Space

    def __init__(self, slots: int, steps: int) -> None:
        if not isinstance(steps, int | np.integer) or steps < 1:
            raise BadValue(
                f"steps = {steps!r} is not the length of a lifetime. Give a whole number of steps above zero."
            )
        self.slots, self.steps = slots, int(steps)
        self.luck = Luck(slots)
        self.every = np.arange(slots)
        self.age = np.zeros(slots, np.int64)  # steps taken in this lifetime
        self.trial = np.zeros(slots, np.int64)  # number of the trial that the last step belonged to
        self.trial_start = np.zeros(slots, np.int64)  # age at which that trial began
        self.success = np.zeros(slots, np.bool_)  # the last step ended the trial with success

    # -- the rules --------------------------------------------------------------------------------------------------

    def begin(self, rows: Rows) -> None:
        """Begin a new lifetime in the slots `rows`: draw its task, set every array of `memory` there."""
        self.age[rows] = self.trial[rows] = self.trial_start[rows] = 0
        self.success[rows] = False

    def step(self, actions: NDArray) -> Floats:
        """Do one checked action per slot, [N, ...]; set `success` where it ended a trial well; return rewards [N]."""
        raise NotImplementedError(f"{type(self).__name__} has no step(). Write it as in lsnn_rl.envs.arena.")

    def observe(self) -> NDArray:
        """What every slot sees now, [N, ...], a fresh array of the observation space's dtype."""
        raise NotImplementedError(f"{type(self).__name__} has no observe(). Write it as in lsnn_rl.envs.arena.")

    def tick(self) -> None:
        """One step has been done: every lifetime is a step older."""
        np.add(self.age, _ONE, out=self.age)

    def next_trial(self, rows: Rows) -> None:
        """Count a new trial in `rows`, beginning with the step about to be done."""
        self.trial[rows] += 1
        self.trial_start[rows] = self.age[rows]

    # -- what only teachers and judges may know -----------------------------------------------------------------------

    def task_vector(self) -> NDArray[np.float32]:
        """The hidden task of every lifetime, [N, V]."""
        raise NotImplementedError(f"{type(self).__name__} has no task_vector(). Write it as in lsnn_rl.envs.arena.")

    def task_known(self) -> NDArray[np.bool_]:
        """Where the agent has already met what tells it the task, [N]. By default: where it succeeded once."""
        return (self.trial > 0) | self.success

    def expert(self) -> NDArray:
        """What an agent that knows the hidden task would do now, [N, ...], inside the action space."""
        raise NotImplementedError(f"{type(self).__name__} has no expert(). Write it as in lsnn_rl.envs.arena.")

    def answer(self) -> dict[str, NDArray]:
        """What `info["privileged"]` holds when asked for, arrays [N, ...]."""
        return {"task": self.task_vector()}

    def summary(self) -> dict[str, NDArray]:
        """What `info` says besides at the end of a lifetime, arrays [N]."""
        return {}

    # -- drawing and playing: looks, and changes nothing --------------------------------------------------------------

    def glimpse(self, slot: int) -> Any:
        """What a picture drawn later must still know of the present step; by default what is seen."""
        return self.observe()[slot]

    def moment(self, slot: int, before: Moment | None, reward: float) -> Moment:
        """The present step for a picture; `before` is the one of the step before, None at a lifetime's beginning."""
        success = bool(self.success[slot])
        gained = float(success) if self.score == "goals" else reward
        scored = 0.0 if before is None else before.scored + gained
        return Moment(int(self.age[slot]), int(self.trial[slot]), success, scored, self.glimpse(slot))

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        """Draw one slot; `history` holds every step of its lifetime, `references` the known scores of this world."""
        from lsnn_rl.envs.plain_view import draw_plain  # only whoever draws needs it

        draw_plain(canvas, self, slot, history, references)

    def hand(self, slot: int, hand: Hand) -> NDArray | int | None:
        """The action that a person's hand asks for; None waits for one. By default digits choose among actions."""
        if not isinstance(self.action_space, spaces.Discrete):
            raise NotImplementedError(f"{type(self).__name__} has no hand(). Write it as in lsnn_rl.envs.arena.")
        digits = sorted(int(key) for key in hand.tapped if key.isdigit() and 1 <= int(key) <= self.action_space.n)
        return int(self.action_space.start) + digits[0] - 1 if digits else None

    # -- exact resume -------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Copies of every changing array, and the luck."""
        return {**{name: getattr(self, name).copy() for name in self.memory}, "luck": self.luck.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue exactly where `get_state` was called."""
        for name in self.memory:
            now, saved = getattr(self, name), np.asarray(state[name])
            if now.shape != saved.shape:
                raise ShapeMismatch(
                    f"The saved {name!r} has shape {list(saved.shape)}, this world's {list(now.shape)}. "
                    "Load the state into a world made with the same settings and number of slots."
                )
            setattr(self, name, saved.astype(now.dtype))
        self.luck.set_state(state["luck"])


def load_task(target: str | type[LifetimeTask]) -> type[LifetimeTask]:
    """The class of rules named "module:class"."""
    if not isinstance(target, str):
        return target
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def settings_of(task: type[LifetimeTask], split: str, settings: dict[str, Any]) -> dict[str, Any]:
    """All settings of the rules: the class's defaults, what the split changes, then what was asked for."""
    defaults = _keywords(task)
    changed = task.ood if check_split(split) == "test-ood" else {}
    return {**defaults, **changed, **{name: value for name, value in settings.items() if name in defaults}}


def _keywords(task: type) -> dict[str, Any]:
    """Keyword settings of a class with their defaults; one that takes **settings has its parent's besides."""
    parameters = inspect.signature(task).parameters.values()
    inherited = _keywords(task.__mro__[1]) if any(p.kind is p.VAR_KEYWORD for p in parameters) else {}
    return {**inherited, **{p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}}


def make_task(target: str | type[LifetimeTask], slots: int, split: str, settings: dict[str, Any]) -> LifetimeTask:
    """The rules for `slots` lifetimes side by side. Unknown settings are answered with the known ones."""
    task = load_task(target)
    known = settings_of(task, split, settings)
    for name in settings:
        if name not in known:
            raise unknown_name(f"setting of {task.__name__}", name, known)
    return task(slots, **known)


def check_actions(actions: ArrayLike, space: spaces.Space, slots: int, clips: bool = True) -> NDArray:
    """Actions of all slots as an array [N, ...], or an error that says what is wrong with them.

    Box: float64, finite; Discrete: int64, among the space's values. Finite numbers outside a Box are let through when
    the world `clips` them by a rule of its own.
    """
    if isinstance(space, spaces.Box):
        array = np.array(actions, np.float64)  # a copy, so that the world may keep it
        if array.shape != (slots, *space.shape):
            raise _wrong_shape(array.shape, (slots, *space.shape))
        if np.count_nonzero(np.isfinite(array)) != array.size:
            bad = np.flatnonzero(~np.isfinite(array).reshape(slots, -1).all(axis=1))[0]
            raise BadValue(
                f"The action of slot {bad} is {array[bad].tolist()}; every number must be finite. "
                "Look for NaN in the agent: a diverged network is the usual cause."
            )
        if not clips and not (np.all(array >= space.low) and np.all(array <= space.high)):
            raise BadValue(
                f"An action lies between {array.min():g} and {array.max():g}, the action space is {space}. "
                "Clip it: np.clip(action, space.low, space.high)."
            )
        return array
    if not isinstance(space, spaces.Discrete):
        raise BadValue(f"The action space is {space}. Give the world a Box or a Discrete action space.")
    array = np.asarray(actions)
    if array.shape != (slots,):
        raise _wrong_shape(array.shape, (slots,))
    if array.dtype.kind not in "iu" or np.any(array < space.start) or np.any(array >= space.start + space.n):
        raise BadValue(
            f"The actions {array.tolist()[:8]} are not all in {space}. "
            f"Give whole numbers from {space.start} to {space.start + space.n - 1}."
        )
    return array.astype(np.int64)


def _wrong_shape(found: tuple[int, ...], wanted: tuple[int, ...]) -> ShapeMismatch:
    one, many = list(wanted[1:]), list(wanted)
    return ShapeMismatch(
        f"The actions have shape {list(found)}, the world plays {wanted[0]} lifetime(s) and wants {many}. "
        f"Give one action of shape {one} per lifetime."
    )

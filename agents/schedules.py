"""How a learning rate, clip range or entropy bonus changes during training, by name.

    0.001                                                  a constant
    {"schedule": "linear", "start": 0.001, "end": 0}       falls in a straight line
    {"schedule": "cosine", "start": 0.001, "end": 0}       falls along half a cosine
    {"schedule": "halve", "start": 0.01, "every": 0.1}     is halved after every tenth of the training

Stable-Baselines3's own floats and callables of the remaining progress (1 at the start, 0 at the end) are taken as well.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule, LinearSchedule

from lsnn_rl.errors import BadValue, unknown_name


@dataclass(frozen=True)
class Constant:
    """The same value throughout."""

    start: float

    def __call__(self, progress_remaining: float) -> float:
        return self.start


@dataclass(frozen=True)
class Linear:
    """From `start` to `end` in a straight line.

    >>> Linear(start=1.0, end=0.5)(progress_remaining=0.5)
    0.75
    """

    start: float
    end: float = 0.0

    def __call__(self, progress_remaining: float) -> float:
        return self.end + (self.start - self.end) * progress_remaining


@dataclass(frozen=True)
class Cosine:
    """From `start` to `end` along half a period of a cosine: slow, fast, slow."""

    start: float
    end: float = 0.0

    def __call__(self, progress_remaining: float) -> float:
        return self.end + (self.start - self.end) * 0.5 * (1 - math.cos(math.pi * progress_remaining))


@dataclass(frozen=True)
class Halve:
    """Halved each time another share `every` of the training is done.

    >>> [Halve(start=0.8, every=0.25)(left) for left in (1.0, 0.8, 0.7, 0.1)]
    [0.8, 0.8, 0.4, 0.1]
    """

    start: float
    every: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.every <= 1:
            raise BadValue(
                f"The schedule 'halve' was asked to halve every {self.every}; it counts in shares of the training, "
                "above 0 and at most 1. For every tenth of the training type every: 0.1."
            )

    def __call__(self, progress_remaining: float) -> float:
        # The tiny allowance keeps 1 - 0.9 from being less than a tenth.
        return self.start * 0.5 ** math.floor((1 - progress_remaining) / self.every + 1e-9)


SCHEDULES: dict[str, type] = {"constant": Constant, "linear": Linear, "cosine": Cosine, "halve": Halve}

Schedule = Callable[[float], float]
ScheduleLike = float | Mapping[str, Any] | Schedule


def make_schedule(value: ScheduleLike, name: str = "learning_rate") -> Schedule:
    """A function of the remaining progress (1 to 0) from a number, a dict with a "schedule", or such a function.

    >>> make_schedule({"schedule": "linear", "start": 0.2})(0.5)
    0.1
    >>> make_schedule({"schedule": "cosin", "start": 0.2})
    Traceback (most recent call last):
    lsnn_rl.errors.UnknownName: No schedule is called 'cosin'. Did you mean 'cosine'? Known: constant, cosine, ...
    """
    if isinstance(value, FloatSchedule):
        return value
    if isinstance(value, bool) or not (isinstance(value, int | float | Mapping) or callable(value)):
        raise BadValue(
            f"{name} was given {value!r}. It takes a number, a function of the remaining progress, or a dict such as "
            f'{{"schedule": "linear", "start": 0.001}}; schedules: {", ".join(sorted(SCHEDULES))}.'
        )
    if isinstance(value, int | float):
        if not math.isfinite(value) or value < 0:
            raise BadValue(f"{name} = {value} makes no sense. Give zero or a positive, finite number.")
        return FloatSchedule(float(value))
    if not isinstance(value, Mapping):
        return FloatSchedule(value)
    options = dict(value)
    kind = options.pop("schedule", None)
    if kind not in SCHEDULES:
        raise unknown_name("schedule", kind, SCHEDULES)
    try:
        return FloatSchedule(SCHEDULES[kind](**{key: float(number) for key, number in options.items()}))
    except TypeError as error:
        names = ", ".join(field.name for field in fields(SCHEDULES[kind]))
        raise BadValue(
            f"The schedule {kind!r} of {name} was given {', '.join(options) or 'nothing'}; it takes {names}. "
            f'For example {{"schedule": "{kind}", "start": 0.001}}.'
        ) from error


def describe_schedule(value: ScheduleLike, name: str = "learning_rate") -> float | dict[str, Any]:
    """The same schedule as plain data, for recipes and checkpoints. Raises BadValue for a function of the user's own.

    >>> describe_schedule(Cosine(start=0.01))
    {'schedule': 'cosine', 'start': 0.01, 'end': 0.0}
    """
    if isinstance(value, FloatSchedule):
        value = value.value_schedule
    if isinstance(value, ConstantSchedule):
        return float(value.val)
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, Mapping):
        return dict(value)
    for kind, schedule in SCHEDULES.items():
        if type(value) is schedule:
            return {"schedule": kind, **asdict(value)}  # type: ignore[call-overload]
    if isinstance(value, LinearSchedule) and value.end_fraction == 1:
        return {"schedule": "linear", "start": float(value.start), "end": float(value.end)}
    raise BadValue(
        f"{name} is {value!r}, a function of your own, which cannot be written down as data. "
        f"Use a number or one of the named schedules ({', '.join(sorted(SCHEDULES))}), for example "
        '{"schedule": "linear", "start": 0.001}.'
    )

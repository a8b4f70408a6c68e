"""Pictures of functions: the true one, what was tried or told, what was predicted.

Functions of one number are drawn as curves, functions of two as maps. Nothing here decides anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.canvas import EDGE, FLOOR, GOAL, HUES, INK, MUTED, NIGHT, PANEL, WARN, Canvas, Color, mix
from lsnn_rl.envs.panel import BOTTOM, LEFT, RIGHT, TOP, draw_panel, heading

if TYPE_CHECKING:
    from lsnn_rl.envs.function_bandits import FunctionBandit
    from lsnn_rl.envs.functions import FunctionRegression, FunctionWorld
    from lsnn_rl.envs.task import Moment

Point = tuple[float, float]
_X, _Y, _WIDE, _HIGH = 66.0, 92.0, 516.0, 468.0  # of the plot of a curve, points
_SIDE = 460.0  # of a map, a square at _X, _Y
_SCALE_X = _X + _SIDE + 26  # left edge of the map's colour scale
_LADDER: tuple[Color, ...] = ((22, 28, 62), (35, 75, 120), (52, 132, 140), (150, 182, 112), (252, 232, 108))
_MINE = HUES[0]  # what the agent did
_RECENT = 25  # predictions still drawn


def draw_bandit(
    canvas: Canvas, world: FunctionBandit, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """One slot of a function bandit; moments have seen (x, reward, what was missed)."""
    pulls = [moment.seen for moment in history if moment.age > history[0].age]
    page = _Page(world, slot)
    canvas.text(world.title, 36, 34, 19, INK, bold=True)
    canvas.text("try places, find where the hidden function is highest", 36, 57, 12, MUTED)
    page.ground(canvas)
    if not page.hidden:
        top, height = tuple(world.best_x[slot].tolist()), float(world.best[slot])
        if page.flat:
            canvas.ring(page.at(top), 12, GOAL, 2.5)
        else:
            at = page.at(top, height)
            canvas.dashed((at[0], _Y), (at[0], _Y + _HIGH), mix(FLOOR, GOAL, 0.5), 1.0)
            canvas.ring(at, 7, GOAL, 2.0)
    for k, (x, reward, _) in enumerate(pulls):
        fresh = (k + 1) / len(pulls)
        color = page.shade(reward) if page.flat else mix(FLOOR, _MINE, 0.25 + 0.75 * fresh)
        if k == len(pulls) - 1:
            if not page.flat:
                canvas.line([(page.at(x, reward)[0], _Y + _HIGH), page.at(x, reward)], mix(FLOOR, INK, 0.5), 1.2)
            canvas.disc(page.at(x, reward), 9, INK)
            canvas.disc(page.at(x, reward), 6.5, color)
        else:
            size = 5.0 if page.flat else 4.2
            canvas.disc(page.at(x, reward), size + 1.4, mix(FLOOR, INK, 0.25 + 0.5 * fresh) if page.flat else FLOOR)
            canvas.disc(page.at(x, reward), size, color)

    whose = "shown when the lifetime ends" if world.secret else "hidden from the agent"
    _legend(canvas, GOAL, f"the {'top' if page.flat else 'function and its top'}, {whose}", 66)
    _legend(canvas, _LADDER[3] if page.flat else _MINE, "pulls, the last ringed", 420)
    if references and not page.hidden:
        # Tops differ between lifetimes more than players do: compare by what is missed of this one's.
        shift = float(world.best[slot]) * world.steps - references["oracle"]
        references = {name: score + shift for name, score in references.items()}
    draw_panel(canvas, world, slot, history, references, trials=False)
    _rewards(canvas, world, slot, page, [reward for _, reward, _ in pulls])


def draw_regression(
    canvas: Canvas, world: FunctionRegression, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """One slot of learning from a teacher; moments have seen (x, target, prediction)."""
    examples = [moment.seen for moment in history if moment.age > history[0].age]
    page, now = _Page(world, slot), tuple(world.x[slot].tolist())
    canvas.text(world.title, 36, 34, 19, INK, bold=True)
    canvas.text("predict the value at x; the true one is told a step later", 36, 57, 12, MUTED)
    page.ground(canvas)
    for k, (x, target, prediction) in enumerate(examples):
        age = len(examples) - 1 - k
        fresh = max(0.0, 1.0 - age / _RECENT)
        told, guess = page.at(x, target), page.at(x, prediction)
        if page.flat:
            size = 3.2 + 2.8 * fresh + 3.5 * (age == 0)
            canvas.disc(told, size + 1.6, mix(FLOOR, INK, 0.3 + 0.7 * fresh))
            canvas.disc(told, size, page.shade(target))
            if fresh:
                canvas.disc(told, size * 0.5, page.shade(prediction))
            continue
        if fresh:
            canvas.line([guess, told], mix(FLOOR, WARN, 0.2 + 0.6 * fresh), 1.4)
            canvas.ring(guess, 3.6 + 3.0 * (age == 0), mix(FLOOR, _MINE, 0.15 + 0.85 * fresh), 1.8)
        canvas.disc(told, 2.6 + 1.6 * (age == 0), mix(FLOOR, INK, 0.35 + 0.65 * fresh))
    if int(world.age[slot]) < world.steps:
        page.mark(canvas, now)
    if page.flat and examples:
        page.on_scale(canvas, examples[-1][1], examples[-1][2])

    if page.flat:
        _legend(canvas, _LADDER[3], "told, and in the middle predicted: one colour if right", 66)
        _legend(canvas, INK, "cross: x now", 460)
    else:
        whose = "shown at the end" if world.secret else "hidden"
        _legend(canvas, GOAL, f"the function, {whose}", 66)
        _legend(canvas, INK, "told", 290)
        _legend(canvas, _MINE, "predicted", 362)
        canvas.dashed((470, 612), (494, 612), INK, 1.2)
        canvas.text("x now", 502, 612, 12, MUTED)
    draw_panel(canvas, world, slot, history, references, trials=False)
    _errors(canvas, world, [prediction - target for _, target, prediction in examples])


def place_at(world: FunctionWorld, point: Point) -> NDArray[np.float64]:
    """The x that is drawn at a point of the page, [D], perhaps outside the range."""
    family = world.family
    parts = [(point[0] - _X) / _WIDE]
    if family.inputs == 2:
        parts = [(point[0] - _X) / _SIDE, 1.0 - (point[1] - _Y) / _SIDE]
    return family.low + (family.high - family.low) * np.array(parts)


def height_at(world: FunctionWorld, slot: int, point: Point) -> float:
    """The value that is drawn at the height of a point of the page."""
    low, high, tall = *_shown(world, slot), _SIDE if world.family.inputs == 2 else _HIGH
    return low + (high - low) * (1.0 - (point[1] - _Y) / tall)


def _shown(world: FunctionWorld, slot: int) -> tuple[float, float]:
    """The values between the ends of the plot. What they say of the function, a person who plays must not see."""
    family = world.family
    if family.inputs == 2:
        return family.lowest, family.highest
    low, high = family.lowest, family.highest
    if not world.secret:
        values = family.value(world.function[[slot]], family.places(201)[None])[0]
        low, high = float(values.min()), float(values.max())
    margin = 0.12 * (high - low) + 2.0 * getattr(world, "noise", 0.0)
    return low - margin, high + margin


class _Page:
    """Where things lie on the page: a curve's plot, or (`flat`) a map."""

    def __init__(self, world: FunctionWorld, slot: int) -> None:
        self.world, self.slot, self.family = world, slot, world.family
        self.flat = world.family.inputs == 2
        self.hidden = world.secret and int(world.age[slot]) < world.steps
        self.bottom, self.top = _shown(world, slot)
        if self.top <= self.bottom:  # a function that may be flat
            self.bottom, self.top = self.bottom - 1.0, self.bottom + 1.0

    def at(self, x: Sequence[float], value: float = 0.0) -> Point:
        low, high = self.family.low, self.family.high
        right = (x[0] - low) / (high - low)
        if self.flat:
            return _X + _SIDE * right, _Y + _SIDE * (1.0 - (x[1] - low) / (high - low))
        up = min(max((value - self.bottom) / (self.top - self.bottom), 0.0), 1.0)
        return _X + _WIDE * right, _Y + _HIGH * (1.0 - up)

    def shade(self, value: float) -> Color:
        """The colour of a value on a map: dark is low, bright is high."""
        part = (value - self.family.lowest) / (self.family.highest - self.family.lowest) * (len(_LADDER) - 1)
        rung = min(max(int(part), 0), len(_LADDER) - 2)
        return mix(_LADDER[rung], _LADDER[rung + 1], min(max(part - rung, 0.0), 1.0))

    def ground(self, canvas: Canvas) -> None:
        """The empty plot, and the function on it unless it must stay hidden."""
        if self.flat:
            self._map(canvas)
            return
        canvas.bar(_X - 8, _Y - 8, _WIDE + 16, _HIGH + 16, FLOOR, rounded=8)
        for value in _ticks(self.bottom, self.top):
            y = self.at([self.family.low], value)[1]
            canvas.line([(_X - 8, y), (_X + _WIDE + 8, y)], mix(FLOOR, EDGE, 0.6 if value == 0 else 0.25), 1.0)
            canvas.text(f"{value:g}", _X - 14, y, 10.5, MUTED, anchor="r")
        for value in _ticks(self.family.low, self.family.high):
            x = self.at([value])[0]
            canvas.line([(x, _Y + _HIGH + 8), (x, _Y + _HIGH + 13)], EDGE, 1.0)
            canvas.text(f"{value:g}", x, _Y + _HIGH + 23, 10.5, MUTED, anchor="m")
        if not self.hidden:
            places = self.family.places(201)
            values = self.family.value(self.world.function[[self.slot]], places[None])[0]
            curve = [self.at(a, b) for a, b in zip(places.tolist(), values.tolist(), strict=True)]
            canvas.line(curve, GOAL, 2.4)

    def _map(self, canvas: Canvas) -> None:
        cells = 46
        canvas.bar(_X - 8, _Y - 8, _SIDE + 16, _SIDE + 16, FLOOR, rounded=8)
        if not self.hidden:
            axis = np.linspace(-1.0, 1.0, 2 * cells + 1)[1::2]
            places = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(1, -1, 2)
            values = self.family.value(self.world.function[[self.slot]], places)[0].reshape(cells, cells)
            size, shades = _SIDE / cells, [self.shade(k / 255) for k in range(256)]
            for row, numbers in enumerate(np.rint(255 * values).astype(int).tolist()):
                for column, number in enumerate(numbers):
                    canvas.bar(_X + column * size, _Y + _SIDE - (row + 1) * size, size, size, shades[number])
        for k in range(92):
            canvas.bar(_SCALE_X, _Y + _SIDE * (1 - (k + 1) / 92), 16, _SIDE / 92, self.shade(k / 91))
        for value, y in ((0.0, _Y + _SIDE + 12), (1.0, _Y - 12)):
            canvas.text(f"{value:g}", _SCALE_X + 8, y, 10.5, MUTED, anchor="m")
        for value in (-1.0, 0.0, 1.0):
            x, y = self.at([value, value])
            canvas.text(f"{value:g}", x, _Y + _SIDE + 21, 10.5, MUTED, anchor="m")
            canvas.text(f"{value:g}", _X - 14, y, 10.5, MUTED, anchor="r")

    def mark(self, canvas: Canvas, x: Sequence[float]) -> None:
        """The place whose value is wanted now."""
        a, b = self.at(x)
        if self.flat:
            canvas.line([(a - 12, b), (a + 12, b)], INK, 2.0)
            canvas.line([(a, b - 12), (a, b + 12)], INK, 2.0)
        else:
            canvas.dashed((a, _Y - 8), (a, _Y + _HIGH + 8), INK, 1.2)

    def on_scale(self, canvas: Canvas, told: float, predicted: float) -> None:
        """Marks beside the colour scale of a map: what was told and what had been predicted."""
        heights = [_Y + _SIDE * (1.0 - min(max(value, 0.0), 1.0)) for value in (told, predicted)]
        apart = heights[0] - heights[1]
        aside = max(0.0, 13.0 - abs(apart)) / 2.0 * (1.0 if apart >= 0 else -1.0)  # words must not touch
        for y, shift, color, word in zip(heights, (aside, -aside), (INK, _MINE), ("told", "said"), strict=True):
            canvas.line([(_SCALE_X - 5, y), (_SCALE_X + 21, y)], color, 2.4)
            canvas.text(word, _SCALE_X + 26, y + shift, 10.5, color)


def _legend(canvas: Canvas, color: Color, words: str, x: float) -> None:
    canvas.disc((x + 4, 612), 4.2, color)
    canvas.text(words, x + 15, 612, 12, MUTED)


def _rewards(canvas: Canvas, world: FunctionBandit, slot: int, page: _Page, rewards: list[float]) -> None:
    """The middle box: what each pull paid, beside what the top pays."""
    heading(canvas, "Reward of each pull", "" if page.hidden else "dashed: the top")
    low, high = (page.bottom, page.top) if not page.flat else (-0.1, 1.15)

    def at(k: float, value: float) -> Point:
        part = min(max((value - low) / (high - low), 0.0), 1.0)
        return LEFT + 8 + (RIGHT - LEFT - 16) * (k + 0.5) / world.steps, BOTTOM - 6 - (BOTTOM - TOP - 12) * part

    if not page.hidden:
        y = at(0, float(world.best[slot]))[1]
        canvas.dashed((LEFT, y), (RIGHT, y), mix(PANEL, GOAL, 0.9), 1.2)
    points = [at(k, reward) for k, reward in enumerate(rewards)]
    if len(points) > 1:
        canvas.line(points, mix(PANEL, _MINE, 0.45), 1.4)
    for point in points:
        canvas.disc(point, 3.2, _MINE)
    canvas.text("pull 1", LEFT, BOTTOM + 12, 10, MUTED)
    canvas.text(f"pull {world.steps}", RIGHT, BOTTOM + 12, 10, MUTED, anchor="r")


def _errors(canvas: Canvas, world: FunctionRegression, errors: list[float]) -> None:
    """The middle box: the typical error (root of the mean square) in each stretch of the lifetime."""
    bars = min(50, world.steps)
    stretch = math.ceil(world.steps / bars)
    heading(canvas, "Typical error", "1 example a bar" if stretch == 1 else f"{stretch} examples a bar")
    squares = np.square(errors)
    heights = [float(np.sqrt(squares[k : k + stretch].mean())) for k in range(0, len(errors), stretch)]
    tallest = max([*heights, world.family.close])
    width = (RIGHT - LEFT - 8) / bars
    for k, height in enumerate(heights):
        tall = max((BOTTOM - TOP - 16) * height / tallest, 1.0)
        good = height <= world.family.close
        canvas.bar(LEFT + 4 + k * width, BOTTOM - tall, width - 1.2, tall, GOAL if good else _MINE, rounded=1)
    y = BOTTOM - (BOTTOM - TOP - 16) * world.family.close / tallest
    canvas.dashed((LEFT, y), (RIGHT, y), mix(NIGHT, GOAL, 0.8), 1.0)
    canvas.text(f"{tallest:.2g}", RIGHT - 6, TOP + 9, 10, MUTED, anchor="r")
    canvas.text("example 1", LEFT, BOTTOM + 12, 10, MUTED)
    canvas.text(f"dashed: {world.family.close:g}, a hit", RIGHT, BOTTOM + 12, 10, MUTED, anchor="r")


def _ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers between low and high."""
    rough = (high - low) / 5.0
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * k for k in (1.0, 2.0, 5.0, 10.0) if unit * k >= rough)
    return [step * k for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]

"""The picture of a memory world: a tape of symbols that moves past, the question when it comes, and the answers.

Nothing here decides anything: the picture is made of what the world says and of the glimpses of earlier steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsnn_rl.envs.canvas import EDGE, FAINT, FLOOR, GOAL, HUES, INK, MUTED, NIGHT, WARN, Canvas, Color, mix
from lsnn_rl.envs.panel import BOTTOM, LEFT, RIGHT, TOP, draw_panel, heading
from lsnn_rl.envs.tape import NOTHING

if TYPE_CHECKING:
    from lsnn_rl.envs.tape import MemoryTask
    from lsnn_rl.envs.task import Moment

_TAPE, _NOW, _PITCH = 218.0, 498.0, 62.0  # height of the tape's middle, where the present is, distance of symbols
_PAST = 8  # symbols of the past on the tape
_STRIP = 492.0  # top of the strip of the whole lifetime


def draw_memory(
    canvas: Canvas, task: MemoryTask, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """Draw one slot; what was seen in each moment is the `glimpse` of MemoryTask."""
    open_book = not task.secret or int(task.age[slot]) >= task.steps
    canvas.text(task.title, 36, 34, 19, INK, bold=True)
    canvas.text(task.explanation, 36, 57, 12, MUTED)
    _tape(canvas, task, slot, history, open_book)
    _question(canvas, task, slot, history, open_book)
    _lifetime(canvas, task, history, open_book)
    draw_panel(canvas, task, slot, history, references, trials=False)
    _answers(canvas, history)


def _color(symbol: int) -> Color:
    return HUES[symbol % len(HUES)]


def _symbol(
    canvas: Canvas, task: MemoryTask, symbol: int, at: tuple[float, float], size: float, strength: float = 1.0
) -> None:
    """A tile with the name of a symbol; an empty frame where none is shown."""
    x, y = at
    if symbol == NOTHING:
        canvas.bar(x - size / 2, y - size / 2, size, size, mix(NIGHT, FAINT, 0.7 * strength), rounded=0.2 * size)
        canvas.bar(x - size / 2 + 2, y - size / 2 + 2, size - 4, size - 4, NIGHT, rounded=0.18 * size)
        return
    canvas.bar(x - size / 2, y - size / 2, size, size, mix(NIGHT, _color(symbol), strength), rounded=0.2 * size)
    canvas.text(task.symbol_names[symbol], x, y, 0.5 * size, mix(NIGHT, FLOOR, 0.3), "m", bold=True)


def _tape(canvas: Canvas, task: MemoryTask, slot: int, history: list[Moment], open_book: bool) -> None:
    """The present in its window, the past to its left, paler and paler."""
    canvas.bar(0, _TAPE - 46, 612, 92, mix(NIGHT, FLOOR, 0.55))
    for y in (_TAPE - 46, _TAPE + 44.5):
        canvas.bar(0, y, 612, 1.5, mix(NIGHT, EDGE, 0.6))
    canvas.bar(_NOW - 38, _TAPE - 58, 76, 116, INK, rounded=14)
    canvas.bar(_NOW - 35.5, _TAPE - 55.5, 71, 111, NIGHT, rounded=12)
    canvas.text("now", _NOW, _TAPE - 72, 11, MUTED, "m")
    kept = _kept(task, slot, history)
    for k, moment in enumerate(reversed(history[-1 - _PAST :])):
        x = _NOW - k * _PITCH - (12 if k else 0)
        if k and not open_book:  # a person has to remember it
            canvas.bar(x - 22, _TAPE - 22, 44, 44, mix(NIGHT, FAINT, 0.5), rounded=9)
            continue
        if k == kept and open_book:
            size = 64 if k == 0 else 52
            canvas.bar(x - size / 2, _TAPE - size / 2, size, size, GOAL, rounded=0.22 * size)
            canvas.bar(x - size / 2 + 2, _TAPE - size / 2 + 2, size - 4, size - 4, NIGHT, rounded=0.2 * size)
        _moment(canvas, task, moment, (x, _TAPE), 1.0 if k == 0 else 0.8 - 0.07 * k, now=k == 0)
    canvas.text("the past", 36, _TAPE - 62, 11, MUTED)
    canvas.text("to come", 601, _TAPE - 62, 11, MUTED, "r")
    if kept is not None and open_book:
        words = (
            "framed: what must be remembered"
            if kept <= _PAST
            else f"what must be remembered was shown {kept} steps ago"
        )
        canvas.text(words, 36, _TAPE + 64, 11, GOAL)


def _kept(task: MemoryTask, slot: int, history: list[Moment]) -> int | None:
    """How many steps ago that was shown which must be remembered now, if it is one thing."""
    if task.lag is not None:
        return task.lag if history[-1].seen[2] and task.lag < len(history) else None
    if not task.marks or not (history[-1].seen[2] or bool(task.task_known()[slot])):
        return None
    return next((k for k, moment in enumerate(reversed(history)) if moment.seen[1][0]), None)


def _moment(
    canvas: Canvas, task: MemoryTask, moment: Moment, at: tuple[float, float], strength: float, now: bool
) -> None:
    """Symbol, signs and question mark of one step."""
    (x, y), (symbol, signs, asked, *_) = at, moment.seen
    _symbol(canvas, task, symbol, at, 56 if now else 44, strength)
    for name, sign in zip(task.sign_names, signs, strict=True):
        if sign and name != "question":
            canvas.text(
                name.upper(), x, y - (44 if now else 35), 9.5, mix(NIGHT, INK, max(strength, 0.5)), "m", bold=True
            )
    if asked:
        below = 0 if symbol == NOTHING else 44 if now else 36
        canvas.text("?", x, y + below, 15 if below else 24, GOAL if now else MUTED, "m", bold=True)


def _question(canvas: Canvas, task: MemoryTask, slot: int, history: list[Moment], open_book: bool) -> None:
    """What may be answered, what is right, and how the last answer went."""
    asked, right = bool(task.asked[slot]), int(task.right[slot])
    canvas.text("Question" if asked else "No question now", 66, 316, 12, INK if asked else MUTED, bold=True)
    words = "which answer?" if asked else "look, and keep in mind what will be asked for"
    canvas.text(words, 66, 336, 12, MUTED)
    given = int(task.given[slot])
    gap = min(104.0, 480.0 / task.answers)
    for k, name in enumerate(task.answer_names):
        x, y = 66 + (k + 0.5) * gap, 386.0
        chosen = k == given
        color = (
            GOAL
            if chosen and bool(task.success[slot])
            else WARN
            if chosen
            else mix(NIGHT, EDGE, 0.9 if asked else 0.45)
        )
        wide = gap - 10
        canvas.bar(x - wide / 2, y - 20, wide, 40, color, rounded=9)
        canvas.bar(x - wide / 2 + 2, y - 18, wide - 4, 36, mix(NIGHT, color, 0.35 if chosen else 0.0), rounded=8)
        canvas.text(name, x, y, 15, INK if asked or chosen else MUTED, "m", bold=True)
        if asked and open_book and k == right:
            canvas.disc((x, y + 30), 4, GOAL)
    if given != NOTHING:
        words, color = ("right", GOAL) if task.success[slot] else ("wrong", WARN)
        canvas.text(f"last answer: {words}", 588, 326, 13, color, "r", bold=True)
    if open_book:
        canvas.disc((71, 432), 4, GOAL)
        canvas.text("the right answer, hidden from the agent", 84, 432, 11, MUTED)


def _lifetime(canvas: Canvas, task: MemoryTask, history: list[Moment], open_book: bool) -> None:
    """Every step of the lifetime so far, and below it the answers."""
    left, right, most = 66.0, 588.0, 160
    canvas.text("The lifetime, step by step", left, _STRIP - 16, 12, INK, bold=True)
    first = max(len(history) - most, 0)
    width = (right - left) / min(max(task.steps + 1, len(history) - first), most)
    canvas.bar(left, _STRIP, right - left, 56, mix(NIGHT, FLOOR, 0.9), rounded=3)
    canvas.bar(left, _STRIP + 64, right - left, 24, mix(NIGHT, FLOOR, 0.9), rounded=3)
    lanes = max(task.symbols, 1)
    for k, moment in enumerate(history[first:]):
        symbol, signs, asked, _, given = moment.seen
        x, shown = left + k * width, open_book or k == len(history) - first - 1
        if shown and symbol != NOTHING:
            marked = any(sign for name, sign in zip(task.sign_names, signs, strict=True) if name != "question")
            tall = 52 / lanes
            color = _color(symbol) if marked or not task.marks else mix(FLOOR, _color(symbol), 0.4)
            canvas.bar(x, _STRIP + 2 + symbol * tall, max(0.85 * width, 1.0), tall - 1, color)
        if shown and asked and task.marks:
            canvas.bar(x, _STRIP + 2, max(0.3 * width, 1.5), 52, mix(FLOOR, INK, 0.7))
        if given != NOTHING:
            well = moment.success
            canvas.bar(x - width, _STRIP + (66 if well else 77), max(0.85 * width, 1.5), 9, GOAL if well else WARN)
    if not open_book:
        canvas.text("what was seen is shown when the lifetime is over", left + 12, _STRIP + 28, 11, MUTED)
    canvas.text("seen", left - 10, _STRIP + 28, 10, MUTED, "r")
    canvas.text("right", left - 10, _STRIP + 70, 10, GOAL, "r")
    canvas.text("wrong", left - 10, _STRIP + 82, 10, WARN, "r")
    canvas.text(f"step {first}" if first else "0", left, _STRIP + 102, 10, MUTED)
    canvas.text(f"{task.steps} steps", right, _STRIP + 102, 10, MUTED, "r")


def _answers(canvas: Canvas, history: list[Moment]) -> None:
    """One square per question: right or wrong."""
    answered = [moment.success for moment in history if moment.seen[4] != NOTHING]
    heading(canvas, "Questions answered", f"{sum(answered)} of {len(answered)} right" if answered else "")
    columns = 12 if len(answered) <= 48 else 24
    size, most = (RIGHT - LEFT - 12) / columns, columns * int((BOTTOM - TOP - 8) / ((RIGHT - LEFT - 12) / columns))
    for k, well in enumerate(answered[-most:]):
        x, y = LEFT + 6 + k % columns * size, TOP + 6 + k // columns * size
        canvas.bar(x + 1.5, y + 1.5, size - 3, size - 3, GOAL if well else WARN, rounded=0.2 * size)

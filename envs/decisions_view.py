"""Pictures of the two-step task, as its tree with the path taken, and of Harlow's pairs, as two objects on a line.

Nothing here decides anything: the pictures are made of what the worlds say and of the glimpses of earlier steps.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from lsnn_rl.envs.canvas import EDGE, FAINT, FLOOR, GOAL, HUES, INK, MUTED, NIGHT, PANEL, WARN, Canvas, Color, mix
from lsnn_rl.envs.decisions import CHOICE, FIRST, NOTHING, REST
from lsnn_rl.envs.panel import BOTTOM, LEFT, RIGHT, TOP, draw_panel, heading

if TYPE_CHECKING:
    from lsnn_rl.envs.decisions import Harlow, TwoStep
    from lsnn_rl.envs.task import Moment

_A, _B = HUES[0], HUES[1]  # choice 0 and its state A, choice 1 and its state B
_X = (196.0, 416.0)  # of choices and states, points
_CHOICES, _STATES, _COIN = 138.0, 296.0, 362.0  # their heights
_STRIP, _ROW = 434.0, 52.0  # top of the record of trials, height of its rows
_LINE, _MIDDLE, _REACH = 290.0, 306.0, 176.0  # Harlow's line: height, middle, distance of the objects


class Trial(NamedTuple):
    """One trial of the two-step task: choice, state (0 or 1), was it rewarded, was B the better state."""

    choice: int
    state: int
    paid: bool
    b_better: bool


def draw_two_step(
    canvas: Canvas, task: TwoStep, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """Draw one slot; what was seen in each moment is the `glimpse` of TwoStep."""
    open_book = not task.secret or int(task.age[slot]) >= task.steps
    trials = _trials(history)
    canvas.text("Two-step task", 36, 34, 19, INK, bold=True)
    canvas.text(
        "choose; you come to one of two states, usually that of your choice; one of them pays", 36, 57, 12, MUTED
    )
    _tree(canvas, task, slot, trials, open_book)
    if open_book:
        _record(canvas, task, trials)
    else:
        canvas.text("the record of all trials is shown when the lifetime is over", 66, _STRIP - 18, 12, MUTED)
    draw_panel(canvas, task, slot, history, references, trials=False)
    _stays(canvas, trials if open_book else [])


def _trials(history: list[Moment]) -> list[Trial]:
    """The trials that are over."""
    found, choice, state = [], NOTHING, NOTHING
    for moment in history:
        stage, chosen, over, paid, b_better = moment.seen
        if chosen != NOTHING:
            choice, state = chosen, stage - FIRST
        elif over and choice != NOTHING:
            found.append(Trial(choice, state, paid, b_better))
    return found


def _tree(canvas: Canvas, task: TwoStep, slot: int, trials: list[Trial], open_book: bool) -> None:
    stage, done, over = int(task.stage[slot]), int(task.choice[slot]), bool(task.over[slot])
    arrived = stage >= FIRST
    choice, state = (done, stage - FIRST) if arrived else (trials[-1][:2] if over and trials else (NOTHING, NOTHING))
    for start in (0, 1):
        for end in (0, 1):
            common, taken = start == end, (start, end) == (choice, state)
            a, b = (_X[start], _CHOICES + 34), (_X[end], _STATES - 40)
            color = (_A, _B)[start] if taken else mix(NIGHT, EDGE, 0.75)
            if common:
                canvas.line([a, b], color, 7.0 if taken else 4.0)
            else:
                canvas.dashed(a, b, color, 5.0 if taken else 1.6, 7.0)
    for k, color in enumerate((_A, _B)):
        lit = k == choice or stage == CHOICE
        canvas.bar(_X[k] - 40, _CHOICES - 30, 80, 60, color if lit else mix(NIGHT, color, 0.28), rounded=12)
        canvas.text(str(k + 1), _X[k], _CHOICES, 24, NIGHT if lit else mix(NIGHT, INK, 0.55), "m", bold=True)
        canvas.disc((_X[k], _STATES), 38, mix(FLOOR, color, 0.9 if k == state else 0.25))
        canvas.ring((_X[k], _STATES), 38, color if k == state else mix(NIGHT, color, 0.55), 2.0)
        name_color = NIGHT if k == state else mix(FLOOR, INK, 0.7)
        canvas.text("AB"[k], _X[k], _STATES, 24, name_color, "m", bold=True)
        if open_book:
            better = bool(task.better[slot]) == (k == 1)
            words = f"pays {100 * (task.high if better else task.low):.0f} %"
            side = _X[k] - 52 if k == 0 else _X[k] + 52
            canvas.text(words, side, _STATES, 13, GOAL if better else MUTED, "r" if k == 0 else "l", bold=better)
    if over and trials:
        paid = trials[-1].paid
        canvas.disc((_X[state], _COIN), 15, GOAL if paid else mix(NIGHT, WARN, 0.25))
        canvas.ring((_X[state], _COIN), 15, GOAL if paid else WARN, 1.75)
        canvas.text("1" if paid else "0", _X[state], _COIN, 15, NIGHT if paid else WARN, "m", bold=True)
    now = {REST: "pause", CHOICE: "choose 1 or 2"}.get(stage, f"in state {'AB'[stage - FIRST] if arrived else ''}")
    canvas.text(now, 306, _CHOICES, 13, INK if stage == CHOICE else MUTED, "m")
    canvas.text(f"{100 * task.common:.0f} %", _X[0] - 14, (_CHOICES + _STATES) / 2, 11, MUTED, "r")
    canvas.text(f"{100 * task.common:.0f} %", _X[1] + 14, (_CHOICES + _STATES) / 2, 11, MUTED, "l")
    canvas.text(f"{100 - 100 * task.common:.0f} %", 306, (_CHOICES + _STATES) / 2 - 24, 11, MUTED, "m")


def _record(canvas: Canvas, task: TwoStep, trials: list[Trial]) -> None:
    """Every trial a column: where it led, was it paid, and, as the ground, which state was the better one."""
    left, right = 66.0, 588.0
    canvas.text("State reached, trial by trial", left, _STRIP - 18, 12, INK, bold=True)
    most = max(min(task.steps // 3, 130), len(trials[-130:]), 1)
    width = (right - left) / most
    for row, name in enumerate("AB"):
        canvas.bar(left, _STRIP + row * _ROW, right - left, _ROW - 4, mix(NIGHT, FLOOR, 0.9), rounded=3)
        canvas.text(name, left - 12, _STRIP + (row + 0.46) * _ROW, 13, (_A, _B)[row], "r", bold=True)
    for k, trial in enumerate(trials[-most:]):
        x = left + k * width
        canvas.bar(x, _STRIP + trial.b_better * _ROW, width + 0.5, _ROW - 4, mix(FLOOR, GOAL, 0.20))
        y, tall = _STRIP + trial.state * _ROW, _ROW - 12
        color, part = (GOAL, 1.0) if trial.paid else (WARN, 0.3)
        canvas.bar(x + 0.12 * width, y + 4 + (1 - part) * tall, max(0.76 * width, 1.2), part * tall, color, rounded=1)
        canvas.bar(x + 0.12 * width, _STRIP + 2 * _ROW + 8, max(0.76 * width, 1.2), 12, (_A, _B)[trial.choice])
    canvas.text("choice", left - 12, _STRIP + 2 * _ROW + 14, 10, MUTED, "r")
    y = 606
    canvas.bar(left, y - 6, 8, 12, GOAL, rounded=1)
    canvas.text("paid", left + 15, y, 11, MUTED)
    canvas.bar(left + 62, y + 1, 8, 5, WARN, rounded=1)
    canvas.text("not paid", left + 77, y, 11, MUTED)
    canvas.bar(left + 148, y - 6, 18, 12, mix(FLOOR, GOAL, 0.20))
    canvas.text("the better state then, which the agent is never told", left + 173, y, 11, MUTED)


def _stays(canvas: Canvas, trials: list[Trial]) -> None:
    """How often a choice was repeated, by what had followed it: the signature of having a model or none."""
    heading(canvas, "How often is a choice repeated?", "after")
    width, ground, tall = (RIGHT - LEFT) / 4, BOTTOM - 22, BOTTOM - TOP - 40
    labels = [(True, True), (True, False), (False, True), (False, False)]
    for k, (paid, common) in enumerate(labels):
        after = [
            second.choice == first.choice
            for first, second in pairwise(trials)
            if first.paid == paid and (first.choice == first.state) == common
        ]
        x = LEFT + (k + 0.5) * width
        if after:
            share = sum(after) / len(after)
            canvas.bar(x - 20, ground - share * tall, 40, max(share * tall, 1.5), GOAL if paid else WARN, rounded=2)
            canvas.text(f"{100 * share:.0f} %", x, ground - share * tall - 9, 10, INK, "m")
        else:
            canvas.bar(x - 20, ground - 1.5, 40, 1.5, FAINT)
        canvas.text(f"{'paid' if paid else 'unpaid'}, {'usual' if common else 'rare'}", x, BOTTOM - 10, 9.5, MUTED, "m")
    canvas.dashed((LEFT, ground - tall / 2), (RIGHT, ground - tall / 2), mix(PANEL, INK, 0.3), 1.0)


# -- Harlow's pairs ----------------------------------------------------------------------------------------------------


def draw_harlow(
    canvas: Canvas, task: Harlow, slot: int, history: list[Moment], references: dict[str, float] | None
) -> None:
    """Draw one slot; what was seen in each moment is the `glimpse` of Harlow."""
    open_book = not task.secret or int(task.age[slot]) >= task.steps
    canvas.text("Harlow's pairs", 36, 34, 19, INK, bold=True)
    canvas.text("one of the two objects is the right one, on whichever side it lies", 36, 57, 12, MUTED)
    _objects(canvas, task, slot, open_book)
    _pairs(canvas, task, history)
    draw_panel(canvas, task, slot, history, references, trials=False)
    _learning_set(canvas, task, history)


def _objects(canvas: Canvas, task: Harlow, slot: int, open_book: bool) -> None:
    resting, over, hit = bool(task.resting[slot]), bool(task.over[slot]), bool(task.success[slot])
    step = _REACH / task.distance
    canvas.line([(_MIDDLE - _REACH, _LINE), (_MIDDLE + _REACH, _LINE)], EDGE, 2.0)
    for k in range(-task.distance, task.distance + 1):
        canvas.disc((_MIDDLE + k * step, _LINE), 3.5, EDGE)
    if not resting or over:
        strength = 0.45 if over else 1.0
        for right_end in (False, True):
            good = bool(task.on_right[slot]) == right_end
            features = task.objects[slot, 0 if good else 1]
            at = (_MIDDLE + (_REACH if right_end else -_REACH), _LINE - 110)
            _object(canvas, features.tolist(), at, strength)
            if good and (open_book or over):
                canvas.ring(at, 80, GOAL, 2.5, dashes=0 if over else 30)
    direction = 1 if task.walked[slot] == 1 else -1
    place = direction * task.distance if over else int(task.place[slot])
    at = (_MIDDLE + place * step, _LINE)
    canvas.disc(at, 16, mix(NIGHT, GOAL if hit else WARN if over else INK, 0.3))
    canvas.disc(at, 10, INK)
    canvas.disc(at, 6.5, GOAL if hit else WARN if over else NIGHT)
    if over:
        words, color = ("the right one", GOAL) if hit else ("the wrong one", WARN)
        canvas.text(words, at[0], _LINE + 34, 14, color, "m", bold=True)
    elif resting:
        canvas.text("pause", _MIDDLE, _LINE + 34, 13, MUTED, "m")
    canvas.ring((45, 612), 7, GOAL, 1.75, dashes=9)
    whose = (
        "the right object, known after the first look" if not open_book else "the right object, hidden from the agent"
    )
    canvas.text(whose, 60, 612, 12, MUTED)


def _object(canvas: Canvas, features: list[float], at: tuple[float, float], strength: float) -> None:
    """Outer colour, inner colour and inner size stand for the first three numbers."""
    outer, inner, size = (*features, 0.0, 0.0)[:3]
    canvas.disc(at, 66, mix(NIGHT, _shade(outer), strength))
    canvas.disc(at, 22 + 30 * (size + 1) / 2, mix(NIGHT, _shade(inner), strength))


def _shade(value: float) -> Color:
    """A colour for a number from -1 to 1, blending from one hue to the next."""
    hues = (HUES[4], HUES[1], HUES[6], HUES[2], HUES[0], HUES[5], HUES[3])
    place = min(max((value + 1) / 2, 0.0), 1.0) * (len(hues) - 1)
    low = min(int(place), len(hues) - 2)
    return mix(hues[low], hues[low + 1], place - low)


def _ends(history: list[Moment]) -> list[tuple[int, bool]]:
    """Every trial that is over: its number within its pair, from 1, and whether it ended well."""
    return [(moment.seen[0], moment.seen[2]) for moment in history if moment.seen[1]]


def _pairs(canvas: Canvas, task: Harlow, history: list[Moment]) -> None:
    """A row of boxes per pair, one box per trial."""
    rows: list[list[bool]] = []
    for number, well in _ends(history):
        if number == 1 or not rows:
            rows.append([])
        rows[-1].append(well)
    shown = rows[-6:] or [[]]
    canvas.text("Trials with each pair", 66, 376, 12, INK, bold=True)
    size = min(52.0, 400.0 / task.trials_per_pair)
    for r, row in enumerate(shown):
        y = 394 + r * 34
        canvas.text(f"pair {max(len(rows), 1) - len(shown) + r + 1}", 66, y + 14, 11, MUTED)
        for k in range(task.trials_per_pair):
            color = (GOAL if row[k] else WARN) if k < len(row) else mix(NIGHT, FLOOR, 0.9)
            canvas.bar(126 + k * (size + 6), y, size, 27, color, rounded=4)


def _learning_set(canvas: Canvas, task: Harlow, history: list[Moment]) -> None:
    """Share of right choices by trial within a pair: half at first sight, then, with one look, all."""
    heading(canvas, "Right by trial of a pair", "one look is enough")
    ends, count = _ends(history), min(task.trials_per_pair, 24)
    width, ground, tall = (RIGHT - LEFT) / count, BOTTOM - 20, BOTTOM - TOP - 34
    for k in range(count):
        well = [hit for number, hit in ends if number == k + 1]
        x = LEFT + k * width
        if well:
            share = sum(well) / len(well)
            canvas.bar(
                x + 0.18 * width, ground - share * tall, 0.64 * width, max(share * tall, 1.5), HUES[1], rounded=2
            )
        can = ground - tall * (0.5 if k == 0 else 1.0)
        canvas.dashed((x + 0.08 * width, can), (x + 0.92 * width, can), GOAL, 1.4, 4.0)
        canvas.text(str(k + 1), x + width / 2, BOTTOM - 9, 10, MUTED, "m")

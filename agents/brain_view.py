"""The picture of an agent at work: its world, its spikes, its thresholds, what it believes and what it expects.

One page of 1280 x 720 points for one agent; two agents share it, each with less. Everything is drawn from a
`Performance`, for any step of the past as well as for the present one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.performance import Performance
from lsnn_rl.envs.canvas import (
    EDGE,
    FLOOR,
    GOAL,
    HEIGHT,
    HUES,
    INK,
    MUTED,
    NIGHT,
    PANEL,
    WARN,
    WIDTH,
    Canvas,
    Color,
    mix,
    pixels_of,
)

PAGE = (1280, 720)
SEEN = 240  # environment steps in raster and heat map
_COLOURS = {"regular": HUES[1], "adaptive": HUES[0], "inhibitory": HUES[3], "units": HUES[1]}
# Dark to bright as the eye sees it, for every kind of colour vision: five colours on the way of matplotlib's cividis.
_HEAT = np.array([(0, 32, 77), (66, 78, 108), (124, 123, 120), (188, 173, 108), (255, 234, 70)], np.float64)


class BrainView:
    """Draws one performance, or two of the same lifetime side by side.

    Args:
        scale: pixels per point of the page.
        brain: show the networks too; if not, the page is the world's own.
        by_place: order the cells by where in the world they fire, not by their number.
    """

    def __init__(self, scale: float = 1.0, brain: bool = True, by_place: bool = False) -> None:
        self.scale, self.brain, self.by_place = scale, brain, by_place
        self.page = PAGE if brain else (WIDTH, HEIGHT)
        self._canvas = Canvas(scale, self.page, finer=1)
        self._worlds: dict[float, Canvas] = {}

    def rescaled(self, scale: float) -> BrainView:
        """The same view in another size."""
        return BrainView(scale, self.brain, self.by_place)

    def picture(self, shows: list[Performance], step: int, notes: str = "", help_lines: list[str] | None = None) -> Any:
        """A pygame surface of everything after `step` steps of the lifetime."""
        canvas = self._canvas
        canvas.clear()
        if not self.brain:
            self._world(shows[0], step, 0, 0, 1.0)
        elif len(shows) == 1:
            self._alone(shows[0], step)
        else:
            self._pair(shows, step)
        canvas.text(notes, 36, self.page[1] - 10, 10, MUTED)
        picture = canvas.finish()
        if help_lines:
            self._help(picture, help_lines)
        return picture

    def image(self, shows: list[Performance], step: int) -> NDArray[np.uint8]:
        """The same as an image [height, width, 3]."""
        return pixels_of(self.picture(shows, step))

    # -- layouts ------------------------------------------------------------------------------------------------------

    def _alone(self, show: Performance, step: int) -> None:
        canvas, left, width = self._canvas, 784.0, 480.0
        self._world(show, step, 0, 0, 0.8)
        canvas.bar(768, 0, 512, 720, PANEL)
        order = self._order(show, step)
        self._activity(show, step, order, left, 40, width, 216)
        self._thresholds(show, step, order, left, 300, width, 132)
        self._belief(show, step, left, 476, width, 216)
        self._value(show, step, 32, 546, 420, 136)
        self._numbers(show, step, 490, 536)

    def _pair(self, shows: list[Performance], step: int) -> None:
        canvas = self._canvas
        for k, show in enumerate(shows):
            left, width, now = 640.0 * k, 640.0, min(step, show.steps)
            self._world(show, now, left, 22, width / WIDTH)
            canvas.bar(left, 450, width, 270, PANEL)
            canvas.text(show.name, left + 24, 12, 12, HUES[k], bold=True)
            order = self._order(show, now)
            self._activity(show, now, order, left + 24, 478, 340, 96)
            self._thresholds(show, now, order, left + 24, 604, 340, 84)
            self._belief(show, now, left + 392, 478, 224, 210)
        canvas.line([(640, 0), (640, 720)], EDGE, 1.5)

    # -- panels -------------------------------------------------------------------------------------------------------

    def _world(self, show: Performance, step: int, x: float, y: float, size: float) -> None:
        """The world's own picture, at `size` times its page."""
        canvas = self._worlds.setdefault(size, Canvas(self.scale * size))
        canvas.clear()
        with show.at(step) as task:
            task.draw(canvas, 0, show.moments[: step + 1], show.references)
        self._canvas.image(pixels_of(canvas.finish()), x, y, WIDTH * size, HEIGHT * size)

    def _order(self, show: Performance, step: int) -> NDArray[np.intp]:
        """Cells by number, or each population by the direction in which its cells fire most."""
        size = len(show.looks[0].activity)
        order = np.arange(size)
        if not self.by_place or size == 0 or len(show.observations[0]) < 2:
            return order
        in_arena = hasattr(show.task, "radius")  # elsewhere the first two numbers that are seen stand for a place
        where = [moment.seen for moment in show.moments] if in_arena else show.observations
        places = np.stack(where[: step + 1])[:, :2]
        activity = np.stack([look.activity for look in show.looks[: step + 1]])
        mean = activity.T @ places / np.maximum(activity.sum(0), 1.0)[:, None]
        angle = np.arctan2(mean[:, 1], mean[:, 0])
        parts = _populations(show)
        return np.concatenate([order[part][np.argsort(angle[part], kind="stable")] for part in parts.values()])

    def _activity(
        self, show: Performance, step: int, order: NDArray[np.intp], x: float, y: float, width: float, height: float
    ) -> None:
        """A raster of spikes, the newest at the right; for a gated network its units from dark to bright."""
        canvas = self._canvas
        name = "Spikes" if show.spiking else "Units"
        self._title(name, "by place" if self.by_place else "", x, y, width)
        if not len(order):
            self._nothing("this agent has no network", x, y, width, height)
            return
        window = _window(show, step, "activity")[:, order]
        rows = min(len(order), int(height * self.scale))
        cuts = np.ceil(np.arange(rows) * len(order) / rows - 0.5).astype(int)  # a cell is where its middle lies
        dark = mix(PANEL, NIGHT, 0.6)
        ground = np.array(dark, np.float64)
        colours = np.zeros((len(order), 3))
        for label, part in _populations(show).items():
            colours[part] = _colour(label)
        peak = np.maximum.reduceat(np.abs(window) if not show.spiking else window, cuts, axis=1)  # [SEEN, rows]
        pixels = ground + peak.T[:, :, None] * (colours[order][cuts][:, None] - ground)
        canvas.image(np.clip(pixels, 0, 255).astype(np.uint8), x, y, width, height)
        for label, part in _populations(show).items():
            middle = y + height * (part.start + part.stop) / 2 / len(order)
            canvas.bar(x + 3, middle - 8, 8 + 6.4 * len(f"{label} {part.stop - part.start}"), 16, dark, rounded=3)
            canvas.text(
                f"{label.replace('_', ' ')} {part.stop - part.start}", x + 6, middle, 10, _colour(label), bold=True
            )
        self._trials(show, step, x, y, width, height)

    def _thresholds(
        self, show: Performance, step: int, order: NDArray[np.intp], x: float, y: float, width: float, height: float
    ) -> None:
        """How far the threshold of each adaptive cell is raised: a slow trace of its spikes."""
        self._title("Thresholds of the adaptive cells", "", x, y, width)
        if not len(show.looks[step].threshold):
            self._nothing("nothing adapts in this agent", x, y, width, height)
            return
        levels = _window(show, step, "threshold")
        adaptive = show.network.populations["adaptive"]  # type: ignore[union-attr]
        mine = [cell - adaptive.start for cell in order if adaptive.start <= cell < adaptive.stop]
        levels = levels[:, mine].T
        highest = max(float(levels.max()), 1.0 + 1e-6)
        raised = np.sqrt(np.maximum(levels - 1.0, 0.0) / (highest - 1.0))  # a few are raised far beyond the others
        self._canvas.image(_heat(np.minimum(raised, 1.0)), x, y, width, height)
        self._canvas.text(f"up to {highest:.1f} times the resting one", x + width, y - 13, 10, MUTED, "r")
        self._trials(show, step, x, y, width, height)

    def _belief(self, show: Performance, step: int, x: float, y: float, width: float, height: float) -> None:
        """The hidden task as it can be read from the thresholds, beside the true one."""
        belief, decoder = show.looks[step].belief, show.decoder
        if belief is None or decoder is None:
            self._title("What it believes", "", x, y, width)
            self._nothing("no decoder was fitted", x, y, width, height)
            return
        source = "thresholds" if decoder.names == ("b",) else "state"
        with show.at(step) as task:
            truth, hidden, known = task.task_vector()[0], task.secret, bool(task.task_known()[0])
            self._title("What it believes", f"read from its {source}" if width > 300 else "", x, y, width)
            side = min(width, height)
            if hasattr(task, "radius") and len(truth) == 2:
                place = task.place[0]  # type: ignore[attr-defined]
                self._map(show, place, belief, truth, hidden, x, y, side)
                what, legend = "goal", ("the brighter, the likelier", "dashed: the goal itself")
            else:
                self._bars(belief, truth, hidden, x, y, side, height)
                what, legend = "task", ("bars: what it believes", "green: what is so")
        if width > side + 100:
            canvas, at = self._canvas, x + side + 24
            error = float(np.linalg.norm(belief - truth))
            for k, words in enumerate(legend):
                canvas.text(words, at, y + 16 + 20 * k, 11, MUTED)
            canvas.text(f"{error:.2f}", at, y + 82, 28, INK if known else MUTED, bold=True)
            canvas.text("from belief to truth", at, y + 106, 11, MUTED)
            words = f"the {what} was met" if known else f"the {what} was not met yet"
            canvas.text(words, at, y + 136, 11, GOAL if known else WARN)
            canvas.text(f"typical error {decoder.error:.2f}, in training", at, y + 156, 11, MUTED)

    def _map(
        self,
        show: Performance,
        place: NDArray[np.float64],
        belief: NDArray[np.float32],
        truth: NDArray[np.float32],
        hidden: bool,
        x: float,
        y: float,
        side: float,
    ) -> None:
        canvas, radius = self._canvas, float(show.task.radius)  # type: ignore[attr-defined]
        dots = int(side * self.scale / 2)
        axis = np.linspace(-radius, radius, dots) * 1.02
        across, up = np.meshgrid(axis, -axis)
        near = show.decoder.density(belief, np.stack([across, up], axis=-1))  # type: ignore[union-attr]
        near /= near.max()
        ground, glow = np.array(FLOOR, np.float64), np.array(HUES[2], np.float64)
        pixels = ground + near[:, :, None] * (glow - ground)
        pixels[across**2 + up**2 > radius**2] = PANEL
        canvas.image(pixels.astype(np.uint8), x, y, side, side)

        def page(point: NDArray) -> tuple[float, float]:
            return x + side * (0.5 + float(point[0]) / radius / 2.04), y + side * (
                0.5 - float(point[1]) / radius / 2.04
            )

        canvas.arc((x + side / 2, y + side / 2), side / 2.04, 0.0, 2 * np.pi, EDGE, 1.5)
        if not hidden:
            size = side / 2.04 * show.task.goal_radius / radius  # type: ignore[attr-defined]
            canvas.ring(page(truth), size, GOAL, 1.5, dashes=20)
        canvas.disc(page(place), 4, INK)

    def _bars(
        self,
        belief: NDArray[np.float32],
        truth: NDArray[np.float32],
        hidden: bool,
        x: float,
        y: float,
        width: float,
        height: float,
    ) -> None:
        canvas = self._canvas
        canvas.bar(x, y, width, height, mix(PANEL, NIGHT, 0.6), rounded=4)
        low = min(0.0, float(min(belief.min(), truth.min())))
        high = max(float(max(belief.max(), truth.max())), low + 1e-6)
        slot = min((width - 16) / len(belief), 48.0)

        def level(value: float) -> float:
            return y + height - 10 - (height - 20) * (value - low) / (high - low)

        for k, (guess, right) in enumerate(zip(belief, truth, strict=True)):
            left, top, ground = x + 8 + k * slot, level(max(float(guess), 0.0)), level(min(float(guess), 0.0))
            canvas.bar(left + 0.15 * slot, top, 0.7 * slot, max(ground - top, 1.0), HUES[2], rounded=2)
            if not hidden:
                canvas.line(
                    [(left + 0.05 * slot, level(float(right))), (left + 0.95 * slot, level(float(right)))], GOAL, 2
                )

    def _value(self, show: Performance, step: int, x: float, y: float, width: float, height: float) -> None:
        """What the agent expects from here on, over the lifetime so far."""
        canvas = self._canvas
        self._title("What it expects to earn from here on", "value, discounted", x, y, width)
        canvas.bar(x, y, width, height, mix(PANEL, NIGHT, 0.6), rounded=4)
        values = np.array([look.value for look in show.looks[1 : step + 1]])
        if not len(values) or np.isnan(values).all():
            canvas.text("it says nothing about that", x + width / 2, y + height / 2, 11, MUTED, "m")
            return
        low, high = min(0.0, float(np.nanmin(values))), max(float(np.nanmax(values)), 0.1)
        stride = max(1, len(values) // 400)
        steps = show.task.steps
        points = [
            (x + width * (k + 1) / steps, y + height - 6 - (height - 12) * (values[k] - low) / (high - low))
            for k in range(0, len(values), stride)
        ]
        for k, moment in enumerate(show.moments[1 : step + 1]):
            if moment.success:
                at = x + width * (k + 1) / steps
                canvas.line([(at, y + height - 5), (at, y + height)], GOAL, 1.0)
        canvas.line(points, HUES[4], 1.6)
        canvas.disc(points[-1], 3.5, HUES[4])
        canvas.text(f"{high:.2f}", x + width - 6, y + 10, 10, MUTED, "r")
        canvas.text("green: trials that ended well", x, y + height + 12, 10, MUTED)

    def _numbers(self, show: Performance, step: int, x: float, y: float) -> None:
        """Firing rate and what a goal costs, over the lifetime so far."""
        canvas = self._canvas
        if not show.spiking or step == 0 or show.network is None:
            canvas.text("no spikes are counted here", x, y + 10, 11, MUTED)
            return
        network: Any = show.network
        looks = show.looks[1 : step + 1]
        seconds = len(looks) * network.substeps * network.dt_ms / 1000
        spikes, operations = sum(look.spikes for look in looks), sum(look.operations for look in looks)
        fired = np.sum([look.activity for look in looks], axis=0) > 0
        goals = show.moments[step].trial + show.moments[step].success
        rows = [
            ("firing rate", f"{spikes / seconds / network.size:.1f} Hz"),
            ("cells that ever fired", f"{100 * fired.mean():.0f} %"),
            ("spikes per trial", f"{spikes / goals:,.0f}" if goals else "none done yet"),
            ("synaptic additions per trial", f"{operations / goals:,.0f}" if goals else "none done yet"),
        ]
        for k, (words, number) in enumerate(rows):
            canvas.text(words, x, y + 38 * k, 10.5, MUTED)
            canvas.text(number, x, y + 16 + 38 * k, 14, INK, bold=True)

    # -- small things -------------------------------------------------------------------------------------------------

    def _title(self, words: str, aside: str, x: float, y: float, width: float) -> None:
        self._canvas.text(words, x, y - 14, 12, INK, bold=True)
        self._canvas.text(aside, x + width, y - 14, 10, MUTED, "r")

    def _nothing(self, words: str, x: float, y: float, width: float, height: float) -> None:
        self._canvas.bar(x, y, width, height, mix(PANEL, NIGHT, 0.6), rounded=4)
        self._canvas.text(words, x + width / 2, y + height / 2, 11, MUTED, "m")

    def _trials(self, show: Performance, step: int, x: float, y: float, width: float, height: float) -> None:
        """A line in the steps that ended a trial well."""
        first = step + 1 - SEEN
        for k in range(max(first, 0), step + 1):
            if show.moments[k].success:
                at = x + width * (k - first + 0.5) / SEEN
                self._canvas.line([(at, y), (at, y + height)], mix(NIGHT, GOAL, 0.9), 1.0)

    def _help(self, picture: Any, lines: list[str]) -> None:
        """What the keys do, in a box over the middle of the picture."""
        box = Canvas(self.scale, (440, 30 + 22 * len(lines)))
        box.clear(mix(NIGHT, PANEL, 0.5))
        for k, line in enumerate(lines):
            key, _, meaning = line.partition(": ")
            box.text(key, 28, 26 + 22 * k, 12, GOAL, bold=True)
            box.text(meaning, 160, 26 + 22 * k, 12, INK)
        drawn = box.finish()
        corner = [(whole - part) // 2 for whole, part in zip(picture.get_size(), drawn.get_size(), strict=True)]
        picture.blit(drawn, corner)


def _populations(show: Performance) -> dict[str, slice]:
    if not show.spiking or show.network is None:
        return {"units": slice(0, len(show.looks[0].activity))}
    return dict(show.network.populations)


def _colour(label: str) -> Color:
    kind = "inhibitory" if "inhibitory" in label else label.partition("_")[0]
    return _COLOURS[kind]


def _window(show: Performance, step: int, name: str) -> NDArray[np.float32]:
    """The last SEEN looks, [SEEN, ...], zeros before the lifetime began."""
    looks = np.stack([getattr(look, name) for look in show.looks[max(0, step + 1 - SEEN) : step + 1]])
    return np.pad(looks, ((SEEN - len(looks), 0), (0, 0)))


def _heat(level: NDArray) -> NDArray[np.uint8]:
    """Colours of levels 0 to 1, [..., 3]."""
    at = level * (len(_HEAT) - 1)
    low = np.minimum(at.astype(int), len(_HEAT) - 2)
    return (_HEAT[low] + (at - low)[..., None] * (_HEAT[low + 1] - _HEAT[low])).astype(np.uint8)

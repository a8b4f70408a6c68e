"""A canvas for every world's picture, and the screen it is shown on. pygame is imported here and nowhere else.

A world's `draw` speaks in a fixed page of 960 x 640 points, whatever the size of the window. Shapes are drawn twice as
fine as shown and scaled down, which smooths every edge; text is set at the shown size, so that it stays sharp.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
import pygame

from lsnn_rl.errors import BadValue

if TYPE_CHECKING:
    from lsnn_rl.envs.task import LifetimeTask, Moment

Color = tuple[int, int, int]
Point = tuple[float, float]

WIDTH, HEIGHT = 960, 640  # the page, in points
_FINER = 2  # shapes are drawn this many times finer than shown

NIGHT: Color = (15, 19, 27)  # behind everything
PANEL: Color = (22, 28, 39)
FLOOR: Color = (27, 35, 48)
EDGE: Color = (74, 88, 110)
FAINT: Color = (44, 54, 71)
INK: Color = (232, 238, 245)
MUTED: Color = (138, 151, 170)
GOAL: Color = (64, 214, 168)
WARN: Color = (240, 112, 72)
# Okabe and Ito's colours, told apart by every kind of colour vision; blue lightened for the dark ground.
HUES: tuple[Color, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (240, 228, 66),
    (204, 121, 167),
    (90, 145, 240),
    (213, 94, 0),
    (0, 178, 130),
)


def mix(under: Color, over: Color, share: float) -> Color:
    """`over` laid upon `under` with that share, 0 to 1.

    >>> mix((0, 0, 0), (100, 200, 50), 0.5)
    (50, 100, 25)
    """
    return tuple(round(u + (o - u) * share) for u, o in zip(under, over, strict=True))  # type: ignore[return-value]


class Canvas:
    """One picture in the making. Positions and sizes are in points of the page, y grows downwards.

    Args:
        scale: pixels per point. page: width and height in points; a world's page unless told.
        finer: shapes are drawn this many times finer than shown; 1 is quick, and smooths thin lines only.
    """

    def __init__(self, scale: float = 1.0, page: tuple[int, int] = (WIDTH, HEIGHT), finer: int = _FINER) -> None:
        self.scale = scale
        self.size = (round(page[0] * scale), round(page[1] * scale))
        self._fine = scale * finer
        self._finer = finer
        self._surface = pygame.Surface((self.size[0] * finer, self.size[1] * finer), depth=32)
        self._texts: list[tuple[str, float, float, float, Color, str, bool]] = []
        self._fonts: dict[tuple[int, bool], pygame.font.Font] = {}
        pygame.font.init()

    def clear(self, color: Color = NIGHT) -> None:
        self._surface.fill(color)
        self._texts.clear()

    def disc(self, center: Point, radius: float, color: Color) -> None:
        pygame.draw.circle(self._surface, color, self._at(center), radius * self._fine)

    def ring(self, center: Point, radius: float, color: Color, width: float = 1.5, dashes: int = 0) -> None:
        """A circle's outline, in one piece or in `dashes` pieces."""
        if not dashes:
            thick = max(round(width * self._fine), 1)
            pygame.draw.circle(self._surface, color, self._at(center), radius * self._fine + thick / 2, thick)
            return
        for k in range(dashes):
            self.arc(center, radius, 2 * math.pi * k / dashes, 1.1 * math.pi / dashes, color, width)

    def arc(self, center: Point, radius: float, start: float, length: float, color: Color, width: float = 1.5) -> None:
        """Part of a circle's outline, from angle `start` on, radians, counter-clockwise as in mathematics."""
        count = max(int(abs(length) * radius / 4), 2)
        angles = [start + length * k / count for k in range(count + 1)]
        self.line([(center[0] + radius * math.cos(a), center[1] - radius * math.sin(a)) for a in angles], color, width)

    def line(self, points: Sequence[Point], color: Color, width: float = 1.5) -> None:
        """A line through the points, with round joints and ends."""
        fine = [self._at(point) for point in points]
        half = width * self._fine / 2
        if half <= 1.25:
            if len(fine) > 1 and self._finer == 1:
                pygame.draw.aalines(self._surface, color, False, fine)
            elif len(fine) > 1:
                pygame.draw.lines(self._surface, color, False, fine, max(round(2 * half), 1))
            return
        for (ax, ay), (bx, by) in pairwise(fine):
            # pygame cuts thick lines along the pixel grid; a rectangle of our own has straight edges.
            far = math.hypot(bx - ax, by - ay) or 1.0
            u, v = half * (by - ay) / far, half * (ax - bx) / far
            corners = ((ax + u, ay + v), (bx + u, by + v), (bx - u, by - v), (ax - u, ay - v))
            pygame.draw.polygon(self._surface, color, corners)
        for point in fine:
            pygame.draw.circle(self._surface, color, point, half)

    def dashed(self, a: Point, b: Point, color: Color, width: float = 1.2, dash: float = 5.0) -> None:
        length = math.dist(a, b)
        for start in np.arange(0.0, length, 2 * dash):
            ends = (min(part / length, 1.0) for part in (start, start + dash))
            self.line([(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for t in ends], color, width)

    def bar(self, x: float, y: float, width: float, height: float, color: Color, rounded: float = 0.0) -> None:
        """A filled rectangle with its upper left corner at x, y."""
        left, top = self._at((x, y))
        box = pygame.Rect(round(left), round(top), round(width * self._fine), round(height * self._fine))
        pygame.draw.rect(self._surface, color, box, border_radius=round(rounded * self._fine))

    def text(
        self,
        words: str,
        x: float,
        y: float,
        size: float = 13,
        color: Color = INK,
        anchor: str = "l",
        bold: bool = False,
    ) -> None:
        """Words whose left end, middle or right end ("l", "m", "r") is at x, vertically centred at y."""
        self._texts.append((words, x, y, size, color, anchor, bold))

    def image(self, pixels: NDArray[np.uint8], x: float, y: float, width: float, height: float) -> None:
        """An image [rows, columns, 3] stretched over a rectangle, every pixel with sharp edges."""
        size = (max(round(width * self._fine), 1), max(round(height * self._fine), 1))
        picture = pygame.image.frombuffer(np.ascontiguousarray(pixels).tobytes(), pixels.shape[1::-1], "RGB")
        self._surface.blit(pygame.transform.scale(picture, size), self._at((x, y)))

    def finish(self) -> pygame.Surface:
        """The picture at the shown size."""
        shown = self._surface.copy() if self._finer == 1 else pygame.transform.smoothscale(self._surface, self.size)
        for words, x, y, size, color, anchor, bold in self._texts:
            drawn = self._font(size, bold).render(words, True, color)
            left = x * self.scale - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor] * drawn.get_width()
            shown.blit(drawn, (round(left), round(y * self.scale - drawn.get_height() / 2)))
        return shown

    def _at(self, point: Point) -> Point:
        return point[0] * self._fine, point[1] * self._fine

    def _font(self, size: float, bold: bool) -> pygame.font.Font:
        key = (max(round(size * self.scale), 6), bold)
        if key not in self._fonts:
            self._fonts[key] = pygame.font.Font(_font_file(bold), key[0])
        return self._fonts[key]


def pixels_of(picture: pygame.Surface) -> NDArray[np.uint8]:
    """A picture as an image [height, width, 3] of its own."""
    flat = np.frombuffer(pygame.image.tobytes(picture, "RGB"), np.uint8)
    return flat.reshape(picture.get_height(), picture.get_width(), 3).copy()


def _font_file(bold: bool) -> str | None:
    """DejaVu Sans, which matplotlib brings along; where it is not installed, pygame's own font."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        return None
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    file = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / name
    return str(file) if file.is_file() else None


class Screen:
    """Shows lifetimes: in a window that can be resized, or as images [HEIGHT, WIDTH, 3].

    Images need no display. `closed` tells that a person has closed the window; nothing is drawn from then on.
    """

    def __init__(self, window: bool, fps: int) -> None:
        self.closed = False
        self._in_window, self._fps, self._canvas = window, fps, Canvas()
        if window:
            try:
                pygame.display.init()
                pygame.display.set_mode((WIDTH, HEIGHT), pygame.RESIZABLE)
            except pygame.error as error:
                raise BadValue(
                    f'render_mode="human" wants a window, and this machine opens none ({error}). '
                    'Use render_mode="rgb_array", or record a video with `lsnn-rl enjoy --record FILE.mp4`.'
                ) from error
            pygame.display.set_caption("lsnn-rl")
            self._clock = pygame.time.Clock()

    def show(
        self, task: LifetimeTask, slot: int, history: list[Moment], references: dict[str, float] | None
    ) -> NDArray[np.uint8] | None:
        """Draw one slot of a world; an image, or None where it went to the window."""
        if not self._in_window:
            return pixels_of(self._draw(task, slot, history, references))
        self.closed = self.closed or any(event.type == pygame.QUIT for event in pygame.event.get(pygame.QUIT))
        if self.closed:
            self.close()
            return None
        window = pygame.display.get_surface() or pygame.display.set_mode((WIDTH, HEIGHT), pygame.RESIZABLE)
        width, height = window.get_size()
        scale = max(min(width / WIDTH, height / HEIGHT), 0.25)
        if scale != self._canvas.scale:
            self._canvas = Canvas(scale)
        picture = self._draw(task, slot, history, references)
        window.fill(NIGHT)
        window.blit(picture, ((width - picture.get_width()) // 2, (height - picture.get_height()) // 2))
        pygame.display.flip()
        self._clock.tick(self._fps)
        return None

    def _draw(self, task: LifetimeTask, slot: int, history: list[Moment], references: Any) -> pygame.Surface:
        self._canvas.clear()
        task.draw(self._canvas, slot, history, references)
        return self._canvas.finish()

    def close(self) -> None:
        if self._in_window and pygame.display.get_init():
            pygame.display.quit()

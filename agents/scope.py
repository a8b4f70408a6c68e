"""The show of one agent, or of two in the same lifetime: going on, standing still, going back, as keys ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.brain_view import BrainView
from lsnn_rl.agents.film import Film, write_png
from lsnn_rl.agents.performance import Performance
from lsnn_rl.envs.canvas import pixels_of

HELP = [
    "space: stand still, go on",
    "right, left: one step on, one step back",
    "end, home: to the newest step, to the first",
    "up, down: faster, slower",
    "n, b: next lifetime, the one before",
    "o: order cells by the place where they fire",
    "s: keep this picture as a PNG",
    "r: begin a film, end it",
    "h: this list",
    "escape: leave",
]
SPEEDS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)  # environment steps per picture
STRIDE = 10  # steps that left and right jump while the show goes on


class Scope:
    """Plays a lifetime and draws it; every key has its name in `HELP`.

    Args:
        begin: makes the performances of a numbered lifetime, one or two.
        lifetime: the first one.
        folder: where pictures and films are kept.
        say: told what was kept, and where.
        brain: show the agents' networks too, not only the world.
    """

    def __init__(
        self,
        begin: Callable[[int], list[Performance]],
        lifetime: int = 0,
        folder: str | Path = ".",
        say: Callable[[str], None] = print,
        brain: bool = True,
    ) -> None:
        self._begin, self._folder, self._say = begin, Path(folder), say
        self.view = BrainView(brain=brain)
        self.paused = self.helping = False
        self.speed = SPEEDS.index(1.0)
        self.film: Film | None = None
        self.shows: list[Performance] = []
        self.go_to(lifetime)

    @property
    def over(self) -> bool:
        """Has the whole lifetime been shown?"""
        return all(show.ended for show in self.shows) and self.step >= self._newest

    @property
    def _newest(self) -> int:
        return max(show.steps for show in self.shows)

    def go_to(self, lifetime: int) -> None:
        """Begin a numbered lifetime."""
        for show in self.shows:
            show.close()
        self.lifetime = lifetime
        self.shows = self._begin(lifetime)
        self.step, self._part = 0, 0.0

    def tick(self) -> None:
        """The time of one picture passes."""
        if self.paused:
            return
        self._part += SPEEDS[self.speed]
        whole, self._part = int(self._part), self._part % 1.0
        self.move(whole)

    def move(self, steps: int) -> None:
        """Go that many steps on, living them where they have not been lived yet, or back."""
        wanted = max(self.step + steps, 0)
        for show in self.shows:
            while show.steps < wanted and show.step():
                pass
        self.step = min(wanted, self._newest)

    def press(self, keys: frozenset[str]) -> None:
        """Do what the pressed keys stand for."""
        actions: Mapping[str, Callable[[], Any]] = {
            "space": self._pause,
            "right": lambda: self.move(1 if self.paused else STRIDE),
            "left": lambda: self.move(-1 if self.paused else -STRIDE),
            "home": lambda: self.move(-self.step),
            "end": lambda: self.move(self._newest - self.step),
            "up": lambda: self._faster(1),
            "down": lambda: self._faster(-1),
            "n": lambda: self.go_to(self.lifetime + 1),
            "b": lambda: self.go_to(max(self.lifetime - 1, 0)),
            "o": self._order,
            "s": self._keep_picture,
            "r": self._film,
            "h": self._help,
        }
        for key in keys:
            if key in actions:
                actions[key]()

    def picture(self, scale: float = 1.0) -> Any:
        """A pygame surface of the present step at that many pixels per point."""
        if scale != self.view.scale:
            self.view = self.view.rescaled(scale)
        drawn = self.view.picture(self.shows, self.step, self._notes(), HELP if self.helping else None)
        if self.film is not None:
            self.film.add(pixels_of(drawn))
        return drawn

    def image(self) -> NDArray[np.uint8]:
        """The present step as an image [height, width, 3]."""
        return pixels_of(self.picture(self.view.scale))

    def close(self) -> None:
        """End the film, if one is being made, and the performances."""
        if self.film is not None:
            self._film()
        for show in self.shows:
            show.close()

    def _notes(self) -> str:
        words = [f"lifetime {self.lifetime}", f"step {self.step}"]
        if self.step < self._newest:
            words.append("in the past")
        if self.paused:
            words.append("standing still")
        if SPEEDS[self.speed] != 1.0:
            words.append(f"{SPEEDS[self.speed]:g} steps a picture")
        if self.film is not None:
            words.append("filming")
        return "  ·  ".join([*words, "h: keys"])

    def _pause(self) -> None:
        self.paused = not self.paused

    def _faster(self, by: int) -> None:
        self.speed = min(max(self.speed + by, 0), len(SPEEDS) - 1)

    def _order(self) -> None:
        self.view.by_place = not self.view.by_place

    def _help(self) -> None:
        self.helping = not self.helping

    def _keep_picture(self) -> None:
        file = self._folder / f"{self.shows[0].env_id}-lifetime-{self.lifetime}-step-{self.step}.png"
        write_png(file, self.image())
        self._say(f"Kept {file}")

    def _film(self) -> None:
        if self.film is None:
            self.film = Film(self._folder / f"{self.shows[0].env_id}-lifetime-{self.lifetime}-from-{self.step}.mp4", 30)
        else:
            self.film.close()
            self._say(f"Kept {self.film.path}")
            self.film = None

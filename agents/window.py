"""A window of pictures that can be resized, and what a person does with keyboard and mouse in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lsnn_rl.envs.task import Hand
from lsnn_rl.errors import BadValue


class Window:
    """Shows pygame surfaces; reads the hands of whoever sits before it.

    Args:
        page: width and height in points of what will be shown; the window opens at that size.
        fps: pictures per second at most.
    Attributes:
        scale: pixels per point that fill the window as it is now.
    Raises: BadValue where there is no display.
    """

    def __init__(self, title: str, page: tuple[int, int], fps: int) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import pygame

        self.pygame, self.page, self.fps = pygame, page, fps
        with _or_film(pygame):
            pygame.display.init()  # not pygame.init(): sound would be asked for, and complain where there is none
            self.screen = pygame.display.set_mode(page, pygame.RESIZABLE)
        pygame.display.set_caption(title)
        pygame.key.set_repeat(350, 40)
        self._clock = pygame.time.Clock()
        self._held: set[str] = set()
        self._tapped: set[str] = set()
        self._pressed = self._clicked = False
        self._pointer: tuple[int, int] | None = None  # in pixels of the window
        self._corner = (0, 0)

    @property
    def scale(self) -> float:
        return max(min(have / want for have, want in zip(self.screen.get_size(), self.page, strict=True)), 0.25)

    def show(self, picture: Any) -> bool:
        """Show one picture for one frame; False once the person has closed the window or pressed Escape."""
        pygame = self.pygame
        self.screen = pygame.display.get_surface()
        free = [have - need for have, need in zip(self.screen.get_size(), picture.get_size(), strict=True)]
        self._corner = (free[0] // 2, free[1] // 2)
        self.screen.fill((15, 19, 27))
        self.screen.blit(picture, self._corner)
        pygame.display.flip()
        self._clock.tick(self.fps)
        self._tapped, self._clicked = set(), False
        heeded = [self._heed(event) for event in pygame.event.get()]  # all of them, also after one that asks to leave
        return all(heeded)

    def _heed(self, event: Any) -> bool:
        """Note what was done; False where it asks to leave."""
        pygame = self.pygame
        if event.type == pygame.QUIT:
            return False
        if event.type == pygame.KEYDOWN:
            name = pygame.key.name(event.key)
            self._held.add(name)
            self._tapped.add(name)
            return name != "escape"
        if event.type == pygame.KEYUP:
            self._held.discard(pygame.key.name(event.key))
        if event.type in (pygame.MOUSEBUTTONDOWN, pygame.MOUSEBUTTONUP, pygame.MOUSEMOTION):
            self._pointer = event.pos
        if event.type in (pygame.MOUSEBUTTONDOWN, pygame.MOUSEBUTTONUP) and event.button == 1:
            self._pressed = event.type == pygame.MOUSEBUTTONDOWN
            self._clicked |= self._pressed
        return True

    def hand(self) -> Hand:
        """What the person did since the last picture, with the pointer in points of the page."""
        point = None
        if self._pointer is not None:
            x, y = ((at - corner) / self.scale for at, corner in zip(self._pointer, self._corner, strict=True))
            point = (x, y)
        return Hand(frozenset(self._held), frozenset(self._tapped), point, self._pressed, self._clicked)

    def close(self) -> None:
        self.pygame.display.quit()


def display_at_hand() -> bool:
    """May a window be offered? On Linux a display must be named; elsewhere a desktop is taken for granted."""
    return not sys.platform.startswith("linux") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


@contextmanager
def _or_film(pygame: Any) -> Iterator[None]:
    """What needs a screen; where there is none, the way without."""
    try:
        yield
    except pygame.error as problem:
        raise BadValue(
            f"A window was asked for, and this machine opens none ({problem}). "
            "Film the agent instead: lsnn-rl enjoy AGENT --record life.mp4"
        ) from problem

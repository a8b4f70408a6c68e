"""Watch an agent live, write a film of it, or play oneself: always the native environment with one slot."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.adapters import as_agent
from lsnn_rl.agents.contract import let_watch
from lsnn_rl.envs.task import Hand, LifetimeTask
from lsnn_rl.errors import BadValue

Image = NDArray[np.uint8]
FILMS = (".gif", ".mp4")
HELP = "Arrow keys or WASD to move, digits to choose, the mouse to point. Escape ends."


def pictures(
    agent: Any,
    env_id: str,
    env_kwargs: Mapping[str, Any] | None = None,
    split: str = "test",
    lifetime: int = 0,
    stride: int = 1,
    deterministic: bool = True,
) -> Iterator[Image]:
    """Pictures [height, width, 3] of an agent living a numbered lifetime: the first, every `stride`th, the last."""
    actor = as_agent(agent, env_id, {**(env_kwargs or {}), "split": split})
    env = gym.make_vec(env_id, num_envs=1, split=split, render_mode="rgb_array", **(env_kwargs or {}))
    try:
        obs, _ = env.reset(options={"lifetimes": np.array([lifetime])})
        let_watch(actor, env)
        state, starts, over, step = actor.initial_state(1), np.ones(1, bool), False, 0
        yield _picture(env)
        while not over:
            actions, state = actor.act(obs, state, starts, deterministic)
            obs, _, terminated, truncated, _ = env.step(actions)
            over, starts, step = bool(terminated[0] or truncated[0]), np.zeros(1, bool), step + 1
            if step % stride == 0 or over:
                yield _picture(env)
    finally:
        env.close()


def record(
    agent: Any,
    env_id: str,
    file: str | Path,
    env_kwargs: Mapping[str, Any] | None = None,
    split: str = "test",
    lifetime: int = 0,
    seconds: float = 10.0,
    fps: int = 20,
    width: int | None = None,
) -> Path:
    """Film one whole lifetime in about `seconds`; the file's ending, .gif or .mp4, says what it becomes.

    Args: width: of the film in pixels; the picture's own unless told.
    """
    path = Path(file)
    if path.suffix not in FILMS:
        raise BadValue(f"{path.name} does not end in {' or '.join(FILMS)}. Choose one: lifetime.gif, or lifetime.mp4.")
    path.parent.mkdir(parents=True, exist_ok=True)
    stride = max(1, round(_lifetime_steps(env_id, env_kwargs) / (seconds * fps)))
    shown = (_scaled(image, width) for image in pictures(agent, env_id, env_kwargs, split, lifetime, stride))
    if path.suffix == ".gif":
        _write_gif(path, list(shown), fps)
    else:
        _write_mp4(path, shown, fps)
    return path


def watch(
    agent: Any,
    env_id: str,
    env_kwargs: Mapping[str, Any] | None = None,
    split: str = "test",
    lifetime: int = 0,
    fps: int = 60,
    lifetimes: int | None = None,
) -> None:
    """Show lifetimes in a window, one after the other from number `lifetime`, until it is closed."""
    window = Window(env_id, fps)
    try:
        last = None if lifetimes is None else lifetime + lifetimes
        while lifetime != last:
            for image in pictures(agent, env_id, env_kwargs, split, lifetime):
                if not window.show(image):
                    return
            lifetime += 1
    finally:
        window.close()


def play(env_id: str, env_kwargs: Mapping[str, Any] | None = None, split: str = "test", fps: int = 60) -> list[float]:
    """Hand the controls to a person; returns the score of every lifetime, the last one perhaps lived in part."""
    env = gym.make_vec(env_id, num_envs=1, split=split, render_mode="rgb_array", **(env_kwargs or {}))
    task: LifetimeTask = env.unwrapped.task  # type: ignore[attr-defined]
    task.secret = True  # a person knows no more than an agent would
    window, scores, lifetime = Window(f"{env_id}: you", fps), [], 0
    try:
        while True:
            env.reset(options={"lifetimes": np.array([lifetime])})
            scores.append(0.0)
            over = False
            while not over:
                if not window.show(_picture(env)):
                    return scores
                action = task.hand(0, window.hand())
                if action is None:  # this world waits for its player
                    continue
                _, reward, terminated, truncated, info = env.step(np.asarray(action)[None])
                scores[-1] += float(info["success"][0] if task.score == "goals" else reward[0])
                over = bool(terminated[0] or truncated[0])
            lifetime += 1
    finally:
        window.close()
        env.close()


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


class Window:
    """A pygame window of pictures, which also reads the keyboard and the mouse."""

    def __init__(self, title: str, fps: int) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        import pygame

        self.pygame, self.title, self.fps = pygame, title, fps
        with _or_film(pygame):
            pygame.display.init()  # not pygame.init(): sound would be asked for, and complain where there is none
        self.clock = pygame.time.Clock()
        self.screen: Any = None
        self._keys: set[int] = set()  # every key that was ever pressed
        self._tapped: set[str] = set()
        self._clicked = False

    def show(self, image: Image) -> bool:
        """Show one picture for one frame; False once the person has closed the window or pressed Escape."""
        pygame = self.pygame
        if self.screen is None:
            self.screen = self._open((image.shape[1], image.shape[0]))
        self.screen.blit(pygame.surfarray.make_surface(image.swapaxes(0, 1)), (0, 0))
        pygame.display.flip()
        self.clock.tick(self.fps)
        self._tapped, self._clicked = set(), False
        for event in pygame.event.get():
            if event.type == pygame.QUIT or (event.type == pygame.KEYDOWN and event.key == pygame.K_ESCAPE):
                return False
            if event.type == pygame.KEYDOWN:
                self._tapped.add(pygame.key.name(event.key))
                self._keys.add(event.key)
            self._clicked |= event.type == pygame.MOUSEBUTTONDOWN and event.button == 1
        return True

    def _open(self, size: tuple[int, int]) -> Any:
        with _or_film(self.pygame):
            screen = self.pygame.display.set_mode(size)
        self.pygame.display.set_caption(self.title)
        return screen

    def hand(self) -> Hand:
        """What the person did since the last picture, on the page that worlds draw on."""
        pygame = self.pygame
        down = pygame.key.get_pressed()
        held = {name for code in self._keys if down[code] for name in [pygame.key.name(code)]}
        point = pygame.mouse.get_pos()
        return Hand(frozenset(held), frozenset(self._tapped), point, bool(pygame.mouse.get_pressed()[0]), self._clicked)

    def close(self) -> None:
        self.pygame.quit()


def _picture(env: Any) -> Image:
    images = env.render()
    return np.asarray(images[0], np.uint8)


def _lifetime_steps(env_id: str, env_kwargs: Mapping[str, Any] | None) -> int:
    env = gym.make(env_id, **(env_kwargs or {}))
    steps = getattr(getattr(env.unwrapped, "task", None), "steps", None)
    env.close()
    return int(steps or 1000)


def _scaled(image: Image, width: int | None) -> Image:
    if width is None or width == image.shape[1]:
        return image
    from PIL import Image as Pillow

    height = round(image.shape[0] * width / image.shape[1])
    return np.asarray(Pillow.fromarray(image).resize((width, height), Pillow.Resampling.LANCZOS))


def _write_gif(path: Path, images: list[Image], fps: int) -> None:
    """One palette for the whole film, so that nothing flickers and frames that resemble each other cost little."""
    from PIL import Image as Pillow

    frames = [Pillow.fromarray(image) for image in images]
    palette = frames[-1].quantize(colors=255, dither=Pillow.Dither.NONE)
    reduced = [frame.quantize(palette=palette, dither=Pillow.Dither.NONE) for frame in frames]
    reduced[0].save(path, save_all=True, append_images=reduced[1:], duration=round(1000 / fps), loop=0, optimize=False)


def _write_mp4(path: Path, images: Iterator[Image], fps: int) -> None:
    import imageio.v2 as imageio

    film: Any = imageio.get_writer(path, fps=fps, codec="libx264", quality=8, macro_block_size=2)
    with film:
        for image in images:
            film.append_data(image)

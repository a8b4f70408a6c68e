"""Watch agents live, or write a film of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.agents.adapters import as_agent, name_of
from lsnn_rl.agents.decoder import Decoder, fit_decoder
from lsnn_rl.agents.elsewhere import episode_images, most_steps
from lsnn_rl.agents.film import check_film, write_film
from lsnn_rl.agents.performance import Performance
from lsnn_rl.envs.registration import has_lifetimes
from lsnn_rl.errors import BadValue

Image = NDArray[np.uint8]


def performances(
    agents: list[Any],
    env_id: str,
    env_kwargs: Mapping[str, Any] | None = None,
    split: str = "test",
    deterministic: bool = True,
    read_beliefs: bool = False,
) -> Callable[[int], list[Performance]]:
    """A function that begins a numbered lifetime with each of the agents.

    Args:
        read_beliefs: fit, once, a decoder of the hidden task to the state of each agent that has a network.
    """
    decoders = [_decoder(agent, env_id, env_kwargs) if read_beliefs else None for agent in agents]

    def begin(lifetime: int) -> list[Performance]:
        return [
            Performance(agent, env_id, env_kwargs, split, lifetime, decoder, deterministic)
            for agent, decoder in zip(agents, decoders, strict=True)
        ]

    return begin


def _decoder(agent: Any, env_id: str, env_kwargs: Mapping[str, Any] | None) -> Decoder | None:
    """A reading of the hidden task from thresholds, or from the units of a gated network; None where there is none."""
    policy = getattr(as_agent(agent, env_id, env_kwargs), "policy", None)
    cell = getattr(getattr(policy, "network", None), "cell", None)
    if cell is None:
        return None
    names = "b" if "b" in policy.initial_state(1) else cell.output  # type: ignore[union-attr]
    try:
        return fit_decoder(agent, env_id, env_kwargs, names, lifetimes=32, held_out=16, steps=600)
    except BadValue:  # an agent that never gets to know its task has no belief to be read
        return None


def record(
    agents: Any,
    env_id: str,
    file: str | Path,
    env_kwargs: Mapping[str, Any] | None = None,
    split: str = "test",
    lifetime: int = 0,
    seconds: float = 10.0,
    fps: int = 20,
    width: int | None = None,
    brain: bool = False,
) -> Path:
    """Film one whole lifetime in about `seconds`; the file's ending, .gif or .mp4, says what it becomes.

    In an environment without lifetimes it is an episode, and what the environment itself draws.

    Args:
        agents: one agent, or (with `brain`) a list of two to be shown side by side.
        width: of the film in pixels; the picture's own unless told.
        brain: show the agents' networks too, not only the world.
    """
    path = check_film(file)
    several = agents if isinstance(agents, list) else [agents]
    if not has_lifetimes(env_id):
        stride = max(1, round(most_steps(env_id) / (seconds * fps)))
        images = episode_images(_alone(several, env_id), env_id, env_kwargs, lifetime)
        return write_film(path, islice(images, 0, None, stride), fps, width)
    begin = performances(several, env_id, env_kwargs, split, read_beliefs=brain)
    shows = begin(lifetime)
    try:
        stride = max(1, round(shows[0].task.steps / (seconds * fps)))
        return write_film(path, _images(shows, stride, brain), fps, width)
    finally:
        for show in shows:
            show.close()


def _images(shows: list[Performance], stride: int, brain: bool) -> Iterator[Image]:
    """Pictures of a lifetime being lived: the first, every `stride`th, the last."""
    from lsnn_rl.agents.brain_view import BrainView

    view = BrainView(brain=brain)
    step = 0
    yield view.image(shows, step)
    while not all(show.ended for show in shows):
        for show in shows:
            show.step()
        step += 1
        if step % stride == 0 or all(show.ended for show in shows):
            yield view.image(shows, step)


def _alone(agents: list[Any], env_id: str) -> Any:
    if len(agents) > 1:
        raise BadValue(
            f"{len(agents)} agents were asked for side by side in {env_id}, where one can be watched at a time. "
            "Leave --beside out, or choose a world of lsnn_rl."
        )
    return agents[0]


def _watch_episodes(
    agent: Any, env_id: str, env_kwargs: Mapping[str, Any] | None, first: int, fps: int, episodes: int | None
) -> None:
    from lsnn_rl.agents.window import Window

    window: Window | None = None
    for number in count(first) if episodes is None else range(first, first + episodes):
        for image in episode_images(agent, env_id, env_kwargs, number):
            window = window or Window(f"{env_id}: {name_of(agent)}", (image.shape[1], image.shape[0]), fps)
            if not window.show(window.pygame.surfarray.make_surface(image.swapaxes(0, 1))):
                window.close()
                return
    if window is not None:
        window.close()


def watch(
    agents: Any,
    env_id: str,
    env_kwargs: Mapping[str, Any] | None = None,
    split: str = "test",
    lifetime: int = 0,
    fps: int = 30,
    lifetimes: int | None = None,
    brain: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Show lifetimes in a window, one after the other from number `lifetime`, until it is closed.

    In an environment without lifetimes they are episodes, as the environment itself draws them.

    Args:
        agents: one agent, or a list of two that live the same lifetimes side by side.
        lifetimes: how many, if not for ever.
    """
    from lsnn_rl.agents.scope import Scope
    from lsnn_rl.agents.window import Window

    several = agents if isinstance(agents, list) else [agents]
    if not has_lifetimes(env_id):
        _watch_episodes(_alone(several, env_id), env_id, env_kwargs, lifetime, fps, lifetimes)
        return
    begin = performances(several, env_id, env_kwargs, split, read_beliefs=brain)
    scope = Scope(begin, lifetime, say=say, brain=brain)
    say("Press h for the keys.")
    last = None if lifetimes is None else lifetime + lifetimes - 1
    try:
        window = Window(f"{env_id}: {', '.join(show.name for show in scope.shows)}", scope.view.page, fps)
        while window.show(scope.picture(window.scale)):
            scope.press(window.hand().tapped)
            if not scope.over or scope.paused:
                scope.tick()
            elif scope.lifetime != last:
                scope.go_to(scope.lifetime + 1)
            else:
                break
        window.close()
    finally:
        scope.close()

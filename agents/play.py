"""A person plays: the same lifetimes, the same card, and at the end a screen beside the agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from lsnn_rl.agents.adapters import as_agent
from lsnn_rl.agents.cards import Card
from lsnn_rl.agents.classical import roles_of
from lsnn_rl.agents.evaluate import live, make_card
from lsnn_rl.agents.measures import Lifetimes
from lsnn_rl.agents.window import Window
from lsnn_rl.agents.zoo_rows import rows as zoo_rows
from lsnn_rl.envs.canvas import GOAL, HEIGHT, HUES, INK, MUTED, NIGHT, PANEL, WARN, WIDTH, Canvas, mix
from lsnn_rl.envs.registration import has_lifetimes
from lsnn_rl.envs.task import LifetimeTask, Moment
from lsnn_rl.errors import BadValue, LSNNError

HELP = "Arrow keys or WASD to move, digits to choose, the mouse to point. Escape ends."


def play(
    env_id: str,
    env_kwargs: Mapping[str, Any] | None = None,
    split: str = "test",
    fps: int = 60,
    lifetimes: int | None = None,
    name: str = "you",
    say: Callable[[str], None] = print,
) -> Card | None:
    """Hand the controls to a person, from lifetime 0 of the split on; show who does how well on what was lived.

    Args:
        lifetimes: how many to play; until the person leaves if not given.
        name: what the card calls the person.
    Returns: the card of the lifetimes that were lived to the end; None if none was.
    """
    kwargs = dict(env_kwargs or {})
    if not has_lifetimes(env_id):
        raise BadValue(
            f"{env_id} has episodes, and only worlds with lifetimes can be played here. Watch an agent instead: "
            "lsnn-rl enjoy AGENT, by a name from lsnn-rl zoo list."
        )
    env = gym.make_vec(env_id, num_envs=1, split=split, autoreset_mode="Disabled", **kwargs)
    task: LifetimeTask = env.unwrapped.task  # type: ignore[attr-defined]
    task.secret = True  # a person knows no more than an agent would
    window = Window(f"{env_id}: {name}", (WIDTH, HEIGHT), fps)
    lived: list[list[Moment]] = []
    rewards: list[list[float]] = []
    try:
        while lifetimes is None or len(lived) < lifetimes:
            history, earned, whole, stays = _one_lifetime(env, task, window, len(lived), env_id, split, kwargs)
            if whole:
                lived.append(history)
                rewards.append(earned)
            if not stays:
                break
        if not lived:
            return None
        card = make_card(
            env_id, kwargs, split, len(lived), name, _lifetimes(lived, rewards, task.score), {}, task.score
        )
        say("Letting the agents live the same lifetimes.")
        rows = compare(card)
        while window.show(draw_result(env_id, task, rows, window.scale)):
            if window.hand().tapped or window.hand().clicked:
                break
        return card
    finally:
        window.close()
        env.close()


def _one_lifetime(
    env: Any, task: LifetimeTask, window: Window, number: int, env_id: str, split: str, kwargs: Mapping[str, Any]
) -> tuple[list[Moment], list[float], bool, bool]:
    """Moments and rewards of one lifetime, whether it was lived to the end, and whether the player stays for more."""
    from lsnn_rl.envs.references import reference_scores

    references = reference_scores(env_id, split=split, **kwargs)
    env.reset(options={"lifetimes": np.array([number])})
    history, canvas = [task.moment(0, None, 0.0)], Canvas(window.scale)
    earned: list[float] = []
    over = False
    while True:
        if canvas.scale != window.scale:
            canvas = Canvas(window.scale)
        canvas.clear()
        task.draw(canvas, 0, history, references)
        if over:  # what was hidden may be seen now
            canvas.text("the lifetime is over: any key goes on", 306, 628, 11, GOAL, "m", bold=True)
        if not window.show(canvas.finish()):
            return history, earned, over, False
        if over:
            if window.hand().tapped or window.hand().clicked:
                return history, earned, True, True
            continue
        action = task.hand(0, window.hand())
        if action is None:  # this world waits for its player
            continue
        _, reward, terminated, truncated, _ = env.step(np.asarray(action)[None])
        earned.append(float(reward[0]))
        history.append(task.moment(0, history[-1], earned[-1]))
        over = bool(terminated[0] or truncated[0])


def _lifetimes(lived: list[list[Moment]], rewards: list[list[float]], score: str) -> Lifetimes:
    """What was played, in the words of the evaluation."""
    hits = [(row, step) for row, history in enumerate(lived) for step, at in enumerate(history) if at.success]
    row, step = (np.array([hit[k] for hit in hits], np.int64) for k in (0, 1))
    return Lifetimes(
        numbers=np.arange(len(lived)),
        steps=np.array([len(earned) for earned in rewards]),
        returns=np.array([sum(earned) for earned in rewards]),
        hit_row=row,
        hit_step=step,
        rewards=np.array(rewards, np.float32) if score == "return" else None,
    )


def compare(card: Card) -> list[tuple[str, float]]:
    """Mean score of the card's player, the zoo's agents and the reference agents on the very same lifetimes.

    Agents that cannot live in a world of these settings are left out.
    """
    env_id, split, kwargs = card["env"], card["split"], card["env_kwargs"]
    roles = roles_of(env_id)
    others = {row.agent: row.name for row in zoo_rows() if row.place == env_id and row.weights is not None}
    others |= {role.replace("_", " "): roles[role] for role in ("amnesic", "best_known", "oracle")}
    rows = [(str(card["agent"]), float(card["score"]["mean"]))]
    env = gym.make_vec(env_id, num_envs=card["lifetimes"], split=split, **kwargs)
    for name, agent in others.items():
        try:
            lives = live(as_agent(agent, env_id, {**kwargs, "split": split}), env, np.arange(card["lifetimes"]))
        except LSNNError:
            continue
        rows.append((name, float((lives.goals if card["score"]["of"] == "goals" else lives.returns).mean())))
    env.close()
    return rows


def draw_result(env_id: str, task: LifetimeTask, rows: list[tuple[str, float]], scale: float = 1.0) -> Any:
    """The final screen, a pygame surface: one bar for each player of the same lifetimes."""
    canvas = Canvas(scale)
    canvas.clear(NIGHT)
    canvas.text("The same lifetimes, lived by", 96, 84, 22, INK, bold=True)
    canvas.text(f"{env_id}: {task.unit} per lifetime", 96, 114, 12.5, MUTED)
    low = min(0.0, *(score for _, score in rows))
    high = max(score for _, score in rows)
    colours = {"amnesic": WARN, "best known": GOAL, "oracle": INK}
    pitch = min(66, (HEIGHT - 168 - 66) // len(rows))
    for k, (name, score) in enumerate(rows):
        y, color = 168 + pitch * k, HUES[0] if k == 0 else colours.get(name, HUES[1])
        share = (score - low) / (high - low) if high > low else 0.0
        canvas.text(name, 96, y, 14, INK if k else HUES[0], bold=k == 0)
        canvas.bar(320, y - 14, 460, 28, PANEL, rounded=6)
        canvas.bar(320, y - 14, max(460 * share, 12), 28, mix(PANEL, color, 0.9), rounded=6)
        canvas.text(f"{score:.1f}", 800, y, 16, INK, bold=True)
    canvas.text("any key ends", 96, HEIGHT - 36, 11, MUTED)
    return canvas.finish()


def save_card(card: Card, file: str | Path, say: Callable[[str], None] = print) -> None:
    """Keep a card of human play, to be plotted beside those of agents."""
    card.save(file)
    say(f"Kept {file}. Plot it: lsnn-rl plot {file}")

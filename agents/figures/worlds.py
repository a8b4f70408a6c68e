"""Figures of worlds without places: regret of bandits by pull, and functions as they are learned."""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lsnn_rl.agents.figures.style import AGENT_COLOURS, FAINT, INK, STYLE, canvas, name_lines
from lsnn_rl.agents.statistics import mean_interval
from lsnn_rl.errors import BadValue, ShapeMismatch


@rc_context(STYLE)
def regret(regrets: Mapping[str, NDArray], title: str | None = None, classical: frozenset[str] = frozenset()) -> Figure:
    """Regret summed over pulls: what the best arm would have brought more, mean of lifetimes with 95 % interval.

    Args:
        regrets: name -> regret of every pull, [L, T]; see `bandit_regret`.
        classical: names drawn dashed and grey, as agents to compare with.
    """
    if not regrets:
        raise BadValue("There is no regret to draw. Pass at least one agent, name -> regret of every pull [L, T].")
    figure, axes = canvas(6.4, 3.6, right=0.8)
    labels, number = [], 0
    for name, given in regrets.items():
        summed = np.cumsum(np.asarray(given, np.float64), axis=1)
        if summed.ndim != 2:
            raise ShapeMismatch(f"The regret of {name} has shape {summed.shape}. Pass [lifetimes, pulls].")
        colour, style = (FAINT, (0, (4, 1.5))) if name in classical else (AGENT_COLOURS[number % 6], "-")
        number += name not in classical
        bounds = np.array([mean_interval(column) for column in summed.T])
        pulls = np.arange(1, len(bounds) + 1)
        axes.fill_between(pulls, bounds[:, 1], bounds[:, 2], color=colour, alpha=0.18, linewidth=0)
        axes.plot(pulls, bounds[:, 0], color=colour, linestyle=style, linewidth=1.3 if name in classical else 2.0)
        labels.append((float(bounds[-1, 0]), name, colour))
    axes.set_xlim(1, len(bounds))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("pull of the lifetime")
    axes.set_ylabel("regret so far")
    axes.set_title(title or "Regret by pull", loc="left")
    name_lines(axes, labels)
    return figure


def bandit_regret(agent: Any, env_id: str, lifetimes: int = 300, split: str = "test", **kwargs: Any) -> NDArray:
    """What the best arm would have paid more on average, at every pull of numbered lifetimes, [L, T].

    Raises: BadValue for a world whose answer does not tell the arms' means.
    """
    from lsnn_rl.agents.adapters import as_agent
    from lsnn_rl.agents.contract import let_watch

    actor = as_agent(agent, env_id, {**kwargs, "split": split})
    env = gym.make_vec(env_id, num_envs=lifetimes, split=split, **kwargs)
    task: Any = env.unwrapped.task  # type: ignore[attr-defined]
    obs, _ = env.reset(options={"lifetimes": np.arange(lifetimes)})
    let_watch(actor, env)
    state, starts, rows, lost = actor.initial_state(lifetimes), np.ones(lifetimes, bool), np.arange(lifetimes), []
    for _ in range(task.steps):
        means = task.answer().get("means")
        if means is None:
            raise BadValue(f"{env_id} has no means of arms to regret. Choose a bandit, such as LSNNBernoulliBandit-v0.")
        actions, state = actor.act(obs, state, starts)
        lost.append(means.max(axis=1) - means[rows, np.asarray(actions, np.intp)])
        obs, *_ = env.step(actions)
        starts = np.zeros(lifetimes, bool)
    env.close()
    return np.stack(lost, axis=1)


@rc_context(STYLE)
def function_learning(
    x: NDArray,
    truth: NDArray,
    guesses: Mapping[int, NDArray],
    asked: NDArray,
    answers: NDArray,
    title: str | None = None,
    spread: Mapping[int, NDArray] | None = None,
) -> Figure:
    """Functions as an agent believes them to be after so many examples; one row for each function.

    Args:
        x: where they are drawn, [M]. truth: their values, [F, M].
        guesses: number of examples k -> the agent's values, [F, M]. spread: its standard deviations, if it has them.
        asked, answers: examples in the order in which they were seen, [F, K] each.
    Raises: ShapeMismatch if these do not fit; BadValue for fewer examples than a guess claims.
    """
    truth, asked, answers = np.atleast_2d(truth), np.atleast_2d(asked), np.atleast_2d(answers)
    if max(guesses, default=1) > asked.shape[1]:
        raise BadValue(f"A guess after {max(guesses)} examples, found {asked.shape[1]}. Pass all examples it has seen.")
    rows, columns = len(truth), len(guesses)
    for k, guess in guesses.items():
        if np.atleast_2d(guess).shape != truth.shape:
            raise ShapeMismatch(f"The guess after {k} has shape {np.shape(guess)}, the truth {truth.shape}.")
    figure = Figure(figsize=(6.4, 0.6 + 1.35 * rows), dpi=150, layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey="row", squeeze=False)
    for row in range(rows):
        for axes, (k, guess) in zip(panels[row], guesses.items(), strict=True):
            guess = np.atleast_2d(guess)[row]
            axes.plot(x, truth[row], color=INK, linewidth=1.0)
            if spread is not None:
                wide = 1.96 * np.atleast_2d(spread[k])[row]
                axes.fill_between(x, guess - wide, guess + wide, color=AGENT_COLOURS[0], alpha=0.18, linewidth=0)
            axes.plot(x, guess, color=AGENT_COLOURS[0], linewidth=1.6, linestyle=(0, (4, 1.2)))
            axes.plot(asked[row, :k], answers[row, :k], "o", color=AGENT_COLOURS[1], markersize=3)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=7)
            if row == 0:
                error = np.sqrt(np.mean((np.atleast_2d(guesses[k]) - truth) ** 2))
                axes.set_title(f"after {k} examples\nerror {error:.2f}", fontsize=8.5)
    figure.supxlabel("x", fontsize=9)
    figure.suptitle(
        title or "Black: the function. Blue: what it is believed to be. Orange: examples",
        x=0.01,
        ha="left",
        fontsize=10,
    )
    return figure

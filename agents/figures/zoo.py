"""Figures of the zoo: all agents of a world, seeds together, and POPGym's bandits beside what was published."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lsnn_rl.agents.cards import Card
from lsnn_rl.agents.figures.cards import adaptation
from lsnn_rl.agents.figures.style import AGENT_COLOURS, FAINT, INK, STYLE, canvas
from lsnn_rl.agents.popgym_scores import PUBLISHED
from lsnn_rl.agents.statistics import Interval, mean_interval
from lsnn_rl.agents.zoo_rows import Row, mmer_of
from lsnn_rl.agents.zoo_targets import headline

BANDITS = {level: f"POPGymMultiarmedBandit{level}-v0" for level in ("Easy", "Medium", "Hard")}


def has_curve(card: Mapping[str, Any]) -> bool:
    """Whether a card's curve shows how its score comes about, which that of a foreign world may not."""
    curve = card.get("curve") or {}
    by_goals = curve.get("of", "goals per 100 steps").startswith("goals")
    return bool(curve.get("mean")) and by_goals == (card.get("score", {}).get("of") == "goals")


def of_world(rows: Sequence[Row]) -> Figure | None:
    """The adaptation curves of a world's LSNN and its controls against the references; None where no card has a curve.

    Bands: 95 % intervals, over seeds where there are several, else over lifetimes. Of several LSNNs the one that the
    world is judged by is drawn, and for it alone the state-reset control; of a control the best of its rows, variants
    included. All others are in the table.
    """
    carded = [row for row in rows if row.cards and has_curve(row.cards[0])]
    judged = headline([row for row in carded if not row.variant])
    shown = [judged] if judged else []
    controls = [row for row in carded if not row.agent.startswith("lsnn") and row.score is not None]
    for agent in dict.fromkeys(row.agent.partition(":")[0] for row in controls):
        shown.append(max((row for row in controls if row.agent.partition(":")[0] == agent), key=_mean))
    if not shown:
        return None
    cards = [together(row.cards, row.agent) for row in shown]
    counts = sorted({len(row.cards) for row in shown})
    for row, card in zip(shown, cards, strict=True):
        if row is not judged:
            card["controls"] = {}
    first, known = shown[0], shown[0].references
    names = None
    if known is not None:
        said = {"oracle": "oracle", "best_known": "best known", "amnesic": "no memory", "random": "chance"}
        names = {
            key: word if known["scores"][key]["agent"] == key else f"{word}: {known['scores'][key]['agent']}"
            for key, word in said.items()
        }
    seeds = " to ".join(str(count) for count in sorted({counts[0], counts[-1]}))
    title = (
        f"{first.place}: {cards[0]['lifetimes']:,} {cards[0]['split']} lifetimes, {seeds} seed{'s' * (seeds != '1')}"
    )
    return adaptation(cards, title, None if names is None else {k: v.replace("_", " ") for k, v in names.items()})


def _mean(row: Row) -> float:
    return row.score.mean if row.score is not None else -np.inf


def together(cards: Sequence[Mapping[str, Any]], name: str) -> Card:
    """One card of several seeds' for a figure: its curves are means over the seeds."""
    first = Card({"controls": {}, "references": None, "env_hash": None, **cards[0]})
    first["agent"] = name
    first["curve"] = _mean_curve([card["curve"] for card in cards])
    first["controls"] = {
        control: {**entry, "curve": _mean_curve([card["controls"][control]["curve"] for card in cards])}
        for control, entry in first["controls"].items()
        if all(control in (card.get("controls") or {}) for card in cards)
    }
    return first


@rc_context(STYLE)
def popgym_bandits(rows: Sequence[Row]) -> Figure:
    """Bars of our agents beside the published memory models, on POPGym's three bandits, and Bayes-UCB as the level.

    An agent that was run on fewer of the three than others is left out.

    A bar is an MMER (see `popgym_scores`), which is what was published; a diamond is the mean return of the greedy
    agent on fresh lifetimes, and the bar, paler, where the cards hold no MMER. Whiskers: 95 % intervals over seeds.
    """
    figure, axes = canvas(7.2, 3.5, left=0.085, right=0.99)
    carded = [row for row in rows if row.place in BANDITS.values() and row.cards and not row.variant]
    places = Counter(row.agent for row in carded)
    agents = [agent for agent, count in places.items() if count == max(places.values())]
    ours = [row for row in carded if row.agent in agents]
    width = 0.84 / (2 + max(len(agents), 1))
    for place, env_id in enumerate(BANDITS.values()):
        known = PUBLISHED[env_id]
        spots = place - 0.42 + width * (np.arange(2 + len(agents)) + 0.5)
        _bar(axes, spots[0], known.gru, "GRU\n", 0.92 * width, "#d4d4d4", ink=INK)
        _bar(axes, spots[1], known.best, f"best:\n{known.best_name}", 0.92 * width, "#b0b0b0", ink=INK)
        if known.bayes_ucb is not None:
            ends = place - 0.44, place + 0.44
            axes.hlines(known.bayes_ucb, *ends, color=FAINT, linestyle=(0, (6, 2)), linewidth=1.2, zorder=1)
            axes.annotate(f"Bayes-UCB {known.bayes_ucb:.3f}", (ends[0], known.bayes_ucb), (0, 3), color=FAINT, **_SMALL)
        for row in (row for row in ours if row.place == env_id):
            spot, colour = (
                spots[2 + agents.index(row.agent)],
                AGENT_COLOURS[agents.index(row.agent) % len(AGENT_COLOURS)],
            )
            measured, greedy = mmer_of(row), row.score
            tall = measured or greedy
            if tall is not None:
                fill: dict[str, Any] = {"ink": "white"} if measured else {"ink": INK, "alpha": 0.5}
                cell, _, told = row.agent.partition("_")
                name = f"{cell.upper()}\n{told}" if told else f"our\n{cell.upper()}"
                _bar(axes, spot, tall.mean, name, 0.92 * width, colour, **fill)
            if measured is not None:
                _whisker(axes, spot, measured)
            if greedy is not None:
                _whisker(axes, spot + 0.25 * width, greedy, "D")
    axes.set_xticks(range(len(BANDITS)), [f"MultiarmedBandit{level}" for level in BANDITS], fontsize=9)
    axes.tick_params(axis="x", length=0, pad=26)
    axes.set_xlim(-0.5, len(BANDITS) - 0.5)
    axes.set_ylim(0, 1)
    axes.set_ylabel("return per lifetime")
    axes.set_title("POPGym's bandits: GRU and the best of 13 published memory models (grey), and ours", loc="left")
    return figure


_SMALL: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7.5, "annotation_clip": False}


def _bar(axes: Axes, x: float, value: float, name: str, width: float, colour: str, ink: str, **fill: Any) -> None:
    """A bar with its number at the foot, where no whisker comes, and its name below."""
    axes.bar(x, value, width, color=colour, zorder=2, **fill)
    axes.annotate(f"{value:.3f}", (x, 0), (0, 4), ha="center", va="bottom", color=ink, **_SMALL)
    axes.annotate(name, (x, 0), (0, -4), ha="center", va="top", linespacing=1.1, **_SMALL)


def _whisker(axes: Axes, x: float, interval: Interval, mark: str = "none") -> None:
    reach = [[interval.mean - interval.low], [interval.high - interval.mean]]
    face: dict[str, Any] = {"markerfacecolor": "white", "markersize": 4} if mark != "none" else {}
    axes.errorbar(x, interval.mean, yerr=reach, fmt=mark, color=INK, capsize=2, linewidth=1, zorder=3, **face)


def _mean_curve(curves: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over seeds with Student's band; of two or three, for which it says little, their bands' span."""
    alike = [curve for curve in curves if len(curve["mean"]) == len(curves[0]["mean"])]
    if len(alike) == 1:
        return dict(curves[0])
    mean, low, high = np.array([mean_interval(column) for column in np.array([c["mean"] for c in alike]).T]).T
    if len(alike) < 4:
        low, high = np.min([c["low"] for c in alike], axis=0), np.max([c["high"] for c in alike], axis=0)
    return {**curves[0], "mean": mean.tolist(), "low": low.tolist(), "high": high.tolist()}

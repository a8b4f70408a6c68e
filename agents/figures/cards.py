"""Figures drawn from cards: scores, and how they come about within a lifetime."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lsnn_rl.agents.cards import Card
from lsnn_rl.agents.figures.style import AGENT_COLOURS, FAINT, STYLE, canvas, name_lines
from lsnn_rl.agents.measures import Lifetimes, greenwood, kaplan_meier
from lsnn_rl.agents.measures import trials as all_trials
from lsnn_rl.errors import BadValue

REFERENCES = {  # key in the card: (what a reader should call it, line style)
    "oracle": ("oracle: knows the goal", (0, (1, 1.2))),
    "best_known": ("best known: search once, remember", (0, (6, 2))),
    "amnesic": ("amnesic: searches anew every trial", (0, (4, 1.5, 1, 1.5))),
    "random": ("random walk", (0, (1, 3))),
}
CONTROLS = {
    "state_reset": "state wiped after each goal",
    "sampled": "sampled actions",
    "adaptation_zeroed": "thresholds wiped after each goal",
    "adaptation_shuffled": "thresholds shuffled after each goal",
    "adaptation_frozen": "thresholds never adapt",
    "voltage_zeroed": "voltages wiped after each goal",
    "voltage_shuffled": "voltages shuffled after each goal",
    "reward_shuffled": "rewards of another lifetime",
    "action_removed": "previous action not seen",
}


@rc_context(STYLE)
def adaptation(
    cards: Sequence[Card], title: str | None = None, reference_names: Mapping[str, str] | None = None
) -> Figure:
    """The score in each stretch of the lifetime: each agent, its controls, and the references as levels.

    Shaded: 95 % interval of the mean over lifetimes. A reference is drawn at its mean rate over the whole lifetime.

    Args: reference_names: what a reader should call "oracle", "best_known", "amnesic" and "random" in this world.
    """
    first = _checked(cards)
    length = first["curve"]["bin_steps"] * len(first["curve"]["mean"])
    of = first["curve"].get("of", "goals per 100 steps")
    figure, axes = canvas(6.4, 3.9, left=0.1 if of.startswith("goals") else 0.12)  # shares have longer numbers
    labels: list[tuple[float, str, str]] = []
    wiped = [card for card in cards if "state_reset" in card["controls"]]
    for number, card in enumerate(cards):
        colour = AGENT_COLOURS[number % len(AGENT_COLOURS)]
        _band(axes, card["curve"], colour, linewidth=2.2)
        labels.append((_end(card["curve"]), card["agent"], colour))
        for control, entry in card["controls"].items():
            if control == "state_reset":
                _band(axes, entry["curve"], colour, linewidth=1.3, linestyle=(0, (3, 1.5)), alpha=0.12)
                said = CONTROLS[control] if of.startswith("goals") else CONTROLS[control].replace("goal", "trial")
                whose = "its" if len(wiped) == 1 else f"{card['agent']},"
                labels.append((_end(entry["curve"]), f"{whose} {said}", colour))
    for key, (name, dashes) in REFERENCES.items():
        if first["references"] is not None:
            rate = (100.0 if of.startswith("goals") else 1.0) * first["references"][key] / length
            axes.axhline(rate, color=FAINT, linestyle=dashes, linewidth=1.1, zorder=1)
            labels.append((rate, (reference_names or {}).get(key, name), FAINT))
    axes.set_xlim(0, length)
    if of.startswith("goals"):
        axes.set_ylim(bottom=0)
    axes.margins(y=0.08)
    axes.set_xlabel("step of the lifetime")
    axes.set_ylabel(of)
    axes.set_title(title or f"{first['env']}: {first['lifetimes']} {first['split']} lifetimes", loc="left")
    name_lines(axes, labels)
    return figure


@rc_context(STYLE)
def trial_lengths(cards: Sequence[Card], title: str | None = None) -> Figure:
    """Steps to the goal in the 1st, 2nd, ... trial (Kaplan-Meier), as far as half of the lifetimes came."""
    first = _checked(cards)
    figure, axes = canvas(6.4, 3.6, right=0.74)
    for number, card in enumerate(cards):
        trials = card["trials"]
        colour = AGENT_COLOURS[number % len(AGENT_COLOURS)]
        axes.plot(trials["index"], trials["mean_steps"], "o-", color=colour, markersize=3.5, linewidth=1.5)
    if first["references"] is not None:
        steps = first["curve"]["bin_steps"] * len(first["curve"]["mean"]) / first["references"]["oracle"]
        axes.axhline(steps, color=FAINT, linestyle=REFERENCES["oracle"][1], linewidth=1.1)
    axes.set_xlim(left=0.5)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("trial of the lifetime")
    axes.set_ylabel("steps to the goal")
    axes.set_title(title or f"{first['env']}: the first trial searches, later ones return", loc="left")
    last = [(card["trials"]["mean_steps"][-1], card["agent"]) for card in cards]
    labels = [(y, name, AGENT_COLOURS[i % len(AGENT_COLOURS)]) for i, (y, name) in enumerate(last)]
    if first["references"] is not None:
        labels.append((steps, REFERENCES["oracle"][0], FAINT))
    name_lines(axes, labels)
    return figure


@rc_context(STYLE)
def survival(lives: Lifetimes, trials: Sequence[int] = (1, 2, 3, 5, 10), title: str | None = None) -> Figure:
    """Share of trials still running after so many steps, by number of the trial (Kaplan-Meier, 95 % bands).

    Trials that the end of a lifetime cut short are censored. Source of the bands: Greenwood 1926.
    Raises: BadValue if no trial of those numbers was ever finished.
    """
    cut = all_trials(lives)
    figure, axes = canvas(6.4, 3.6, right=0.96)
    shades = colormaps["viridis"](np.linspace(0.0, 0.85, len(trials)))
    reach = []
    for number, colour in zip(trials, shades, strict=True):
        those = cut.index == number
        if not (those & cut.complete).any():
            continue
        times, share = kaplan_meier(cut.length[those], cut.complete[those])
        low, high = greenwood(cut.length[those], cut.complete[those])
        x = np.concatenate([[0], times, [cut.length[those].max()]])
        bounds = [np.concatenate([[1.0], y, y[-1:]]) for y in (share, low, high)]
        axes.fill_between(x, bounds[1], bounds[2], step="post", color=colour, alpha=0.18, linewidth=0)
        axes.step(x, bounds[0], where="post", color=colour, linewidth=1.8, label=_ordinal(number))
        reach.append(float(times[np.searchsorted(-share, -0.03, side="right") - 1]))
    if not reach:
        raise BadValue(
            f"No trial of number {', '.join(map(str, trials))} was finished by this agent. Train it longer, or choose "
            "another one."
        )
    axes.set_xlim(0, 1.1 * max(reach))
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("steps since the trial began")
    axes.set_ylabel("share still searching")
    axes.set_title(title or f"{len(lives.steps)} lifetimes: who is still searching", loc="left")
    axes.legend(title="trial", frameon=False, loc="upper right", alignment="left")
    return figure


@rc_context(STYLE)
def scores(cards: Sequence[Card], title: str | None = None) -> Figure:
    """Score of every agent and of its controls with its interval, against the references."""
    first = _checked(cards)
    rows: list[tuple[str, Mapping[str, Any], str, bool]] = []
    for number, card in enumerate(cards):
        colour = AGENT_COLOURS[number % len(AGENT_COLOURS)]
        rows.append((card["agent"], card["score"], colour, True))
        rows += [(CONTROLS.get(name, name), entry, colour, False) for name, entry in card["controls"].items()]
    figure, axes = canvas(6.4, 1.2 + 0.34 * len(rows), right=0.96, left=0.3)
    for place, (_, entry, colour, filled) in enumerate(rows):
        low, high = entry["ci95"]
        axes.errorbar(
            entry["mean"],
            place,
            xerr=[[entry["mean"] - low], [high - entry["mean"]]],
            fmt="o",
            color=colour,
            markerfacecolor=colour if filled else "white",
            markersize=6,
            capsize=3,
        )
    if first["references"] is not None:
        for key in REFERENCES:
            axes.axvline(first["references"][key], color=FAINT, linestyle=REFERENCES[key][1], linewidth=1.1, zorder=1)
            axes.annotate(
                key.replace("_", "\n"),
                (first["references"][key], 1.0),
                (0, 3),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="right" if key == "best_known" else "left" if key == "oracle" else "center",
                va="bottom",
                fontsize=7.5,
                color=FAINT,
            )
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"{first['score']['of']} per lifetime ({first['env']}, {first['split']})")
    if title:
        figure.suptitle(title, x=0.02, ha="left")
    return figure


def named_apart(places: Sequence[str | Path]) -> list[Card]:
    """The cards, those of agents of one name told apart by their folders."""
    cards = [Card.load(place) for place in places]
    names = [card["agent"] for card in cards]
    for card, place in zip(cards, places, strict=True):
        if names.count(card["agent"]) > 1:
            path = Path(place).resolve()
            card["agent"] += f" ({path.parent.name if path.is_file() else path.name})"
    return cards


def _ordinal(number: int) -> str:
    return f"{number}{({1: 'st', 2: 'nd', 3: 'rd'}).get(number, 'th')}"


def _checked(cards: Sequence[Card]) -> Card:
    if not cards:
        raise BadValue("There is no card to draw. Pass at least one, for example Card.load('runs/demo').")
    worlds = sorted({f"{card['env']} {card['env_hash']}" for card in cards})
    if len(worlds) > 1:
        raise BadValue(f"The cards are of different worlds: {'; '.join(worlds)}. Draw one figure for each world.")
    return cards[0]


def _band(axes: Axes, curve: Mapping[str, Any], colour: str, alpha: float = 0.22, **line: Any) -> None:
    centre = (np.arange(len(curve["mean"])) + 0.5) * curve["bin_steps"]
    axes.fill_between(centre, curve["low"], curve["high"], color=colour, alpha=alpha, linewidth=0)
    axes.plot(centre, curve["mean"], color=colour, **line)


def _end(curve: Mapping[str, Any]) -> float:
    return float(np.mean(curve["mean"][-3:]))

"""Figures drawn from cards, ready for a paper: colours for colour-blind eyes, intervals shown, and nothing but data.

Every function returns a matplotlib Figure; `figure.savefig("name.png", dpi=200)` or ".pdf" writes it.
Colours: Okabe and Ito 2008. Names of references are written beside their lines, so no colour must be told from memory.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lsnn_rl.agents.adapters import agent_and_world
from lsnn_rl.agents.cards import Card
from lsnn_rl.agents.inside import Inside, look_inside
from lsnn_rl.errors import BadValue, MissingFile, unknown_name

AGENT_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
REFERENCES = {  # key in the card: (what a reader should call it, line style)
    "oracle": ("oracle: knows the goal", (0, (1, 1.2))),
    "best_known": ("best known: search once, remember", (0, (6, 2))),
    "amnesic": ("amnesic: searches anew every trial", (0, (4, 1.5, 1, 1.5))),
    "random": ("random walk", (0, (1, 3))),
}
CONTROLS = {"state_reset": "state wiped after each goal", "sampled": "sampled actions"}
INK, FAINT = "#222222", "#767676"
STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.family": "sans-serif",
    "axes.linewidth": 0.8,
}


@rc_context(STYLE)
def adaptation(cards: Sequence[Card], title: str | None = None) -> Figure:
    """The score in each stretch of the lifetime: each agent, its controls, and the references as levels.

    Shaded: 95 % interval of the mean over lifetimes. A reference is drawn at its mean rate over the whole lifetime.
    """
    first = _checked(cards)
    figure, axes = _canvas(6.4, 3.9)
    length = first["curve"]["bin_steps"] * len(first["curve"]["mean"])
    of = first["curve"].get("of", "goals per 100 steps")
    labels: list[tuple[float, str, str]] = []
    for number, card in enumerate(cards):
        colour = AGENT_COLOURS[number % len(AGENT_COLOURS)]
        _band(axes, card["curve"], colour, linewidth=2.2)
        labels.append((_end(card["curve"]), card["agent"], colour))
        for control, entry in card["controls"].items():
            if control == "state_reset":
                _band(axes, entry["curve"], colour, linewidth=1.3, linestyle=(0, (3, 1.5)), alpha=0.12)
                labels.append((_end(entry["curve"]), f"{card['agent']}, {CONTROLS[control]}", colour))
    for key, (name, dashes) in REFERENCES.items():
        if first["references"] is not None:
            rate = (100.0 if of.startswith("goals") else 1.0) * first["references"][key] / length
            axes.axhline(rate, color=FAINT, linestyle=dashes, linewidth=1.1, zorder=1)
            labels.append((rate, name, FAINT))
    axes.set_xlim(0, length)
    if of.startswith("goals"):
        axes.set_ylim(bottom=0)
    axes.margins(y=0.08)
    axes.set_xlabel("step of the lifetime")
    axes.set_ylabel(of)
    axes.set_title(title or f"{first['env']}: {first['lifetimes']} {first['split']} lifetimes", loc="left")
    _name_lines(axes, labels)
    return figure


@rc_context(STYLE)
def trial_lengths(cards: Sequence[Card], title: str | None = None) -> Figure:
    """Steps to the goal in the 1st, 2nd, ... trial (Kaplan-Meier), as far as half of the lifetimes came."""
    first = _checked(cards)
    figure, axes = _canvas(6.4, 3.6, right=0.74)
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
    _name_lines(axes, labels)
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
    figure, axes = _canvas(6.4, 1.2 + 0.34 * len(rows), right=0.96, left=0.3)
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


@rc_context(STYLE)
def learning(
    runs: Mapping[str, tuple[Sequence[float], Sequence[float]]], references: Mapping[str, float] | None
) -> Figure:
    """Goals per lifetime while training.

    Args:
        runs: name -> (environment steps, goals per lifetime), as logged under `lifetime/goals`.
        references: levels to draw, as in a card.
    """
    if not runs:
        raise BadValue("There is no training log to draw. Pass at least one run, name -> (steps, goals).")
    figure, axes = _canvas(6.4, 3.9)
    labels = []
    for number, (name, (steps, goals)) in enumerate(runs.items()):
        colour = AGENT_COLOURS[number % len(AGENT_COLOURS)]
        axes.plot(np.asarray(steps) / 1e6, goals, color=colour, linewidth=1.8)
        labels.append((float(goals[-1]), name, colour))
    for key, (name, dashes) in REFERENCES.items():
        if references is not None:
            axes.axhline(references[key], color=FAINT, linestyle=dashes, linewidth=1.1, zorder=1)
            labels.append((references[key], name, FAINT))
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("million environment steps")
    axes.set_ylabel("goals per lifetime, in training")
    _name_lines(axes, labels)
    return figure


@rc_context(STYLE)
def raster(inside: Inside, title: str | None = None, cells: int = 40) -> Figure:
    """Spikes of the busiest regular and adaptive cells, and the thresholds of the adaptive ones, over a lifetime.

    Args: cells: of each population. A vertical line marks a step that reached the goal.
    """
    figure = Figure(figsize=(6.4, 4.8), dpi=150, layout="constrained")
    regular, adaptive = inside.spikes[:, : inside.regular], inside.spikes[:, inside.regular :]
    chosen = [_busiest(population, cells) for population in (regular, adaptive)]
    rows = [(regular, chosen[0], "regular", INK), (adaptive, chosen[1], "adaptive", AGENT_COLOURS[1])]
    rows = [row for row in rows if len(row[1])]
    has_thresholds = len(chosen[1]) > 0
    ratios = [len(row[1]) for row in rows] + [cells] * has_thresholds
    panels = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    for axes, (spikes, which, name, colour) in zip(panels, rows, strict=False):
        step, cell = np.nonzero(spikes[:, which])
        axes.plot(step, cell, "|", color=colour, markersize=2.2, markeredgewidth=0.6)
        axes.set_ylim(len(which) - 0.5, -0.5)
        axes.set_ylabel(f"{name}\ncells")
    if has_thresholds:
        levels = inside.threshold[:, chosen[1]].T
        picture = panels[-1].imshow(levels, aspect="auto", cmap="viridis", interpolation="nearest", vmin=1)
        panels[-1].set_ylabel("their\nthresholds")
        figure.colorbar(picture, ax=list(panels), label="threshold / resting threshold", pad=0.02, aspect=40)
    for axes in panels:
        axes.set_yticks([])
        for hit in np.flatnonzero(inside.hits):
            axes.axvline(hit, color=AGENT_COLOURS[2], linewidth=0.9, alpha=0.8)
    panels[0].set_xlim(0, len(inside.hits))
    panels[0].set_title(title or "Spikes and thresholds; a green line is a goal", loc="left", fontsize=10)
    panels[-1].set_xlabel("step of the lifetime")
    return figure


def _busiest(spikes: np.ndarray, cells: int) -> np.ndarray:
    """Which cells fired most, in order of their first spike, so that the eye finds structure."""
    counts = spikes.sum(0)
    chosen = np.argsort(-counts, kind="stable")[:cells]
    chosen = chosen[counts[chosen] > 0]
    return chosen[np.argsort(spikes[:, chosen].argmax(0), kind="stable")]


def draw(kind: str, places: Sequence[str | Path], title: str | None = None) -> Figure:
    """The figure called `kind` from card files or run folders; "learning" reads their logs, "raster" wakes an agent."""
    if kind not in KINDS:
        raise unknown_name("kind of figure", kind, KINDS)
    if kind == "learning":
        cards = [Card.load(place) for place in places if (Path(place) / "card.json").is_file()]
        return learning(
            {Path(p).resolve().name: training_log(p) for p in places}, cards[0]["references"] if cards else None
        )
    if kind == "raster":
        agent, env_id, env_kwargs = agent_and_world(str(places[0]))
        return raster(look_inside(agent, env_id, env_kwargs), title)
    return KINDS[kind](named_apart(places), title)


def named_apart(places: Sequence[str | Path]) -> list[Card]:
    """The cards, those of agents of one name told apart by their folders."""
    cards = [Card.load(place) for place in places]
    names = [card["agent"] for card in cards]
    for card, place in zip(cards, places, strict=True):
        if names.count(card["agent"]) > 1:
            path = Path(place).resolve()
            card["agent"] += f" ({path.parent.name if path.is_file() else path.name})"
    return cards


def training_log(run: str | Path) -> tuple[list[float], list[float]]:
    """Environment steps and goals per lifetime of a run folder, all its sessions in order."""
    steps, goals = [], []
    for file in sorted(Path(run).glob("logs/*/progress.csv"), key=lambda file: int(file.parent.name)):
        with open(file, encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if row.get("lifetime/goals"):
                    steps.append(float(row["time/total_timesteps"]))
                    goals.append(float(row["lifetime/goals"]))
    if not steps:
        raise MissingFile(f"{run}/logs holds no finished lifetimes. Give the folder of a run that trained for a while.")
    return steps, goals


def _checked(cards: Sequence[Card]) -> Card:
    if not cards:
        raise BadValue("There is no card to draw. Pass at least one, for example Card.load('runs/demo').")
    worlds = sorted({f"{card['env']} {card['env_hash']}" for card in cards})
    if len(worlds) > 1:
        raise BadValue(f"The cards are of different worlds: {'; '.join(worlds)}. Draw one figure for each world.")
    return cards[0]


def _canvas(width: float, height: float, left: float = 0.1, right: float = 0.66) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=150)
    axes = figure.add_axes((left, 0.55 / height, right - left, 1 - 1.0 / height))
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _band(axes: Axes, curve: Mapping[str, Any], colour: str, alpha: float = 0.22, **line: Any) -> None:
    centre = (np.arange(len(curve["mean"])) + 0.5) * curve["bin_steps"]
    axes.fill_between(centre, curve["low"], curve["high"], color=colour, alpha=alpha, linewidth=0)
    axes.plot(centre, curve["mean"], color=colour, **line)


def _end(curve: Mapping[str, Any]) -> float:
    return float(np.mean(curve["mean"][-3:]))


def _name_lines(axes: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Write each line's name beside its end, pushed apart where names would overlap."""
    low, high = axes.get_ylim()
    height = axes.get_window_extent().height * 72 / axes.figure.dpi
    gap = 10.5 / height * (high - low)
    placed: list[float] = []
    ordered = sorted(labels, key=lambda label: label[0])
    for y, _, _ in ordered:
        placed.append(max(y, placed[-1] + gap) if placed else y)
    placed = [min(y, high - gap * (len(placed) - 1 - index)) for index, y in enumerate(placed)]
    for (y, name, colour), at in zip(ordered, placed, strict=True):
        axes.annotate(
            name,
            xy=(1.0, y),
            xytext=(1.025, at),
            xycoords=("axes fraction", "data"),
            textcoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            color=colour,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.6,
                "relpos": (0, 0.5),
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )


KINDS: dict[str, Callable[..., Figure]] = {
    "adaptation": adaptation,
    "trials": trial_lengths,
    "scores": scores,
    "learning": learning,
    "raster": raster,
}

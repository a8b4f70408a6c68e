"""Figures of memory: where it lies, shown by moving it from one agent into another."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from lsnn_rl.agents.figures.style import AGENT_COLOURS, FAINT, INK, STYLE
from lsnn_rl.agents.statistics import mean_interval
from lsnn_rl.agents.surgery import OTHER, OWN, Outcome, Surgery
from lsnn_rl.errors import BadValue, unknown_name

HOST, DONOR, NOBODY = AGENT_COLOURS[0], AGENT_COLOURS[1], "#C8C8C8"
SHOWN = ("nothing", "thresholds (b)", "voltages (v)")


@rc_context(STYLE)
def surgery(found: Surgery, shown: Sequence[str] | None = None, title: str | None = None) -> Figure:
    """Where hosts go after parts of their state were replaced by the donor's, and what can be read from these parts.

    Above: the ways of hosts, turned so that their own goal lies to the left and the donor's to the right. Below: whose
    goal they reach first after each operation; and the belief read from thresholds and voltages after a transplant.

    Args:
        found: what `lsnn_rl.agents.surgery.operate` returned.
        shown: operations whose ways are drawn; nothing, b and v unless told.
    """
    drawn = [name for name in (shown or SHOWN) if shown is not None or name in found.outcomes]
    for name in drawn:
        if name not in found.outcomes:
            raise unknown_name("operation", name, found.outcomes)
    if not drawn:
        raise BadValue(f"None of {', '.join(SHOWN)} was done. Say what to draw: shown=[...].")
    rows = len(found.outcomes)
    beliefs = [name for name in ("v", "b") if all(name in found.outcomes[label].belief for label in drawn)]
    low = 1.0 + 0.235 * rows
    figure = Figure(figsize=(7.2, 3.0 + low), dpi=150)
    top, bottom = np.ravel(figure.subfigures(2, 1, height_ratios=(3.0, low), squeeze=False))
    words = title or f"Transplants: {found.card['agent']}, {found.card['pairs']} pairs of lifetimes"
    top.text(0.02, 0.945, words, fontsize=10.5, color=INK)
    for axes, label in zip(top.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
        _ways(axes, found, found.outcomes[label])
    top.subplots_adjust(left=0.01, right=0.99, bottom=0.0, top=0.78, wspace=0.0)
    base, height = 0.45 / low, 1 - 0.8 / low
    _shares(bottom.add_axes((0.235, base, 0.35 if beliefs else 0.65, height)), found)
    if beliefs:
        _beliefs(bottom.add_axes((0.77, base, 0.215, height)), found, beliefs)
    return figure


def turned(found: Surgery, outcome: Outcome) -> NDArray[np.float64]:
    """The ways [K, N, 2], each turned so that its own goal is to the left and the donor's to the right."""
    axis = found.other / np.linalg.norm(found.other, axis=1, keepdims=True)
    axis = axis - found.own / np.linalg.norm(found.own, axis=1, keepdims=True)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    across = np.stack([-axis[:, 1], axis[:, 0]], axis=1)
    return np.stack([(outcome.place * axis).sum(-1), (outcome.place * across).sum(-1)], axis=-1)


def _ways(axes: Axes, found: Surgery, outcome: Outcome) -> None:
    radius, ring = found.radius, float(np.linalg.norm(found.own, axis=1).mean())
    axes.add_patch(Circle((0, 0), radius, facecolor="#F6F6F4", edgecolor="#BBBBBB", linewidth=0.8))
    for side, colour, name in ((-1, HOST, "own goal"), (1, DONOR, "donor's goal")):
        axes.add_patch(Circle((side * ring, 0), found.goal_radius, facecolor=colour, alpha=0.16, linewidth=0))
        axes.add_patch(
            Circle((side * ring, 0), found.goal_radius, facecolor="none", edgecolor=colour, linewidth=1.0, alpha=0.8)
        )
        ha = "left" if side < 0 else "right"
        axes.annotate(name, (side * 1.2 * radius, -found.goal_radius - 0.05), ha=ha, va="top", fontsize=7, color=colour)
    ways = turned(found, outcome)
    for row in range(ways.shape[1]):
        whose = int(outcome.reached[row])
        colour = {OWN: HOST, OTHER: DONOR}.get(whose, "#8A8A8A")
        stop = _arrival(found, outcome, row)
        way = np.concatenate([[[0.0, 0.0]], ways[:stop, row]])
        axes.plot(*way.T, color=colour, linewidth=0.5, alpha=0.4, solid_capstyle="round")
    axes.plot(0, 0, "o", color=INK, markersize=3)
    axes.set_xlim(-1.22 * radius, 1.22 * radius)
    axes.set_ylim(-1.03 * radius, 1.03 * radius)
    axes.set_aspect("equal")
    axes.set_axis_off()
    share = found.card["operations"][outcome.operation.label]
    what = "nothing exchanged" if not outcome.operation.names else f"donor's {outcome.operation.label}"
    axes.set_title(
        f"{what}\n{100 * share['own']['mean']:.0f} % own, {100 * share['other']['mean']:.0f} % donor's", fontsize=9
    )


def _arrival(found: Surgery, outcome: Outcome, row: int) -> int:
    """After how many steps the host came to a goal; all of them if it never did."""
    if outcome.reached[row] not in (OWN, OTHER):
        return len(outcome.place)
    goal = (found.own if outcome.reached[row] == OWN else found.other)[row]
    near = np.hypot(*(outcome.place[:, row] - goal).T) <= found.goal_radius
    return int(near.argmax()) + 1


def _shares(axes: Axes, found: Surgery) -> None:
    labels = list(found.outcomes)
    for place, label in enumerate(labels):
        entry, left = found.card["operations"][label], 0.0
        for word, colour in (("own", HOST), ("neither", NOBODY), ("other", DONOR)):
            width = entry[word]["mean"]
            axes.barh(place, width, left=left, height=0.68, color=colour, linewidth=0)
            left += width
        low, high = entry["other"]["ci95"]
        axes.plot([1 - high, 1 - low], [place, place], color=INK, linewidth=1.1, solid_capstyle="butt")
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_ylim(len(labels) - 0.45, -0.55)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "50", "100 %"])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("share of hosts", fontsize=8)
    for place, label in enumerate(labels):
        names, readings = found.outcomes[label].operation, found.card["readings"]
        if len(names.names) == 1 and names.units is None and names.names[0] in readings:
            axes.annotate(
                f"{readings[names.names[0]]['r2']:.2f}", (1.07, place), va="center", fontsize=8, annotation_clip=False
            )
    if found.card["readings"]:
        axes.annotate(
            "readable\n($R^2$)", (1.07, 1.0), (0, 4), xycoords="axes fraction", textcoords="offset points", fontsize=7.5
        )
    for x, ha, word, colour in ((0, "left", "to the own goal", HOST), (1, "right", "to the donor's", DONOR)):
        axes.annotate(
            word,
            (x, 1.0),
            (0, 4),
            xycoords="axes fraction",
            textcoords="offset points",
            ha=ha,
            fontsize=8,
            color=colour,
        )


def _beliefs(axes: Axes, found: Surgery, read: Sequence[str]) -> None:
    """Beliefs read from v (solid) and b (dashed) after a transplant of either, between the two goals."""
    words = {"v": "voltages (v)", "b": "thresholds (b)"}
    for moved, colour in (("v", DONOR), ("b", HOST)):
        outcome = found.outcomes.get(words[moved])
        if outcome is None:
            continue
        for name in read:
            path = outcome.belief[name]
            bounds = np.array([mean_interval(row) for row in path])
            style = "-" if name == "v" else (0, (4, 1.5))
            axes.fill_between(range(len(path)), bounds[:, 1], bounds[:, 2], color=colour, alpha=0.15, linewidth=0)
            axes.plot(bounds[:, 0], color=colour, linestyle=style, linewidth=1.4)
    for y in (0, 1):
        axes.axhline(y, color=FAINT, linewidth=0.7, zorder=0)
    for height, moved, colour in ((1.2, "v", DONOR), (1.09, "b", HOST)):
        axes.annotate(
            f"donor's {words[moved]}",
            (1.0, height),
            xycoords=("axes fraction", "data"),
            ha="right",
            fontsize=7,
            color=colour,
        )
    styles = [Line2D([], [], color=INK, linestyle=style, linewidth=1.2) for style in ("-", (0, (4, 1.5)))]
    axes.legend(
        styles,
        ["from v", "from b"],
        frameon=False,
        fontsize=7,
        loc="lower left",
        bbox_to_anchor=(-0.02, -0.01),
        ncols=2,
        handlelength=1.8,
        columnspacing=1.0,
    )
    axes.set_yticks([0, 1], ["own\ngoal", "donor's\ngoal"], fontsize=8)
    axes.set_ylim(-0.3, 1.3)
    axes.set_xlim(left=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("steps since the transplant", fontsize=8)
    axes.set_title("decoded belief", fontsize=9, loc="left")

"""Figures of neurons at work: who fires, whose threshold is raised, and where in the world."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from lsnn_rl.agents.figures.style import AGENT_COLOURS, FAINT, INK, STYLE
from lsnn_rl.agents.inside import Inside, Lives
from lsnn_rl.errors import BadValue, unknown_name

ORDERS = ("first spike", "place")
GOAL = AGENT_COLOURS[2]
PARTS = {  # label of a population -> colour; in order: excitatory before inhibitory, adaptive last
    "regular": INK,
    "regular_excitatory": INK,
    "regular_inhibitory": AGENT_COLOURS[0],
    "adaptive": AGENT_COLOURS[1],
    "adaptive_excitatory": AGENT_COLOURS[1],
    "adaptive_inhibitory": AGENT_COLOURS[3],
}


@rc_context(STYLE)
def raster(
    inside: Inside,
    title: str | None = None,
    cells: int = 40,
    order: str = "first spike",
    tuning: NDArray[np.float64] | None = None,
) -> Figure:
    """Spikes of the busiest cells of every population, and the thresholds of the adaptive ones, over a lifetime.

    A green line marks a step that reached the goal.

    Args:
        cells: of each population.
        order: of the cells: by "first spike", or by "place", the direction in which they fire most.
        tuning: that direction of every cell, [H], radians, as `preferred_directions` gives it; for order="place".
    """
    if order not in ORDERS:
        raise unknown_name("order of cells", order, ORDERS)
    if order == "place" and tuning is None:
        raise BadValue("Order by place needs tuning=. Take preferred_directions(record_lives(...)).")
    figure = Figure(figsize=(6.4, 4.8), dpi=150, layout="constrained")
    rows = []
    for label, units in inside.parts.items():
        spikes = inside.spikes[:, units]
        which = _busiest(spikes, cells)
        if order == "place" and tuning is not None:
            which = which[np.argsort(tuning[units][which], kind="stable")]
        if len(which):
            rows.append((label, spikes, which))
    adaptive = inside.spikes[:, inside.regular :]
    raised = _busiest(adaptive, cells)
    if order == "place" and tuning is not None:
        raised = raised[np.argsort(tuning[inside.regular :][raised], kind="stable")]
    ratios = [len(which) for *_, which in rows] + [cells] * (len(raised) > 0)
    if not ratios:
        raise BadValue("No cell fired in this stretch of the lifetime. Look at more steps, or at a trained agent.")
    panels = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    for axes, (label, spikes, which) in zip(panels, rows, strict=False):
        step, cell = np.nonzero(spikes[:, which])
        axes.plot(step, cell, "|", color=PARTS.get(label, INK), markersize=2.2, markeredgewidth=0.6)
        axes.set_ylim(len(which) - 0.5, -0.5)
        axes.set_ylabel(label.replace("_", "\n") + "\ncells")
    if len(raised):
        levels = inside.threshold[:, raised].T
        picture = panels[-1].imshow(levels, aspect="auto", cmap="viridis", interpolation="nearest", vmin=1)
        panels[-1].set_ylabel(
            "their\nthresholds" if len(rows) and "adaptive" in rows[-1][0] else "adaptive\nthresholds"
        )
        figure.colorbar(picture, ax=list(panels), label="threshold / resting threshold", pad=0.02, aspect=40)
    for axes in panels:
        axes.set_yticks([])
        _mark_goals(axes, inside.hits)
    panels[0].set_xlim(0, len(inside.hits))
    ordered = " by preferred direction" if order == "place" else ""
    panels[0].set_title(title or f"Spikes and thresholds{ordered}; a green line is a goal", loc="left", fontsize=10)
    panels[-1].set_xlabel("step of the lifetime")
    return figure


@rc_context(STYLE)
def thresholds(inside: Inside, title: str | None = None, cells: int = 6) -> Figure:
    """Thresholds of those adaptive cells that move most, one below the other with their spikes as ticks.

    Raises: BadValue for an agent without adaptive cells.
    """
    if not inside.threshold.shape[1]:
        raise BadValue("This agent has no adaptive cells, so no threshold ever moves. Choose one with adaptive > 0.")
    settled = inside.threshold[len(inside.threshold) // 3 :]  # at first all of them only rise from rest
    which = np.argsort(-settled.std(axis=0), kind="stable")[:cells]
    which = which[np.argsort(inside.threshold[:, which].argmax(axis=0), kind="stable")]
    figure = Figure(figsize=(6.4, 0.95 + 0.62 * len(which)), dpi=150, layout="constrained")
    panels = figure.subplots(len(which), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    top = float(inside.threshold[:, which].max())
    for axes, cell in zip(panels, which, strict=True):
        level = inside.threshold[:, cell]
        axes.fill_between(np.arange(len(level)), 1.0, level, color=AGENT_COLOURS[1], alpha=0.16, linewidth=0)
        axes.plot(level, color=AGENT_COLOURS[1], linewidth=1.2)
        fired = np.flatnonzero(inside.spikes[:, inside.regular + cell])
        axes.plot(fired, np.full(len(fired), -0.06 * top), "|", color=INK, markersize=3.5, markeredgewidth=0.6)
        _mark_goals(axes, inside.hits)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylim(-0.14 * top, 1.06 * top)
        axes.set_yticks([1, round(top)])
        axes.annotate(
            f"cell {inside.regular + cell}", (1.005, 0.5), xycoords="axes fraction", fontsize=7.5, color=FAINT
        )
    panels[0].set_xlim(0, len(inside.hits))
    panels[0].set_title(title or "Thresholds: raised by spikes (ticks), sinking slowly; green: a goal", loc="left")
    panels[-1].set_xlabel("step of the lifetime")
    figure.supylabel("threshold / resting threshold", fontsize=9)
    return figure


@rc_context(STYLE)
def place_fields(
    lives: Lives,
    cells: int = 24,
    bins: int = 25,
    radius: float = 1.0,
    step_ms: float = 1.0,
    title: str | None = None,
) -> Figure:
    """Where in the arena cells fire: maps of firing rate of the cells that tell most about the place.

    Args:
        lives: recorded with names=("z",).
        cells: how many. bins: across the arena. radius: of it. step_ms: simulated time of one environment step.
    Raises: BadValue if the recording has no places or no spikes.
    """
    rates, visits = rate_maps(lives, bins, radius)
    chosen = np.argsort(-spatial_information(rates, visits), kind="stable")[:cells]
    chosen = chosen[rates[chosen].reshape(len(chosen), -1).max(axis=1) > 0]
    if not len(chosen):
        raise BadValue("No cell fired. Record a trained agent, or more steps.")
    columns = 8 if len(chosen) > 12 else 6
    lines = -(-len(chosen) // columns)
    figure = Figure(figsize=(6.4, 0.5 + lines * 6.6 / columns), dpi=150)
    grid = figure.subplots(lines, columns, squeeze=False)
    figure.subplots_adjust(
        left=0.015, right=0.985, bottom=0.02, top=1 - 0.45 / figure.get_figheight(), wspace=0.05, hspace=0.22
    )
    for axes in grid.flat:
        axes.set_axis_off()
    border = "#BBBBBB"
    for axes, cell in zip(grid.flat, chosen, strict=False):
        hz = smoothed(rates[cell] * 1000.0 / step_ms, visits)
        kind = next((label for label, units in lives.parts.items() if units.start <= cell < units.stop), "")
        edges = (-radius, radius, -radius, radius)
        picture = axes.imshow(hz.T, origin="lower", extent=edges, cmap="magma", interpolation="bilinear", vmin=0)
        disc = Circle((0, 0), radius, facecolor="none", edgecolor=border, linewidth=0.6)
        axes.add_patch(disc)
        picture.set_clip_path(disc)
        axes.set_xlim(-1.04 * radius, 1.04 * radius)
        axes.set_ylim(-1.04 * radius, 1.04 * radius)
        axes.set_title(f"{np.nanmax(hz):.0f} Hz", fontsize=7, pad=1.5, color=PARTS.get(kind, INK))
    words = {"regular": "regular black", "adaptive": "adaptive orange"}
    said = ", ".join(words[p] for p in lives.parts if p in words)
    figure.suptitle(
        title or "Place fields: where cells fire, and their peak rate" + (f" ({said})" if said else ""),
        x=0.015,
        ha="left",
        fontsize=10,
    )
    return figure


def rate_maps(lives: Lives, bins: int = 25, radius: float = 1.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spikes per step of every cell in every part of the arena, [H, bins, bins], and how often it was there."""
    if lives.place is None or lives.place.ndim != 3:
        raise BadValue("This world has no places in a plane, so no cell has a place field. Record an arena.")
    if "z" not in lives.state:
        raise BadValue('There are no spikes in this recording. Record them: record_lives(..., names=("z",)).')
    x, y = np.clip(((lives.place / radius + 1) / 2 * bins).astype(int), 0, bins - 1)[lives.alive].T
    spikes = lives.state["z"][lives.alive]
    where = x * bins + y
    visits = np.bincount(where, minlength=bins * bins).astype(np.float64)
    order = np.argsort(where, kind="stable")  # steps of one bin side by side: one sum for each bin and all cells
    begin = np.searchsorted(where[order], np.flatnonzero(visits))
    rates = np.zeros((spikes.shape[1], bins * bins))
    rates[:, visits > 0] = np.add.reduceat(spikes[order].astype(np.float64), begin, axis=0).T / visits[visits > 0]
    return rates.reshape(-1, bins, bins), visits.reshape(bins, bins)


def spatial_information(rates: NDArray, visits: NDArray) -> NDArray[np.float64]:
    """Bits that a spike tells about the place, times spikes per step: bits per step, [H].

    Source: Skaggs et al. 1993.

    >>> everywhere, half = np.full((1, 2, 2), 0.5), np.array([[[1.0, 1.0], [0.0, 0.0]]])
    >>> spatial_information(np.concatenate([everywhere, half]), np.ones((2, 2))).tolist()
    [0.0, 0.5]
    """
    share = visits / visits.sum()
    mean = (rates * share).sum(axis=(1, 2), keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = np.where(rates > 0, rates * np.log2(rates / mean), 0.0)
    return (bits * share).sum(axis=(1, 2))


def preferred_directions(lives: Lives) -> NDArray[np.float64]:
    """In which direction from the middle each cell fires most, [H], radians; silent cells have none and get 0."""
    if lives.place is None:
        raise BadValue("This world has no places to prefer. Record an arena.")
    places = lives.place[lives.alive]
    spikes = lives.state["z"][lives.alive].astype(np.float64)
    toward = spikes.T @ (places - places.mean(axis=0))
    return np.arctan2(toward[:, 1], toward[:, 0])


def smoothed(rate: NDArray, visits: NDArray, width: float = 1.0) -> NDArray[np.float64]:
    """A map of rates smoothed by a Gaussian `width` bins wide, each bin counting as often as it was visited."""
    reach = int(np.ceil(3 * width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)

    def blur(values: NDArray) -> NDArray:
        for axis in (0, 1):
            values = np.apply_along_axis(np.convolve, axis, values, kernel, mode="same")
        return values

    weight = blur(visits.astype(np.float64))
    seen_enough = weight > 0.05 * weight.mean()  # a single spike in a corner is no place field
    return np.where(seen_enough, blur(rate * visits) / np.maximum(weight, 1e-12), 0.0)


def _busiest(spikes: NDArray, cells: int) -> NDArray[np.intp]:
    """Which cells fired most, in order of their first spike, so that the eye finds structure."""
    counts = spikes.sum(0)
    chosen = np.argsort(-counts, kind="stable")[:cells]
    chosen = chosen[counts[chosen] > 0]
    return chosen[np.argsort(spikes[:, chosen].argmax(0), kind="stable")]


def _mark_goals(axes: Axes, hits: Sequence[bool] | NDArray[np.bool_]) -> None:
    for hit in np.flatnonzero(hits):
        axes.axvline(float(hit), color=GOAL, linewidth=0.9, alpha=0.8)

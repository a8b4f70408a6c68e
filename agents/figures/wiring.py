"""Figures of wiring: who is connected to whom, how strongly, and how rewiring changes it while it learns."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lsnn_rl.agents.figures.style import AGENT_COLOURS, FAINT, INK, STYLE
from lsnn_rl.errors import BadValue

BORN, GONE, KEPT = AGENT_COLOURS[2], AGENT_COLOURS[1], "#9A9A9A"
Parts = Mapping[str, slice]


@rc_context(STYLE)
def connectivity(network: Any, title: str | None = None) -> Figure:
    """The weights of a RecurrentNetwork: inputs, recurrent and readouts, [post, pre], bordered by population.

    Orange excites, purple inhibits, white is no synapse; colours saturate at the 99th percentile of each matrix.
    """
    with_zeros = {
        "inputs": _array(network.weights().w_in),
        "cells": _array(network.weights().w_rec),
        "readouts": _array(network.weights().w_out),
    }
    gates = with_zeros["cells"].shape[0] // network.size
    parts = dict(network.populations) or {"cells": slice(0, network.size)}
    # Every block gets room by its number of lines, but the smaller ones enough to be seen.
    wide = [max(0.35, min(0.8, with_zeros["inputs"].shape[1] / network.size)), 1.0]
    tall = [1.0, max(0.16, min(0.4, with_zeros["readouts"].shape[0] / network.size))]
    figure = Figure(figsize=(6.4, 5.4), dpi=150, layout="constrained")
    grid = figure.subplots(2, 2, width_ratios=wide, height_ratios=tall, squeeze=False)
    grid[1, 0].set_axis_off()
    for axes, name in ((grid[0, 0], "inputs"), (grid[0, 1], "cells"), (grid[1, 1], "readouts")):
        matrix = with_zeros[name]
        picture = _show(axes, matrix)
        share = np.count_nonzero(matrix) / matrix.size
        axes.set_title(f"{'from inputs' if name == 'inputs' else 'from cells'}, {100 * share:.0f} %", fontsize=8.5)
        if name != "inputs":
            _divide(axes, parts, "x")
        if name != "readouts" and gates == 1:
            _divide(axes, parts, "y")
    _label(grid[0, 0], parts, "y")
    _label(grid[1, 1], parts, "x")
    grid[1, 1].set_ylabel("to readouts")
    bar = figure.colorbar(picture, ax=grid[:, 1], aspect=40, pad=0.02)
    bar.set_ticks([-1, 0, 1], labels=["inhibits", "none", "excites"], fontsize=8)
    bar.outline.set_visible(False)
    figure.suptitle(title or "Weights by population; the share of synapses that exist", x=0.01, ha="left", fontsize=10)
    return figure


@rc_context(STYLE)
def rewired(
    before: NDArray, after: NDArray, parts: Parts | None = None, title: str | None = None, size: float = 4.0
) -> Figure:
    """What became of the synapses of one matrix [post, pre]: kept, grown, gone.

    Args: parts: populations of its rows and columns. size: of the figure, inches.
    """
    if before.shape != after.shape:
        raise BadValue(f"The matrices have shapes {before.shape} and {after.shape}. Compare one matrix with itself.")
    had, has = before != 0, after != 0
    kinds = np.where(had & has, 1, np.where(has, 2, np.where(had, 3, 0)))
    figure = Figure(figsize=(size, size + 0.55), dpi=100)
    axes = figure.add_axes((0.03, 0.1, 0.94, 0.94 * size / (size + 0.55)))
    axes.imshow(kinds, cmap=ListedColormap(["white", KEPT, BORN, GONE]), vmin=0, vmax=3, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    if parts:
        _divide(axes, parts, "x")
        _divide(axes, parts, "y")
    words = (("kept", KEPT, had & has), ("grown", BORN, has & ~had), ("gone", GONE, had & ~has))
    for place, (word, colour, where) in enumerate(words):
        figure.text(0.03 + 0.33 * place, 0.03, f"{word} {int(where.sum()):,}", color=colour, fontsize=9, weight="bold")
    figure.text(0.03, 0.965, title or "Synapses between cells", fontsize=10, color=INK)
    return figure


def wiring_movie(
    matrices: Sequence[NDArray],
    file: str | Path,
    parts: Parts | None = None,
    titles: Sequence[str] | None = None,
    fps: int = 6,
    size: float = 3.0,
) -> Path:
    """A GIF of a matrix [post, pre] under rewiring: each picture shows what changed since the first one.

    Args:
        matrices: as they were, one after the other, at least two; see `Snapshots`.
        titles: one for each picture.
    """
    if len(matrices) < 2:
        raise BadValue(f"{len(matrices)} matrices make no movie. Give at least two, in the order of time.")
    import imageio.v3 as imageio

    said = titles or [f"{number + 1} of {len(matrices)}" for number in range(len(matrices))]
    frames = [_pixels(rewired(matrices[0], m, parts, t, size)) for m, t in zip(matrices, said, strict=True)]
    frames += frames[-1:] * fps  # a second to look at the last one
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    imageio.imwrite(path, np.stack(frames), duration=1000 / fps, loop=0)
    return path


def _pixels(figure: Figure) -> NDArray[np.uint8]:
    """The picture [height, width, 3], in a handful of colours so that a GIF of it stays small."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., :3]
    return ((picture.astype(np.uint16) + 8) // 17 * 17).clip(0, 255).astype(np.uint8)


def _array(weights: Any) -> NDArray[np.float64]:
    return weights.detach().cpu().double().numpy()


def _show(axes: Axes, matrix: NDArray) -> Any:
    size = np.abs(matrix[matrix != 0])
    limit = float(np.quantile(size, 0.99)) if len(size) else 1.0
    axes.set_xticks([])
    axes.set_yticks([])
    return axes.imshow(matrix / limit, cmap="PuOr_r", vmin=-1, vmax=1, aspect="auto", interpolation="antialiased")


def _divide(axes: Axes, parts: Parts, way: str) -> None:
    """Thin lines between populations."""
    for units in list(parts.values())[1:]:
        (axes.axvline if way == "x" else axes.axhline)(units.start - 0.5, color=FAINT, linewidth=0.7)


def _label(axes: Axes, parts: Parts, way: str) -> None:
    middles = [(units.start + units.stop) / 2 - 0.5 for units in parts.values()]
    names = [label.replace("_", "\n") for label in parts]
    if way == "x":
        axes.set_xticks(middles, names, fontsize=8)
        axes.tick_params(axis="x", length=0)
    else:
        axes.set_yticks(middles, [f"to {name}" for name in names], fontsize=8, rotation=90, va="center")
        axes.tick_params(axis="y", length=0)

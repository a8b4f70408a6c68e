"""How our figures look: colours for colour-blind eyes, lines named where they end, nothing but data.

Colours: Okabe and Ito 2008. Names are written beside their lines, so no colour must be told from memory.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

AGENT_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
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


def canvas(width: float, height: float, left: float = 0.1, right: float = 0.66) -> tuple[Figure, Axes]:
    """An empty figure, inches, with room at the right for the names of lines; margins are shares of the width."""
    figure = Figure(figsize=(width, height), dpi=150)
    axes = figure.add_axes((left, 0.55 / height, right - left, 1 - 1.0 / height))
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save_small(figure: Figure, file: str | Path, dpi: int = 120, colours: int = 96) -> Path:
    """Write a PNG for a document: a palette of `colours` instead of millions, a quarter of the bytes."""
    from PIL import Image

    path, drawn = Path(file), io.BytesIO()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(drawn, format="png", dpi=dpi)
    drawn.seek(0)
    picture = Image.open(drawn).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    return path


def name_lines(axes: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
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

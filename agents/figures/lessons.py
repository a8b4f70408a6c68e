"""Figures of learning from a teacher: error by example, and what is believed of a function after a few of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lsnn_rl.agents.figures.style import AGENT_COLOURS, FAINT, INK, STYLE, canvas, name_lines
from lsnn_rl.agents.lessons import NETWORK, RESET, SPIKES, Pupil
from lsnn_rl.envs.function_families import Family
from lsnn_rl.tasks.function_learning import Lessons

Floats = NDArray[np.float64]
BLUE, ACCENT, GREEN, PURPLE, YELLOW, SKY = AGENT_COLOURS
COLOURS = {  # a network without its memory is drawn as that network, dashed
    NETWORK: ACCENT,
    RESET: ACCENT,
    SPIKES: GREEN,
    "own mean": INK,
    "ridge on x": SKY,
    "Gaussian process": BLUE,
    "online backprop": PURPLE,
    "no memory but the last target": FAINT,
    "knows the family": YELLOW,
}
DASHED = (RESET, "no memory but the last target")
SHORT = {RESET: "network, state reset", "no memory but the last target": "no memory"}  # room is scarce beside lines


def error_by_example(errors: Mapping[str, Floats], title: str | None = None) -> Figure:
    """Mean squared error against examples seen, with 95 % bands over functions, of errors [N, E] by learner.

    Learners without a colour of their own are other networks; they are drawn as this one, thinner and dotted.
    """
    import matplotlib

    with matplotlib.rc_context(STYLE):
        figure, axes = canvas(7.6, 4.2, right=0.72)
        labels = []
        for name, error in errors.items():
            mean = error.mean(axis=0)
            half = 1.96 * error.std(axis=0, ddof=1) / len(error) ** 0.5
            own, colour = name == NETWORK, COLOURS.get(name, ACCENT)
            seen, dashes = np.arange(len(mean)), "--" if name in DASHED else "-" if name in COLOURS else ":"
            axes.plot(seen, mean, color=colour, lw=2.2 if own else 1.1, ls=dashes)
            factor = np.exp(half / np.maximum(mean, 1e-12))  # of the error's logarithm: no band falls off the axis
            axes.fill_between(seen, mean / factor, mean * factor, color=colour, alpha=0.2 if own else 0.1, lw=0)
            labels.append((float(np.log10(mean[-1])), SHORT.get(name, name), colour))
        axes.set_yscale("log")
        means = np.concatenate([error.mean(axis=0) for error in errors.values()])
        low = max(means.min(), means.max() / 3e4) / 1.5
        axes.set_ylim(low, means.max() * 1.5)
        axes.set_xlim(0, len(mean) - 1)
        axes.set_xlabel("examples of the function seen")
        axes.set_ylabel("mean squared error")
        axes.set_title(title or f"Learning {len(error)} unseen functions, no weight changed", loc="left")
        span = np.log10(axes.get_ylim())
        inner = figure.add_axes(
            axes.get_position().bounds, frameon=False, xticks=[], yticks=[]
        )  # names are spread in decades
        inner.set_ylim(*span)
        name_lines(inner, [(float(np.clip(y, *span)), name, colour) for y, name, colour in labels])
    return figure


def after_examples(
    pupil: Pupil, function: int = 0, counts: Sequence[int] = (0, 5, 10, 20), title: str | None = None
) -> Figure:
    """What the network would say everywhere, had it seen that many examples: before any, that is its prior.

    Each place is asked in a life of its own after the same examples. Of a function of two inputs the cut along the
    diagonal is drawn, from the lowest corner to the highest.

    Args: function: number of a function of the test split.
    """
    import matplotlib

    family = pupil.task.family
    lessons = pupil.task.lessons("test", function + 1, 0)
    parameters, x, y = (part[function : function + 1] for part in lessons)
    along = np.linspace(family.low, family.high, 61)
    places = np.repeat(along[:, None], family.inputs, axis=1)
    truth = family.value(parameters, places[None])[0]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(2.3 * len(counts), 2.9), dpi=150)
        panels = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
        figure.subplots_adjust(left=0.07, right=0.98, bottom=0.18, top=0.78, wspace=0.16)
        for axes, count in zip(panels, counts, strict=True):
            said = _belief(pupil, x[0, :count], y[0, :count], places)
            axes.spines[["top", "right"]].set_visible(False)
            axes.plot(along, truth, color=INK, lw=1.2)
            axes.plot(along, said, color=ACCENT, lw=2.0)
            if family.inputs == 1 and count:
                axes.plot(x[0, :count, 0], y[0, :count], "o", color=INK, ms=3, mfc="white")
            axes.set_title("before any example" if count == 0 else f"after {count} examples", loc="left", fontsize=9)
            axes.set_xlim(family.low, family.high)
            axes.set_ylim(*_room(family))
            axes.set_xticks([family.low, (family.low + family.high) / 2, family.high])
            axes.set_xlabel("x" if family.inputs == 1 else "x along the diagonal")
        panels[0].set_ylabel("value")
        figure.text(0.07, 0.93, title or "What the network believes of a function it never saw", fontsize=10)
        figure.text(0.98, 0.93, "predicted", color=ACCENT, ha="right", fontsize=9)
        figure.text(0.98, 0.85, "true", color=INK, ha="right", fontsize=9)
    return figure


def _belief(pupil: Pupil, x: Floats, y: Floats, places: Floats) -> Floats:
    """Predictions at places [M, D] after examples x [k, D], y [k]: [M]."""
    m, k = len(places), len(y)
    asked = np.concatenate([np.broadcast_to(x, (m, *x.shape)), places[:, None]], axis=1)
    told = np.concatenate([np.broadcast_to(y, (m, k)), np.zeros((m, 1))], axis=1)
    return pupil.predict(Lessons(np.empty((m, 0)), asked, told))[:, -1]


def _room(family: Family) -> tuple[float, float]:
    edge = 0.06 * (family.highest - family.lowest)
    return family.lowest - edge, family.highest + edge

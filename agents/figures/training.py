"""Figures of training: how a score grows with experience, over seeds."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lsnn_rl.agents.figures.cards import REFERENCES
from lsnn_rl.agents.figures.style import AGENT_COLOURS, FAINT, STYLE, canvas, name_lines
from lsnn_rl.agents.statistics import mean_interval
from lsnn_rl.errors import BadValue, MissingFile

GOALS = "lifetime/goals"
Curve = tuple[Sequence[float], Sequence[float]]


@rc_context(STYLE)
def learning(
    runs: Mapping[str, Curve | Sequence[Curve]],
    references: Mapping[str, float] | None = None,
    title: str | None = None,
    label: str = "goals per lifetime, in training",
) -> Figure:
    """A score while training: of one run a line, of several seeds their mean and its 95 % interval (Student).

    Args:
        runs: name -> (environment steps, scores), or one such pair for every seed. See `training_logs`.
        references: levels to draw, as in a card.
    """
    if not runs:
        raise BadValue("There is no training log to draw. Pass at least one run, name -> (steps, goals).")
    figure, axes = canvas(6.4, 3.9)
    labels = []
    for number, (name, given) in enumerate(runs.items()):
        colour = AGENT_COLOURS[number % len(AGENT_COLOURS)]
        seeds = _seeds(given)
        steps, scores = together(seeds)
        for row in scores if len(scores) > 1 else ():
            axes.plot(steps / 1e6, row, color=colour, linewidth=0.6, alpha=0.45)
        if len(scores) > 1:
            bounds = np.array([mean_interval(column) for column in scores.T])
            axes.fill_between(steps / 1e6, bounds[:, 1], bounds[:, 2], color=colour, alpha=0.18, linewidth=0)
        axes.plot(steps / 1e6, scores.mean(axis=0), color=colour, linewidth=1.8)
        said = name if len(scores) == 1 else f"{name} ({len(scores)} seeds)"
        labels.append((float(scores[:, -1].mean()), said, colour))
    for key, (name, dashes) in REFERENCES.items():
        if references is not None:
            axes.axhline(references[key], color=FAINT, linestyle=dashes, linewidth=1.1, zorder=1)
            labels.append((references[key], name, FAINT))
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.set_xlabel("million environment steps")
    axes.set_ylabel(label)
    if title:
        axes.set_title(title, loc="left")
    name_lines(axes, labels)
    return figure


def together(seeds: Sequence[Curve]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Curves of several seeds on common steps [P], where all of them were still training; the scores [seeds, P].

    >>> steps, scores = together([([0, 10, 20], [0, 1, 2]), ([0, 5], [4, 4])])
    >>> steps.tolist(), scores.tolist()
    ([0.0, 5.0], [[0.0, 0.5], [4.0, 4.0]])
    """
    begin, end = max(s[0] for s, _ in seeds), min(s[-1] for s, _ in seeds)
    steps = np.unique(np.concatenate([np.asarray(s, np.float64) for s, _ in seeds]))
    steps = steps[(steps >= begin) & (steps <= end)]
    if not len(steps):
        raise BadValue("The seeds of a run have no steps of training in common. Draw them as runs of their own.")
    return steps, np.stack([np.interp(steps, s, scores) for s, scores in seeds])


def training_logs(place: str | Path, tag: str = GOALS) -> list[Curve]:
    """The curves of one run, or of every run below a folder of seeds.

    Args: place: a run folder, a folder of TensorBoard, or a folder of such folders. tag: what was logged.
    """
    folder = Path(place)
    if not folder.is_dir():
        raise MissingFile(f"There is no folder {folder}. Give a run folder, or a folder with one for every seed.")
    runs = [folder] if _has_logs(folder) else sorted(child for child in folder.iterdir() if _has_logs(child))
    if not runs:
        raise MissingFile(
            f"{folder} holds no logs: neither logs/*/progress.csv nor files of TensorBoard, nor folders with such. "
            "Give the folder of a run that trained for a while."
        )
    return [training_log(run, tag) for run in runs]


def training_log(run: str | Path, tag: str = GOALS) -> Curve:
    """Environment steps and scores of one run, all its sessions in order.

    Read from progress.csv of its sessions, or from TensorBoard's files where there is none.
    Raises: MissingFile if nothing was logged under that tag.
    """
    steps, scores = [], []
    for file in sorted(Path(run).glob("logs/*/progress.csv"), key=lambda file: int(file.parent.name)):
        with open(file, encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if row.get(tag):
                    steps.append(float(row["time/total_timesteps"]))
                    scores.append(float(row[tag]))
    if not steps:
        steps, scores = _events(Path(run), tag)
    if not steps:
        wanted = "finished lifetimes" if tag == GOALS else f"{tag!r}"
        raise MissingFile(f"{run}/logs holds no {wanted}. Give the folder of a run that trained for a while.")
    return steps, scores


def _events(run: Path, tag: str) -> tuple[list[float], list[float]]:
    """What TensorBoard's files below a folder say, in order of steps; later sessions overwrite earlier ones."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found: dict[float, float] = {}
    for folder in sorted({file.parent for file in run.rglob("events.out.tfevents.*")}):
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
        events.Reload()
        if tag in events.Tags()["scalars"]:
            found.update((float(event.step), float(event.value)) for event in events.Scalars(tag))
    steps = sorted(found)
    return steps, [found[step] for step in steps]


def _has_logs(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    own = [*folder.glob("logs/*/progress.csv"), *folder.glob("logs/*/events.out.tfevents.*")]
    return bool(own or [*folder.glob("events.out.tfevents.*")])


def _seeds(given: Curve | Sequence[Curve]) -> list[Curve]:
    """One curve or several: a curve is a pair of sequences of numbers."""
    first = given[0]
    return [given] if np.ndim(first[0]) == 0 else list(given)  # type: ignore[list-item, arg-type]

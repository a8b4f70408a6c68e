"""Who learns from a teacher, and how fast: a trained network, the same robbed of its state, and classical learners.

All are asked about the same functions at the same places. A network's weights never change here; the others learn, each
function anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from lsnn_rl.agents.function_players import BackpropNet, FamilyFit, OneExample, OwnMean, Ridge, SmoothLearner
from lsnn_rl.agents.zoo_places import places
from lsnn_rl.envs.function_families import Family
from lsnn_rl.envs.functions import FunctionRegression
from lsnn_rl.errors import BadValue, MissingFile
from lsnn_rl.pretrain.model import Model, build_model, build_task
from lsnn_rl.pretrain.recipe import read_recipe
from lsnn_rl.tasks.function_learning import FunctionLearning, Lessons, seen

Floats = NDArray[np.float64]

NETWORK, RESET, SPIKES = "network", "network, state reset before each example", "ridge on its spikes"
LEARNERS: dict[str, Any] = {
    "own mean": OwnMean,
    "ridge on x": Ridge,
    "Gaussian process": SmoothLearner,
    "online backprop": BackpropNet,
    "no memory but the last target": OneExample,
    "knows the family": FamilyFit,
}
PULLS = tuple(10.0**k for k in range(-3, 5))  # of the ridge on spikes; the one of least error on validation is taken


class Pupil:
    """A network that was trained on lessons, from the folder of its run or by its name in the zoo.

    Args: examples: of each function, instead of as many as in training.
    Raises: MissingFile; BadValue where the run is of another task.

    >>> Pupil("function_learning/networks").task.examples
    50
    """

    def __init__(self, where: str | Path, examples: int | None = None) -> None:
        folder = next((place for place in places(where) if place.is_dir()), Path(where))
        if (folder / "agent").is_dir():
            raise BadValue(
                f"{folder} is the run of an agent in a world. Give one of lsnn-rl pretrain function_learning."
            )
        recipe = read_recipe(folder)
        if recipe.task.name != "function_learning":
            raise BadValue(f"{folder} is a run of {recipe.task.name}. Give one of lsnn-rl pretrain function_learning.")
        if examples is not None:
            recipe = recipe.with_changes([f"task.kwargs.examples={examples}"])
        weights = folder / "network.safetensors"
        if not weights.is_file():
            raise MissingFile(f"There is no {weights}. Let the run end: lsnn-rl pretrain --resume {folder}")
        task = build_task(recipe)
        assert isinstance(task, FunctionLearning)
        self.task: FunctionLearning = task
        self.model: Model = build_model(recipe, task)
        self.model.load_state_dict(load_file(weights))

    @torch.no_grad()
    def predict(self, lessons: Lessons, seed: int = 0, reset: bool = False) -> Floats:
        """Predictions [N, E], natural units; with `reset` every example is met at rest, as if it were the first.

        Args: seed: of the Poisson spikes, where the task draws some.
        """
        lines = self.lines(lessons, seed)
        steps, (n, examples) = self.task.steps, lessons.y.shape
        if not reset:
            return self.task.prediction(self.model(lines)[0]).t().double().numpy()
        alone = lines.view(examples, steps, n, -1).transpose(0, 1).reshape(steps, examples * n, -1)
        return self.task.prediction(self.model(alone)[0]).view(examples, n).t().double().numpy()

    @torch.no_grad()
    def spike_counts(self, lessons: Lessons, seed: int = 0) -> Floats:
        """Spikes of each cell in each example, [N, E, H]."""
        state, counts = None, []
        for lines in self.lines(lessons, seed).split(self.task.steps):
            _, count, state = self.model(lines, state)
            if count is None:
                raise BadValue("This network does not spike. Ask for the spikes of an lsnn, lif or alif.")
            counts.append(count)
        return torch.stack(counts, dim=1).double().numpy()

    def lines(self, lessons: Lessons, seed: int = 0) -> Tensor:
        return self.task.encode(seen(lessons.x, lessons.y), np.random.default_rng([3, seed]))


def compare(pupil: Pupil, functions: int = 256, others: Mapping[str, Pupil] | None = None) -> dict[str, Floats]:
    """Squared errors [N, E], natural units, on the first functions of the test split, by learner.

    Args: others: networks that are asked the same, by name.
    Raises: BadValue if another network was trained on other functions.
    """
    test, validation = (pupil.task.lessons(split, functions, 0) for split in ("test", "validation"))
    predictions = {NETWORK: pupil.predict(test), RESET: pupil.predict(test, reset=True)}
    if pupil.model.network.spiking:
        counts = pupil.spike_counts(validation)
        errors = {pull: float(np.mean((along(counts, validation.y, pull) - validation.y) ** 2)) for pull in PULLS}
        predictions[SPIKES] = along(pupil.spike_counts(test), test.y, min(errors, key=errors.__getitem__))
    for name, other in (others or {}).items():
        if not np.array_equal(other.task.lessons("test", functions, 0).y, test.y):
            raise BadValue(
                f"{name} met other functions than the first network, or another number of examples of them "
                f"({other.task.examples}, not {pupil.task.examples}). Compare networks of one task."
            )
        predictions[name] = other.predict(test)
    predictions |= {name: classical(name, pupil.task.family, test) for name in LEARNERS}
    return {name: (values - test.y) ** 2 for name, values in predictions.items()}


def classical(name: str, family: Family, lessons: Lessons) -> Floats:
    """What a learner of LEARNERS predicts, [N, E], natural units."""
    n, examples = lessons.y.shape
    rules = FunctionRegression(n, examples, family, 0, True, False, False)
    player = LEARNERS[name](rules)
    state, predictions = player.initial_state(n), np.empty((n, examples))
    middle, half = (family.highest + family.lowest) / 2, (family.highest - family.lowest) / 2
    for k, obs in enumerate(seen(lessons.x, lessons.y)):
        action, state = player.act(obs, state, np.full(n, k == 0))
        predictions[:, k] = middle + half * action[:, 0]
    return predictions


def along(features: Floats, y: Floats, pull: float) -> Floats:
    """What ridge regression on features [N, E, F] predicts for each example from those before it, [N, E].

    Before any, and for the offset, the mean of the values so far (0 at first).

    >>> line = np.arange(5.0)[None, :, None]
    >>> along(line, 2 * line[:, :, 0] + 1, pull=1e-9).round(3).tolist()
    [[0.0, 1.0, 5.0, 7.0, 9.0]]
    """
    predicted = np.zeros_like(y)
    for k in range(1, y.shape[1]):
        before, mean = features[:, :k], y[:, :k].mean(axis=1, keepdims=True)
        centre = before.mean(axis=1, keepdims=True)
        before, now = before - centre, features[:, k] - centre[:, 0]
        gram = before @ before.swapaxes(1, 2) + pull * np.eye(k)
        weights = np.linalg.solve(gram, (y[:, :k] - mean)[:, :, None])
        predicted[:, k] = mean[:, 0] + ((before @ now[:, :, None]) * weights).sum(axis=(1, 2))
    return predicted


def table(errors: Mapping[str, Floats], examples: tuple[int, ...] = (0, 1, 2, 5, 10, 20, 49)) -> str:
    """The mean over functions with half its 95 % interval, a learner a line: over all examples, and after so many."""
    width, kept = max(map(len, errors)), [k for k in examples if k < next(iter(errors.values())).shape[1]]
    lines = [f"{'mean squared error':<{width}}  {'all examples':>17}" + "".join(f"  after {k:>3}" for k in kept)]
    for name, error in errors.items():
        each = error.mean(axis=1)
        half = 1.96 * each.std(ddof=1) / len(each) ** 0.5
        after = "".join(f"  {error[:, k].mean():9.4f}" for k in kept)
        lines.append(f"{name:<{width}}  {each.mean():8.4f} ± {half:6.4f}{after}")
    return "\n".join(lines)

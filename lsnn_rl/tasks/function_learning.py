"""Learning from a teacher: an unknown function, example by example, without a change of any weight."""

from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray
from torch import Tensor

from lsnn_rl.encoders.population import Population
from lsnn_rl.envs.function_families import Family, Sines, TargetNetworks
from lsnn_rl.errors import BadValue, unknown_name
from lsnn_rl.registry import check_keywords
from lsnn_rl.tasks.base import Batch, Task, luck
from lsnn_rl.units import per_step, steps

FAMILIES: dict[str, type[Family]] = {"target_network": TargetNetworks, "sine": Sines}
CODINGS = ("curves", "poisson")

Floats = NDArray[np.float64]


class Lessons(NamedTuple):
    """N functions and E examples of each, natural units."""

    functions: Floats  # parameters, [N, P]; `Family.value` evaluates them
    x: Floats  # [N, E, D]
    y: Floats  # [N, E]


class FunctionLearning(Task):
    """Each sequence is one function, drawn anew; its values at E places are to be predicted, one after the other.

    With x_k comes the true value at x_(k-1), 0 at first, as in the worlds LSNNSineRegression-v0 and
    LSNNTargetNetworkRegression-v0, whose functions these are. Whoever keeps examples in mind errs less and less.

    Args:
        family: "target_network" (2-10-1, values 0 to 1) or "sine" (amplitude to 5, phase to pi/2, x in -5 to 5).
        examples: E, in training and in testing.
        coding: "curves" gives the tuning curves' values, one input step an example (let the network take substeps);
            "poisson" the paper's spikes, one input step every `dt_ms`, of curves whose squared width is a thousandth
            of the range.
        curves: input lines per number.   width: of the curves of "curves", in distances between their centres.
        step_ms, rate_max_hz: an example's duration, and the rate at a curve's peak, of "poisson".
        functions: of the test split; validation has a quarter.
        options: keywords of the family, such as weight_range.
    A network that does not spike is given the numbers themselves, scaled to -1 to 1.
    Answer: the readout, averaged over the example's input steps; 1 and -1 are the ends of the family's values.
    Score: squared error in natural units, [N, E].
    Source: Bellec et al. 2018, section "learning to learn from a teacher"; "curves" is ours.

    >>> FunctionLearning(family="sine", examples=5).batch("train", 3, 0).x.shape
    torch.Size([5, 3, 64])
    """

    readouts = 1
    measure = "mean squared error"
    larger_is_better = False

    def __init__(
        self,
        *,
        spiking: bool = True,
        family: str = "target_network",
        examples: int = 100,
        coding: str = "curves",
        curves: int = 32,
        width: float = 1.5,
        step_ms: float = 20.0,
        rate_max_hz: float = 200.0,
        dt_ms: float = 1.0,
        functions: int = 512,
        **options: Any,
    ) -> None:
        if family not in FAMILIES:
            raise unknown_name("family of functions", family, FAMILIES)
        if coding not in CODINGS:
            raise unknown_name("coding", coding, CODINGS)
        if examples < 1 or curves < 2 or functions < 4 or width <= 0:
            raise BadValue(
                f"examples = {examples}, curves = {curves}, width = {width}, functions = {functions} make no task. "
                "Give at least 1 example, 2 curves of positive width, and 4 functions."
            )
        check_keywords(f"function_learning with the family {family}", FAMILIES[family], options)
        self.family, self.examples = FAMILIES[family](**options), examples
        self.sizes = {"validation": functions // 4, "test": functions}
        ends = (self.family.low, self.family.high), (self.family.lowest, self.family.highest)
        low, high = np.array([*[ends[0]] * self.family.inputs, ends[1]]).T
        self.middle, self.half = (low + high) / 2, (high - low) / 2  # of x and the previous value, [D + 1]
        self.encoder: Population | None = None
        self.rate: float | None = None
        self.steps = 1  # input steps an example
        if spiking:
            widths: Any = width
            if coding == "poisson":
                self.steps, self.rate = steps(step_ms, dt_ms, "step_ms"), per_step(rate_max_hz, dt_ms)
                widths = (curves * np.sqrt((high - low) / 1000) / (high - low)).tolist()
            space = Box(low.astype(np.float32), high.astype(np.float32))
            self.encoder = Population(space, curves=curves, width=widths, cut=4.0, flags=(), bias=False)
        self.inputs = self.encoder.size if self.encoder is not None else len(low)

    def lessons(self, split: str, n: int, index: int, seed: int = 0) -> Lessons:
        """The functions and examples behind a batch; x are independent and uniform."""
        return self._lessons(luck(split, index, seed), self.count(split, n, index))

    def _lessons(self, generator: np.random.Generator, n: int) -> Lessons:
        functions = self.family.sample(generator, n)
        x = generator.uniform(self.family.low, self.family.high, (n, self.examples, self.family.inputs))
        return Lessons(functions, x, self.family.value(functions, x))

    def batch(self, split: str, n: int, index: int, seed: int = 0) -> Batch:
        generator = luck(split, index, seed)
        lessons = self._lessons(generator, self.count(split, n, index))
        return Batch(self.encode(seen(lessons.x, lessons.y), generator), torch.from_numpy(lessons.y.T).float())

    def encode(self, numbers: Floats, generator: np.random.Generator) -> Tensor:
        """Input lines [E * steps, N, I] for x and the previous value, [E, N, D + 1]."""
        if self.encoder is None:
            return torch.from_numpy((numbers - self.middle) / self.half).float()
        curves: Tensor = self.encoder(torch.from_numpy(numbers).float())
        if self.rate is None:
            return curves
        chance = np.repeat(curves.numpy() * self.rate, self.steps, axis=0)
        return torch.from_numpy((generator.random(chance.shape, np.float32) < chance).astype(np.float32))

    def answer(self, readout: Tensor) -> Tensor:
        """What was predicted, in units of half the range around its middle, [E, N]."""
        return readout[..., 0].unflatten(0, (-1, self.steps)).mean(dim=1)

    def prediction(self, readout: Tensor) -> Tensor:
        """What was predicted, natural units, [E, N]."""
        return self.middle[-1] + self.half[-1] * self.answer(readout)

    def loss(self, readout: Tensor, batch: Batch) -> Tensor:
        return (self.answer(readout) - (batch.target - self.middle[-1]) / self.half[-1]).square().mean()

    def scores(self, readout: Tensor, batch: Batch) -> Tensor:
        return (self.prediction(readout) - batch.target).square().t()

    def details(self) -> dict[str, Any]:
        return {"family": type(self.family).__name__, "source": "drawn anew for every sequence"}


def seen(x: Floats, y: Floats) -> Floats:
    """What one sees when asked: x and the value at the x before, [E, N, D + 1].

    >>> seen(np.array([[[0.1], [0.2]]]), np.array([[5.0, 6.0]]))[:, 0].tolist()
    [[0.1, 0.0], [0.2, 5.0]]
    """
    before = np.concatenate([np.zeros((len(y), 1)), y[:, :-1]], axis=1)
    return np.concatenate([x, before[:, :, None]], axis=2).swapaxes(0, 1)

"""Sequential MNIST: a digit, pixel by pixel, then a cue: which one was it?"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsnn_rl.errors import BadValue
from lsnn_rl.tasks.base import Batch, Task, cross_entropy, luck, right
from lsnn_rl.tasks.mnist_files import load_digits

VALIDATION = 5000  # the first of the training images, as in TensorFlow's read_data_sets


class SequentialMNIST(Task):
    """Grey values cross thresholds and leave spikes; the answer is the mean readout over the last 28 ms.

    784 (or 1,568) ms of image, row by row, then 56 (112) ms in which only the cue line spikes. Networks that do not
    spike get the grey value itself, 0 to 1, no cue, and answer with their last output.

    Args:
        ms_per_pixel: 1 or 2 in the paper.
        causal: a spike after the crossing is complete. The released code puts it one pixel before, as in the published
            results; that is the default here.
        thresholds: of grey, evenly spaced over 0 .. 1; 40 make 80 lines.
        cue_ms: how long the cue lasts; 56 ms for each ms_per_pixel unless told. window_ms: what is averaged.
        smoothing: share of each label that is spread over all classes in training.
        dataset, root, download: see lsnn_rl.tasks.mnist_files.
    Source: Bellec et al. 2018, arXiv 1803.09574; IGITUGraz/LSNN-official, tutorial_sequential_mnist_with_LSNN.py.
    """

    readouts = 10
    measure = "accuracy"
    answers_last = True

    def __init__(
        self,
        *,
        spiking: bool = True,
        ms_per_pixel: int = 1,
        causal: bool = False,
        thresholds: int = 40,
        cue_ms: int | None = None,
        window_ms: int = 28,
        smoothing: float = 0.0,
        dataset: str = "mnist",
        root: str | Path | None = None,
        download: bool = False,
    ) -> None:
        if ms_per_pixel < 1 or thresholds < 2 or window_ms < 1 or not 0 <= smoothing < 1:
            raise BadValue(
                f"ms_per_pixel = {ms_per_pixel}, thresholds = {thresholds}, window_ms = {window_ms}, smoothing = "
                f"{smoothing}: nothing can be learned from that. Give at least 1, 2 and 1, and smoothing below 1."
            )
        self.dataset, self.digits = dataset, load_digits(dataset, root, download)
        self.spiking, self.causal, self.repeat, self.smoothing = spiking, causal, ms_per_pixel, smoothing
        self.held = min(VALIDATION, len(self.digits.train_images) // 10)
        self.sizes = {
            "train": len(self.digits.train_images) - self.held,
            "validation": self.held,
            "test": len(self.digits.test_images),
        }
        self.cue_ms = 56 * ms_per_pixel if cue_ms is None else cue_ms
        self.inputs = 2 * thresholds if spiking else 1
        self.window = window_ms if spiking else 1
        grey = np.arange(256, dtype=np.float32) / np.float32(255)
        crossed = grey[:, None] >= torch.linspace(0, 1, thresholds)[:-1].numpy()  # the last has a line of its own
        self.level = crossed.sum(axis=1)  # thresholds at or below each grey value
        self._order: tuple[tuple[int, int], NDArray[np.int64]] | None = None

    def batch(self, split: str, n: int, index: int, seed: int = 0) -> Batch:
        which = self.numbers(split, n, index, seed)
        images, labels = self.digits.train_images, self.digits.train_labels
        if split == "test":
            images, labels = self.digits.test_images, self.digits.test_labels
        pixels, target = images[which], torch.from_numpy(labels[which])
        return Batch(self.spikes(pixels) if self.spiking else self.greys(pixels), target)

    def numbers(self, split: str, n: int, index: int, seed: int) -> NDArray[np.int64]:
        """Which images; those of "train" come in rounds, each of them shuffled anew, as in the released code."""
        if split != "train":
            first = index * n
            return np.arange(first, first + self.count(split, n, index))
        size, places = self.sizes["train"], np.arange(index * n, (index + 1) * n)
        rounds = places // size
        chosen = [self._round(int(r), seed)[places[rounds == r] % size] for r in np.unique(rounds)]
        return self.held + np.concatenate(chosen)

    def _round(self, number: int, seed: int) -> NDArray[np.int64]:
        if self._order is None or self._order[0] != (number, seed):
            self._order = ((number, seed), luck("train", number, seed).permutation(self.sizes["train"]))
        return self._order[1]

    def greys(self, pixels: NDArray[np.uint8]) -> Tensor:
        """[T, N, 1], from bytes [N, pixels]."""
        grey = torch.from_numpy(pixels.T.astype(np.float32) / np.float32(255))
        return grey.repeat_interleave(self.repeat, dim=0)[:, :, None]

    def spikes(self, pixels: NDArray[np.uint8]) -> Tensor:
        """[T, N, I] of zeros and ones, from bytes [N, pixels]."""
        steps = self.repeat * pixels.shape[1]
        shape = (steps + self.cue_ms, len(pixels), self.inputs)
        cue = np.arange(steps * len(pixels), shape[0] * len(pixels)) * self.inputs + self.inputs - 1
        return self.lines(shape, np.concatenate([self.events(pixels), cue]))

    def events(self, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Where [T, N, I], flattened, holds a spike, the cue aside; equal to the encoder `threshold_crossing`.

        A step from one grey value to the next crosses neighbouring thresholds, all upwards or all downwards, so it is
        enough to look at pixels that differ from their successor.
        """
        n, lines = len(pixels), self.inputs
        level = self.level[pixels]
        step = np.diff(level, axis=1)
        row, place = np.nonzero(step)
        crossed = step[row, place]
        when = self.repeat * (place + 1) - (
            0 if self.causal else 1
        )  # the last ms of the old pixel, or the first of the new
        lowest = np.minimum(level[row, place], level[row, place + 1])
        first = (when * n + row) * lines + 2 * lowest + (crossed < 0)
        many = np.abs(crossed)
        nth = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
        row, place = np.nonzero(pixels == 255)
        place = (self.repeat * place[:, None] + np.arange(self.repeat)).ravel()
        full = (place * n + np.repeat(row, self.repeat)) * lines + lines - 2
        return np.concatenate([np.repeat(first, many) + 2 * nth, full])

    def answer(self, readout: Tensor) -> Tensor:
        """Logits [N, 10]."""
        return readout[-self.window :].mean(dim=0)

    def loss(self, readout: Tensor, batch: Batch) -> Tensor:
        return cross_entropy(self.answer(readout), batch.target, self.smoothing)

    def scores(self, readout: Tensor, batch: Batch) -> Tensor:
        return right(self.answer(readout), batch.target)

    def details(self) -> dict[str, Any]:
        return {"dataset": self.dataset, "sizes": self.sizes}  # not where it was found: a card is for other machines

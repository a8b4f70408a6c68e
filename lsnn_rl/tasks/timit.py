"""Which phone is being spoken, frame by frame: TIMIT, and synthetic phones laid out like it."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsnn_rl.errors import BadValue, MissingFile
from lsnn_rl.tasks.base import SPLITS, Batch, Task, cross_entropy, luck, right
from lsnn_rl.tasks.mfcc import centres, features
from lsnn_rl.tasks.mnist_files import cache_folder
from lsnn_rl.tasks.phones import classes_of, fold
from lsnn_rl.tasks.speech_files import Utterance, corpus_in, read_split
from lsnn_rl.tasks.synthetic_phones import read_manifest, write_corpus

NO_FRAME = -1  # the target of a frame that no utterance fills
BLOCK = 16  # batches whose utterances are put in order of length, so that few frames are filled up


class Frames(NamedTuple):
    """A split, its utterances one after the other."""

    rows: NDArray[np.float32]  # features, [frames of all utterances, F]
    labels: NDArray[np.int64]  # class of each frame
    first: NDArray[np.int64]  # at which row each utterance begins, and where the last one ends, [utterances + 1]
    speakers: int

    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.first)


class TIMIT(Task):
    """A class for every frame of 10 ms, in whole utterances of speakers never heard before.

    Input lines are the features of a frame, each with mean 0 and deviation 1 over the training split, as currents; let
    the network hear a frame for some milliseconds with `substeps`. Batches are filled up at their end with frames of
    zeros that nobody judges. Utterances of similar length share a batch.

    Args:
        root: the folder of the corpus, see lsnn_rl.tasks.speech_files; $LSNN_RL_DATA unless told. The corpus is
            licensed (LDC93S1) and cannot be downloaded.
        classes: 61, or the 39 (or 48) that they are folded to, in training and in scoring.
        features: "mfcc", 13 coefficients, or "filterbank", 26 logarithms and the energy, and two differences of each.
        delay: frames after which the answer is read: so much of the future is heard before.
    Measure: share of frames with a wrong class. Its card's interval takes frames as independent, which they are not;
    compare seeds.
    Source: Bellec et al. 2018, with the protocol of Greff et al. 2017, arXiv 1503.04069.
    """

    measure = "error"  # of frames
    larger_is_better = False

    def __init__(
        self,
        *,
        spiking: bool = True,
        root: str | Path | None = None,
        download: bool = False,
        classes: int = 61,
        features: str = "mfcc",
        delay: int = 0,
    ) -> None:
        if delay < 0:
            raise BadValue(f"delay = {delay} frames would ask before the sound is heard. Give 0 or more.")
        self.classes, self.kind, self.delay = classes_of(classes), features, delay
        self.frames = self._read(root, download)
        self.readouts, self.inputs = len(self.classes), self.frames["train"].rows.shape[1]
        self.sizes = {split: len(frames.first) - 1 for split, frames in self.frames.items()}
        self._order: tuple[tuple[int, int, int], NDArray[np.int64]] | None = None

    def _read(self, root: str | Path | None, download: bool) -> dict[str, Frames]:
        given = root or os.environ.get("LSNN_RL_DATA")
        folder = corpus_in(given) if given else None
        if folder is None:
            raise MissingFile(
                f"TIMIT was looked for in {given or '$LSNN_RL_DATA, which is not set,'} and is not there: no TRAIN "
                "beside TEST. It is licensed (LDC93S1): get it from the Linguistic Data Consortium and name its "
                "folder, --data FOLDER. Without it, train on another: lsnn-rl pretrain synthetic_phones --download."
            )
        return self._framed(folder)

    def _framed(self, folder: Path, speakers: dict[str, list[str]] | None = None) -> dict[str, Frames]:
        frames = {split: self._split(*read_split(folder, split, speakers)) for split in SPLITS}
        train = frames["train"].rows
        mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-6
        return {split: part._replace(rows=(part.rows - mean) / spread) for split, part in frames.items()}

    def _split(self, utterances: list[Utterance], speakers: int) -> Frames:
        rows = [features(utterance.sound, self.kind) for utterance in utterances]
        labels = [self._labels(utterance, len(part)) for utterance, part in zip(utterances, rows, strict=True)]
        first = np.concatenate([[0], np.cumsum([len(part) for part in rows])])
        return Frames(np.concatenate(rows), np.concatenate(labels), first, speakers)

    def _labels(self, utterance: Utterance, frames: int) -> NDArray[np.int64]:
        """The class at the centre of each frame; what follows the last phone belongs to it."""
        spoken = np.array([self.classes.index(fold(phone, len(self.classes))) for phone in utterance.phones])
        which = np.searchsorted(utterance.ends, centres(frames), side="right")
        return spoken[np.minimum(which, len(spoken) - 1)]

    def batch(self, split: str, n: int, index: int, seed: int = 0) -> Batch:
        part, which = self.frames[split], self.numbers(split, n, index, seed)
        begins, lengths = part.first[which], part.lengths()[which]
        x = np.zeros((lengths.max() + self.delay, len(which), self.inputs), dtype=np.float32)
        target = np.full((lengths.max(), len(which)), NO_FRAME, dtype=np.int64)
        for row, (begin, length) in enumerate(zip(begins, lengths, strict=True)):
            x[:length, row] = part.rows[begin : begin + length]
            target[:length, row] = part.labels[begin : begin + length]
        return Batch(torch.from_numpy(x), torch.from_numpy(target))

    def numbers(self, split: str, n: int, index: int, seed: int) -> NDArray[np.int64]:
        """Which utterances: in order of length, but for "train", which comes in rounds of shuffled batches."""
        if split != "train":
            first = index * n
            return np.argsort(self.frames[split].lengths(), kind="stable")[first : first + self.count(split, n, index)]
        batches = max(1, self.sizes["train"] // n)
        number, place = divmod(index, batches)
        return self._round(number, n, seed)[place * n : (place + 1) * n]

    def _round(self, number: int, n: int, seed: int) -> NDArray[np.int64]:
        """All training utterances but those that fill no batch, batches of similar length one after the other."""
        if self._order is None or self._order[0] != (number, n, seed):
            generator, lengths = luck("train", number, seed), self.frames["train"].lengths()
            order = generator.permutation(len(lengths))
            blocks = [order[i : i + BLOCK * n] for i in range(0, len(order), BLOCK * n)]
            order = np.concatenate([block[np.argsort(lengths[block], kind="stable")] for block in blocks])
            whole = len(order) // n * n
            if whole:
                order = order[:whole].reshape(-1, n)[generator.permutation(whole // n)].ravel()
            self._order = ((number, n, seed), order)
        return self._order[1]

    def loss(self, readout: Tensor, batch: Batch) -> Tensor:
        logits, target = self._judged(readout, batch)
        return cross_entropy(logits, target)

    def scores(self, readout: Tensor, batch: Batch) -> Tensor:
        return 1 - right(*self._judged(readout, batch))

    def _judged(self, readout: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits [frames, R] and targets of the frames that some utterance fills."""
        spoken = batch.target != NO_FRAME
        return readout[self.delay :][spoken], batch.target[spoken]

    def details(self) -> dict[str, Any]:
        return {
            "corpus": "TIMIT (LDC93S1)",
            "utterances": self.sizes,
            "speakers": {split: part.speakers for split, part in self.frames.items()},
            "frames": {split: len(part.labels) for split, part in self.frames.items()},
        }


class SyntheticPhones(TIMIT):
    """The same task on sentences that eSpeak NG speaks; nothing measured here is a result on TIMIT.

    Args:
        root: a folder that write_corpus has filled; the cache (~/.cache/lsnn_rl/synthetic_phones) unless told.
        download: write the corpus there if it is nowhere; nothing is fetched. Needs the extra `speech`.
        all others: see TIMIT.
    Source: lsnn_rl.tasks.synthetic_phones.
    """

    def _read(self, root: str | Path | None, download: bool) -> dict[str, Frames]:
        place = Path(root) if root else cache_folder() / "synthetic_phones"
        folder = corpus_in(place)
        if folder is None and download:
            folder = write_corpus(place)
        if folder is None:
            raise MissingFile(
                f"Synthetic phones were looked for in {place} and are not there. Let eSpeak NG speak them into it, "
                "which takes a minute: --download. That needs: pip install 'lsnn-rl[speech]'"
            )
        self.manifest = read_manifest(folder)
        return self._framed(folder, self.manifest["speakers"])

    def details(self) -> dict[str, Any]:
        manifest = {key: self.manifest[key] for key in ("seed", "espeak", "sha256")}
        return {**super().details(), "corpus": "synthetic phones (eSpeak NG), not TIMIT", **manifest}

"""Accumulating evidence: cues left and right, a silence, and then: on which side were there more?"""

import numpy as np
import torch
from torch import Tensor

from lsnn_rl.errors import BadValue
from lsnn_rl.tasks.base import Batch, Task, cross_entropy, luck, poisson
from lsnn_rl.units import per_step, steps


class Evidence(Task):
    """Seven cues of 100 ms, one every 150 ms, then more than a second until the animal must turn.

    A quarter of the lines fires for a cue on the left, a quarter for one on the right, a quarter (the recall signal) in
    the last 150 ms, each at 40 Hz, and the last quarter at 10 Hz throughout. One side is likelier for each example; the
    right answer is the side with more cues.

    Args:
        cues: an odd number.   cue_ms, every_ms: length of a cue and from one to the next.
        delay_ms: from the last interval to the end, the 150 ms of decision included.   decision_ms: these.
        lines: I, a multiple of 4.   chance: that a cue is on the likelier side.
    Answer: the mean readout over the decision, two classes. Score: error, the share of wrong answers.
    Source: Bellec et al. 2020 (e-prop), IGITUGraz/eligibility_propagation, tutorial_evidence_accumulation_with_alif.py.
    """

    readouts = 2
    measure = "error"
    larger_is_better = False
    answers_last = True

    def __init__(
        self,
        *,
        spiking: bool = True,
        cues: int = 7,
        cue_ms: float = 100.0,
        every_ms: float = 150.0,
        delay_ms: float = 1200.0,
        decision_ms: float = 150.0,
        lines: int = 40,
        cue_hz: float = 40.0,
        noise_hz: float = 10.0,
        chance: float = 0.7,
        dt_ms: float = 1.0,
    ) -> None:
        if (
            cues < 1
            or cues % 2 == 0
            or lines < 4
            or lines % 4
            or not 0.5 <= chance <= 1
            or not 0 < decision_ms <= delay_ms
        ):
            raise BadValue(
                f"cues = {cues}, lines = {lines}, chance = {chance}, decision_ms = {decision_ms} make no task. Give an "
                "odd number of cues, a multiple of 4 lines, a chance of 0.5 to 1, and a decision within the delay."
            )
        if not 0 < cue_ms <= every_ms:
            raise BadValue(
                f"cue_ms = {cue_ms} does not fit into every_ms = {every_ms}. Give a shorter cue, such as 100."
            )
        self.inputs, self.cues, self.chance = lines, cues, chance
        self.sizes = {"validation": 512, "test": 2048}
        self.cue, self.every = steps(cue_ms, dt_ms, "cue_ms"), steps(every_ms, dt_ms, "every_ms")
        self.steps = cues * self.every + steps(delay_ms, dt_ms, "delay_ms")
        self.decision = steps(decision_ms, dt_ms, "decision_ms")
        self.cue_rate, self.noise_rate = per_step(cue_hz, dt_ms), per_step(noise_hz, dt_ms)

    def batch(self, split: str, n: int, index: int, seed: int = 0) -> Batch:
        generator = luck(split, index, seed)
        n, quarter = self.count(split, n, index), self.inputs // 4
        likely = np.where(generator.random(n) < 0.5, self.chance, 1 - self.chance)
        on_right = generator.random((n, self.cues)) < likely[:, None]
        spikes = np.zeros((self.steps, n, 4, quarter), dtype=bool)
        for c in range(self.cues):
            end, side = (c + 1) * self.every, on_right[:, c].astype(int)  # every cue comes after a pause
            spikes[end - self.cue : end, np.arange(n), side] = poisson(generator, self.cue_rate, (self.cue, n, quarter))
        spikes[-self.decision :, :, 2] = poisson(generator, self.cue_rate, (self.decision, n, quarter))
        spikes[:, :, 3] = poisson(generator, self.noise_rate, (self.steps, n, quarter))
        target = torch.from_numpy((on_right.sum(axis=1) > self.cues // 2).astype(np.int64))
        return Batch(self.lines((self.steps, n, self.inputs), np.flatnonzero(spikes)), target)

    def answer(self, readout: Tensor) -> Tensor:
        """Logits [N, 2]."""
        return readout[-self.decision :].mean(dim=0)

    def loss(self, readout: Tensor, batch: Batch) -> Tensor:
        return cross_entropy(self.answer(readout), batch.target)

    def scores(self, readout: Tensor, batch: Batch) -> Tensor:
        return (self.answer(readout).argmax(dim=-1) != batch.target).float()

"""Memory alone, without search: something is shown, time passes, and a question about it must be answered.

Store-recall and evidence accumulation as spiking networks learned them (Bellec et al. 2018, arXiv 1803.09574, and 2020,
Nature Communications 11), delayed match to sample, and RepeatPrevious of POPGym (Morad et al. 2023).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.tape import NOTHING, MemoryTask
from lsnn_rl.envs.task import Floats, Rows
from lsnn_rl.errors import BadValue


class StoreRecall(MemoryTask):
    """Store-recall: a value goes by every step; keep the one that came with STORE until RECALL asks for it.

    Each step shows a random value. It may come with STORE; from then on RECALL may come, which shows no value and asks
    for the stored one; then STORE may come again. Either comes with probability 1 / (1 + `delay`) a step, so a value
    is to be kept for 1 + `delay` steps on average, at least for one.

    ## Action space
    `Discrete(values)`: the value that was stored. Counts where RECALL is seen, does nothing elsewhere.

    ## Observation space
    `Box` of up to 2 `values` + 3 flags:

    | number | meaning | keyword |
    |---|---|---|
    | 0 ... | the value that goes by, one flag each; none with RECALL | |
    | then 2 | STORE; RECALL | |
    | then `values` | the answer that the previous step gave; none if nothing was asked | observe_action |
    | then 1 | 1 if that answer was right | observe_reward |

    ## Rewards
    1 for a right answer, 0 otherwise.

    ## Starting state
    A random value, perhaps with STORE.

    ## Lifetime
    `steps` steps; it ends by `truncated`. A trial is a question; `trial` counts those put so far, and a trial ends well
    when it is answered rightly.

    ## What must be remembered
    The value that came with the last STORE.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `answered` (rightly) at the end of a lifetime;
    `privileged = {"task": the value to remember, as flags}` only if asked for.

    ## Reference scores
    Signs come as a coin falls, and every other one is RECALL: E[floor(B / 2)] right answers are possible, where B is
    binomial with `steps` tosses of probability 1 / (1 + delay), and 1 / `values` of it by guessing: 8.32 and 4.16
    with the default numbers. Measured: `lsnn_rl.envs.references.reference_scores(id)`.

    ## Arguments
    values: to choose from; delay: mean number of steps between STORE and RECALL; steps: of a lifetime; observe_action,
    observe_reward: what is seen. In the split "test-ood" delays are three times as long.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (*MemoryTask.memory, "holding")
    ood: ClassVar[dict[str, Any]] = {"delay": 18.0}
    sign_names: ClassVar[tuple[str, ...]] = ("store", "recall")
    title: ClassVar[str] = "Store and recall"
    explanation = "keep the value that came with STORE until RECALL asks for it"

    def __init__(
        self,
        slots: int = 1,
        *,
        values: int = 2,
        delay: float = 6.0,
        steps: int = 120,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        if values < 2:
            raise BadValue(f"values = {values} leaves nothing to remember. Give a whole number, 2 or more.")
        if not 0.0 <= delay < np.inf:
            raise BadValue(f"delay = {delay} is not a mean number of steps. Give a number, zero or above.")
        super().__init__(slots, steps, values, values, observe_action, observe_reward)
        self.values, self.delay = values, delay
        self.holding = np.zeros(slots, np.bool_)  # a value was stored and is still to be asked for

    def first(self, rows: Rows) -> None:
        luck = self.luck.take(rows, 2)
        self.shown[rows] = luck[:, 0] * self.values
        self.holding[rows] = self.signs[rows, 0] = luck[:, 1] * (1.0 + self.delay) < 1.0
        self.right[rows] = self.shown[rows]

    def onward(self) -> None:
        luck = self.luck.take(self.every, 2)
        value = (luck[:, 0] * self.values).astype(np.int64)
        sign = luck[:, 1] * (1.0 + self.delay) < 1.0
        store, recall = sign & ~self.holding, sign & self.holding
        # What is right after a RECALL is what comes with the next STORE; until then it is the old value.
        self.right = np.where(store, value, self.right)
        self.shown = np.where(recall, NOTHING, value)
        self.signs = np.stack([store, recall], axis=1)
        self.holding, self.asked = self.holding ^ sign, recall

    def task_known(self) -> NDArray[np.bool_]:
        """Where a value is being kept, or was just asked for, [N]."""
        return self.holding | self.asked


class Evidence(MemoryTask):
    """Evidence accumulation: cues left and right, a wait, and the question on which side there were more.

    A mouse runs down a corridor and sees `cues` cues, each on the richer side with probability `clarity`; then the
    corridor is blank for `wait` steps; then it must turn to the side where it saw more. A step stands for the 150 ms
    of the original, where the whole run lasts 2250 ms: 7 cues, 7 blank steps, 1 decision.

    ## Action space
    `Discrete(2)`: left, right. Counts where the question is seen, does nothing elsewhere.

    ## Observation space
    `Box` of up to 6 flags:

    | number | meaning | keyword |
    |---|---|---|
    | 0, 1 | a cue on the left; on the right | |
    | 2 | the question | |
    | 3, 4 | the answer that the previous step gave; none if nothing was asked | observe_action |
    | 5 | 1 if that answer was right | observe_reward |

    ## Rewards
    1 for a right answer, 0 otherwise.

    ## Starting state
    The first cue of a run. The richer side is drawn, either with probability 1/2.

    ## Lifetime
    `steps` steps, run after run; it ends by `truncated`, perhaps within a run. A trial is a question; `trial` counts
    those put so far, and a trial ends well when it is answered rightly.

    ## What must be remembered
    How many cues there were on either side, or the difference.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `answered` (rightly) at the end of a lifetime;
    `privileged = {"task": the side that will have had more cues, as flags}` only if asked for.

    ## Reference scores
    Right answers in the ten runs of the default lifetime, exact by counting all cues: counting 10, remembering only one
    cue 7.27, guessing 5. Measured: `lsnn_rl.envs.references.reference_scores(id)`.

    ## Arguments
    cues: an odd number; wait: blank steps; clarity: probability of a cue on the richer side; steps: of a lifetime;
    observe_action, observe_reward: what is seen. In the split "test-ood" the wait is twice as long.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (*MemoryTask.memory, "run", "clock")
    ood: ClassVar[dict[str, Any]] = {"wait": 14}
    sign_names: ClassVar[tuple[str, ...]] = ("question",)
    title: ClassVar[str] = "Evidence accumulation"
    marks: ClassVar[bool] = False
    explanation = "count the cues, wait, then turn to the side that had more"

    def __init__(
        self,
        slots: int = 1,
        *,
        cues: int = 7,
        wait: int = 7,
        clarity: float = 0.7,
        steps: int = 150,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        if cues < 1 or cues % 2 == 0:
            raise BadValue(f"cues = {cues} may end in a draw. Give an odd number, 1 or more.")
        if wait < 0:
            raise BadValue(f"wait = {wait} is not a number of steps. Give a whole number, zero or above.")
        if not 0.5 <= clarity <= 1.0:
            raise BadValue(f"clarity = {clarity}: cues favour the richer side. Give a number from 0.5 to 1.")
        super().__init__(slots, steps, 2, 2, observe_action, observe_reward)
        self.cues, self.wait, self.clarity = cues, wait, clarity
        self.symbol_names, self.answer_names = ["L", "R"], ["left", "right"]
        self.run = np.zeros((slots, cues), np.int64)  # sides of all cues of this run
        self.clock = np.zeros(slots, np.int64)  # steps into the run

    def first(self, rows: Rows) -> None:
        luck = self.luck.take(rows, 1 + self.cues)
        richer = (luck[:, :1] < 0.5).astype(np.int64)
        self.run[rows] = np.where(luck[:, 1:] < self.clarity, richer, 1 - richer)
        self.right[rows] = 2 * self.run[rows].sum(axis=1) > self.cues
        self.shown[rows], self.clock[rows] = self.run[rows, 0], 0

    def onward(self) -> None:
        self.clock = self.clock + 1
        cue = self.run[self.every, np.minimum(self.clock, self.cues - 1)]
        self.shown = np.where(self.clock < self.cues, cue, NOTHING)
        again = np.flatnonzero(self.clock > self.cues + self.wait)
        if len(again):
            self.first(again)
        self.asked = self.clock == self.cues + self.wait
        self.signs = self.asked[:, None].copy()

    def task_known(self) -> NDArray[np.bool_]:
        """Where all cues of the run have been seen, [N]."""
        return self.clock >= self.cues - 1


class DelayedMatch(MemoryTask):
    """Delayed match to sample: a symbol, a wait, a second symbol: was it the same one?

    With probability 1/2 it is; else it is one of the others. With `distractors` other symbols go by during the wait.

    ## Action space
    `Discrete(2)`: 0 different, 1 the same. Counts where the second symbol is seen, does nothing elsewhere.

    ## Observation space
    `Box` of up to `symbols` + 5 flags:

    | number | meaning | keyword |
    |---|---|---|
    | 0 ... | the symbol that is shown, one flag each | |
    | then 2 | it is the sample; it is the question | |
    | then 2 | the answer that the previous step gave; none if nothing was asked | observe_action |
    | then 1 | 1 if that answer was right | observe_reward |

    ## Rewards
    1 for a right answer, 0 otherwise.

    ## Starting state
    The first sample.

    ## Lifetime
    `steps` steps, sample after sample; it ends by `truncated`. A trial is a question; `trial` counts those put so far,
    and a trial ends well when it is answered rightly.

    ## What must be remembered
    The sample.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `answered` (rightly) at the end of a lifetime;
    `privileged = {"task": the sample, as flags}` only if asked for.

    ## Reference scores
    Right answers to the ten questions of the default lifetime, exact by hand: remembering 10, guessing 5. Measured:
    `lsnn_rl.envs.references.reference_scores(id)`.

    ## Arguments
    symbols: to choose samples from; wait: steps between sample and question; distractors; steps: of a lifetime;
    observe_action, observe_reward: what is seen. In the split "test-ood" the wait is twice as long.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (*MemoryTask.memory, "sample", "clock")
    ood: ClassVar[dict[str, Any]] = {"wait": 16}
    sign_names: ClassVar[tuple[str, ...]] = ("sample", "question")
    title: ClassVar[str] = "Delayed match to sample"
    explanation = "a symbol, a wait, a second symbol: is it the same one?"

    def __init__(
        self,
        slots: int = 1,
        *,
        symbols: int = 4,
        wait: int = 8,
        distractors: bool = False,
        steps: int = 100,
        observe_action: bool = True,
        observe_reward: bool = True,
    ) -> None:
        if symbols < 2:
            raise BadValue(f"symbols = {symbols} leaves nothing to tell apart. Give a whole number, 2 or more.")
        if wait < 0:
            raise BadValue(f"wait = {wait} is not a number of steps. Give a whole number, zero or above.")
        super().__init__(slots, steps, symbols, 2, observe_action, observe_reward)
        self.wait, self.distractors = wait, distractors
        self.answer_names = ["different", "same"]
        self.sample = np.zeros(slots, np.int64)
        self.clock = np.zeros(slots, np.int64)  # steps since the sample

    def first(self, rows: Rows) -> None:
        luck = self.luck.take(rows, 1)[:, 0]
        self.sample[rows] = self.shown[rows] = luck * self.symbols
        self.clock[rows] = 0
        self.signs[rows] = [True, False]

    def onward(self) -> None:
        luck = self.luck.take(self.every, 2)
        self.clock = self.clock + 1
        self.asked = self.clock == self.wait + 1
        same = luck[:, 0] < 0.5
        other = (luck[:, 1] * (self.symbols - 1)).astype(np.int64)  # any symbol but the sample, with equal chance
        other += other >= self.sample
        self.right = (self.asked & same).astype(np.int64)
        passing = (luck[:, 1] * self.symbols).astype(np.int64) if self.distractors else NOTHING
        self.shown = np.where(self.asked, np.where(same, self.sample, other), passing)
        self.signs = np.stack([np.zeros(self.slots, np.bool_), self.asked], axis=1)
        again = np.flatnonzero(self.clock > self.wait + 1)
        if len(again):
            self.first(again)

    def task_vector(self) -> NDArray[np.float32]:
        """The sample, one flag per symbol, [N, symbols]."""
        return (self.sample[:, None] == np.arange(self.symbols)).astype(np.float32)

    def task_known(self) -> NDArray[np.bool_]:
        """Everywhere, [N]: a trial begins with its sample."""
        return np.ones(self.slots, np.bool_)


class RepeatPrevious(MemoryTask):
    """A stream of symbols: at every step, say which one was shown `back` steps before the one shown now.

    Symbols are drawn independently (POPGym deals them from shuffled decks of cards, whose end is a little easier to
    guess). POPGym's levels easy, medium, hard count the card shown now as the first of k = 4, 32, 64: that is
    back = 3, 31, 63, with steps = 51, 103, 155.

    ## Action space
    `Discrete(symbols)`: the symbol shown `back` steps before the one shown now. In the first `back` steps there is
    none, and actions do nothing.

    ## Observation space
    `Box` of up to 2 `symbols` + 2 numbers:

    | number | meaning | from, to | keyword |
    |---|---|---|---|
    | 0 ... | the symbol shown now, one flag each | 0, 1 | |
    | then 1 | 1 where an answer counts | 0, 1 | |
    | then `symbols` | the answer that the previous step gave | 0, 1 | observe_action |
    | then 1 | the previous reward, times the number of questions | -1, 1 | observe_reward |

    Answers are not shown unless asked for: whoever sees its own last answer can give up some questions to keep notes.

    ## Rewards
    1 / n for a right answer, -1 / n for a wrong one, where n = steps - back is the number of questions: a lifetime
    brings from -1 to 1.

    ## Starting state
    A random symbol.

    ## Lifetime
    `steps` steps; it ends by `truncated`. A trial is a question, so after the first `back` steps every step is one.

    ## What must be remembered
    The last `back` symbols and their order.

    ## Info
    `trial`, `trial_steps`, `success` in every step; `answered` (rightly) at the end of a lifetime;
    `privileged = {"task": the right answer, as flags}` only if asked for.

    ## Reference scores
    Exact by hand: remembering 1, guessing 2 / `symbols` - 1. POPGym's best of thirteen networks over training: 1.0
    (easy), 0.789 (medium), 0.191 (hard). Measured: `lsnn_rl.envs.references.reference_scores(id)`.

    ## Arguments
    symbols; back; steps: of a lifetime; observe_action, observe_reward: what is seen. In the split "test-ood"
    lifetimes are three times as long.

    ## Version history
    v0: first release.
    """

    memory: ClassVar[tuple[str, ...]] = (*MemoryTask.memory, "stream", "clock")
    ood: ClassVar[dict[str, Any]] = {"steps": 153}
    unit: ClassVar[str] = "return"
    sign_names: ClassVar[tuple[str, ...]] = ("question",)
    title: ClassVar[str] = "Repeat the previous"
    marks: ClassVar[bool] = False
    loses = -1.0

    def __init__(
        self,
        slots: int = 1,
        *,
        symbols: int = 4,
        back: int = 3,
        steps: int = 51,
        observe_action: bool = False,
        observe_reward: bool = True,
    ) -> None:
        if symbols < 2:
            raise BadValue(f"symbols = {symbols} leaves nothing to tell apart. Give a whole number, 2 or more.")
        if back < 1:
            raise BadValue(f"back = {back} asks for what is seen. Give a whole number, 1 or more.")
        super().__init__(slots, steps, symbols, symbols, observe_action, observe_reward)
        self.back = self.lag = back
        self.explanation = f"at every step: which symbol was shown {back} steps before this one?"
        self.scale = 1.0 / max(steps - back, 1)
        self.stream = np.zeros((slots, back + 1), np.int64)  # a ring: the symbol shown at clock c is at c % (back + 1)
        self.clock = np.zeros(slots, np.int64)

    def first(self, rows: Rows) -> None:
        # What was shown before the beginning is drawn too, though nobody sees it or is asked for it.
        self.stream[rows] = self.luck.take(rows, self.back + 1) * self.symbols
        self.clock[rows] = 0
        self.shown[rows], self.right[rows] = self.stream[rows, 0], self.stream[rows, 1]

    def onward(self) -> None:
        luck = self.luck.take(self.every, 1)[:, 0]
        self.clock = self.clock + 1
        self.shown = (luck * self.symbols).astype(np.int64)
        self.stream[self.every, self.clock % (self.back + 1)] = self.shown
        self.right = self.stream[self.every, (self.clock + 1) % (self.back + 1)]
        self.asked = self.clock >= self.back
        self.signs = self.asked[:, None].copy()

    def step(self, actions: NDArray) -> Floats:
        return self.scale * super().step(actions)

    def task_known(self) -> NDArray[np.bool_]:
        """Where the symbol that is asked for has been shown, [N]."""
        return self.clock >= self.back

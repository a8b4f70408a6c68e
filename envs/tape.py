"""The tape on which the memory worlds are written: symbols and signs go by, and now and then a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lsnn_rl.envs.parts import Part, Parts
from lsnn_rl.envs.task import Floats, Hand, LifetimeTask, Moment, Rows

if TYPE_CHECKING:
    from lsnn_rl.envs.canvas import Canvas

NOTHING = -1  # no symbol is shown, no answer was given


class MemoryTask(LifetimeTask):
    """What the memory worlds share: a tape of symbols and signs that moves on, and questions on the way.

    A subclass names its `signs`, and writes `first` and `onward`, which put on the tape what is seen next: `shown`
    (a symbol or NOTHING), `signs` (flags), `asked`, and `right` (what must be remembered; the answer where asked).

    A trial is one question. The question opens it and the answer ends it, so whatever wipes an agent's memory when a
    trial opens wipes what the answer rests on. `trial` counts the questions put so far.

    Actions that answer no question do nothing and leave no trace in the observation: otherwise a hand could serve as a
    notepad, and an agent without memory would seem to have one.
    """

    memory: ClassVar[tuple[str, ...]] = (
        *LifetimeTask.memory,
        "shown",
        "signs",
        "asked",
        "right",
        "given",
        "earned",
        "answered",
    )
    views: ClassVar[frozenset[str]] = frozenset(["observe_action", "observe_reward"])
    score: ClassVar[str] = "return"
    unit: ClassVar[str] = "answers"
    restless: ClassVar[bool] = True
    sign_names: ClassVar[tuple[str, ...]] = ()  # of the flags beside the symbol
    title: ClassVar[str] = ""  # this and what follows is for the picture
    explanation: str = ""
    marks: ClassVar[bool] = True  # some symbols matter more than others, and carry a sign
    lag: int | None = None  # the answer is what was shown so many steps ago; None: what came with the last sign
    symbol_names: list[str]
    answer_names: list[str]

    wins: float = 1.0  # reward of a right answer
    loses: float = 0.0  # of a wrong one

    def __init__(
        self, slots: int, steps: int, symbols: int, answers: int, observe_action: bool, observe_reward: bool
    ) -> None:
        super().__init__(slots, steps)
        self.symbols, self.answers = symbols, answers
        self.symbol_names = [str(k + 1) for k in range(symbols)]
        self.answer_names = [str(k + 1) for k in range(answers)]
        self.shown = np.full(slots, NOTHING)  # the symbol that is seen
        self.signs = np.zeros((slots, len(self.sign_names)), np.bool_)
        self.asked = np.zeros(slots, np.bool_)  # a question is to be answered now
        self.right = np.zeros(slots, np.int64)  # what must be remembered: the right answer, if it is asked for
        self.given = np.full(slots, NOTHING)  # the answer that the last step gave
        self.earned = np.zeros(slots)  # by the last step
        self.answered = np.zeros(slots, np.int64)  # right answers in this lifetime
        # The range holds the rewards of every split, so that observations mean the same in all.
        self.parts = Parts(
            symbol=Part(symbols),
            **{name: Part(1) for name in self.sign_names},
            action=Part(answers, on=observe_action),
            reward=Part(1, -1.0 if self.loses < 0 else 0.0, 1.0, observe_reward),
        )
        self.observation_space = self.parts.space
        self.action_space = spaces.Discrete(answers)

    def first(self, rows: Rows) -> None:
        """Put on the tape what is seen first in a lifetime."""
        raise NotImplementedError(f"{type(self).__name__} has no first(). Write it as in lsnn_rl.envs.memory.")

    def onward(self) -> None:
        """Put on the tape what is seen next, in all slots."""
        raise NotImplementedError(f"{type(self).__name__} has no onward(). Write it as in lsnn_rl.envs.memory.")

    def begin(self, rows: Rows) -> None:
        super().begin(rows)
        self.shown[rows], self.signs[rows], self.asked[rows], self.right[rows] = NOTHING, False, False, 0
        self.given[rows], self.earned[rows], self.answered[rows] = NOTHING, 0.0, 0
        self.first(rows)

    def step(self, actions: NDArray) -> Floats:
        asked = self.asked
        self.success = asked & (actions == self.right)
        self.given = np.where(asked, actions, NOTHING)
        self.earned = np.where(asked, np.where(self.success, self.wins, self.loses), 0.0)
        self.answered = self.answered + self.success
        self.onward()
        if np.count_nonzero(self.asked):
            self.trial += self.asked  # the question opens its trial
            self.trial_start[self.asked] = self.age[self.asked] + 1
        return self.earned.copy()

    def observe(self) -> NDArray[np.float32]:
        seen = self.parts.blank(self.slots)
        self.parts.mark(seen, "symbol", self.shown)
        for k, name in enumerate(self.sign_names):
            self.parts.put(seen, name, self.signs[:, k])
        self.parts.mark(seen, "action", self.given)
        self.parts.put(seen, "reward", self.earned)
        return seen

    def task_vector(self) -> NDArray[np.float32]:
        """What must be remembered: the right answer to the next question, one flag each, [N, answers]."""
        return (self.right[:, None] == np.arange(self.answers)).astype(np.float32)

    def expert(self) -> NDArray[np.int64]:
        """The right answer, [N]; 0 where nothing is asked."""
        return np.where(self.asked, self.right, 0)

    def summary(self) -> dict[str, NDArray]:
        return {"answered": self.answered.copy()}

    def glimpse(self, slot: int) -> tuple[int, tuple[bool, ...], bool, int, int]:
        """Symbol and signs that are seen, is it a question, its right answer, the answer just given."""
        signs = tuple(bool(sign) for sign in self.signs[slot])
        return int(self.shown[slot]), signs, bool(self.asked[slot]), int(self.right[slot]), int(self.given[slot])

    def hand(self, slot: int, hand: Hand) -> int | None:
        """Digits answer; arrow keys do where there are two answers; where nothing is asked, space goes on too."""
        if not self.asked[slot] and hand.tapped & {"space", "right", "d"}:
            return 0
        if self.answers == 2 and hand.tapped & {"left", "a", "right", "d"}:
            return int(bool(hand.tapped & {"right", "d"}))
        chosen = super().hand(slot, hand)
        return None if chosen is None else int(chosen)

    def draw(self, canvas: Canvas, slot: int, history: list[Moment], references: dict[str, float] | None) -> None:
        from lsnn_rl.envs.memory_view import draw_memory

        draw_memory(canvas, self, slot, history, references)

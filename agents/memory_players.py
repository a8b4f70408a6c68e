"""Players of the memory worlds: one for each that keeps exactly what is asked for, and some that keep too little."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.envs.memory import DelayedMatch, Evidence, RepeatPrevious, StoreRecall
from lsnn_rl.envs.tape import MemoryTask

State = dict[str, NDArray]


class KeepsStored:
    """Keeps the value that came with the last STORE. State: kept [N]."""

    def __init__(self, rules: StoreRecall, seed: int = 0) -> None:
        self.rules = rules

    def initial_state(self, n: int) -> State:
        return {"kept": np.zeros(n, np.int64)}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        parts = self.rules.parts
        stored = parts.read(obs, "store")[:, 0] > 0.5
        kept = np.where(stored, parts.which(obs, "symbol"), np.where(starts, 0, state["kept"]))
        return kept, {"kept": kept}


class CountsCues:
    """Keeps how many more cues there were on the right than on the left. State: lead [N]."""

    def __init__(self, rules: Evidence, seed: int = 0) -> None:
        self.rules = rules

    def initial_state(self, n: int) -> State:
        return {"lead": np.zeros(n, np.int64)}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        cue = self.rules.parts.which(obs, "symbol")
        lead = self.weigh(np.where(starts, 0, state["lead"]), np.where(cue < 0, 0, 2 * cue - 1))
        asked = self.rules.parts.read(obs, "question")[:, 0] > 0.5
        return (lead > 0).astype(np.int64), {"lead": np.where(asked, 0, lead)}

    def weigh(self, lead: NDArray, cue: NDArray) -> NDArray:
        """The lead after a cue: 1 right, -1 left, 0 none."""
        return lead + cue


class LastCue(CountsCues):
    """Remembers the last cue only: what a memory of one sign earns without counting."""

    def weigh(self, lead: NDArray, cue: NDArray) -> NDArray:
        return np.where(cue == 0, lead, cue)


class KeepsSample:
    """Keeps the sample and compares. State: kept [N]."""

    def __init__(self, rules: DelayedMatch, seed: int = 0) -> None:
        self.rules = rules

    def initial_state(self, n: int) -> State:
        return {"kept": np.zeros(n, np.int64)}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        parts, shown = self.rules.parts, self.rules.parts.which(obs, "symbol")
        sampled = parts.read(obs, "sample")[:, 0] > 0.5
        kept = np.where(sampled, shown, np.where(starts, 0, state["kept"]))
        return (shown == kept).astype(np.int64), {"kept": kept}


class KeepsLast:
    """Keeps the last symbols in order. State: queue [N, back + 1], the newest first."""

    def __init__(self, rules: RepeatPrevious, seed: int = 0) -> None:
        self.rules = rules

    def initial_state(self, n: int) -> State:
        return {"queue": np.zeros((n, self.rules.back + 1), np.int64)}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        shown = self.rules.parts.which(obs, "symbol")
        queue = np.where(starts[:, None], 0, state["queue"])
        queue = np.concatenate([shown[:, None], queue[:, :-1]], axis=1)
        return queue[:, -1].copy(), {"queue": queue}


class Memoryless:
    """Always gives the first answer: what is seen with a question says nothing about its answer, so any is as good."""

    def __init__(self, rules: MemoryTask, seed: int = 0) -> None:
        pass

    def initial_state(self, n: int) -> State:
        return {}

    def act(
        self, obs: NDArray, state: State, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, State]:
        return np.zeros(len(obs), np.int64), state

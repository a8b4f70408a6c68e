"""What one rollout leaves behind, time-major [T, N, ...], and how it is dealt out in whole columns.

Acting reads its observations from this buffer, so what is trained on later is, to the bit, what was acted on. Of the
network only the state at chunk starts is kept: a chunk is run again from there, with its resets, and every state in
between comes out again. A column is one chunk of one environment; a minibatch is some columns, never a part of one.
No column is padded, however short its lifetimes are, so every step of a batch counts and there is nothing to sort by
length here (gated cells, whose torch kernels know no resets, do so for themselves: `lsnn_rl.network.gated_sequence`).

With `burn_in_steps` a column also brings the steps before it and the state before those, so that the state at its start
can be computed anew with the weights as they are now. For the first chunk they are the last rollout's.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from lsnn_rl.agents.losses import gae
from lsnn_rl.errors import BadValue
from lsnn_rl.state import State, take

Observations = Tensor | dict[str, Tensor]


class Before(NamedTuple):
    """What came before the columns of a batch: M steps, from which their first state can be computed anew."""

    observations: Observations  # [M, B, ...]
    starts: Tensor  # [M, B] bool
    state: State  # [B, ...], before the first of these steps
    known: Tensor  # [B] bool, False where nothing before the column was seen


class Batch(NamedTuple):
    """Some columns of a rollout: L steps of B chunks."""

    observations: Observations  # [L, B, ...]
    actions: Tensor  # [L, B, ...]
    log_probs: Tensor  # [L, B], when acted
    values: Tensor  # [L, B], when acted
    advantages: Tensor  # [L, B]
    returns: Tensor  # [L, B]
    starts: Tensor  # [L, B] bool
    state: State  # [B, ...], before the first step and before its reset
    task: Tensor | None = None  # [L, B, V], the hidden task, where an auxiliary cost asks for it
    known: Tensor | None = None  # [L, B] bool, whether it could be known by then
    before: Before | None = None


class Rollout:
    """T steps of N environments.

    Args:
        n_steps, n_envs: T and N. bptt_steps: length of a chunk, a divisor of T.
        observation_space: of one environment; Dict spaces are kept key by key.
        device: where minibatches are wanted.
        task_size: width V of the hidden task, 0 if nothing asks for it.
        burn_in_steps: steps that a column brings from before it, below T.
    Raises: BadValue if the chunks do not fill the rollout, or the burn-in is longer than it.
    """

    def __init__(
        self,
        n_steps: int,
        n_envs: int,
        observation_space: spaces.Space,
        bptt_steps: int | None = None,
        device: torch.device | str = "cpu",
        task_size: int = 0,
        burn_in_steps: int = 0,
    ) -> None:
        bptt_steps = bptt_steps or n_steps
        if n_steps % bptt_steps:
            raise BadValue(
                f"A rollout of {n_steps} steps cannot be cut into chunks of {bptt_steps}: {n_steps % bptt_steps} steps "
                f"would be left over. Make n_steps a multiple of bptt_steps, for example {-(-n_steps // bptt_steps)} "
                f"chunks with n_steps={-(-n_steps // bptt_steps) * bptt_steps}."
            )
        if not 0 <= burn_in_steps < n_steps:
            raise BadValue(
                f"burn_in_steps = {burn_in_steps} does not fit a rollout of {n_steps} steps. "
                f"Give a number from 0 (none) to {n_steps - 1}; a few time constants of the fast dynamics are enough."
            )
        self.n_steps, self.n_envs, self.bptt_steps, self.device = n_steps, n_envs, bptt_steps, torch.device(device)
        self.burn_in = burn_in_steps
        # The rows before the first step are the last rollout's end, for the burn-in of the first chunk.
        seen, starts = (n_steps + burn_in_steps, n_envs), torch.zeros(n_steps + burn_in_steps, n_envs, dtype=torch.bool)
        self._seen, self._seen_starts = _storage(observation_space, seen), starts
        self._before: dict[int, State] = {}  # by row of `_seen`: states at which a burn-in begins
        self._tail_known, self.pos = False, 0
        self.observations = _from(self._seen, burn_in_steps)
        self._rows = [_row(self.observations, t) for t in range(n_steps)]
        self._written = _numpy(self.observations)
        self.starts = starts[burn_in_steps:]
        self._starts = self.starts.numpy()
        self._start_rows = self.starts.unbind(0)
        self.rewards = torch.zeros(n_steps, n_envs)
        self._rewards = self.rewards.numpy()
        self.task = torch.zeros(n_steps, n_envs, task_size) if task_size else None
        self.known = torch.zeros(n_steps, n_envs, dtype=torch.bool) if task_size else None
        self.reset()

    def reset(self) -> None:
        """Begin a new rollout; if the last one was filled, its end is what came before this one."""
        if self.pos:
            self.set_tail(self.tail())
        self.pos = 0
        self._states: list[State] = []
        self._acted: list[tuple[Tensor, Tensor, Tensor]] = []
        self._cut: list[tuple[int, np.ndarray, Any, State]] = []

    @property
    def full(self) -> bool:
        return self.pos == self.n_steps

    def observe(self, obs: Any, starts: np.ndarray, state: State) -> tuple[Observations, Tensor]:
        """Keep what is seen before a step; returns the observation [N, ...] and starts [N] to act on."""
        t = self.pos
        if t % self.bptt_steps == 0:
            self._states.append(state)
        if self.burn_in and (t + self.burn_in) % self.bptt_steps == 0:
            self._before[t + self.burn_in] = state
        if isinstance(self._written, dict):
            for key, column in self._written.items():
                column[t] = obs[key]
        else:
            self._written[t] = obs
        self._starts[t] = starts
        return self._rows[t], self._start_rows[t]

    def tail(self) -> dict[str, Any] | None:
        """What the burn-in of the next rollout needs to know of this one; None if there is none, or nothing to know."""
        if not self.burn_in or self.pos not in (0, self.n_steps) or not (self.pos or self._tail_known):
            return None
        seen = [part[self.pos : self.pos + self.burn_in].clone() for part in self._parts_seen()]
        return {"seen": seen, "before": {row - self.pos: s for row, s in self._before.items() if row >= self.pos}}

    def set_tail(self, tail: Mapping[str, Any] | None) -> None:
        """Begin behind an equal rollout that had this `tail`; None: nothing came before."""
        self._tail_known, self._before = tail is not None, dict(tail["before"]) if tail else {}
        for part, kept in zip(self._parts_seen(), tail["seen"] if tail else [], strict=False):
            part[: self.burn_in] = kept

    def _parts_seen(self) -> list[Tensor]:
        parts = list(self._seen.values()) if isinstance(self._seen, dict) else [self._seen]
        return [*parts, self._seen_starts]

    def as_tensor(self, obs: Any) -> Observations:
        """An observation [N, ...] in the types in which the rollout keeps it."""
        like = self._rows[0]
        if isinstance(like, dict):
            return {key: _as(obs[key], part) for key, part in like.items()}
        return _as(obs, like)

    def tell(self, task: np.ndarray, known: np.ndarray) -> None:
        """Keep the hidden task and whether it can be known, read before the step that follows `observe`."""
        assert self.task is not None and self.known is not None
        self.task[self.pos] = torch.from_numpy(np.asarray(task, dtype=np.float32))
        self.known[self.pos] = torch.from_numpy(np.asarray(known, dtype=bool))

    def task_now(self) -> Tensor | None:
        """The hidden task [N, V] that was just told; None if nothing asks for it."""
        return None if self.task is None else self.task[self.pos]

    def add(self, actions: Tensor, values: Tensor, log_probs: Tensor, rewards: np.ndarray) -> None:
        """Keep what was done and what came of it; moves to the next step."""
        self._acted.append((actions, values, log_probs))
        self._rewards[self.pos] = rewards
        self.pos += 1

    def cut(self, rows: np.ndarray, final_obs: list[Any], state: State) -> None:
        """Note lifetimes that the step just added cut off, to be bootstrapped together when the rollout ends.

        Args: rows [M] of the environments; their last observations; the network state [M, ...] after the last step.
        """
        self._cut.append((self.pos - 1, rows, final_obs, state))

    def cut_off(self) -> tuple[Observations, State, np.ndarray, np.ndarray] | None:
        """All lifetimes cut off in this rollout: last observations and states [M, ...], their steps and rows [M]."""
        if not self._cut:
            return None
        finals = [obs for _, _, final_obs, _ in self._cut for obs in final_obs]
        keys = finals[0].keys() if isinstance(finals[0], dict) else ()
        stacked = self.as_tensor({key: np.stack([obs[key] for obs in finals]) for key in keys} or np.stack(finals))
        states = [state for *_, state in self._cut]
        state = {name: torch.cat([part[name] for part in states]) for name in states[0]}
        steps = np.concatenate([np.full(len(rows), t) for t, rows, *_ in self._cut])
        return stacked, state, steps, np.concatenate([rows for _, rows, *_ in self._cut])

    def finish(self, last_values: Tensor, last_starts: np.ndarray, gamma: float, gae_lambda: float) -> None:
        """Compute advantages and value targets once the rollout is full.

        Raises: BadValue if a reward, an observation's value or a log-probability is not finite.
        """
        actions, values, log_probs = zip(*self._acted, strict=True)
        self.actions = torch.stack(actions)
        self.values, self.log_probs = torch.stack(values).cpu(), torch.stack(log_probs).cpu()
        for name, numbers in {"reward": self.rewards, "value": self.values, "log-probability": self.log_probs}.items():
            if not torch.isfinite(numbers).all():
                t, n = (int(i) for i in torch.nonzero(~torch.isfinite(numbers))[0])
                raise BadValue(
                    f"Training needs finite numbers; the {name} of environment {n} at step {t} of the rollout is "
                    f"{numbers[t, n].item()}. {_ADVICE[name]}"
                )
        self.advantages, self.returns = gae(
            self.rewards,
            self.values,
            self.starts,
            last_values.cpu(),
            torch.from_numpy(np.asarray(last_starts, dtype=bool)),
            gamma,
            gae_lambda,
        )

    def minibatches(self, batch_size: int | None, epochs: int, normalize_advantage: bool) -> Iterator[Iterator[Batch]]:
        """One iterator of minibatches per epoch, in a new random order each.

        Args:
            batch_size: transitions in a minibatch, rounded to whole columns of equal share; None for a quarter of all.
            normalize_advantage: to mean 0 and deviation 1 over the rollout, not over a few correlated columns.
        """
        advantages = self.advantages
        if normalize_advantage and advantages.numel() > 1:
            advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        folded = {
            name: self._fold(part)
            for name, part in {
                "observations": self.observations,
                "actions": self.actions,
                "log_probs": self.log_probs,
                "values": self.values,
                "advantages": advantages,
                "returns": self.returns,
                "starts": self.starts,
                "task": self.task,
                "known": self.known,
            }.items()
            if part is not None
        }
        state = {name: torch.cat([part[name] for part in self._states]) for name in self._states[0]}
        columns = self.n_envs * (self.n_steps // self.bptt_steps)
        before = self._burn_in_columns() if self.burn_in else None
        parts = min(columns, max(1, round(columns * self.bptt_steps / batch_size) if batch_size else 4))

        def epoch() -> Iterator[Batch]:
            for chosen in torch.randperm(columns).tensor_split(parts):
                index = chosen.to(self.device)
                chunks: dict[str, Any] = {name: _columns(part, index) for name, part in folded.items()}
                yield Batch(**chunks, state=take(state, index), before=before and _chosen(before, index))

        for _ in range(epochs):
            yield epoch()

    def _burn_in_columns(self) -> Before:
        """The steps before every column, in the order of columns."""
        chunks = self.n_steps // self.bptt_steps
        first = [chunk * self.bptt_steps for chunk in range(chunks)]  # rows of `_seen`

        def ahead(part: Observations) -> Observations:
            if isinstance(part, dict):
                return {key: ahead(value) for key, value in part.items()}  # type: ignore[misc]
            return torch.cat([part[row : row + self.burn_in] for row in first], dim=1).to(self.device)

        anything = self._states[0]  # stands where nothing is known, and is not used
        states = [self._before.get(row, anything) for row in first]
        known = torch.tensor([row >= self.burn_in or self._tail_known for row in first], device=self.device)
        return Before(
            ahead(self._seen),
            ahead(self._seen_starts),  # type: ignore[arg-type]
            {name: torch.cat([state[name] for state in states]) for name in anything},
            known.repeat_interleave(self.n_envs),
        )

    def _fold(self, part: Observations) -> Observations:
        """[T, N, ...] as columns [L, T/L * N, ...]: column c * N + n is chunk c of environment n."""
        if isinstance(part, dict):
            return {key: self._fold(value) for key, value in part.items()}  # type: ignore[misc]
        chunks = part.view(-1, self.bptt_steps, *part.shape[1:])
        return chunks.transpose(0, 1).flatten(1, 2).to(self.device)


_ADVICE = {
    "reward": "Look into the environment's reward at that point.",
    "value": "Look for NaN or huge numbers in the observations, or for weights that have grown without bound: "
    "lower learning_rate or max_grad_norm.",
    "log-probability": "The action distribution has degenerated: lower learning_rate, or add an entropy bonus.",
}


def _storage(space: spaces.Space, lead: tuple[int, int]) -> Observations:
    if isinstance(space, spaces.Dict):
        return {key: _storage(part, lead) for key, part in space.spaces.items()}  # type: ignore[misc]
    if space.shape is None or space.dtype is None:
        raise BadValue(
            f"Observations of {space} cannot be kept as one array. Flatten them first, for example with "
            "gymnasium.wrappers.FlattenObservation, or use a Dict of boxes."
        )
    floats = np.issubdtype(space.dtype, np.floating)
    dtype = torch.float32 if floats else torch.from_numpy(np.zeros(1, space.dtype)).dtype
    return torch.zeros(*lead, *space.shape, dtype=dtype)


def _from(part: Observations, row: int) -> Observations:
    return {key: value[row:] for key, value in part.items()} if isinstance(part, dict) else part[row:]


def _chosen(before: Before, index: Tensor) -> Before:
    observations, starts = _columns(before.observations, index), before.starts.index_select(1, index)
    return Before(observations, starts, take(before.state, index), before.known[index])


def _row(part: Observations, t: int) -> Observations:
    return {key: value[t] for key, value in part.items()} if isinstance(part, dict) else part[t]


def _numpy(part: Observations) -> Any:
    """The same memory, seen from numpy."""
    return {key: value.numpy() for key, value in part.items()} if isinstance(part, dict) else part.numpy()


def _as(array: Any, like: Tensor) -> Tensor:
    return torch.as_tensor(array).to(like.dtype)


def _columns(part: Observations, index: Tensor) -> Observations:
    if isinstance(part, dict):
        return {key: value.index_select(1, index) for key, value in part.items()}
    return part.index_select(1, index)

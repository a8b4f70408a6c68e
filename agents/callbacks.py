"""What watches a training: a progress bar, checkpoints that lose at most one interval of work, and a validation that
keeps the best agent."""

import json
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from tqdm import tqdm

from lsnn_rl.agents.adapters import as_agent
from lsnn_rl.agents.checkpoint import BEST, Snapshot, capture, checkpoints_in, read_checkpoint, write_checkpoint
from lsnn_rl.envs.registration import has_lifetimes
from lsnn_rl.errors import BrokenFile
from lsnn_rl.files import replace_file


def _warn(problem: OSError, outlook: str) -> None:
    warnings.warn(f"A checkpoint could not be written: {problem}. Training goes on; {outlook}", stacklevel=3)


class TrainingProgress(BaseCallback):
    """A progress bar with steps per second and goals per lifetime.

    Args: minutes: the time limit of this training, if it has one; the bar shows the larger of the two shares.
    """

    model: Any

    def __init__(self, minutes: float | None = None) -> None:
        super().__init__()
        self.minutes = minutes

    def _on_training_start(self) -> None:
        self._from, self._began = self.model.num_timesteps, time.monotonic()
        self._bar = tqdm(total=1.0, bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}", dynamic_ncols=True)
        self._show()

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        self._show()

    def _on_training_end(self) -> None:
        self._show()
        self._bar.close()

    def _show(self) -> None:
        model, seconds = self.model, time.monotonic() - self._began
        share = model.num_timesteps / max(1, model._total_timesteps)
        if self.minutes:
            share = max(share, model._time_share())  # counts earlier sessions and the warm-up too
        self._bar.n = min(1.0, share)
        words = [f"{model.num_timesteps:,} steps"]
        if model.num_timesteps > self._from:
            words.append(f"{(model.num_timesteps - self._from) / seconds:,.0f} steps/s")
        if model.lifetime_goals:
            words.append(f"{np.mean(model.lifetime_goals):.1f} goals per lifetime")
        elif model.ep_info_buffer:
            words.append(f"return {np.mean([entry['r'] for entry in model.ep_info_buffer]):.3g}")
        self._bar.set_postfix_str(", ".join(words))


class CheckpointCallback(BaseCallback):
    """Writes a checkpoint every so many seconds of wall-clock time, and keeps the newest few.

    At the start of every rollout it takes a snapshot in memory, since only there nothing is half done. What is written,
    also after Ctrl-C or when training meets a NaN, is always such a snapshot; resuming repeats at most one rollout.

    Args:
        folder: files are called checkpoint-<environment steps>.ckpt. The best by validation stays as best.ckpt.
        every_s: seconds between files. keep: how many of them stay.
        exact: refuse worlds whose state cannot be saved; False resumes those with new lifetimes.
    """

    model: Any

    def __init__(self, folder: str | Path, every_s: float = 300.0, keep: int = 3, exact: bool = True) -> None:
        super().__init__()
        self.folder, self.every_s, self.keep, self.exact = Path(folder), every_s, max(1, keep), exact
        self._snapshot: Snapshot | None = None

    def _on_training_start(self) -> None:
        self._written = time.monotonic()
        for half in self.folder.glob(".*.ckpt.*"):  # what a killed process was writing
            half.unlink(missing_ok=True)
        self.model.checkpoint_keeper = self  # training asks it to write when it has to stop

    def _on_rollout_start(self) -> None:
        self._snapshot = capture(self.model, self.exact)
        if time.monotonic() - self._written >= self.every_s:
            try:
                self.write()
            except OSError as problem:
                self._written = time.monotonic()
                newest = next(iter(checkpoints_in(self.folder)), None)
                _warn(problem, f"the last one is {newest}. Make room for the next, in {self.every_s:g} seconds.")

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        self._snapshot = capture(self.model, self.exact)
        self.write()

    def write(self) -> Path:
        """Write the last snapshot; returns its file."""
        assert self._snapshot is not None
        steps = self._snapshot["counters"]["num_timesteps"]
        path = write_checkpoint(self._snapshot, self.folder / f"checkpoint-{steps:012d}.ckpt")
        self._written = time.monotonic()
        for old in checkpoints_in(self.folder)[self.keep :]:
            old.unlink(missing_ok=True)
        return path

    def on_failure(self, what: str) -> Path | None:
        """Write the last good checkpoint, and beside it in `stopped.json` what went wrong and when."""
        path = self.on_interrupt()
        if path is None:
            return None
        report = {"at_env_steps": self.model.num_timesteps, "because": what, "go_on_from": path.name}
        replace_file(self.folder / "stopped.json", (json.dumps(report, indent=1) + "\n").encode())
        return path

    def keep_best(self, validations: list[list[float]]) -> bool:
        """Write the last snapshot as the best so far, with the validations that say so; False if there was no room."""
        assert self._snapshot is not None
        counters = {**self._snapshot["counters"], "validations": [list(entry) for entry in validations]}
        try:
            write_checkpoint({**self._snapshot, "counters": counters}, self.folder / BEST)
        except OSError as problem:
            _warn(problem, "what is better than the one that was kept before will be tried again. Make room for it.")
            return False
        return True

    def best_score(self) -> float:
        """The validation score of the best that is kept from before, of this training; -inf without one."""
        file = self.folder / BEST
        if self.model.num_timesteps == 0 or not file.is_file():  # a new training: what lies there is another's
            return -np.inf
        try:
            return float(read_checkpoint(file)["counters"]["validations"][-1][1])
        except BrokenFile:
            return -np.inf

    def on_interrupt(self) -> Path | None:
        """Call this when training was interrupted (KeyboardInterrupt); returns the file to resume from, if any."""
        return None if self._snapshot is None else self.write()


class ValidationCallback(BaseCallback):
    """Lives the same lifetimes every so many steps, and keeps the agent that did best in them.

    They are numbered lifetimes of the training split, which training itself never deals (`lsnn_rl.envs.splits`), lived
    as `evaluate` lives its test: each whole and from a state at rest, most probable actions. No test lifetime chooses
    an agent. In other worlds than ours they are episodes with seeds of their own (`lsnn_rl.agents.episodes`).
    Nothing that training depends on is touched: with and without it the same weights are learned.

    Args:
        keeper: writes the best; comes before this one in the list of callbacks.
        every_steps: environment steps between validations; the end of training is one more.
        lifetimes: how many.
    """

    model: Any

    def __init__(
        self,
        keeper: CheckpointCallback,
        env_id: str,
        every_steps: int = 1_000_000,
        lifetimes: int = 64,
        env_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.keeper, self.env_id, self.every_steps, self.lifetimes = keeper, env_id, every_steps, lifetimes
        self.env_kwargs = dict(env_kwargs or {})

    def _on_training_start(self) -> None:
        self._best = self.keeper.best_score()  # a file may be newer than the checkpoint that is gone on from

    def _on_rollout_start(self) -> None:
        if self.model.num_timesteps - self._last() >= self.every_steps:
            self.validate()

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        if self.model.num_timesteps > self._last():
            self.validate()
            self.logger.dump(self.model.num_timesteps)

    def _last(self) -> int:
        return int(self.model.validations[-1][0]) if self.model.validations else 0

    def validate(self) -> float:
        """The mean score now: goals, or return where there are none."""
        score = self._score()
        self.model.validations.append([self.model.num_timesteps, score])
        if score > self._best and self.keeper.keep_best(self.model.validations):
            self._best = score
        self.logger.record("validation/score", score)
        self.logger.record("validation/best", self._best)
        return score

    def _score(self) -> float:
        from lsnn_rl.agents import episodes, evaluate

        agent = as_agent(self.model, self.env_id, self.env_kwargs)
        if not has_lifetimes(self.env_id):
            lives = episodes.live_episodes(
                agent, self.env_id, self.lifetimes, env_kwargs=self.env_kwargs, split="validation"
            )
            return float(lives.returns.mean())
        env = gym.make_vec(self.env_id, num_envs=min(64, self.lifetimes), split="train", **self.env_kwargs)
        try:
            lives = evaluate.live(agent, env, np.arange(self.lifetimes))
            return float((lives.goals if evaluate.score_of_world(env) == "goals" else lives.returns).mean())
        finally:
            env.close()

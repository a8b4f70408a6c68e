"""What watches a training: a progress bar, and checkpoints that lose at most one interval of work."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback
from tqdm import tqdm

from lsnn_rl.agents.checkpoint import Snapshot, capture, checkpoints_in, write_checkpoint


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
            words.append(f"return {np.mean([entry['r'] for entry in model.ep_info_buffer]):.1f}")
        self._bar.set_postfix_str(", ".join(words))


class CheckpointCallback(BaseCallback):
    """Writes a checkpoint every so many seconds of wall-clock time, and keeps the newest few.

    At the start of every rollout it takes a snapshot in memory, since only there nothing is half done. What is written,
    also after Ctrl-C or when training meets a NaN, is always such a snapshot; resuming repeats at most one rollout.

    Args:
        folder: files are called checkpoint-<environment steps>.ckpt.
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
        self.model.checkpoint_keeper = self  # training asks it to write when it has to stop

    def _on_rollout_start(self) -> None:
        self._snapshot = capture(self.model, self.exact)
        if time.monotonic() - self._written >= self.every_s:
            self.write()

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

    def on_interrupt(self) -> Path | None:
        """Call this when training was interrupted (KeyboardInterrupt); returns the file to resume from, if any."""
        return None if self._snapshot is None else self.write()

"""One loop for every supervised task, from a recipe to a run folder.

recipe.yml        the resolved recipe, defaults included
command.txt       the command line
checkpoint.ckpt   exact to resume from
logs/<n>/         TensorBoard, one folder per session
network.safetensors   the weights that validation chose
card.json         how well they do on the test split, asked once
"""

import math
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from lsnn_rl import state as states
from lsnn_rl.errors import BadValue, LSNNError, MissingFile
from lsnn_rl.files import replace_file
from lsnn_rl.pretrain import checkpoint
from lsnn_rl.pretrain.cards import SCHEMA, by_example, interval, save_card, versions
from lsnn_rl.pretrain.model import build_model, build_optimizer, build_task
from lsnn_rl.pretrain.recipe import PretrainRecipe, read_recipe
from lsnn_rl.pretrain.schedules import factor
from lsnn_rl.regularizers import firing_rate
from lsnn_rl.rewiring import Rewiring
from lsnn_rl.units import hertz

LOG_EVERY = 50  # iterations between two points of TensorBoard's curves
Say = Callable[[str], None]


class Interrupted(Exception):
    """Training was stopped by Ctrl-C; the message says how it goes on."""


def pretrain(
    recipe: PretrainRecipe, folder: str | Path, name: str = "own", say: Say = print, progress: bool = True
) -> dict[str, Any]:
    """Train a network as the recipe says, from the beginning, and write its run folder. Returns the card.

    Args:
        folder: one without a checkpoint in it.
        name: of the recipe, for the card.
        say: told in a sentence what happens next.
    Raises: BadValue if the folder holds a run; Interrupted after Ctrl-C, once a checkpoint is written.
    """
    run = Path(folder)
    if (run / "checkpoint.ckpt").exists():
        raise BadValue(f"{run} holds a run already. Go on with it: --resume {run}. Or choose another --folder.")
    training = Training(recipe, name)  # before anything is written: a recipe that cannot be built leaves no run behind
    run.mkdir(parents=True, exist_ok=True)
    say(f"Training in {run}. Ctrl-C stops it; --resume {run} goes on.")
    recipe.save(run / "recipe.yml")
    (run / "command.txt").write_text(shlex.join(sys.argv) + "\n", encoding="utf-8")
    return _go(training, run, say, progress)


def resume(folder: str | Path, say: Say = print, progress: bool = True, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Go on with an interrupted run, as if it had never stopped. Returns the card.

    Args: changes: of the recipe, for what is no part of the experiment: "task.kwargs.root=FOLDER", where the data are.
    """
    run = Path(folder)
    if not (run / "recipe.yml").is_file():
        raise MissingFile(f"{run} holds no run: there is no recipe.yml in it. Give the folder that training wrote.")
    kept = checkpoint.read(run / "checkpoint.ckpt")
    training = Training(read_recipe(run).with_changes(changes), kept["name"])
    training.restore(kept)
    say(f"Going on at {training.iteration:,} of {training.recipe.train.iterations:,} iterations.")
    return _go(training, run, say, progress)


class Training:
    """All that a run is made of; `step` trains one iteration, `validate` looks at the validation split."""

    def __init__(self, recipe: PretrainRecipe, name: str = "own") -> None:
        torch.set_num_threads(recipe.train.threads)
        self.recipe, self.name = recipe, name
        try:
            self.task = build_task(recipe)
            self.model = build_model(recipe, self.task)
            self.optimizer = build_optimizer(recipe, self.model)
        except LSNNError:
            raise
        except (TypeError, ValueError) as problem:  # of Python or torch: a value of another kind than the builders take
            raise BadValue(
                f"Task, network or optimiser cannot be built as the recipe says: {problem}. Look for a value of the "
                "wrong kind, such as a word where a number belongs."
            ) from problem
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.iteration, self.elapsed_s, self.stepping_s = 0, 0.0, 0.0
        self.state: states.State | None = None  # carried from batch to batch, where the task wants it
        self.best: dict[str, Any] | None = None  # {"score", "iteration", "weights"}
        self.recent: list[float] = []  # training scores since the last validation
        self.curve: dict[str, list[float]] = {"iteration": [], "train": [], "validation": [], "loss": []}

    def share(self) -> float:
        """How much of the training is over, by iterations or by the clock."""
        train = self.recipe.train
        by_clock = self.elapsed_s / (60 * train.minutes) if train.minutes else 0.0
        return max(self.iteration / train.iterations, by_clock)

    def step(self) -> dict[str, float]:
        """One iteration; returns what was measured on its batch."""
        recipe, began = self.recipe, time.perf_counter()
        scale = factor(recipe.optimizer, self.iteration, self.share())
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = scale * rate
        batch = self.task.batch("train", recipe.train.batch, self.iteration, recipe.train.seed)
        readout, counts, state = self.model(batch.x, self.state)
        self.state = states.detach(state) if self.task.carries_state else None
        loss = cost = self.task.loss(readout, batch)
        steps = len(batch.x) * self.model.network.substeps
        measured = {}
        if counts is not None:
            dt_ms = self.model.network.dt_ms
            measured["rate_hz"] = hertz(float(counts.detach().mean()) / steps, dt_ms)
            if recipe.cost.firing_rate:
                target = recipe.cost.rate_target_hz
                cost = loss + recipe.cost.firing_rate * firing_rate(counts, steps, dt_ms, target, "sum")
        self.optimizer.zero_grad()
        cost.backward()
        if recipe.optimizer.max_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.optimizer.max_norm)
        self.optimizer.step()
        self.iteration += 1
        with torch.no_grad():
            score = float(self.task.scores(readout, batch).mean())
        self.recent.append(score)
        took = time.perf_counter() - began
        self.elapsed_s, self.stepping_s = self.elapsed_s + took, self.stepping_s + took
        if not math.isfinite(float(loss.detach())):
            raise BadValue(
                f"The loss is {float(loss.detach())} after {self.iteration} iterations. Lower optimizer.learning_rate, "
                "or cut gradients: optimizer.max_norm=1."
            )
        return {
            "loss": float(loss.detach()),
            self.task.measure: score,
            "learning_rate": scale * self.rates[0],
            **measured,
        }

    def validate(self, loss: float) -> float:
        """The score on the validation split; the best weights so far are remembered."""
        began = time.perf_counter()
        scores, _ = self.judge("validation")
        score = float(scores.mean())
        if self.best is None or self.better(score, self.best["score"]):
            weights = {key: value.clone() for key, value in self.model.state_dict().items()}
            self.best = {"score": score, "iteration": self.iteration, "weights": weights}
        values = (self.iteration, sum(self.recent) / max(1, len(self.recent)), score, loss)
        for line, value in zip(self.curve.values(), values, strict=True):
            line.append(round(value, 5))
        self.recent = []
        self.elapsed_s += time.perf_counter() - began
        return score

    @torch.no_grad()
    def judge(self, split: str) -> tuple[Tensor, Tensor | None]:
        """The score of every answer in a split, and the spikes of each cell per second."""
        state, scores, spikes, steps = None, [], None, 0
        for batch in self.task.batches(split, self.recipe.train.validation_batch):
            if state is not None and states.rows(state) != batch.x.shape[1]:
                state = states.take(state, slice(batch.x.shape[1]))
            readout, counts, state = self.model(batch.x, state)
            if not self.task.carries_state:
                state = None
            scores.append(self.task.scores(readout, batch))
            if counts is not None:
                spikes = counts.sum(0) if spikes is None else spikes + counts.sum(0)
                steps += len(batch.x) * batch.x.shape[1] * self.model.network.substeps
        rates = None if spikes is None else 1000 * spikes / (steps * self.model.network.dt_ms)
        return torch.cat(scores), rates

    def better(self, score: float, other: float) -> bool:
        return score > other if self.task.larger_is_better else score < other

    def ended(self) -> str | None:
        """Why training is over, or None."""
        train, best = self.recipe.train, self.best
        if best is not None:
            goal = train.goal
            if goal is not None and (best["score"] == goal or self.better(best["score"], goal)):
                return "goal"
            waited = sum(1 for i in self.curve["iteration"] if i > best["iteration"])
            if train.patience is not None and waited >= train.patience:
                return "patience"
        if self.iteration >= train.iterations:
            return "iterations"
        return "minutes" if train.minutes and self.elapsed_s >= 60 * train.minutes else None

    def capture(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "name": self.name,
            "weights": dict(self.model.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "state": self.state,
            "best": self.best,
            "recent": self.recent,
            "curve": self.curve,
            "counters": {"iteration": self.iteration, "elapsed_s": self.elapsed_s, "stepping_s": self.stepping_s},
        }

    def restore(self, kept: dict[str, Any]) -> None:
        self.model.load_state_dict(kept["weights"])
        self.optimizer.load_state_dict(kept["optimizer"])
        self.state, self.best, self.recent, self.curve = (kept[key] for key in ("state", "best", "recent", "curve"))
        for name, value in kept["counters"].items():
            setattr(self, name, value)

    def card(self, ended: str, command: str) -> dict[str, Any]:
        """Test the weights that validation chose. To be called once, at the very end."""
        assert self.best is not None
        self.model.load_state_dict(self.best["weights"])
        scores, rates = self.judge("test")
        recipe, rewiring = self.recipe, self.optimizer if isinstance(self.optimizer, Rewiring) else None
        everything = sum(p.numel() for p in self.model.parameters())
        matrices = self.model.rewired
        dormant = sum(int((p == 0).sum()) for p in matrices.values()) if rewiring is not None else 0
        return {
            "schema": SCHEMA,
            "task": recipe.task.name,
            "task_kwargs": {key: value for key, value in recipe.task.kwargs.items() if key not in ("root", "download")},
            "data": self.task.details(),
            "cell": recipe.network.get("cell", "lsnn"),
            "recipe": self.name,
            "seed": recipe.train.seed,
            "batch": recipe.train.batch,
            "parameters": {"all": everything, "active": everything - dormant},
            "connectivity": rewiring
            and {name: round(float((p != 0).float().mean()), 4) for name, p in matrices.items()},
            "iterations": self.iteration,
            "planned": recipe.train.iterations,
            "ended": ended,
            "measure": self.task.measure,
            "larger_is_better": self.task.larger_is_better,
            "validation": {
                "best": self.best["score"],
                "iteration": self.best["iteration"],
                "examples": self.task.size_of("validation"),
            },
            "test": interval(scores),
            "by_example": by_example(scores),
            "rate_hz": None if rates is None else round(float(rates.mean()), 2),
            "silent": None if rates is None else round(float((rates == 0).float().mean()), 4),
            "curve": self.curve,
            "wall_s": round(self.elapsed_s, 1),
            "iteration_ms": round(1000 * self.stepping_s / max(1, self.iteration), 1),
            "command": command,
            "versions": versions(),
        }


def remaking(command: str) -> str:
    """The command that makes the same network on another machine: without this one's folders.

    >>> remaking("scripts/pretrain.py smnist --recipe ours --folder runs/mine --data digits --seed 1")
    'lsnn-rl pretrain smnist --recipe ours --seed 1'
    """
    words, kept = iter(shlex.split(command)[1:]), []
    for word in words:
        if word in ("--folder", "--data"):
            next(words, None)
        elif word not in ("pretrain", "--no-progress", "--progress", "--download"):
            kept.append(word)
    return shlex.join(["lsnn-rl", "pretrain", *kept])


def _go(training: Training, run: Path, say: Say, progress: bool) -> dict[str, Any]:
    train = training.recipe.train
    session = 1 + sum(1 for _ in (run / "logs").glob("*"))
    writer = SummaryWriter(str(run / "logs" / str(session)))
    kept = time.monotonic()
    bar = tqdm(
        total=1.0, disable=not progress, bar_format="{l_bar}{bar}| {elapsed}<{remaining}{postfix}", dynamic_ncols=True
    )
    said = ""
    try:
        while (ended := training.ended()) is None:
            measured = training.step()
            at = training.iteration
            if at % LOG_EVERY == 0 or at == 1:
                for name, value in measured.items():
                    writer.add_scalar(f"train/{name}", value, at)
            if at % train.validate_every == 0 or at >= train.iterations or training.share() >= 1:
                score = training.validate(measured["loss"])
                writer.add_scalar(f"validation/{training.task.measure}", score, at)
                said = f", validation {score:.3f}"
            bar.n = min(1.0, training.share())
            bar.set_postfix_str(f"{at:,} it, loss {measured['loss']:.3f}{said}")
            if time.monotonic() - kept >= train.checkpoint_every_s:
                checkpoint.write(run / "checkpoint.ckpt", training.capture())
                kept = time.monotonic()
    except KeyboardInterrupt:
        # Ctrl-C may have come in the middle of a step, so what is on disk is what counts.
        where = f"Go on with: lsnn-rl pretrain --resume {run}"
        if not (run / "checkpoint.ckpt").exists():
            where = "It was not far enough to keep. Begin again with the same command"
        raise Interrupted(f"Stopped at {training.iteration:,} iterations. {where}.") from None
    finally:
        bar.close()
        writer.close()
    checkpoint.write(run / "checkpoint.ckpt", training.capture())
    say(f"Ended by {ended}. Testing the weights of iteration {training.best['iteration'] if training.best else 0:,}.")
    card = training.card(ended, remaking((run / "command.txt").read_text(encoding="utf-8")))
    assert training.best is not None
    replace_file(
        run / "network.safetensors", tensors_to_bytes({k: v.contiguous() for k, v in training.best["weights"].items()})
    )
    save_card(card, run / "card.json")
    return card

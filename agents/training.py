"""From a recipe to a run folder.

recipe.yml      the resolved recipe, defaults included
command.txt     the command line          versions.json   what it ran with
checkpoints/    checkpoint-<steps>.ckpt, exact to resume from; best.ckpt, the best by validation lifetimes
logs/<n>/       TensorBoard and progress.csv, one folder per session
agent/          the finished agent, safe to share: the best by validation
card.json       how well it does on the recipe's test lifetimes, and which agent that is
"""

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from lsnn_rl.agents.cards import Card, versions
from lsnn_rl.agents.recipe import Recipe, read_recipe
from lsnn_rl.envs.registration import has_lifetimes
from lsnn_rl.envs.splits import check_own_arguments
from lsnn_rl.errors import BadValue, MissingFile

if TYPE_CHECKING:
    from lsnn_rl.agents.recurrent_ppo import RecurrentPPO

Report = Callable[[str], None]


class Interrupted(Exception):
    """Training was stopped by Ctrl-C; the message says where it goes on."""


def train(recipe: Recipe, folder: str | Path, say: Report = print, progress: bool = True) -> Card:
    """Train an agent as the recipe says, from the beginning, and write its run folder.

    Args:
        folder: one without checkpoints in it.
        say: told in a sentence what happens next.
        progress: show a bar with goals per lifetime and steps per second.
    Returns: the card that was written.
    Raises: BadValue if the folder holds a run; Interrupted after Ctrl-C, once a checkpoint is written.
    """
    run = Path(folder)
    if any(run.glob("checkpoints/*.ckpt")):
        raise BadValue(f"{run} holds a run already. Go on with it: --resume {run}. Or choose another --folder.")
    began = time.monotonic()
    _set_threads(recipe)
    model = build(recipe)  # before anything is written: a recipe that cannot be built leaves no run behind
    if getattr(model.policy, "pretrained", None) is not None:
        say(str(model.policy.pretrained))
    run.mkdir(parents=True, exist_ok=True)
    limit = f" for {recipe.train.minutes:g} minutes" if recipe.train.minutes else ""
    say(f"Training in {run}{limit}. Ctrl-C stops it and keeps a checkpoint.")
    recipe.save(run / "recipe.yml")
    (run / "command.txt").write_text(shlex.join(sys.argv) + "\n", encoding="utf-8")
    (run / "versions.json").write_text(json.dumps(versions(), indent=1) + "\n", encoding="utf-8")
    if recipe.warm_up.iterations:
        try:
            _warm_up(model, recipe, say, progress)
        except KeyboardInterrupt:
            message = "Stopped during the warm-up, of which nothing is kept. Begin again with the same command."
            raise Interrupted(message) from None
    model._elapsed_s = time.monotonic() - began  # the warm-up is part of the time that was given
    return _learn(model, recipe, run, say, progress)


def resume(folder: str | Path, say: Report = print, progress: bool = True, minutes: float | None = None) -> Card:
    """Go on with an interrupted run from its newest checkpoint, as if it had never stopped.

    Args: minutes: a new limit, counted from the beginning of the run; the recipe's if not given.
    """
    from lsnn_rl.agents.checkpoint import checkpoints_in, load_checkpoint

    run = Path(folder)
    if not (run / "recipe.yml").is_file():
        raise MissingFile(f"{run} holds no run: there is no recipe.yml in it. Give the folder that training wrote.")
    recipe = read_recipe(run)
    if minutes is not None:
        recipe = recipe.with_changes([f"train.minutes={minutes}"])
    if not checkpoints_in(run / "checkpoints"):
        raise MissingFile(f"{run} holds no checkpoint yet. Begin anew: lsnn-rl train {run / 'recipe.yml'}")
    _set_threads(recipe)
    model = load_checkpoint(run / "checkpoints")
    if model.num_timesteps >= recipe.train.total_steps and (run / "card.json").is_file():
        raise BadValue(
            f"{run} is finished: {model.num_timesteps:,} steps were made and {recipe.train.total_steps:,} wanted. "
            f"Watch it: lsnn-rl enjoy {run}. To train longer, write more train.total_steps into {run / 'recipe.yml'}; "
            "schedules go on from the share of steps that are over."
        )
    say(f"Going on at {model.num_timesteps:,} of {recipe.train.total_steps:,} steps.")
    return _learn(model, recipe, run, say, progress)


def build(recipe: Recipe) -> "RecurrentPPO":
    """The untrained learner that a recipe describes."""
    from lsnn_rl.agents.recurrent_ppo import RecurrentPPO

    if has_lifetimes(recipe.env.id):
        check_own_arguments(recipe.env.kwargs, "env.kwargs")
    return RecurrentPPO(
        "LSNNPolicy",
        recipe.env.id,
        n_envs=recipe.env.n_envs,
        env_kwargs=recipe.env.kwargs,
        policy_kwargs=recipe.policy,
        auxiliary=asdict(recipe.auxiliary),
        rewiring=recipe.rewiring,
        seed=recipe.train.seed,
        **asdict(recipe.ppo),
    )


def finish(model: "RecurrentPPO", recipe: Recipe, run: Path, say: Report, progress: bool) -> Card:
    """Write the best agent by validation (the last one without), let it live the test lifetimes, write its card."""
    from lsnn_rl.agents.checkpoint import BEST, load_checkpoint, save_agent

    kept = run / "checkpoints" / BEST
    best = load_checkpoint(kept) if kept.is_file() else model
    save_agent(best, run / "agent")
    with share_bar(progress) as on_progress:
        card = _test(recipe, run, say, on_progress)
    card["training"] = {
        "env_steps": model.num_timesteps,
        "minutes": round(model._elapsed_s / 60, 2),
        "seed": recipe.train.seed,
        "agent": "the last one" if best is model else "the best by validation",
        "agent_env_steps": best.num_timesteps,
        "validation": None if best is model else _validation(model, best, recipe),
    }
    card.save(run / "card.json")
    return card


def _test(recipe: Recipe, run: Path, say: Report, on_progress: Callable[[float], None]) -> Card:
    from lsnn_rl.agents.evaluate import evaluate

    test, env = recipe.test, recipe.env
    lived = f"{test.split} lifetimes" if has_lifetimes(env.id) else "episodes"
    say(f"Living {test.lifetimes} {lived}, and once more with the state wiped.")
    return evaluate(
        run / "agent",  # the folder of the run may be called as a classical agent is
        env.id,
        test.split,
        test.lifetimes,
        test.deterministic,
        env_kwargs=env.kwargs,
        name=recipe.policy.get("cell", "lsnn"),
        on_progress=on_progress,
    )


def _validation(model: "RecurrentPPO", best: "RecurrentPPO", recipe: Recipe) -> dict[str, Any]:
    """What chose the agent: scores of the training lifetimes reserved for this, by environment steps."""
    return {
        "lifetimes": recipe.train.validation_lifetimes,
        "best": best.validations[-1][1],
        "curve": {
            "env_steps": [int(steps) for steps, _ in model.validations],
            "score": [round(score, 3) for _, score in model.validations],
        },
    }


def _learn(model: "RecurrentPPO", recipe: Recipe, run: Path, say: Report, progress: bool) -> Card:
    from stable_baselines3.common.logger import configure

    from lsnn_rl.agents.callbacks import CheckpointCallback, ValidationCallback
    from lsnn_rl.agents.env_state import reason_against_state

    assert model.env is not None
    reason = reason_against_state(model.env)
    if reason is not None:
        say(f"{reason[0].upper()}{reason[1:]}: a resumed training begins with new episodes, all else goes on exactly.")
    session = 1 + sum(1 for _ in (run / "logs").glob("*"))
    model.set_logger(configure(str(run / "logs" / str(session)), ["tensorboard", "csv"]))
    settings = recipe.train
    keeper = CheckpointCallback(run / "checkpoints", settings.checkpoint_every_s, exact=reason is None)
    watchers: list[Any] = [keeper]
    if settings.validate_every_steps:
        every, lifetimes = settings.validate_every_steps, settings.validation_lifetimes
        watchers.append(ValidationCallback(keeper, recipe.env.id, every, lifetimes, recipe.env.kwargs))
    pictures = _pictures_of(model) if has_lifetimes(recipe.env.id) else ()
    if settings.pictures_every_steps and pictures:
        from lsnn_rl.agents.picture_callback import PictureCallback

        every = settings.pictures_every_steps
        watchers.append(PictureCallback(recipe.env.id, recipe.env.kwargs, every, pictures))
    try:
        # Also at first it goes on with something: the clock that the warm-up started.
        steps, minutes = settings.total_steps, settings.minutes
        model.learn(steps, watchers, progress_bar=progress, minutes=minutes, resume=True)
        return finish(model, recipe, run, say, progress)
    except KeyboardInterrupt:
        kept = keeper.on_interrupt()
        where = (
            f"is kept in {kept}. Go on with: lsnn-rl train --resume {run}" if kept else "was not far enough to keep."
        )
        raise Interrupted(f"Stopped at {model.num_timesteps:,} steps; the run {where}") from None


def _pictures_of(model: "RecurrentPPO") -> tuple[str, ...]:
    """What can be drawn of the agent's network; nothing of one that does not spike."""
    network = getattr(model.policy, "network", None)
    if not getattr(network, "spiking", False):
        return ()
    adapts = any("adaptive" in part for part in network.populations)  # type: ignore[union-attr]
    return ("raster", "thresholds", "connectivity") if adapts else ("raster", "connectivity")


def _warm_up(model: "RecurrentPPO", recipe: Recipe, say: Report, progress: bool) -> None:
    from lsnn_rl.agents.task_inference import warm_up

    say(f"Warm-up: {recipe.warm_up.iterations} supervised iterations on the hidden task.")
    warm_up(
        model,
        recipe.env.id,
        **asdict(recipe.warm_up),
        firing_rate=recipe.auxiliary.firing_rate,
        rate_target_hz=recipe.auxiliary.rate_target_hz,
        seed=recipe.train.seed,
        env_kwargs=recipe.env.kwargs,
        progress_bar=progress,
    )


def _set_threads(recipe: Recipe) -> None:
    import torch

    torch.set_num_threads(recipe.train.threads)


@contextmanager
def share_bar(show: bool) -> Iterator[Callable[[float], None]]:
    """A bar for work that reports the share done, 0 to 1; hands out the function to report to."""
    with tqdm(total=100, disable=not show, bar_format="{l_bar}{bar}| {elapsed}<{remaining}") as bar:

        def show_share(share: float) -> None:
            bar.update(round(100 * share) - bar.n)

        yield show_share

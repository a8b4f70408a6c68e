"""`lsnn-rl pretrain`: train a network on a supervised task."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from lsnn_rl.errors import BadValue


def pretrain(
    task: Annotated[str | None, typer.Argument(help="smnist, store_recall, task_inference:WORLD, ...")] = None,
    recipe: Annotated[str | None, typer.Option(help="A name, such as paper-1ms or ours; or a recipe.yml.")] = None,
    cell: Annotated[str | None, typer.Option(help="lsnn, lif, alif, lstm, gru or rnn, as the recipe has them.")] = None,
    connectivity: Annotated[float | None, typer.Option(help="Fraction of synapses; 1 for all.")] = None,
    changes: Annotated[list[str], typer.Option("--set", help="Change the recipe: train.batch=64; repeatable.")] = [],  # noqa: B006
    minutes: Annotated[float | None, typer.Option(help="Wall-clock limit; the schedule follows it.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights and of the order of examples.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the data, for tasks that need some.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch data that are nowhere on this machine.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Run folder; a new one under runs/ if not given.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Train a network on a supervised task; write recipe, checkpoint, logs, weights and card into one run folder."""
    from lsnn_rl import pretrain as room
    from lsnn_rl.pretrain.cards import short

    if (task is None) == (resume is None):
        raise BadValue("Say what to learn: either a task, for example store_recall, or --resume FOLDER.")
    where = [] if data is None else [f"task.kwargs.root={json.dumps(str(data.absolute()))}"]
    where += ["task.kwargs.download=true"] if download else []
    try:
        if resume is not None:
            place = resume
            if any(given is not None for given in (recipe, cell, connectivity, minutes, seed, folder)) or changes:
                raise BadValue("A run that goes on keeps its recipe. Give --resume FOLDER alone, or begin anew.")
            card = room.resume(resume, _say, progress, where)
        else:
            assert task is not None
            settings = room.find_recipe(task, recipe)
            name = recipe if recipe in room.recipe_names(task) else "own" if recipe else room.default_name(task)
            if cell is not None:
                settings = settings.with_cell(cell)
            if connectivity is not None:
                settings = settings.with_connectivity(connectivity)
            given = {"train.minutes": minutes, "train.seed": seed}
            more = [f"{key}={value}" for key, value in given.items() if value is not None]
            settings = settings.with_changes([*changes, *more, *where])
            kind = str(settings.network.get("cell", "lsnn"))
            place = folder or Path("runs") / task.replace(":", "-") / f"{kind}-{datetime.now():%Y%m%d-%H%M%S}"
            card = room.pretrain(settings, place, name or "own", _say, progress)
    except room.Interrupted as stopped:
        _say(f"\n{stopped}")
        raise typer.Exit(130) from None
    _say(short(card))
    _say(f"Written to {place}.")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)

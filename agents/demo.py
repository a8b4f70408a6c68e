"""The demonstration: from nothing to a spiking agent that remembers, with the evidence beside it."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from lsnn_rl.agents import enjoy, figures, training
from lsnn_rl.agents.cards import Card
from lsnn_rl.agents.recipe import find_recipe
from lsnn_rl.errors import BadValue


def run_demo(recipe: str, changes: Sequence[str], folder: str | Path, say: Callable[[str], None] = print) -> Card:
    """Train as `recipe` with `changes` says; write agent, card.json, adaptation.png and lifetime.gif into `folder`.

    An earlier run in the folder is replaced; a folder with anything else in it is left alone, with a complaint.
    """
    place = Path(folder)
    if (place / "recipe.yml").is_file():
        shutil.rmtree(place)
    elif place.exists() and any(place.iterdir()):
        raise BadValue(f"{place} holds something that is not a run. Choose another --folder, or empty it yourself.")
    settings = find_recipe(recipe).with_changes(changes)
    say(f"Training for {settings.train.minutes:g} minutes in {place}. Ctrl-C stops it and keeps a checkpoint.")
    card = training.train(settings, place, say)
    figures.adaptation([card]).savefig(place / "adaptation.png", dpi=200)
    say("Filming one lifetime.")
    film, split = place / "lifetime.gif", settings.test.split
    enjoy.record(str(place), settings.env.id, film, settings.env.kwargs, split, width=640)
    return card

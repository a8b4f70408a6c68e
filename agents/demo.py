"""The demonstration: from nothing to a spiking agent that remembers, with the evidence beside it."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from lsnn_rl.agents import enjoy, figures, training
from lsnn_rl.agents.cards import Card
from lsnn_rl.agents.recipe import find_recipe
from lsnn_rl.errors import BadValue

MARK = "demo.txt"  # a folder that holds it may be replaced


def run_demo(recipe: str, changes: Sequence[str], folder: str | Path, say: Callable[[str], None] = print) -> Card:
    """Train as `recipe` with `changes` says; write agent, card.json, adaptation.png and lifetime.gif into `folder`.

    An earlier demo in the folder is replaced; a folder with anything else in it is left alone, with a complaint.
    """
    settings = find_recipe(recipe).with_changes(changes)  # before anything is deleted
    training.build(settings)
    place = Path(folder)
    if (place / MARK).is_file():
        shutil.rmtree(place)
    elif place.exists() and any(place.iterdir()):
        raise BadValue(f"{place} holds something that is not a demo. Choose another --folder, or empty it yourself.")
    place.mkdir(parents=True, exist_ok=True)
    (place / MARK).write_text("lsnn-rl demo made this folder, and the next one replaces it.\n", encoding="utf-8")
    card = training.train(settings, place, say)
    figures.adaptation([card]).savefig(place / "adaptation.png", dpi=200)
    say("Filming one lifetime.")
    film, split = place / "lifetime.gif", settings.test.split
    enjoy.record(str(place), settings.env.id, film, settings.env.kwargs, split, width=640)
    return card

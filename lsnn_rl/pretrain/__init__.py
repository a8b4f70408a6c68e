"""Supervised training of one network on one task: recipe, loop, checkpoints and card.

loop.py        training from a recipe into a run folder, and going on with it
model.py       the network that a recipe describes, with what it reads the answer from
recipe.py      what a recipe may say         schedules.py   how the learning rate falls
checkpoint.py  exact to resume from          cards.py       what a run leaves behind         cli.py   the command

Names are fetched when first used, so that the command line can ask for help without loading torch.
"""

from importlib import import_module
from typing import Any

_PUBLIC = {
    "Interrupted": "loop",
    "PretrainRecipe": "recipe",
    "default_name": "recipe",
    "find_recipe": "recipe",
    "pretrain": "loop",
    "read_recipe": "recipe",
    "recipe_names": "recipe",
    "resume": "loop",
}
__all__ = [*_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'lsnn_rl.pretrain' has no attribute {name!r}. Names: {', '.join(_PUBLIC)}.")
    return getattr(import_module(f"lsnn_rl.pretrain.{_PUBLIC[name]}"), name)

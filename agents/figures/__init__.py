"""Figures ready for a paper: every function returns a matplotlib Figure, which `savefig("name.png", dpi=200)` writes.

By name, from files and agents: `draw(kind, places)`, what `lsnn-rl plot` calls; `KINDS` says what there is.
"""

from lsnn_rl.agents.figures.cards import adaptation, named_apart, scores, survival, trial_lengths
from lsnn_rl.agents.figures.kinds import KINDS, draw, listing
from lsnn_rl.agents.figures.memory import surgery
from lsnn_rl.agents.figures.neurons import place_fields, preferred_directions, raster, thresholds
from lsnn_rl.agents.figures.training import learning, training_log, training_logs
from lsnn_rl.agents.figures.wiring import connectivity, rewired, wiring_movie
from lsnn_rl.agents.figures.worlds import bandit_regret, function_learning, regret

__all__ = [
    "KINDS",
    "adaptation",
    "bandit_regret",
    "connectivity",
    "draw",
    "function_learning",
    "learning",
    "listing",
    "named_apart",
    "place_fields",
    "preferred_directions",
    "raster",
    "regret",
    "rewired",
    "scores",
    "surgery",
    "survival",
    "thresholds",
    "training_log",
    "training_logs",
    "trial_lengths",
    "wiring_movie",
]

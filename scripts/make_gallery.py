"""Draw every picture of docs/gallery.md and docs/surgery.md, and docs/surgery.json: `python scripts/make_gallery.py`.

Names of pictures as arguments draw only those. About three minutes on one core.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from matplotlib.figure import Figure

from lsnn_rl.agents import figures
from lsnn_rl.agents.figures.style import save_small
from lsnn_rl.agents.surgery import operate

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
AGENT = "LSNNArena-v0/lsnn"
BANDIT = "LSNNBernoulliBandit-v0"
PLAYERS = ("gittins", "thompson", "ucb1", "greedy", "random")  # of the bandits' many, those in every textbook


def of_card(kind: str) -> Figure:
    return figures.draw(kind, [ROOT / "zoo" / AGENT])


def bandits() -> Figure:
    found = {name: figures.bandit_regret(name, BANDIT, 500) for name in PLAYERS}
    return figures.regret(found, f"{BANDIT}: 500 test lifetimes")


def functions() -> Figure:
    """What one who knows the family makes of 5, 10 and 20 noisy examples of three functions of a Gaussian process."""
    from lsnn_rl.agents.function_beliefs import of_family
    from lsnn_rl.envs.function_families import GaussianProcess

    family, noise, luck = GaussianProcess(), 0.1, np.random.default_rng(3)
    hidden = family.draw(luck.random((3, family.luck)))
    asked = luck.uniform(family.low, family.high, (3, 20))
    answers = family.value(hidden, asked[:, :, None]) + noise * luck.standard_normal(asked.shape)
    x = np.linspace(family.low, family.high, 200)
    truth = family.value(hidden, np.tile(x[None, :, None], (3, 1, 1)))
    belief = of_family(family, noise)
    state, guesses, spread = belief.begin(3), {}, {}
    for k in range(20):
        state = belief.after(state, asked[:, k, None], answers[:, k], np.zeros(3, bool))
        if k + 1 in (5, 10, 20):
            guesses[k + 1], spread[k + 1] = belief.over(state, belief.basis(x[:, None]))
    return figures.function_learning(x, truth, guesses, asked, answers, spread=spread)


def training() -> Figure:
    """Three seeds of a small agent, far too briefly to learn: what such a figure looks like, not a result."""
    from lsnn_rl import RecurrentPPO

    curves = []
    for seed in range(3):
        model = RecurrentPPO(
            "LSNNPolicy",
            "LSNNArena-v0",
            n_envs=32,
            env_kwargs={"steps": 250},
            n_steps=125,
            batch_size=2000,
            n_epochs=2,
            policy_kwargs={"regular": 32, "adaptive": 32},
            seed=seed,
        )
        steps: list[float] = []
        goals: list[float] = []

        def note(local: dict, _: dict, model=model, steps=steps, goals=goals) -> bool:  # type: ignore[no-untyped-def]
            if model.lifetime_goals and model.num_timesteps % 4000 == 0:
                steps.append(model.num_timesteps)
                goals.append(float(np.mean(model.lifetime_goals)))
            return True

        model.learn(100_000, callback=note)
        curves.append((steps, goals))
    return figures.learning({"small LSNN": curves}, title="LSNNArena-v0 with 250 steps a lifetime")


def rewiring() -> None:
    """A small network under DEEP R while it learns where the goal is."""
    from lsnn_rl import RecurrentPPO
    from lsnn_rl.agents.task_inference import warm_up

    model = RecurrentPPO(
        "LSNNPolicy",
        "LSNNArena-v0",
        n_envs=2,
        policy_kwargs={"regular": 40, "adaptive": 40, "dale": True},
        auxiliary={"task_inference": 0.3},
        rewiring={"connectivity": 0.12},
        seed=0,
    )
    network = model.policy.network
    matrices, titles = [], []

    def note(iteration: int, error: float) -> None:
        if iteration % 4 == 1:
            matrices.append(network.w_rec.detach().numpy().copy())
            titles.append(f"update {iteration}, error {error:.2f}")

    warm_up(model, "LSNNArena-v0", iterations=85, batch=4, steps=100, on_iteration=note)
    figures.wiring_movie(matrices, PICTURES / "rewiring.gif", dict(network.populations), titles)


def operations() -> Figure:
    found = operate(AGENT)
    found.card.save(ROOT / "docs" / "surgery.json")
    return figures.surgery(found)


DRAWN: dict[str, Callable[[], Figure]] = {
    **{name: partial(of_card, name) for name in ("trials", "scores")},
    **{
        name: partial(figures.draw, name, [AGENT])
        for name in ("survival", "raster", "thresholds", "place_fields", "connectivity")
    },
    "raster_by_place": partial(figures.draw, "raster", [AGENT], order="place"),
    "learning": training,
    "regret": bandits,
    "functions": functions,
    "surgery": operations,
}


def main(names: Annotated[list[str] | None, typer.Argument(help="Pictures; all if none is named.")] = None) -> None:
    """Draw the pictures of the gallery."""
    for name in names or [*DRAWN, "rewiring"]:
        if name == "rewiring":
            rewiring()
        else:
            fine = {"dpi": 90, "colours": 24} if name == "connectivity" else {}  # noise does not compress
            save_small(DRAWN[name](), PICTURES / f"{name}.png", **fine)
        print(f"{name} drawn")


if __name__ == "__main__":
    typer.run(main)

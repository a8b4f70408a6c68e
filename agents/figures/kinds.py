"""The figures by name, for whoever types one: what each is made from, and how to get that."""

from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from lsnn_rl.agents.adapters import agent_and_world
from lsnn_rl.agents.cards import Card
from lsnn_rl.agents.classical import classical_names
from lsnn_rl.agents.figures import cards as of_cards
from lsnn_rl.agents.figures import neurons
from lsnn_rl.agents.figures.memory import surgery
from lsnn_rl.agents.figures.training import GOALS, learning, training_logs
from lsnn_rl.agents.figures.wiring import connectivity
from lsnn_rl.agents.figures.worlds import bandit_regret, regret
from lsnn_rl.agents.inside import look_inside, network_of, record_lives
from lsnn_rl.agents.surgery import operate
from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.errors import unknown_name


class Kind(NamedTuple):
    """A figure that can be asked for by name: how it is drawn from places, from what, and what it shows."""

    draw: Callable[..., Figure]
    made_from: str
    shows: str


def draw(kind: str, places: Sequence[str | Path], title: str | None = None, **options: Any) -> Figure:
    """The figure called `kind`, drawn from card files, run folders or agents, as `KINDS` says.

    Args: options: of that kind, for example order="place" for "raster" or tag="rollout/ep_rew_mean" for "learning".
    Raises: UnknownName for a kind, or for an option that it does not take; MissingFile, BadValue.
    """
    if kind not in KINDS:
        raise unknown_name("kind of figure", kind, KINDS)
    known = list(signature(KINDS[kind].draw).parameters)[2:]
    for name in options:
        if name not in known:
            raise unknown_name(f"option of {kind}", name, known or ["none"])
    return KINDS[kind].draw([str(place) for place in places], title, **options)


def listing() -> str:
    """The kinds of figure, one a line, for a person."""
    wide = max(map(len, KINDS))
    lines = [f"  {name:<{wide}}  {kind.shows} From {kind.made_from}." for name, kind in KINDS.items()]
    return "Kinds of figure:\n" + "\n".join(lines)


def _from_cards(function: Callable[..., Figure]) -> Callable[..., Figure]:
    return lambda places, title: function(of_cards.named_apart(places), title)


def _learning(places: Sequence[str], title: str | None, tag: str = GOALS) -> Figure:
    card = next((Path(place) for place in places if (Path(place) / "card.json").is_file()), None)
    references = Card.load(card)["references"] if card is not None and tag == GOALS else None
    logs = {Path(place).resolve().name: training_logs(place, tag) for place in places}
    label = "goals per lifetime, in training" if tag == GOALS else tag
    return learning(logs, references, title, label)


def _survival(places: Sequence[str], title: str | None, lifetimes: int = 200) -> Figure:
    import gymnasium as gym

    from lsnn_rl.agents.adapters import as_agent, name_of
    from lsnn_rl.agents.evaluate import live

    agent, env_id, kwargs = agent_and_world(places[0])
    env = gym.make_vec(env_id, num_envs=lifetimes, split="test", **kwargs)
    lives = live(as_agent(agent, env_id, {**kwargs, "split": "test"}), env, np.arange(lifetimes))
    env.close()
    return of_cards.survival(lives, title=title or f"{name_of(places[0])}, {lifetimes} test lifetimes")


def _raster(places: Sequence[str], title: str | None, order: str = neurons.ORDERS[0]) -> Figure:
    agent, env_id, kwargs = agent_and_world(places[0])
    tuning = None
    if order == "place":
        tuning = neurons.preferred_directions(record_lives(agent, env_id, kwargs, lifetimes=range(16), steps=1000))
    return neurons.raster(look_inside(agent, env_id, kwargs), title, order=order, tuning=tuning)


def _thresholds(places: Sequence[str], title: str | None) -> Figure:
    return neurons.thresholds(look_inside(*agent_and_world(places[0])), title)


def _place_fields(places: Sequence[str], title: str | None) -> Figure:
    lives = record_lives(*agent_and_world(places[0]), lifetimes=range(32), steps=1000)
    return neurons.place_fields(lives, title=title)


def _connectivity(places: Sequence[str], title: str | None) -> Figure:
    agent, *_ = agent_and_world(places[0])
    return connectivity(network_of(agent), title)


def _surgery(places: Sequence[str], title: str | None, pairs: int = 200) -> Figure:
    return surgery(operate(places[0], *agent_and_world(places[0])[1:], pairs=pairs), title=title)


def _regret(places: Sequence[str], title: str | None, lifetimes: int = 300) -> Figure:
    """Of a bandit by its id with all its classical agents, or of agents in the world of the first one."""
    kwargs: dict[str, Any]
    if places[0] in WORLDS:
        env_id, kwargs, names = places[0], {}, classical_names(places[0])
    else:
        _, env_id, kwargs = agent_and_world(places[0])
        names = [*places, *classical_names(env_id)]
    found = {name: bandit_regret(name, env_id, lifetimes, **kwargs) for name in names}
    return regret(found, title or f"{env_id}: {lifetimes} test lifetimes", frozenset(classical_names(env_id)))


def _lessons(places: Sequence[str], title: str | None) -> Figure:
    """Of the first network with its controls and the classical learners; others beside it, by their folders' names."""
    from lsnn_rl.agents.figures.lessons import error_by_example
    from lsnn_rl.agents.lessons import Pupil, compare

    first, *others = map(Pupil, places)
    names = [Path(place).resolve().name for place in places[1:]]
    return error_by_example(compare(first, others=dict(zip(names, others, strict=True))), title)


def _beliefs(places: Sequence[str], title: str | None, function: int = 0) -> Figure:
    from lsnn_rl.agents.figures.lessons import after_examples
    from lsnn_rl.agents.lessons import Pupil

    return after_examples(Pupil(places[0]), function, title=title)


KINDS: dict[str, Kind] = {
    "adaptation": Kind(_from_cards(of_cards.adaptation), "cards", "Goals come faster as the lifetime goes on."),
    "trials": Kind(_from_cards(of_cards.trial_lengths), "cards", "Trials become shorter."),
    "scores": Kind(_from_cards(of_cards.scores), "cards", "Scores, controls and references with intervals."),
    "survival": Kind(_survival, "an agent", "Who is still searching, by trial (Kaplan-Meier)."),
    "learning": Kind(_learning, "run folders, TensorBoard's, or folders of seeds", "A score while training."),
    "raster": Kind(_raster, "an agent", "Spikes by population, and thresholds."),
    "thresholds": Kind(_thresholds, "an agent", "The thresholds that move most."),
    "place_fields": Kind(_place_fields, "an agent", "Where in the arena cells fire."),
    "connectivity": Kind(_connectivity, "an agent", "Weights by population."),
    "surgery": Kind(_surgery, "an agent", "Which part of the state is the memory."),
    "regret": Kind(_regret, "a bandit's id, or agents", "Regret by pull, beside the classical agents."),
    "lessons": Kind(_lessons, "runs of function_learning", "Error by examples seen, beside classical learners."),
    "beliefs": Kind(_beliefs, "a run of function_learning", "What is predicted after 0, 5, 10 and 20 examples."),
}

"""Anything that acts, as an Agent: names, folders, Stable-Baselines3 models, plain functions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from lsnn_rl.agents.contract import Agent
from lsnn_rl.agents.metalearner import MetaLearner
from lsnn_rl.envs.registration import WORLDS, bare_id, has_lifetimes
from lsnn_rl.errors import BadValue, MissingFile, UnknownName, unknown_name

DEFAULT_WORLD = "LSNNArena-v0"


def as_agent(agent: Any, env_id: str, env_kwargs: Mapping[str, Any] | None = None) -> Agent:
    """The Agent that is meant.

    Args:
        agent: an Agent; a RecurrentPPO or LSNNPolicy; a Stable-Baselines3 or sb3-contrib model; a function
            `(obs, state, starts) -> (actions, state)`, whose state begins as None; one with Meta-World's
            MetaLearningAgent protocol (see `lsnn_rl.agents.metalearner`); or the name of a classical agent, a run
            folder or a zoo name.
        env_id, env_kwargs: the world it will act in; classical agents know its rules.
    Raises: UnknownName, MissingFile or BadValue.
    """
    if isinstance(agent, str | Path):
        return agent_by_name(str(agent), env_id, env_kwargs)
    if hasattr(agent, "act") and hasattr(agent, "initial_state") and not hasattr(agent, "evaluate_sequence"):
        return agent
    if hasattr(agent, "adapt_action") and hasattr(agent, "eval_action"):
        return MetaLearner(agent)
    policy = getattr(agent, "policy", agent)
    if hasattr(policy, "evaluate_sequence"):
        return _policy_agent(agent, policy)
    if hasattr(agent, "predict"):
        return PredictingAgent(agent)
    if callable(agent):
        return FunctionAgent(agent)
    raise BadValue(
        f"A {type(agent).__name__} does not act. Pass an Agent, a Stable-Baselines3 model, a function "
        "(obs, state, starts) -> (actions, state), a run folder, a zoo name or a classical agent's name."
    )


def agent_by_name(name: str, env_id: str, env_kwargs: Mapping[str, Any] | None = None) -> Agent:
    """A classical agent of this world, or the trained one in a folder or of the zoo."""
    from lsnn_rl.agents.classical import classical, classical_names

    env_id = bare_id(env_id)
    try:
        known = classical_names(env_id)
    except UnknownName:  # a world of someone else's has no classical agents here
        known = []
    if name in known:
        return classical(name, env_id, **(env_kwargs or {}))

    from lsnn_rl.agents.sharing import load_agent

    try:
        return load_agent(name)
    except MissingFile as problem:
        if name in gym.registry:
            raise BadValue(
                f"{name} is a world, and an agent was asked for. Say who acts in it: lsnn-rl evaluate oracle --env "
                f"{name}, or one of: lsnn-rl zoo list"
            ) from problem
        if "/" in name or Path(name).exists():
            raise
        raise unknown_name("agent", name, known) from problem


def agent_and_world(
    name: str, env_id: str | None = None, env_kwargs: Mapping[str, Any] | None = None
) -> tuple[Any, str, dict[str, Any]]:
    """An agent by name, and the world it acts in: the one asked for, else the one it was trained in.

    A classical agent stays a name until its world's split is known, see `as_agent`.
    """
    from lsnn_rl.agents.sharing import find_agent, load_agent

    if env_id is not None:
        has_lifetimes(env_id)  # complains of a world that nobody registered
    try:
        find_agent(name)
    except MissingFile:
        world = env_id or DEFAULT_WORLD
        agent_by_name(name, world, env_kwargs)  # complains if there is no such agent
        return name, world, dict(env_kwargs or {})
    agent = load_agent(name)
    own = agent.env_kwargs if env_id in (None, agent.env_id) else {}
    return agent, env_id or agent.env_id or DEFAULT_WORLD, {**own, **(env_kwargs or {})}


def world_and_agent(
    what: str, who: str | None = None, env_kwargs: Mapping[str, Any] | None = None
) -> tuple[str, dict[str, Any], Any]:
    """What a person wants to watch: a world's id, a run folder or a zoo name, and who acts there.

    In a world without further word its spiking agent of the zoo acts, or the best known classical one.
    """
    if what not in WORLDS:
        try:
            agent, env_id, kwargs = agent_and_world(what, None, env_kwargs)
        except UnknownName as problem:
            from lsnn_rl.agents.classical import classical_names

            known = [*WORLDS, *classical_names(DEFAULT_WORLD)]
            raise unknown_name("world or agent", what, known) from problem
        return env_id, kwargs, who or agent
    kwargs = dict(env_kwargs or {})
    if who is not None:
        return what, kwargs, agent_and_world(who, what, kwargs)[0]
    try:
        return what, kwargs, agent_and_world(f"{what}/lsnn", what, kwargs)[0]
    except MissingFile:
        from lsnn_rl.agents.classical import roles_of

        return what, kwargs, roles_of(what)["best_known"]


def world_of(agent: Any) -> tuple[str, dict[str, Any]]:
    """The world that an agent was trained in, by its id and settings; of a classical agent the default one.

    Raises: BadValue where the agent does not tell.
    """
    if isinstance(agent, str | Path):
        return agent_and_world(str(agent))[1:]
    env = getattr(agent, "env", None)
    if env is not None:
        from lsnn_rl.agents.env_state import env_recipe

        recipe = env_recipe(env)
        spec = recipe["id"] is None and env.has_attr("spec") and env.get_attr("spec")[0]
        env_id, kwargs = (spec.id, spec.kwargs) if spec else (recipe["id"], recipe["kwargs"])
    else:
        env_id, kwargs = getattr(agent, "env_id", None), getattr(agent, "env_kwargs", {})
    if env_id is None:
        raise BadValue(
            f"A {type(agent).__name__} does not tell its world. Name it: evaluate(agent, {DEFAULT_WORLD!r})."
        )
    return env_id, dict(kwargs)


def check_fits(agent: Agent, env_id: str, observation: spaces.Space, action: spaces.Space) -> None:
    """Raises BadValue for an agent that was trained to see or to do something else than a world's spaces say."""
    model = getattr(agent, "policy", None) or getattr(agent, "model", None)
    for what, here in (("observation", observation), ("action", action)):
        own = getattr(model, f"{what}_space", None)
        if own is not None and (type(own), own.shape, getattr(own, "n", 0)) != (
            type(here), here.shape, getattr(here, "n", 0),
        ):  # fmt: skip
            raise BadValue(
                f"{name_of(agent)} was trained with {what}s {own}, and {env_id} has {here}. Leave the world out to "
                f"meet it in its own, or train one there: lsnn-rl train {env_id}"
            )


def name_of(agent: Any) -> str:
    """What a card should call it.

    >>> name_of("oracle"), name_of(print)
    ('oracle', 'print')
    """
    if isinstance(agent, str | Path):
        return str(agent) if not Path(agent).exists() else Path(agent).resolve().name
    return str(getattr(agent, "name", getattr(agent, "__name__", type(agent).__name__)))


def spike_counter(agent: Agent) -> Callable[[Any], NDArray[np.float64]] | None:
    """A function from the agent's state to the spikes of its last environment step, [N]; None if it does not spike.

    With K simulation steps per environment step the state shows the last of them, which then stands for all K.
    """
    network = getattr(getattr(agent, "policy", None), "network", None)
    if network is None or not getattr(network, "spiking", False):
        return None
    substeps = network.substeps

    def count(state: Any) -> NDArray[np.float64]:
        spikes = [value for name, value in state.items() if name.rpartition(".")[2] == "z"]
        return substeps * np.sum([s.sum(1).double().cpu().numpy() for s in spikes], axis=0)

    return count


class PredictingAgent:
    """A model that has `predict(obs, state, episode_start, deterministic)`, recurrent or not.

    One that was trained under VecNormalize is shown observations as that would show them.
    """

    def __init__(self, model: Any) -> None:
        self.model, self.name = model, type(model).__name__

    def initial_state(self, n: int) -> Any:
        return None

    def act(
        self, obs: NDArray, state: Any, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, Any]:
        normalizer = getattr(self.model, "get_vec_normalize_env", lambda: None)()
        seen = obs if normalizer is None else normalizer.normalize_obs(obs)
        return self.model.predict(seen, state, starts, deterministic)


class FunctionAgent:
    """A function `(obs, state, starts) -> (actions, state)`; it sees to the rows where `starts` is True itself."""

    def __init__(self, function: Callable[[NDArray, Any, NDArray[np.bool_]], tuple[NDArray, Any]]) -> None:
        self.function, self.name = function, name_of(function)

    def initial_state(self, n: int) -> Any:
        return None

    def act(
        self, obs: NDArray, state: Any, starts: NDArray[np.bool_], deterministic: bool = True
    ) -> tuple[NDArray, Any]:
        return self.function(obs, state, starts)


def _policy_agent(agent: Any, policy: Any) -> Agent:
    """A trained policy of ours, with the observation normaliser of the environment it was trained in."""
    from lsnn_rl.agents.env_state import normalizer_of
    from lsnn_rl.agents.sharing import PolicyAgent

    return PolicyAgent(policy, normalize=normalizer_of(getattr(agent, "env", None)), name=type(agent).__name__)

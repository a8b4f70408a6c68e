"""Agents as folders that can be handed to anyone: weights as safetensors, the rest as readable JSON, nothing to run.

    agent.safetensors     the policy's weights and buffers
    agent.json            policy class and keywords, spaces, world, normaliser, library versions, sha256 of the weights

Stable-Baselines3's own `save` and `load` go on working beside it; those files contain pickles and are for oneself.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as read_weights
from safetensors.torch import save as weights_to_bytes
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from torch import Tensor

from lsnn_rl.agents.bounds import within
from lsnn_rl.agents.env_state import env_recipe, normalizer_of
from lsnn_rl.agents.lstm_face import verbs_of
from lsnn_rl.agents.plain import (
    from_plain,
    space_from_plain,
    space_to_plain,
    to_plain,
    trusted_class,
    versions,
)
from lsnn_rl.agents.zoo_places import ZOO, places, zoo_name
from lsnn_rl.errors import BadValue, BrokenFile, MissingFile, did_you_mean
from lsnn_rl.files import replace_file
from lsnn_rl.state import State

WEIGHTS, CARD = "agent.safetensors", "agent.json"
FORMAT = 1


class PolicyAgent:
    """A trained policy that acts in a world: the Agent of `lsnn_rl.agents.contract`.

    Args:
        policy: with the three verbs of `lsnn_rl.agents.policies`.
        env_id, env_kwargs: the world it was trained in, if known.
        normalize: how training normalised the observations, if it did: `moments` (mean and variance, key "" or a
            Dict's keys), `clip_obs` and `epsilon` of VecNormalize.
    """

    def __init__(
        self,
        policy: Any,
        env_id: str | None = None,
        env_kwargs: Mapping[str, Any] | None = None,
        normalize: Mapping[str, Any] | None = None,
        name: str = "agent",
    ) -> None:
        self.policy, self.env_id, self.env_kwargs, self.name = policy, env_id, dict(env_kwargs or {}), name
        self.normalize = {"moments": {}, "clip_obs": 10.0, "epsilon": 1e-8, **(normalize or {})}
        policy.set_training_mode(False)
        self.verbs = verbs_of(policy)
        self.told = getattr(policy, "told_critic", None) is not None

    def initial_state(self, n: int) -> State:
        """The state at rest for n lifetimes."""
        return self.verbs.initial_state(n)

    def act(self, obs: Any, state: State, starts: Any, deterministic: bool = True) -> tuple[np.ndarray, State]:
        """Actions [N, ...] that the world accepts (clipped or unscaled), and the state after the step."""
        actions, _, state = self.act_and_value(obs, state, starts, deterministic)
        return actions, state

    def act_and_value(
        self, obs: Any, state: State, starts: Any, deterministic: bool = True, task: Any = None
    ) -> tuple[np.ndarray, np.ndarray, State]:
        """As `act`, and in the middle what the agent expects to earn from here on, discounted, [N].

        Args: task: the hidden task [N, V], asked for by a critic that was trained with it (`told`) and by it alone:
            without it the values of such an agent are NaN. The actions do not depend on it.
        """
        starts = torch.as_tensor(np.array(starts), device=self.policy.device)
        asked = self.told and task is not None
        told = {"task": torch.as_tensor(task, dtype=torch.float32, device=self.policy.device)} if asked else {}
        with torch.no_grad():
            actions, values, _, state = self.verbs.act(self._tensors(obs), state, starts, deterministic, **told)
        if self.told and not asked:
            values = torch.full_like(values, torch.nan)
        return within(actions.cpu().numpy(), self.policy), values.cpu().numpy(), state

    def _tensors(self, obs: Any) -> Any:
        """Observations as the policy met them in training: tensors, normalised if they were."""
        moments = self.normalize["moments"]
        if isinstance(obs, Mapping):
            return {key: self._scale(value, moments.get(key)) for key, value in obs.items()}
        return self._scale(obs, moments.get(""))

    def _scale(self, obs: np.ndarray, moments: Mapping[str, Any] | None) -> Tensor:
        if moments is None:
            return torch.as_tensor(obs, device=self.policy.device)
        clip_obs, epsilon = self.normalize["clip_obs"], self.normalize["epsilon"]
        scaled = (obs - np.asarray(moments["mean"])) / np.sqrt(np.asarray(moments["var"]) + epsilon)
        scaled = np.clip(scaled, -clip_obs, clip_obs).astype(np.float32)
        return torch.as_tensor(scaled, device=self.policy.device)


def save_agent(model: Any, folder: str | Path, env_id: str | None = None, **notes: Any) -> Path:
    """Write a trained agent into `folder`; returns it.

    Args:
        model: a RecurrentPPO, or a policy alone (then `env_id` says its world).
        notes: plain data to keep beside it, for example recipe=...
    Raises: BadValue if a policy keyword is no data.
    """
    policy = getattr(model, "policy", model)
    env = getattr(model, "env", None)
    recipe = env_recipe(env) if env is not None else {}
    # Shared or strided tensors are written out one by one: safetensors keeps no aliases.
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in policy.state_dict().items()}
    content = weights_to_bytes(weights)
    arrays: dict[str, np.ndarray] = {}
    card = {
        "format": FORMAT,
        "policy_class": f"{type(policy).__module__}:{type(policy).__qualname__}",
        "policy_kwargs": to_plain(_keywords(model, policy), arrays, "policy_kwargs"),
        "observation_space": space_to_plain(policy.observation_space),
        "action_space": space_to_plain(policy.action_space),
        "env": {"id": env_id or recipe.get("id"), "kwargs": to_plain(recipe.get("kwargs", {}), arrays, "env kwargs")},
        "normalize": normalizer_of(env),
        "notes": to_plain(notes, arrays, "notes"),
        "versions": versions(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    if arrays:
        raise BadValue(
            f"An agent's keywords are kept as readable JSON, and {', '.join(arrays)} holds an array. "
            "Pass a list of numbers there: array.tolist()."
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / WEIGHTS, content)
    replace_file(folder / CARD, (json.dumps(card, indent=2) + "\n").encode())
    return folder


def load_agent(
    where: str | Path, policy_class: type[BasePolicy] | None = None, device: torch.device | str = "cpu"
) -> PolicyAgent:
    """The agent in a folder, a run folder, of the zoo by name ("LSNNArena-v0/lsnn"), or of the Hugging Face hub
    ("hf:user/name"). Runs no code from the files.

    Args: policy_class: for a policy class of your own, which is never imported by a name in a file.
    Raises: MissingFile, BrokenFile.
    """
    folder = find_agent(where)
    card = _read_card(folder / CARD)
    content = _read_weights(folder / WEIGHTS, card)
    made = policy_class or trusted_class(card["policy_class"], (ActorCriticPolicy,))
    try:
        policy = made(
            space_from_plain(card["observation_space"]),
            space_from_plain(card["action_space"]),
            _no_learning,
            **from_plain(card["policy_kwargs"], {}),
        )
        policy.load_state_dict(content)
    except (RuntimeError, TypeError, KeyError) as problem:
        raise BrokenFile(
            f"The agent in {folder} does not fit {card.get('policy_class')} of this version ({problem}). "
            f"It was written with {card.get('versions')}: install those, or train it anew."
        ) from problem
    env = card.get("env") or {}
    local = folder.name if folder.name != "agent" else folder.parent.name
    return PolicyAgent(
        policy.to(device),
        env.get("id"),
        env.get("kwargs"),
        card.get("normalize"),
        name=str(where) if str(where).startswith("hf:") else local,
    )


def find_agent(where: str | Path) -> Path:
    """The folder that holds the agent. Raises MissingFile, naming what the zoo has."""
    if str(where).startswith("hf:"):
        from lsnn_rl.agents.hub import fetch_agent

        return fetch_agent(str(where))
    for base in places(where):
        for folder in (base, base / "agent"):
            if (folder / CARD).is_file() or (folder / WEIGHTS).is_file():
                return folder
    if (Path(where) / "checkpoints").is_dir():
        raise MissingFile(
            f"The run {where} was not finished: it holds checkpoints, but no agent yet. Finish it "
            f"(lsnn-rl train --resume {where}), or take what there is: save_agent(load_checkpoint(run), folder)."
        )
    row, _, variant = zoo_name(where).partition(":")
    if (ZOO / row / "recipe.yml").is_file() and (not variant or any((ZOO / row).glob(f"*-{variant}*"))):
        raise MissingFile(
            f"{where} is a recipe of which no agent ships. Train it: lsnn-rl zoo reproduce {where}. "
            "Those that ship are marked in: lsnn-rl zoo list"
        )
    zoo = sorted({str(card.parent.relative_to(ZOO)).removesuffix("/agent") for card in ZOO.glob(f"**/{CARD}")})
    raise MissingFile(
        f"There is no agent at {where}: neither it nor {Path(where) / 'agent'} holds {CARD}, and no agent of the zoo "
        f"has that name.{did_you_mean(where, zoo)} Pass a run folder, or a name from: lsnn-rl zoo list"
    )


def _read_card(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFile(
            f"{path.parent} holds weights but no {path.name}. Copy the whole folder that save_agent wrote."
        )
    raw = path.read_bytes()
    try:
        card = json.loads(raw)
        if not isinstance(card, dict) or "policy_class" not in card or "sha256" not in card:
            raise ValueError("it does not describe an agent")
    except ValueError as problem:  # JSON's and UTF-8's errors are ValueErrors
        raise BrokenFile(
            f"{path} cannot be read as an agent: {problem}. {_kind(raw)}Get the folder again."
        ) from problem
    if card.get("format") != FORMAT:
        raise BrokenFile(
            f"{path} has format {card.get('format')!r}, this version reads {FORMAT}. Install a newer lsnn-rl."
        )
    return card


def _read_weights(path: Path, card: dict[str, Any]) -> dict[str, Tensor]:
    if not path.is_file():
        raise MissingFile(
            f"{path.parent} holds {CARD} but no {path.name}. Copy the whole folder that save_agent wrote."
        )
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != card["sha256"]:
        raise BrokenFile(
            f"{path} does not fit the checksum in {CARD}: it was cut short or altered ({len(raw)} bytes). "
            f"{_kind(raw)}Get the folder again."
        )
    try:
        return read_weights(raw)
    except Exception as problem:  # safetensors has its own error class per binding version
        raise BrokenFile(
            f"{path} is not a safetensors file ({problem}). {_kind(raw)}Get the folder again."
        ) from problem


def _kind(raw: bytes) -> str:
    """A word about files that look like something else."""
    if raw[:1] == b"\x80" or raw[:2] == b"PK":
        return "It looks like a pickle or a torch archive, which could run code and is not opened. "
    return ""


def _keywords(model: Any, policy: Any) -> dict[str, Any]:
    """All the policy's constructor keywords, so that later defaults cannot change what this agent is."""
    left_out = {"observation_space", "action_space", "lr_schedule"}
    told = {**policy._get_constructor_parameters(), **getattr(model, "policy_kwargs", {})}  # upstream's tell not all
    return {name: value for name, value in told.items() if name not in left_out}


def _no_learning(progress_remaining: float) -> float:
    """The schedule of an agent that is not trained any more."""
    return 0.0

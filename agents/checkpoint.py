"""Interrupting a training and going on as if nothing had happened.

A checkpoint holds all that the next step depends on: weights, optimiser and rewiring, the network's state, the worlds
in mid-lifetime, normalisers, every random generator, counters and schedules. Training 2N steps, and training N, saving,
loading in another process and training N more, give the same weights bit for bit.

    file = magic | sha256 of the rest | length of the JSON | JSON | safetensors

Beside the newest few (checkpoint-<steps>.ckpt) a run keeps the best so far (best.ckpt), see `lsnn_rl.agents.callbacks`.
A file is written beside its place and renamed, so it is either the old one or the new one, never half of each; it holds
data only (`lsnn_rl.agents.plain`), so reading one runs no code.
"""

import hashlib
import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load as read_arrays
from safetensors.numpy import save as arrays_to_bytes
from stable_baselines3.common.policies import BasePolicy

from lsnn_rl.agents.env_state import env_recipe, get_env_state, remake_env, set_env_state
from lsnn_rl.agents.plain import from_plain, space_to_plain, to_plain, trusted_class, versions
from lsnn_rl.agents.schedules import describe_schedule
from lsnn_rl.agents.sharing import load_agent, save_agent
from lsnn_rl.errors import BadValue, BrokenFile, MissingFile
from lsnn_rl.files import replace_file

__all__ = [
    "capture",
    "checkpoints_in",
    "load_agent",
    "load_checkpoint",
    "save_agent",
    "save_checkpoint",
    "write_checkpoint",
]

BEST = "best.ckpt"
MAGIC = b"lsnn-rl checkpoint 1\n"
SCHEDULES = ("learning_rate", "clip_range", "clip_range_vf", "ent_coef")
SETTINGS = (
    *("n_steps", "batch_size", "n_epochs", "gamma", "gae_lambda", "normalize_advantage", "vf_coef"),
    *(
        "max_grad_norm",
        "use_sde",
        "sde_sample_freq",
        "target_kl",
        "tensorboard_log",
        "policy_kwargs",
        "verbose",
        "seed",
    ),
    *("auxiliary", "bptt_steps", "burn_in_steps", "bootstrap", "reward_scale", "privileged_critic"),
    *("rewiring", "stagger"),
)
COUNTERS = (
    *("num_timesteps", "_total_timesteps", "_num_timesteps_at_start", "_episode_num", "_n_updates", "_elapsed_s"),
    *(
        "_current_progress_remaining",
        "_lifetime_steps",
        "ep_info_buffer",
        "ep_success_buffer",
        "lifetime_goals",
        "lifetime_first_find",
        "spike_multiplier",
        "validations",
    ),
)
Snapshot = dict[str, Any]


def capture(model: Any, exact: bool = True) -> Snapshot:
    """Everything `load_checkpoint` needs, as data that no longer changes with the model.

    Args: exact: refuse a world whose state cannot be saved; False lets a resumed training begin with new lifetimes.
        Everything else, normalisers included, goes on as it was.
    Raises: BadValue for settings that are not data, and for such a world.
    """
    learning = {
        name: describe_schedule(getattr(model, name), name) for name in SCHEDULES if getattr(model, name) is not None
    }
    policy = type(model.policy)
    arrays: dict[str, np.ndarray] = {}
    contents = {
        "versions": versions(),
        "policy_class": f"{policy.__module__}:{policy.__qualname__}",
        "observation_space": space_to_plain(model.observation_space),
        "action_space": space_to_plain(model.action_space),
        "settings": {
            **{name: getattr(model, name) for name in SETTINGS},
            "stats_window_size": model._stats_window_size,
        },
        "schedules": learning,
        "env": env_recipe(model.env),
        "env_state": get_env_state(model.env, exact, alive=model._last_obs is not None),
        "weights": dict(model.policy.state_dict()),
        "optimizer": model.policy.optimizer.state_dict(),
        "state": model._last_state,
        "tail": model.rollout_buffer.tail(),
        "last": {name: getattr(model, name) for name in ("_last_obs", "_last_episode_starts", "_last_original_obs")},
        "counters": {name: getattr(model, name) for name in COUNTERS},
        "generators": get_generators(),
    }
    return {"arrays": arrays, **to_plain(contents, arrays)}


def save_checkpoint(model: Any, path: str | Path, exact: bool = True) -> Path:
    """Write `model` so that `load_checkpoint` goes on with it bit for bit. Returns the path.

    Raises: BadValue if something cannot be saved: the world (see `exact` in `capture`), or a setting that is no data.
    """
    return write_checkpoint(capture(model, exact), path)


def write_checkpoint(snapshot: Snapshot, path: str | Path) -> Path:
    """Write what `capture` took, all or nothing: a crash or a full disk leaves an older file of that name whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({key: value for key, value in snapshot.items() if key != "arrays"}).encode()
    body = struct.pack("<Q", len(text)) + text + arrays_to_bytes(snapshot["arrays"])
    replace_file(path, MAGIC + hashlib.sha256(body).digest() + body)
    return path


def load_checkpoint(
    path: str | Path,
    env: Any = None,
    device: torch.device | str = "cpu",
    policy_class: type[BasePolicy] | None = None,
) -> Any:
    """The model as it was, ready for `learn(..., resume=True)`.

    Args:
        path: a checkpoint, or a folder of them, whose newest is taken.
        env: the same world; None makes it from the id it had.
        policy_class: for a policy class that is not part of an installed package.
    Raises: MissingFile; BrokenFile if the file was cut short or altered, which names an older one that is whole.
    """
    from lsnn_rl.agents.recurrent_ppo import RecurrentPPO  # it writes checkpoints itself

    data = read_checkpoint(path)
    policy_class = policy_class or trusted_class(data["policy_class"], (BasePolicy,))
    settings = {**data["settings"], **data["schedules"]}
    model = RecurrentPPO(policy_class, remake_env(data["env"], env, path), device=device, **settings)
    if space_to_plain(model.observation_space) != data["observation_space"] or (
        space_to_plain(model.action_space) != data["action_space"]
    ):
        raise BadValue(
            f"{path} was trained in a world with observations {data['observation_space']} and actions "
            f"{data['action_space']}; this one has {model.observation_space} and {model.action_space}. "
            "Pass the world it was trained in as env."
        )
    model.policy.load_state_dict(data["weights"])
    model.policy.optimizer.load_state_dict(data["optimizer"])
    for name, value in {**data["last"], **data["counters"]}.items():
        setattr(model, name, value)
    assert model.env is not None
    set_env_state(model.env, data["env_state"])
    if data["env_state"][-1] is None:
        model._last_obs = None  # learn() will reset the world, and with it the network's state
        # New lifetimes: with the seed of the beginning it would meet those it began with again.
        model.env.seed(_seed_from_here(model.seed, model.num_timesteps))
    else:
        model._last_state = {name: value.to(model.device) for name, value in data["state"].items()}
        model.rollout_buffer.set_tail(data.get("tail"))
    set_generators(data["generators"])
    return model


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """The contents of a checkpoint, or of the newest one in a folder, checked against their sum."""
    file = _newest(Path(path))
    raw = file.read_bytes()
    body = raw[len(MAGIC) + 32 :]
    if not raw.startswith(MAGIC[:18]):
        raise BrokenFile(
            f"{file} is not a checkpoint of this package. Pass a file called checkpoint-*.ckpt, or its folder."
        )
    if not raw.startswith(MAGIC) or hashlib.sha256(body).digest() != raw[len(MAGIC) : len(MAGIC) + 32]:
        older = [other for other in checkpoints_in(file.parent) if other != file and _whole(other)]
        advice = f"Go on from {older[0]}." if older else "There is no older one beside it; train anew."
        raise BrokenFile(f"{file} was cut short or altered ({len(raw)} bytes, and its checksum does not fit). {advice}")
    (length,) = struct.unpack("<Q", body[:8])
    return from_plain(json.loads(body[8 : 8 + length]), read_arrays(body[8 + length :]))


def checkpoints_in(folder: str | Path) -> list[Path]:
    """The checkpoints of a folder, newest (most environment steps) first."""
    return sorted(Path(folder).glob("checkpoint-*.ckpt"), reverse=True)


def get_generators() -> dict[str, Any]:
    """The state of every global generator: Python's, numpy's, torch's."""
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002  (SB3 and environments draw from it)
        "torch": torch.get_rng_state(),
        "cuda": cuda,
    }


def set_generators(states: dict[str, Any]) -> None:
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if states["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])


def _seed_from_here(seed: int | None, steps: int) -> int:
    """A seed for the worlds of a training that goes on after `steps`: always the same one, and not the first one."""
    return int(np.random.SeedSequence([seed or 0, steps]).generate_state(1)[0] >> 1)


def _newest(path: Path) -> Path:
    if path.is_dir():
        files = checkpoints_in(path) or checkpoints_in(path / "checkpoints")
        if not files:
            raise MissingFile(
                f"There is no checkpoint in {path}. Pass a folder with checkpoint-*.ckpt files, or one of them."
            )
        return files[0]
    if not path.is_file():
        beside = ", ".join(file.name for file in checkpoints_in(path.parent)[:3]) or "none"
        raise MissingFile(f"There is no checkpoint at {path}. In that folder: {beside}.")
    return path


def _whole(file: Path) -> bool:
    raw = file.read_bytes()
    return (
        raw.startswith(MAGIC) and hashlib.sha256(raw[len(MAGIC) + 32 :]).digest() == raw[len(MAGIC) : len(MAGIC) + 32]
    )

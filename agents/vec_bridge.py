"""From Gymnasium's vector environments to Stable-Baselines3's: one numpy step for all slots, no loop over them.

    Gymnasium                                    Stable-Baselines3
    terminated [N], truncated [N]                dones [N]; infos[i]["TimeLimit.truncated"] tells which of the two
    info["final_obs"], info["final_info"]        infos[i]["terminal_observation"], infos[i]
    info of the reset in the same step           reset_infos[i]
    info[key] [N] with the mask info["_" + key]  infos[i][key], plain Python numbers, one dict per slot

The step that ends a lifetime must also begin the next (SAME_STEP): under NEXT_STEP every lifetime would be followed by
a step whose action is ignored, and the learner would learn from it.
"""

import inspect
import time
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import load_env_creator
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvObs, VecEnvStepReturn

from lsnn_rl.envs.registration import spec_of
from lsnn_rl.errors import BadValue

NATIVE_ENVS, OTHER_ENVS = 64, 8  # slots when nobody says how many: vectorised in numpy, or one Python object each


class SB3VecEnv(VecEnv):
    """A Gymnasium vector environment with Stable-Baselines3's face. Serves every algorithm there, not only ours.

    Counts return and length of each lifetime itself, so neither Monitor nor VecMonitor is needed. What a world tells
    beyond Gymnasium (`task_vector`, `task_known`, `expert`, `lifetime_age`) is reached as an attribute.

    Args:
        venv: any gymnasium.vector.VectorEnv in SAME_STEP mode.
    Raises: BadValue if it resets in another mode.

    >>> import gymnasium as gym
    >>> envs = gym.make_vec("CartPole-v1", 2, "sync", vector_kwargs={"autoreset_mode": "SameStep"})
    >>> SB3VecEnv(envs).reset().shape
    (2, 4)
    """

    def __init__(self, venv: VectorEnv) -> None:
        if not isinstance(venv, VectorEnv):
            raise BadValue(
                f"SB3VecEnv gives a vector environment another face, and {venv!r} is none. From an id: "
                'SB3VecEnv(gym.make_vec(id, num_envs=64, autoreset_mode="SameStep")).'
            )
        mode = venv.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        if mode != AutoresetMode.SAME_STEP:
            raise BadValue(
                f"SB3VecEnv needs a vector environment that resets in the step that ends a lifetime; {venv} has "
                f"autoreset_mode {getattr(mode, 'name', mode)}. Make it with autoreset_mode=AutoresetMode.SAME_STEP "
                '(worlds of this package: gym.make_vec(id, num_envs=n, autoreset_mode="SameStep"); others: '
                'vectorization_mode="sync", vector_kwargs={"autoreset_mode": "SameStep"}).'
            )
        self.venv = venv
        self.env_id: str | None = None  # set by make_env: a checkpoint makes the same environment again
        self.env_kwargs: dict[str, Any] = {}
        super().__init__(venv.num_envs, venv.single_observation_space, venv.single_action_space)
        self._began = time.time()
        self._actions: Any = None
        self._returns = np.zeros(self.num_envs)
        self._lengths = np.zeros(self.num_envs, dtype=np.int64)
        self._successes = np.zeros(self.num_envs, dtype=np.int64)

    def reset(self) -> VecEnvObs:
        seeds: Any = None if all(seed is None for seed in self._seeds) else list(self._seeds)
        obs, info = self.venv.reset(seed=seeds, options=self._options[0] or None)
        self._reset_seeds()
        self._reset_options()
        self._returns[:], self._lengths[:], self._successes[:] = 0, 0, 0
        self.reset_infos = self._split(info)
        return obs

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        obs, rewards, terminated, truncated, info = self.venv.step(self._actions)
        rewards = np.asarray(rewards, dtype=np.float32)
        dones = terminated | truncated
        self._returns += rewards
        self._lengths += 1
        infos = self._split(info)
        if "success" in info:
            self._successes += np.asarray(info["success"], dtype=bool) & ~dones
        if dones.any():
            self._finish(np.flatnonzero(dones), infos, terminated, truncated, info)
        return obs, rewards, dones, infos

    def _finish(
        self, done: np.ndarray, infos: list[dict], terminated: np.ndarray, truncated: np.ndarray, info: dict
    ) -> None:
        """Put the end of a lifetime into infos[i], and what its reset told into reset_infos[i]."""
        final_infos = self._split(info["final_info"]) if "final_info" in info else None
        for i in done.tolist():
            if final_infos is not None:
                self.reset_infos[i], infos[i] = infos[i], final_infos[i]
            ended = infos[i]
            self._successes[i] += bool(ended.get("success", False))
            if "success" in ended:
                ended.setdefault("goals", int(self._successes[i]))
            ended["terminal_observation"] = _row(info["final_obs"], i)
            ended["TimeLimit.truncated"] = bool(truncated[i] and not terminated[i])
            ended["episode"] = {
                "r": float(self._returns[i]),
                "l": int(self._lengths[i]),
                "t": round(time.time() - self._began, 6),
            }
        self._returns[done], self._lengths[done], self._successes[done] = 0, 0, 0

    def _split(self, info: dict[str, Any]) -> list[dict[str, Any]]:
        """One vector info as N separate dicts: VecNormalize and others write into them."""
        everywhere: dict[str, Any] = {}
        somewhere: dict[str, Any] = {}
        for key, value in info.items():
            if key.startswith("_") or key in ("final_obs", "final_info"):
                continue
            if isinstance(value, dict):
                value = self._split(value)
            elif isinstance(value, np.ndarray) and value.ndim == 1:
                value = value.tolist()  # Python's own numbers, as SB3's checks ask
            mask = info.get("_" + key)
            (everywhere if mask is None or mask.all() else somewhere)[key] = value
        infos: list[dict[str, Any]]
        if everywhere:
            # In C from end to end: this runs at every step, for every slot.
            infos = list(map(dict, map(zip, repeat(tuple(everywhere)), zip(*everywhere.values(), strict=True))))
        else:
            infos = [{} for _ in range(self.num_envs)]
        for key, value in somewhere.items():
            for i in np.flatnonzero(info["_" + key]).tolist():
                infos[i][key] = value[i]
        return infos

    def set_options(self, options: list[dict] | dict | None = None) -> None:
        if isinstance(options, list):
            if any(other != options[0] for other in options[1:]):
                raise BadValue(
                    "A vector environment takes one options dict for all its slots; different ones were given. "
                    "Pass one dict whose values are arrays with an entry per slot."
                )
            options = options[0]
        self._options = [options or {}] * self.num_envs

    def get_state(self) -> dict[str, Any]:
        """All that the next steps depend on: the world's own state, pending seeds and the counts of open lifetimes."""
        return {
            "env": self.venv.get_state(),  # type: ignore[attr-defined]
            "seeds": list(self._seeds),
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
            "successes": self._successes.copy(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue exactly where `get_state` was taken."""
        self.venv.set_state(state["env"])  # type: ignore[attr-defined]
        self._seeds = list(state["seeds"])
        self._returns[:] = state["returns"]
        self._lengths[:] = state["lengths"]
        self._successes[:] = state["successes"]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "venv":
            raise AttributeError(name)
        return getattr(self.venv, name)

    def close(self) -> None:
        self.venv.close()

    def get_images(self) -> Sequence[np.ndarray | None]:
        frames: Any = self.venv.render()
        return [None] * self.num_envs if frames is None else list(frames)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        slots = self._get_indices(indices)
        if attr_name != "render_mode" and hasattr(self.venv, "get_attr"):
            values = self.venv.get_attr(attr_name)
            return [values[i] for i in slots]
        value = getattr(self.venv, attr_name) if attr_name != "render_mode" else getattr(self.venv, attr_name, None)
        return [value for _ in slots]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        if hasattr(self.venv, "envs"):
            for i in self._get_indices(indices):
                setattr(self.venv.envs[i].unwrapped, attr_name, value)
        elif hasattr(self.venv, "set_attr"):
            self.venv.set_attr(attr_name, [value] * self.num_envs)
        else:
            setattr(self.venv, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method; a vector environment answers once for all, and an array with N rows is dealt out by slot."""
        slots = list(self._get_indices(indices))
        if hasattr(self.venv, "call") and not hasattr(type(self.venv), method_name):
            answers = self.venv.call(method_name, *method_args, **method_kwargs)
            return [answers[i] for i in slots]
        answer = getattr(self.venv, method_name)(*method_args, **method_kwargs)
        by_slot = isinstance(answer, np.ndarray | list | tuple) and len(answer) == self.num_envs
        return [answer[i] if by_slot else answer for i in slots]

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        # Lifetimes are counted here, which is all that is ever asked of a Monitor.
        return [wrapper_class is Monitor for _ in self._get_indices(indices)]


def make_env(env: Any, n_envs: int | None = None, seed: int | None = None, **kwargs: Any) -> Any:
    """Anything that can be trained on, as something Stable-Baselines3 understands.

    Args:
        env: an id (made as a native vector environment where its spec offers one that resets in the same step, as
            `n_envs` Python objects otherwise), a Gymnasium vector environment, or an environment or VecEnv as it is.
        n_envs: slots, for an id: 64 if native, else 8.
        seed: of slot 0; slot i gets seed + i.
        kwargs: of the environment, for an id.
    Raises: BadValue if `n_envs` or keywords are given beside an environment that is already made.
    """
    if isinstance(env, str):
        return _from_id(env, n_envs, seed, kwargs)
    slots = getattr(env, "num_envs", 1)
    if kwargs or n_envs not in (None, slots):
        asked = ", ".join([*([f"n_envs={n_envs}"] if n_envs not in (None, slots) else []), *kwargs])
        raise BadValue(
            f"{asked} was asked for an environment that is already made, with {slots} slot(s). "
            "Pass its id instead, or make it with that number yourself: gym.make_vec(id, num_envs=n)."
        )
    made = SB3VecEnv(env) if isinstance(env, VectorEnv) else env
    if seed is not None and isinstance(made, VecEnv):
        made.seed(seed)
    return made


def _from_id(env_id: str, n_envs: int | None, seed: int | None, kwargs: dict[str, Any]) -> VecEnv:
    spec = spec_of(env_id)
    if n_envs is not None and n_envs < 1:
        raise BadValue(f"n_envs = {n_envs} leaves nobody to act. Give at least 1.")
    if not resets_in_the_same_step(spec.vector_entry_point):
        made = make_vec_env(env_id, n_envs=n_envs or OTHER_ENVS, seed=seed, env_kwargs=kwargs)
        made.env_id, made.env_kwargs = env_id, kwargs  # type: ignore[attr-defined]
        return made
    native = SB3VecEnv(
        gym.make_vec(
            env_id,
            num_envs=n_envs or NATIVE_ENVS,
            vectorization_mode="vector_entry_point",
            autoreset_mode=AutoresetMode.SAME_STEP,
            **kwargs,
        )
    )
    native.env_id, native.env_kwargs = env_id, kwargs
    if seed is not None:
        native.seed(seed)
    return native


def resets_in_the_same_step(vector_entry_point: Any) -> bool:
    """Whether an id's native vector environment lets the caller choose when it resets."""
    if vector_entry_point is None:
        return False
    creator = load_env_creator(vector_entry_point) if isinstance(vector_entry_point, str) else vector_entry_point
    return "autoreset_mode" in inspect.signature(creator).parameters


def stagger(env: VecEnv) -> int:
    """Let the lifetimes of the next reset begin at ages spread evenly, so that they do not all end in one step.

    Only worlds whose lifetimes have a fixed length can be begun in the middle; others are left alone.

    Returns: that length, in environment steps; 0 where nothing was done.
    """
    inner = env.unwrapped
    if not answers(env, ["lifetime_age"]):
        return 0
    length = int(inner.get_attr("task")[0].steps)
    ages = np.arange(env.num_envs) * length // env.num_envs
    env.set_options({"ages": ages} if isinstance(inner, SB3VecEnv) else [{"ages": int(age)} for age in ages])
    return length


def ask(env: VecEnv, question: str) -> np.ndarray:
    """A privileged answer of the worlds (`task_vector`, `task_known`, `expert`), with a leading axis N.

    One call where the environment is vectorised; one call per slot where it is a list of Python objects.
    """
    inner = env.unwrapped
    if isinstance(inner, SB3VecEnv):
        return np.asarray(getattr(inner, question)())
    return np.stack([np.asarray(answer) for answer in inner.env_method(question)])


def answers(env: VecEnv, questions: Iterable[str]) -> bool:
    """Whether every slot can answer all of them."""
    inner = env.unwrapped
    return all(hasattr(inner, name) if isinstance(inner, SB3VecEnv) else inner.has_attr(name) for name in questions)


def _row(batch: Any, i: int) -> Any:
    """Slot i of a batched observation, as a copy."""
    if isinstance(batch, dict):
        return {key: _row(value, i) for key, value in batch.items()}
    row = batch[i]
    if isinstance(row, dict):
        return {key: np.array(value) for key, value in row.items()}
    return np.array(row)

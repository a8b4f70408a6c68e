"""A supervised task made from any world: watch a lifetime, tell its hidden task.

The behaviour is not the policy's own. It mixes what an agent that knows the task would do (the world's `expert`) with a
direction that persists, in two strengths: every other slot mostly wanders, the others mostly go for it. So there are
lifetimes in which the task shows itself late, and rewards are met from all sides. The target is the world's
`task_vector`, counted only from where it could be known.

Reward alone did not teach a spiking core to remember; this question did, asked before PPO and kept beside it as the
auxiliary cost `task_inference`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor, nn
from tqdm import tqdm

from lsnn_rl.agents.losses import firing_rate_loss, task_inference_loss
from lsnn_rl.agents.rollout import Observations, Rollout
from lsnn_rl.agents.vec_bridge import answers, ask, make_env
from lsnn_rl.errors import BadValue

STRENGTHS = ((0.35, 1.0), (0.7, 0.7))  # (pull of the expert, pull of the wandering direction) of even and odd slots
TURNING = (
    0.3  # how far the wandering direction turns in one step (radians, for two dimensions), or how often it changes
)


class Lessons(NamedTuple):
    """Watched lifetimes: T steps of N of them."""

    observations: Observations  # [T, N, ...]
    actions: Tensor  # [T, N, ...]
    starts: Tensor  # [T, N] bool
    task: Tensor  # [T, N, V]
    known: Tensor  # [T, N] bool


class Wanderer:
    """Goes towards what the expert wants and wanders at the same time.

    Args: space: of one action; Box, Discrete or MultiDiscrete. n: slots. generator: its luck.
    """

    def __init__(self, space: spaces.Space, n: int, generator: np.random.Generator) -> None:
        if not isinstance(space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete):
            raise BadValue(
                f"Wandering needs Box, Discrete or MultiDiscrete actions; the world has {space}. "
                "Leave the warm-up out: warm_up: {iterations: 0}."
            )
        self.space: Any = space
        self.n, self.generator = n, generator
        pulls = np.array([STRENGTHS[i % 2] for i in range(n)])
        self.pull, self.wander = pulls[:, 0], pulls[:, 1]
        if isinstance(space, spaces.Box):
            # One unit is the half width of the space, so that the mix does not depend on the units of actions.
            low, high = space.low.ravel().astype(np.float64), space.high.ravel().astype(np.float64)
            self.low, self.high, self.half, self.middle = low, high, (high - low) / 2, (high + low) / 2
        self.direction = self._anew()

    def actions(self, wanted: np.ndarray | None) -> np.ndarray:
        """The next actions [N, ...], given what the expert wants (None: just wander)."""
        if isinstance(self.space, spaces.Box):
            return self._moves(wanted)
        turn = self.generator.random(self.n) < TURNING
        self.direction = np.where(_beside(turn, self.direction), self._anew(), self.direction)
        if wanted is None:
            return self.direction
        heed = self.generator.random(self.n) < self.pull
        return np.where(_beside(heed, self.direction), wanted, self.direction)

    def _moves(self, wanted: np.ndarray | None) -> np.ndarray:
        self.direction = _unit(self.direction + TURNING * self.generator.standard_normal(self.direction.shape))
        move = self.wander[:, None] * self.direction
        if wanted is not None:
            move += self.pull[:, None] * ((wanted.reshape(self.n, -1) - self.middle) / self.half)
        bounded = np.minimum(np.maximum(self.middle + self.half * move, self.low), self.high)
        return bounded.reshape(self.n, *self.space.shape).astype(self.space.dtype)

    def _anew(self) -> np.ndarray:
        if isinstance(self.space, spaces.Box):
            size = int(np.prod(self.space.shape))
            return _unit(self.generator.standard_normal((self.n, size)))
        if isinstance(self.space, spaces.Discrete):
            return self.generator.integers(self.space.n, size=self.n) + self.space.start
        return self.generator.integers(self.space.nvec, size=(self.n, *self.space.shape))


def watch(env: VecEnv, steps: int, generator: np.random.Generator) -> Lessons:
    """Let wanderers live `steps` steps of new lifetimes in every slot of `env` and note the task beside them.

    Raises: BadValue if the world does not reveal its task (`task_vector`, `task_known`).
    """
    if not answers(env, ["task_vector", "task_known"]):
        raise BadValue(
            f"A warm-up on the hidden task needs a world that reveals it (task_vector, task_known); {env.unwrapped} "
            "does not. Use a world of lsnn_rl.envs, or leave the warm-up out: warm_up: {iterations: 0}."
        )
    has_expert = answers(env, ["expert"])
    obs = env.reset()
    notes = Rollout(steps, env.num_envs, env.observation_space, task_size=ask(env, "task_vector").shape[-1])
    wanderer = Wanderer(env.action_space, env.num_envs, generator)
    starts, nothing, done = np.ones(env.num_envs, dtype=bool), torch.zeros(env.num_envs), []
    for _ in range(steps):
        notes.observe(obs, starts, {})
        notes.tell(ask(env, "task_vector"), ask(env, "task_known"))
        actions = wanderer.actions(ask(env, "expert") if has_expert else None)
        obs, rewards, starts, _ = env.step(actions)
        notes.add(nothing, nothing, nothing, rewards)
        done.append(actions)
    assert notes.task is not None and notes.known is not None
    return Lessons(notes.observations, torch.from_numpy(np.stack(done)), notes.starts, notes.task, notes.known)


def warm_up(
    model: Any,
    env: str | VectorEnv | VecEnv,
    iterations: int = 300,
    batch: int = 32,
    steps: int = 500,
    learning_rate: float = 5e-3,
    *,
    firing_rate: float = 0.0,
    rate_target_hz: float = 20.0,
    max_grad_norm: float = 1.0,
    seed: int = 0,
    env_kwargs: Mapping[str, Any] | None = None,
    progress_bar: bool = False,
    on_iteration: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Teach encoder, network and task head of a policy to tell the hidden task, before any reward is learned from.

    By the policy's own optimiser, whose moments begin anew afterwards; the learning rate falls along half a cosine.

    Args:
        model: a policy with a task head (policy keyword `task_size`), or the model that holds it.
        env: a world's id, of which `batch` slots are made, or a vector environment.
        iterations, batch, steps: updates; lifetimes in each; environment steps of each.
        learning_rate: at the beginning. max_grad_norm: gradients are scaled down to this norm.
        firing_rate, rate_target_hz: weight and target of the firing-rate cost, as in RecurrentPPO.
        seed: of lifetimes and wandering.
        on_iteration: called with the number of iterations done and the last error.
    Returns: the task error of every iteration, in squared units of the task vector.
    Raises: BadValue for a policy without task head, a world that reveals nothing, or an error that is not finite.
    """
    policy = getattr(model, "policy", model)
    if getattr(policy, "task_size", None) in (None, 0):
        raise BadValue(
            "A warm-up trains the policy's task head, and this policy has none. Give the task a weight "
            "(RecurrentPPO(..., auxiliary={'task_inference': 0.3})) or the policy a head (task_size=2)."
        )
    if batch < 1 or steps < 1:
        raise BadValue(f"batch = {batch}, steps = {steps} shows nothing. Give at least one lifetime and one step.")
    venv = make_env(env, batch, **(env_kwargs or {})) if isinstance(env, str) else make_env(env)
    venv.seed(seed)
    generator = np.random.default_rng(seed)
    optimizer = policy.optimizer  # its own: where it rewires, dormant synapses stay dormant here too
    policy.set_training_mode(True)
    errors: list[float] = []
    with tqdm(total=iterations, desc="warm-up", disable=not progress_bar, dynamic_ncols=True) as bar:
        for iteration in range(iterations):
            rate = 0.5 * learning_rate * (1 + math.cos(math.pi * iteration / iterations))
            for group in optimizer.param_groups:
                group["lr"] = rate
            lessons = watch(venv, steps, generator)
            *_, extras = policy.evaluate_sequence(
                lessons.observations, lessons.actions, policy.initial_state(venv.num_envs), lessons.starts
            )
            device = policy.device
            error = task_inference_loss(extras["task_guess"], lessons.task.to(device), lessons.known.to(device))
            loss = error
            if firing_rate and extras.get("counts") is not None:
                network = policy.network
                duration = steps * network.substeps
                loss = loss + firing_rate * firing_rate_loss(extras["counts"], duration, network.dt_ms, rate_target_hz)
            optimizer.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(policy.parameters(), max_grad_norm).item()
            if not math.isfinite(loss.item()) or not math.isfinite(norm):
                raise BadValue(
                    f"The warm-up stopped in iteration {iteration + 1}: its error is {loss.item()}, the gradient's "
                    f"norm {norm}. The weights are those from before. Lower learning_rate ({learning_rate})."
                )
            optimizer.step()
            errors.append(error.item())
            bar.update()
            bar.set_postfix_str(f"task error {np.mean(errors[-20:]):.3f}")
            if on_iteration is not None:
                on_iteration(iteration + 1, errors[-1])
    optimizer.state.clear()  # moments of another loss would mislead PPO's first steps
    return errors


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / (np.sqrt(np.einsum("na,na->n", vectors, vectors))[:, None] + 1e-9)


def _beside(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A mask [N] that broadcasts over values [N, ...]."""
    return mask.reshape(-1, *[1] * (values.ndim - 1))

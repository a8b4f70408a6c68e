"""Telling the hidden task, as a supervised task for `lsnn-rl pretrain`: of any world that reveals it.

    lsnn-rl pretrain task_inference:LSNNArena-v0        RecurrentPPO(..., policy_kwargs=dict(pretrained=folder))

The lives are those of `task_inference.watch`; here a network learns from them before there is a policy.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lsnn_rl.agents.losses import task_inference_loss
from lsnn_rl.agents.task_inference import watch
from lsnn_rl.agents.vec_bridge import answers, ask, make_env
from lsnn_rl.encoders import build_encoder
from lsnn_rl.envs.registration import has_lifetimes
from lsnn_rl.errors import BadValue
from lsnn_rl.tasks.base import Batch, Task, luck


class TaskInference(Task):
    """Each sequence is the beginning of a lifetime; at every step its hidden task is to be told.

    Args:
        env: the id of a world that reveals its task (`task_vector`, `task_known`).
        env_kwargs: settings of that world.
        steps: environment steps of a sequence. What follows the end of a lifetime does not count.
        encoder, encoder_kwargs: from observations to input lines, as a policy has them: with the same ones the
            weights of the input fit that policy as they are.
        lifetimes: of the test split; validation has a quarter.
    Answer: the readouts, in the units of the task vector. Steps at which it could not be known do not count.
    Score: squared error, mean over steps and numbers, of each lifetime that showed its task.
    Raises: BadValue for a world that reveals nothing.

    >>> TaskInference(env="LSNNArena-v0", steps=5).batch("train", 3, 0).target.shape  # the task, and whether known
    torch.Size([5, 3, 3])
    """

    measure = "mean squared error"
    larger_is_better = False
    about = "env"

    def __init__(
        self,
        *,
        spiking: bool = True,
        env: str = "LSNNArena-v0",
        env_kwargs: Mapping[str, Any] | None = None,
        steps: int = 500,
        encoder: str = "auto",
        encoder_kwargs: Mapping[str, Any] | None = None,
        lifetimes: int = 512,
    ) -> None:
        if steps < 1 or lifetimes < 4:
            raise BadValue(f"steps = {steps}, lifetimes = {lifetimes} make no task. Give at least 1 step, 4 lifetimes.")
        self.env, self.env_kwargs, self.steps = env, dict(env_kwargs or {}), steps
        self.sizes = {"validation": lifetimes // 4, "test": lifetimes}
        one = make_env(env, 1, **self.env_kwargs)
        if not answers(one, ["task_vector", "task_known"]):
            raise BadValue(f"{env} does not reveal its hidden task. Name a world that does, such as LSNNArena-v0.")
        self.readouts = int(ask(one, "task_vector").shape[-1])
        self.encoder = build_encoder(encoder, one.observation_space, **dict(encoder_kwargs or {}))
        self.inputs = self.encoder.size
        one.close()

    @torch.no_grad()
    def batch(self, split: str, n: int, index: int, seed: int = 0) -> Batch:
        generator = luck(split, index, seed)
        dealt = {"split": "test"} if split == "test" and has_lifetimes(self.env) else {}
        venv = make_env(self.env, self.count(split, n, index), **{**self.env_kwargs, **dealt})
        venv.seed(int(generator.integers(2**31)))
        lives = watch(venv, self.steps, generator)
        venv.close()
        known = lives.known & (lives.starts.int().cumsum(0) == 1)  # of the first lifetime alone
        return Batch(self.encoder(lives.observations), torch.cat([lives.task, known[..., None].float()], dim=-1))

    def loss(self, readout: Tensor, batch: Batch) -> Tensor:
        return task_inference_loss(readout, batch.target[..., :-1], batch.target[..., -1])

    def scores(self, readout: Tensor, batch: Batch) -> Tensor:
        task, known = batch.target[..., :-1], batch.target[..., -1]
        steps = known.sum(0)
        errors = ((readout - task).square().mean(-1) * known).sum(0)[steps > 0] / steps[steps > 0]
        if not len(errors):
            raise BadValue(
                f"None of {len(steps)} lifetimes of {self.env} showed its task within {self.steps} steps. Live longer: "
                f"task.kwargs.steps={4 * self.steps}."
            )
        return errors

    def details(self) -> dict[str, Any]:
        return {"world": self.env, "source": "lived anew for every sequence"}

"""What a recipe asks for beside PPO, as a callback that rl_zoo3's settings can name."""

from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from lsnn_rl.agents.env_state import env_recipe
from lsnn_rl.agents.task_inference import warm_up
from lsnn_rl.errors import BadValue


class WarmUp(BaseCallback):
    """Teaches the policy to tell the hidden task before the first rollout, see `lsnn_rl.agents.task_inference.warm_up`.

    Args: options: keywords of `warm_up`: iterations, batch, steps, learning_rate.
    """

    model: Any

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def _on_training_start(self) -> None:
        if self.model._n_updates:
            return  # a model that goes on has had it
        world = env_recipe(self.model.env)
        if world.get("id") is None:
            raise BadValue(
                "A warm-up makes lifetimes of its own and needs the world's id, which this environment does not tell. "
                "Leave it out (callback: null), or give the model an id."
            )
        auxiliary = self.model.auxiliary
        warm_up(
            self.model,
            world["id"],
            **self.options,
            firing_rate=auxiliary["firing_rate"],
            rate_target_hz=auxiliary["rate_target_hz"],
            seed=self.model.seed or 0,
            env_kwargs=world.get("kwargs"),
        )

    def _on_step(self) -> bool:
        return True

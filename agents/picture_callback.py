"""Pictures for TensorBoard while training goes on: spikes and thresholds of a test lifetime, weights, place fields."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Image

from lsnn_rl.errors import unknown_name

LOOK_STEPS = 300  # of a lifetime, for pictures of neurons at work


class PictureCallback(BaseCallback):
    """Logs figures as images under `pictures/` every so many environment steps.

    Looking costs one short lifetime of the agent apart from training: no luck of training is used up, no state changed.

    Args:
        env_id, env_kwargs: the world to look at it in.
        every: environment steps between pictures; the first is taken before learning.
        pictures: any of PICTURES.
    Raises: UnknownName.
    """

    model: Any

    def __init__(
        self,
        env_id: str,
        env_kwargs: Mapping[str, Any] | None = None,
        every: int = 1_000_000,
        pictures: Sequence[str] = ("raster", "thresholds", "connectivity"),
    ) -> None:
        super().__init__()
        for name in pictures:
            if name not in PICTURES:
                raise unknown_name("picture", name, PICTURES)
        self.env_id, self.env_kwargs = env_id, dict(env_kwargs or {})
        self.every, self.pictures, self._next = every, tuple(pictures), 0

    def _on_rollout_start(self) -> None:
        if self.model.num_timesteps < self._next:
            return
        self._next = self.model.num_timesteps + self.every
        training = self.model.policy.training
        for name in self.pictures:
            figure = PICTURES[name](self.model, self.env_id, self.env_kwargs)
            self.logger.record(
                f"pictures/{name}", Image(pixels(figure), "HWC"), exclude=("stdout", "log", "json", "csv")
            )
        self.model.policy.set_training_mode(training)

    def _on_step(self) -> bool:
        return True


def pixels(figure: Drawing, dpi: int = 100) -> NDArray[np.uint8]:
    """A figure as an image, [height, width, 3]."""
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _raster(model: Any, env_id: str, env_kwargs: Mapping[str, Any]) -> Drawing:
    from lsnn_rl.agents.figures import raster
    from lsnn_rl.agents.inside import look_inside

    return raster(look_inside(model, env_id, env_kwargs, steps=LOOK_STEPS))


def _thresholds(model: Any, env_id: str, env_kwargs: Mapping[str, Any]) -> Drawing:
    from lsnn_rl.agents.figures import thresholds
    from lsnn_rl.agents.inside import look_inside

    return thresholds(look_inside(model, env_id, env_kwargs, steps=LOOK_STEPS))


def _place_fields(model: Any, env_id: str, env_kwargs: Mapping[str, Any]) -> Drawing:
    from lsnn_rl.agents.figures import place_fields
    from lsnn_rl.agents.inside import record_lives

    return place_fields(record_lives(model, env_id, env_kwargs, lifetimes=range(16), steps=LOOK_STEPS))


def _connectivity(model: Any, env_id: str, env_kwargs: Mapping[str, Any]) -> Drawing:
    from lsnn_rl.agents.figures import connectivity

    return connectivity(model.policy.network)


PICTURES: dict[str, Callable[[Any, str, Mapping[str, Any]], Drawing]] = {
    "raster": _raster,
    "thresholds": _thresholds,
    "place_fields": _place_fields,
    "connectivity": _connectivity,
}

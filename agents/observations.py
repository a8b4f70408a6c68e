"""Which spaces a policy can serve, and what an observation must look like; every refusal says what to do instead."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.preprocessing import is_image_space
from torch import Tensor

from lsnn_rl.errors import BadValue, ShapeMismatch

Observation = Tensor | dict[str, Tensor]

_OBSERVATIONS = "Box, Discrete, MultiDiscrete, MultiBinary, or a Dict of these"
_ACTIONS = "Box, Discrete, MultiDiscrete or MultiBinary"


def check_spaces(observations: spaces.Space, actions: spaces.Space, images: bool = False) -> None:
    """Refuse at construction what could only fail later. `images`: the user brought a features extractor for them.

    Raises: BadValue.
    """
    if isinstance(observations, spaces.Dict):
        for key, part in observations.items():
            _check_observation_space(part, f"Entry {key!r} of the observation space", images)
    else:
        _check_observation_space(observations, "The observation space", images)
    if not isinstance(actions, (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)):
        raise BadValue(f"The action space is {actions}. A policy can act in {_ACTIONS}: wrap the environment.")
    _check_counting(actions, "The action space", "TransformAction")


def to_tensor(observation: Any, space: spaces.Space, device: torch.device, axes: int = 1) -> Observation:
    """An observation with `axes` leading axes ([N] or [T, N]) as a tensor, or a dict of tensors.

    Raises: ShapeMismatch.
    """
    if isinstance(space, spaces.Dict):
        if not isinstance(observation, Mapping) or set(observation) != set(space):
            raise ShapeMismatch(
                f"The observation space is a Dict of {sorted(space)}, the observation {_describe(observation)}. "
                "Pass a dict with exactly these entries."
            )
        return {key: _part_to_tensor(observation[key], part, device, axes) for key, part in space.items()}
    return _part_to_tensor(observation, space, device, axes)


def _part_to_tensor(observation: Any, space: spaces.Space, device: torch.device, axes: int) -> Tensor:
    tensor, shape = torch.as_tensor(observation, device=device), space.shape or ()
    if tensor.shape[axes:] != shape or tensor.dim() != axes + len(shape):
        if isinstance(space, spaces.Discrete) and tensor.shape[axes:] == (1,):  # upstream's buffers keep the axis
            return tensor.squeeze(-1)
        raise ShapeMismatch(
            f"The observation has shape {tuple(tensor.shape)}, the space {shape}. "
            f"Pass an array of shape {_batch(shape, 'N' if axes == 1 else 'T, N')}."
        )
    return tensor


def each(observation: Observation, change: Callable[[Tensor], Tensor]) -> Observation:
    """The observation with every entry changed."""
    if isinstance(observation, dict):
        return {key: change(value) for key, value in observation.items()}
    return change(observation)


def check_finite(observation: Observation, space: spaces.Space) -> None:
    """Refuse NaN, infinity and choices that do not exist. `observation` [N, ...] as `to_tensor` returns it.

    Raises: BadValue.
    """
    if isinstance(observation, dict):
        for key, value in observation.items():
            check_finite(value, cast(spaces.Dict, space)[key])
    elif observation.is_floating_point():
        # The sum is finite only if all terms are (or overflow, then the slow look decides): one pass, one number.
        if not np.isfinite(observation.sum().item()) and not (good := observation.isfinite()).all():
            row, *index = (~good).nonzero()[0].tolist()
            raise BadValue(
                f"The observation of environment {row} is {observation[row][tuple(index)].item()} at index "
                f"{tuple(index)}. Observations must be finite: look at the environment's step() and reset(), or at a "
                "normaliser's statistics."
            )
    elif isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
        choices = torch.as_tensor(space.n if isinstance(space, spaces.Discrete) else space.nvec).to(observation.device)
        if ((observation < 0) | (observation >= choices)).any():
            raise BadValue(
                f"The observation {observation.tolist()} holds a choice that {space} does not have. "
                "Pass integers from 0 up to, not including, the number of choices."
            )


def warn_beyond(features: Tensor, box: spaces.Box) -> bool:
    """Warn if features [..., F] leave the bounds that the encoder was made for. Returns whether any does."""
    low, high = (torch.as_tensor(bound, device=features.device) for bound in (box.low, box.high))
    margin = 0.01 * (high - low).nan_to_num(posinf=0.0)
    outside = (features < low - margin) | (features > high + margin)
    if outside.any():
        index = int(outside.flatten(0, -2).any(0).nonzero()[0])
        warnings.warn(
            f"Number {index} of the observation is {features[..., index][outside[..., index]][0]:.3g}; the space says "
            f"{low[index]:.3g} to {high[index]:.3g}, and the encoder relies on it. If observations are normalised "
            "(VecNormalize), pass policy_kwargs=dict(normalized=True); otherwise correct the observation space.",
            stacklevel=2,
        )
    return bool(outside.any())


def check_given(observation: Any, space: spaces.Space) -> None:
    """Check what a user hands to `predict`: one observation or a batch of them, finite.

    Raises: ShapeMismatch, BadValue.
    """
    if isinstance(observation, tuple) and len(observation) == 2 and isinstance(observation[1], dict):
        raise BadValue(
            "predict() was given the pair (observation, info). Gymnasium's reset() returns both: "
            "write `obs, info = env.reset()`."
        )
    if isinstance(space, spaces.Dict):
        if not isinstance(observation, Mapping) or set(observation) != set(space):
            to_tensor(observation, space, torch.device("cpu"))  # raises
        for key, part in space.items():
            check_given(observation[key], part)
        return
    if is_image_space(space):
        return  # SB3 also takes images with their channels last
    array, shape = np.asarray(observation), space.shape or ()
    if array.shape != shape and (array.ndim != len(shape) + 1 or array.shape[1:] != shape):
        raise ShapeMismatch(
            f"The observation has shape {array.shape}, the space {shape}. "
            f"Pass one observation of shape {shape} or a batch of shape {_batch(shape)}."
        )
    check_finite(torch.as_tensor(array).reshape(-1, *shape), space)


def _check_observation_space(space: spaces.Space, where: str, images: bool) -> None:
    if not isinstance(space, (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)):
        raise BadValue(f"{where} is {space}. A policy can read {_OBSERVATIONS}: wrap the environment.")
    _check_counting(space, where, "TransformObservation")
    if is_image_space(space) and not images:
        raise BadValue(
            f"{where} is an image of shape {space.shape}, which the encoders do not read. Pass "
            "features_extractor_class=NatureCNN (of SB3), or wrap the environment so that it gives numbers."
        )


def _check_counting(space: spaces.Space, where: str, wrapper: str) -> None:
    if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)) and np.any(space.start != 0):
        raise BadValue(
            f"{where} is {space}, counting from {space.start}. Count from 0: use gymnasium.wrappers.{wrapper}."
        )
    if isinstance(space, (spaces.MultiDiscrete, spaces.MultiBinary)) and len(space.shape) != 1:
        raise BadValue(
            f"{where} is {space} with {len(space.shape)} axes. Give it one axis: use gymnasium.wrappers.{wrapper}."
        )


def _describe(observation: Any) -> str:
    return f"a dict of {sorted(observation)}" if isinstance(observation, Mapping) else f"a {type(observation).__name__}"


def _batch(shape: tuple[int, ...], lead: str = "N") -> str:
    return f"({', '.join([lead, *map(str, shape)])}{',' if lead == 'N' and not shape else ''})"

"""From observations to input lines, one encoder a file, found by name in `ENCODERS`."""

from typing import Any

from gymnasium import spaces

from lsnn_rl.encoders.base import Encoder, bounded, flat
from lsnn_rl.registry import Registry

ENCODERS = Registry("encoder")
ENCODERS.add("population", "lsnn_rl.encoders.population:Population")
ENCODERS.add("current", "lsnn_rl.encoders.current:Current")
ENCODERS.add("threshold_crossing", "lsnn_rl.encoders.threshold_crossing:ThresholdCrossing")


def build_encoder(name: str, observation_space: spaces.Space, **options: Any) -> Encoder:
    """The encoder of that name for that space; "auto" is "population" where every number has bounds, else "current".

    Dict, Discrete, MultiDiscrete and MultiBinary spaces are flattened as Gymnasium does (choices one-hot), and the
    encoder then expects flattened observations.

    >>> from gymnasium.spaces import Box
    >>> encoder = build_encoder("auto", Box(-1, 1, (2,)), curves=12)
    >>> encoder
    Population(2 -> 25)
    """
    if name == "auto":
        name = "population" if options.get("bounds") or bool(bounded(flat(observation_space)).all()) else "current"
    return ENCODERS.get(name)(observation_space, **options)


__all__ = ["ENCODERS", "Encoder", "build_encoder"]

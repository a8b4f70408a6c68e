"""Where Optuna searches: PPO's settings and those of an LSNN, around a recipe whose other settings stay."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna


def suggest(trial: "optuna.Trial") -> dict[str, Any]:
    """One point of the search space, in the search's own terms (logarithms, complements), for `to_settings`."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 5e-3, log=True),
        "n_steps": trial.suggest_categorical("n_steps", [64, 125, 250, 500]),
        "batch_size_pow": trial.suggest_int("batch_size_pow", 8, 14),
        "n_epochs": trial.suggest_int("n_epochs", 1, 8),
        "one_minus_gamma": trial.suggest_float("one_minus_gamma", 1e-3, 0.1, log=True),
        "one_minus_gae_lambda": trial.suggest_float("one_minus_gae_lambda", 1e-3, 0.3, log=True),
        "clip_range": trial.suggest_categorical("clip_range", [0.1, 0.2, 0.3]),
        "ent_coef": trial.suggest_float("ent_coef", 1e-6, 0.05, log=True),
        "max_grad_norm": trial.suggest_float("max_grad_norm", 0.3, 2.0),
        "firing_rate": trial.suggest_float("firing_rate", 1e-5, 1e-2, log=True),
        "cells": trial.suggest_categorical("cells", [64, 128, 256]),
        "adaptive_share": trial.suggest_categorical("adaptive_share", [0.25, 0.5, 0.75]),
        "tau_adapt_ms": trial.suggest_float("tau_adapt_ms", 30.0, 3000.0, log=True),
        "beta": trial.suggest_float("beta", 0.3, 3.0),
        "readout_gain": trial.suggest_float("readout_gain", 0.5, 8.0, log=True),
    }


def to_settings(point: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of RecurrentPPO for a point of the search space.

    Args:
        point: as `suggest` gave it, or as a study kept it.
        base: settings of the recipe; its policy and auxiliary costs are kept where the search does not touch them.

    >>> point = dict(one_minus_gamma=0.25, one_minus_gae_lambda=0.5, batch_size_pow=8, cells=64, adaptive_share=0.25)
    >>> point |= dict(tau_adapt_ms=200.0, beta=1.0, readout_gain=2.0, firing_rate=0.001)
    >>> settings = to_settings(point, {"policy_kwargs": {"readouts": 32}})
    >>> settings["gamma"], settings["batch_size"], settings["policy_kwargs"]["regular"]
    (0.75, 256, 48)
    """
    left = dict(point)
    adaptive = round(left["cells"] * left.pop("adaptive_share"))
    network = {"regular": left.pop("cells") - adaptive, "adaptive": adaptive}
    network |= {name: left.pop(name) for name in ("tau_adapt_ms", "beta", "readout_gain")}
    settings = {
        "gamma": 1 - left.pop("one_minus_gamma"),
        "gae_lambda": 1 - left.pop("one_minus_gae_lambda"),
        "batch_size": 2 ** left.pop("batch_size_pow"),
        "auxiliary": {**base.get("auxiliary", {}), "firing_rate": left.pop("firing_rate")},
        "policy_kwargs": {**base.get("policy_kwargs", {}), **network},
    }
    return {**settings, **left}

"""Milliseconds and hertz outside, simulation steps inside; every conversion is made here and checked."""

import math

from lsnn_rl.errors import BadValue


def decay(tau_ms: float, dt_ms: float, name: str = "tau_ms") -> float:
    """Factor by which an exponential trace shrinks in one simulation step, exp(-dt/tau).

    >>> round(decay(20.0, 1.0), 4)
    0.9512
    """
    if not tau_ms > 0 or not math.isfinite(tau_ms):
        raise BadValue(f"{name} = {tau_ms} is not a time constant. Give a positive number of milliseconds.")
    if tau_ms < 2 * dt_ms and name == "tau_adapt_ms":
        raise BadValue(
            f"{name} = {tau_ms} is barely above one simulation step (dt_ms = {dt_ms}), so nothing would be remembered. "
            f"Time constants are in milliseconds: did you mean {tau_ms * 1000:.0f}?"
        )
    return math.exp(-dt_ms / tau_ms)


def steps(duration_ms: float, dt_ms: float, name: str = "duration_ms") -> int:
    """A duration as a whole number of simulation steps.

    >>> steps(5.0, 1.0)
    5
    """
    if not duration_ms >= 0 or not math.isfinite(duration_ms):
        raise BadValue(f"{name} = {duration_ms} is not a duration. Give zero or a positive number of milliseconds.")
    return round(duration_ms / dt_ms)


def per_step(rate_hz: float, dt_ms: float) -> float:
    """A rate in hertz as expected events per simulation step.

    >>> per_step(10.0, 1.0)
    0.01
    """
    return rate_hz * dt_ms / 1000.0


def hertz(events_per_step: float, dt_ms: float) -> float:
    """Events per simulation step as a rate in hertz."""
    return events_per_step * 1000.0 / dt_ms

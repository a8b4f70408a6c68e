import math

import pytest

from lsnn_rl import units
from lsnn_rl.errors import BadValue


def test_a_trace_shrinks_by_one_e_th_in_one_time_constant():
    assert units.decay(20.0, 1.0) ** 20 == pytest.approx(1 / math.e)


@pytest.mark.parametrize("tau", [0.0, -5.0, math.inf, math.nan])
def test_a_time_constant_is_positive_and_finite(tau):
    with pytest.raises(BadValue, match="positive number of milliseconds"):
        units.decay(tau, 1.0, "tau_mem_ms")


def test_an_adaptation_in_seconds_is_noticed():
    with pytest.raises(BadValue, match="did you mean 1200"):
        units.decay(1.2, 1.0, "tau_adapt_ms")


@pytest.mark.parametrize(("duration_ms", "dt_ms", "steps"), [(5.0, 1.0, 5), (5.0, 0.5, 10), (0.0, 1.0, 0)])
def test_a_duration_is_a_whole_number_of_steps(duration_ms, dt_ms, steps):
    assert units.steps(duration_ms, dt_ms) == steps


def test_a_duration_is_not_negative():
    with pytest.raises(BadValue, match="zero or a positive number"):
        units.steps(-1.0, 1.0, "refractory_ms")


def test_ten_hertz_are_one_spike_in_a_hundred_milliseconds_and_back():
    assert units.per_step(10.0, dt_ms=1.0) * 100 == pytest.approx(1.0)
    assert units.hertz(units.per_step(10.0, 0.5), 0.5) == pytest.approx(10.0)

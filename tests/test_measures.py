"""Two lifetimes played by hand, and textbook survival data."""

import numpy as np
import pytest

from lsnn_rl.agents.measures import (
    Lifetimes,
    adaptation,
    after_discovery_ratio,
    by_trial,
    kaplan_meier,
    memory_gain,
    normalized,
    restricted_mean,
    spikes_per_goal,
    summary,
    trials,
)
from lsnn_rl.agents.statistics import Interval
from lsnn_rl.errors import ShapeMismatch


def lives(hits: list[list[int]], steps: int = 200, spikes: list[float] | None = None) -> Lifetimes:
    """Lifetimes of equal length whose goals came at the given steps."""
    return Lifetimes(
        numbers=np.arange(len(hits)),
        steps=np.full(len(hits), steps),
        returns=np.array([float(len(h)) for h in hits]),
        hit_row=np.repeat(np.arange(len(hits)), [len(h) for h in hits]),
        hit_step=np.array([s for h in hits for s in h], dtype=np.int64),
        spikes=None if spikes is None else np.array(spikes),
    )


HAND = lives([[50, 70, 110], [], [200]])


def test_goals_and_first_find_with_a_lifetime_that_found_nothing():
    assert HAND.goals.tolist() == [3, 0, 1]
    assert HAND.first_find.tolist() == [50, 200, 200]


def test_the_last_trial_is_censored_unless_the_goal_came_in_the_last_step():
    cut = trials(HAND)

    table = sorted(zip(cut.row, cut.index, cut.length, cut.complete, strict=True))
    assert table == [
        (0, 1, 50, True),
        (0, 2, 20, True),
        (0, 3, 40, True),
        (0, 4, 90, False),
        (1, 1, 200, False),
        (2, 1, 200, True),
    ]


def test_kaplan_meier_of_the_leukaemia_patients_of_freireich():
    # 6-mercaptopurine arm, Freireich et al. 1963 as tabulated in Cox and Oakes 1984: weeks in remission, + is censored.
    weeks = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    relapsed = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]

    times, survival = kaplan_meier(weeks, relapsed)

    assert times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert survival == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=1e-3)


def test_without_censoring_the_restricted_mean_is_the_mean_of_the_capped_lengths():
    length = np.random.default_rng(0).integers(1, 100, size=500)

    assert restricted_mean(length, np.ones(500, bool), 60) == pytest.approx(np.minimum(length, 60).mean())


def test_censored_trials_do_not_bias_the_restricted_mean():
    # Geometric trials of mean 20, cut at random times: the mean of what is left complete would be far too short.
    rng = np.random.default_rng(1)
    true, cut = rng.geometric(1 / 20, 20_000), rng.integers(1, 60, 20_000)
    seen, complete = np.minimum(true, cut), true <= cut

    assert restricted_mean(seen, complete, 50) == pytest.approx(np.minimum(true, 50).mean(), rel=0.02)
    assert seen[complete].mean() < 0.8 * 20


def test_normalized_is_zero_at_the_amnesic_and_one_at_the_best_known():
    interval = normalized(Interval(22.3, 21.3, 53.1), amnesic=22.3, best_known=53.1)

    assert interval == pytest.approx((0.0, -1 / 30.8, 1.0))


def test_a_last_stretch_that_is_shorter_counts_by_its_own_length():
    few = lives([[100, 190]])  # of 200 steps: stretches of 80, 80 and 40

    assert adaptation(few, bin_steps=80).tolist() == [[0.0, 1.25, 2.5]]


def test_the_adaptation_curve_puts_each_goal_in_its_stretch():
    # Step 100 is the last of the first hundred, step 101 the first of the second.
    curve = adaptation(lives([[100, 101, 200]]), bin_steps=100)

    assert curve.tolist() == [[1.0, 2.0]]


def test_shorter_stretches_are_scaled_to_goals_per_hundred_steps():
    assert adaptation(lives([[3]]), bin_steps=50).tolist() == [[2.0, 0.0, 0.0, 0.0]]


def test_an_agent_as_quick_as_the_oracle_after_finding_has_ratio_one():
    # Ten steps a goal from step 100 to 200; an oracle that needs ten steps a goal reaches 20 in 200 steps.
    late = lives([list(range(100, 201, 10))])

    assert after_discovery_ratio(late, oracle_goals=20.0).mean == pytest.approx(1.0)


def test_memory_gain_compares_first_and_later_trials():
    # First trials 100 and 60 steps, all later ones 20 steps, the last one of the first lifetime censored at 20.
    remembering = lives([list(range(100, 200, 20)), list(range(60, 201, 20))])

    assert memory_gain(remembering) == pytest.approx(80 / 20)


def test_measures_of_agents_that_never_find_the_goal_twice_are_none():
    once = lives([[10], []])

    assert after_discovery_ratio(once, 20.0) is None
    assert memory_gain(once) is None
    assert summary(once, 20.0)["found"] == 0.5


def test_lengths_by_trial_stop_where_fewer_than_half_of_the_lifetimes_came():
    # Trial 1 took 10, 20 and 30 steps; trial 2 is complete once (10 steps), censored twice; trial 3 began once.
    table = by_trial(lives([[10, 20], [20], [30]]), horizon=100)

    assert table["index"] == [1, 2]
    assert table["begun"] == [3, 3]
    # After 10 steps a third of the second trials has ended; no other end was seen up to the horizon.
    assert table["mean_steps"] == pytest.approx([20.0, 10 + 90 * 2 / 3])


def test_spikes_per_goal_divides_all_spikes_by_all_goals():
    assert spikes_per_goal(lives([[10, 20], [30]], spikes=[400.0, 200.0])).mean == pytest.approx(200.0)
    assert spikes_per_goal(lives([[10]])) is None


def test_every_length_needs_its_mark_of_completion():
    with pytest.raises(ShapeMismatch, match="one mark per length"):
        kaplan_meier([1, 2], [True])

"""Expected values: scipy, or worked out by hand where the comment says how."""

import json
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from lsnn_rl.agents.statistics import (
    bootstrap_interval,
    iqm,
    mean_interval,
    paired_difference,
    probability_of_improvement,
    stratified_bootstrap,
    student_t_quantile,
)
from lsnn_rl.errors import BadValue, ShapeMismatch


@pytest.mark.parametrize("df", [1, 2, 5, 29, 999])
@pytest.mark.parametrize("p", [0.025, 0.5, 0.9, 0.975])
def test_t_quantiles_are_those_of_scipy(df, p):
    assert student_t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), abs=1e-3, rel=1e-4)


def test_the_interval_of_a_mean_is_students():
    x = np.random.default_rng(1).normal(3, 2, size=25)

    interval = mean_interval(x)

    low, high = stats.t.interval(0.95, 24, loc=x.mean(), scale=stats.sem(x))
    assert interval == pytest.approx((x.mean(), low, high), rel=1e-4)


def test_a_single_value_has_no_width():
    assert mean_interval([4.0]) == (4.0, 4.0, 4.0)


@pytest.mark.parametrize("n", [4, 8, 40])
def test_the_interquartile_mean_of_a_multiple_of_four_is_scipys_trimmed_mean(n):
    x = np.random.default_rng(n).exponential(size=n)

    assert iqm(x) == pytest.approx(stats.trim_mean(x, 0.25))


def test_a_value_half_inside_the_middle_half_counts_half():
    # Six values: one and a half are cut from each end, so 1 and 4 count half: (0.5 * 1 + 2 + 3 + 0.5 * 4) / 3.
    assert iqm([0, 1, 2, 3, 4, 50]) == pytest.approx(2.5)


def test_the_bootstrap_of_a_mean_agrees_with_scipys():
    x = np.random.default_rng(2).exponential(size=60)

    interval = bootstrap_interval(x, resamples=4000)

    reference = stats.bootstrap((x,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(3))
    assert interval[1:] == pytest.approx(tuple(reference.confidence_interval), abs=0.02)


def test_the_same_seed_gives_the_same_interval():
    x = np.arange(10.0)

    assert bootstrap_interval(x, seed=5) == bootstrap_interval(x, seed=5)


def test_stratified_bootstrap_never_moves_a_score_to_another_task():
    # Task 0 always scores 0 and task 1 always 1: redrawing runs within a task cannot change the mean.
    scores = np.stack([np.zeros(6), np.ones(6)], axis=1)

    assert stratified_bootstrap(scores, lambda x: float(x.mean())) == (0.5, 0.5, 0.5)


def test_probability_of_improvement_counts_pairs_and_ties_by_half():
    # Pairs of [1, 3] against [2, 3]: lose, lose, win, tie, so 1.5 of 4.
    assert probability_of_improvement([1.0, 3.0], [2.0, 3.0]).mean == pytest.approx(0.375)


def test_probability_of_improvement_is_the_mann_whitney_statistic():
    rng = np.random.default_rng(4)
    x, y = rng.normal(0.5, 1, 12), rng.normal(0, 1, 15)

    assert probability_of_improvement(x, y).mean == pytest.approx(stats.mannwhitneyu(x, y).statistic / (12 * 15))


def test_pairing_takes_the_luck_of_the_lifetimes_out():
    luck = np.random.default_rng(5).normal(0, 10, 50)
    x, y = luck + 1.0, luck + np.linspace(-0.1, 0.1, 50)

    paired = paired_difference(x, y)

    assert paired.mean == pytest.approx(1.0)
    assert paired.high - paired.low < 0.1 < mean_interval(x).high - mean_interval(x).low


def test_nothing_to_average_and_values_that_are_not_numbers_are_refused():
    with pytest.raises(BadValue, match="Pass at least one"):
        mean_interval([])
    with pytest.raises(BadValue, match="1 of 2 values are not finite"):
        mean_interval([1.0, np.nan])


def test_scores_without_a_task_axis_are_refused_with_the_remedy():
    with pytest.raises(ShapeMismatch, match=r"scores\[:, None\]"):
        stratified_bootstrap([1.0, 2.0])


@pytest.mark.slow
def test_robust_statistics_agree_with_rliable(borrow, tmp_path):
    needs = ("rliable", "arch<8", "pandas<3", "statsmodels", "patsy", "pytz", "absl-py", "scipy<1.18")
    rng = np.random.default_rng(6)
    ours, theirs = rng.normal(0.6, 0.2, (12, 4)), rng.normal(0.5, 0.3, (12, 4))
    np.savez(tmp_path / "scores.npz", x=ours, y=theirs)
    code = f"""
import json, sys
sys.path.append({str(borrow(*needs))!r})
import numpy as np
from rliable import library, metrics
scores = np.load({str(tmp_path / "scores.npz")!r})
x, y = scores["x"], scores["y"]
middle = lambda s: np.array([metrics.aggregate_iqm(s)])
points, intervals = library.get_interval_estimates({{"x": x}}, middle, reps=5000)
pairs, spans = library.get_interval_estimates(
    {{"x,y": (x, y)}}, lambda a, b: np.array([metrics.probability_of_improvement(a, b)]), reps=1000
)
print(json.dumps([points["x"][0], *intervals["x"][:, 0], pairs["x,y"][0], *spans["x,y"][:, 0]]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    reference = json.loads(done.stdout.splitlines()[-1])

    middle = stratified_bootstrap(ours, resamples=5000)
    better = probability_of_improvement(ours, theirs, resamples=1000)

    assert (middle.mean, better.mean) == pytest.approx((reference[0], reference[3]), abs=1e-12)
    assert (*middle[1:], *better[1:]) == pytest.approx((*reference[1:3], *reference[4:]), abs=0.02)

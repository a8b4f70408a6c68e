"""What can be read from a state: on worlds and numbers whose answer is known."""

import numpy as np
import pytest

from lsnn_rl.agents import decoder as decoding
from lsnn_rl.agents.inside import record_lives
from lsnn_rl.errors import BadValue, UnknownName

WORLD = "LSNNArena-v0"


@pytest.fixture(scope="module")
def lives():
    return record_lives(f"{WORLD}/lsnn", WORLD, split="train", lifetimes=range(3), steps=120, names=("b", "threshold"))


def test_a_recording_holds_what_was_seen_done_and_hidden(lives):
    assert lives.state["b"].shape == lives.state["threshold"].shape == (120, 3, 300)
    assert lives.obs.shape == (120, 3, 6) and lives.actions.shape == lives.place.shape == (120, 3, 2)
    assert np.allclose(lives.place, lives.obs[..., :2])
    assert np.allclose(np.linalg.norm(lives.task, axis=-1), 0.85)  # goals lie on the ring
    assert lives.parts == {"regular": slice(0, 150), "adaptive": slice(150, 300)}


def test_thresholds_are_told_in_resting_thresholds(lives):
    assert np.allclose(lives.state["threshold"][..., :150], 1.0)
    assert np.allclose(lives.state["threshold"][..., 150:], 1 + 1.7 * lives.state["b"][..., 150:] / 0.01, rtol=1e-4)


def test_the_success_of_a_step_is_known_from_the_next_observation_on(lives):
    found = lives.success.any(axis=0)
    first = lives.success.argmax(axis=0)

    assert found.any()
    for row in np.flatnonzero(found):
        assert not lives.known[: first[row] + 1, row].any() and lives.known[first[row] + 1 :, row].all()


def test_every_second_step_of_a_recording_is_the_recording_of_every_second_step(lives):
    thin = record_lives(f"{WORLD}/lsnn", WORLD, split="train", lifetimes=range(3), steps=120, names=("b",), every=2)

    assert np.array_equal(thin.state["b"], lives.state["b"][::2]) and np.array_equal(thin.place, lives.place[::2])


def test_a_linear_code_is_read_without_error_and_noise_not_at_all():
    rng = np.random.default_rng(0)
    task = rng.normal(size=(600, 2))
    code = task @ rng.normal(size=(2, 20)) + 3.0
    noise = rng.normal(size=(600, 20))

    clear = decoding.fit(code[:400], task[:400], code[400:], task[400:])
    empty = decoding.fit(noise[:400], task[:400], noise[400:], task[400:])

    assert clear.r2 > 0.999 and clear.error < 0.05
    assert abs(empty.r2) < 0.1
    assert np.allclose(clear.read(code[:5]), task[:5], atol=0.02)


def test_a_neuron_that_never_moved_says_nothing():
    rng = np.random.default_rng(1)
    task = rng.normal(size=(300, 1))
    code = np.concatenate([task, np.full((300, 1), 7.0)], axis=1)

    fitted = decoding.fit(code[:200], task[:200], code[200:], task[200:])

    assert np.allclose(fitted.read(np.array([[0.5, 7.0]])), fitted.read(np.array([[0.5, 70.0]])))


def test_the_belief_is_a_density_as_wide_as_its_errors():
    rng = np.random.default_rng(2)
    task = rng.normal(size=(4000, 2))
    code = task + 0.5 * rng.normal(size=(4000, 2))
    fitted = decoding.fit(code[:2000], task[:2000], code[2000:], task[2000:])

    axis = np.linspace(-4, 4, 161)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    density = fitted.density([0.2, -0.1], grid)

    # Reading x = task + noise, the error that ridge regression leaves has variance 1 * 0.25 / 1.25 = 0.2 (Bayes).
    assert density.sum() * 0.05**2 == pytest.approx(1.0, abs=1e-3)
    assert np.allclose(fitted.covariance, 0.2 * np.eye(2), atol=0.03)
    assert np.allclose(grid.reshape(-1, 2)[density.argmax()], [0.2, -0.1], atol=0.03)


def test_thresholds_tell_the_goal_of_lifetimes_that_were_not_fitted():
    read = decoding.fit_decoder(
        f"{WORLD}/lsnn", WORLD, names="b", units="adaptive", lifetimes=12, held_out=12, steps=800
    )

    state = record_lives(f"{WORLD}/lsnn", WORLD, split="test", lifetimes=range(6), steps=600, names=("b",))
    belief = read({"b": state.state["b"][-1]})
    away = np.linalg.norm(belief - state.task[-1], axis=1)

    assert read.weights.shape == (150, 2) and read.r2 > 0.4
    assert np.median(away[state.known[-1]]) < 0.6  # a guess at random on the ring is 1.1 away


@pytest.mark.parametrize(
    ("arguments", "error", "remedy"),
    [
        ({"names": "bb"}, UnknownName, "Did you mean 'b'"),
        ({"units": "adaptve"}, UnknownName, "Did you mean 'adaptive'"),
        ({"steps": 2}, BadValue, "more lifetimes or steps"),
        ({"lifetimes": 0}, BadValue, "at least one of each"),
    ],
)
def test_what_cannot_be_read_is_explained(arguments, error, remedy):
    with pytest.raises(error, match=remedy):
        decoding.fit_decoder(f"{WORLD}/lsnn", WORLD, **{"lifetimes": 2, "held_out": 2, "steps": 20, **arguments})


def test_a_searcher_without_neurons_has_no_belief_to_read():
    with pytest.raises(BadValue, match="no recurrent network"):
        decoding.fit_decoder("oracle", WORLD)

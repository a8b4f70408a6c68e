"""Figures show what they are given: numbers are read back off the drawing."""

import csv

import numpy as np
import pytest

from lsnn_rl import load_agent
from lsnn_rl.agents import figures
from lsnn_rl.agents.figures import neurons, training
from lsnn_rl.agents.figures.style import save_small
from lsnn_rl.agents.inside import Lives, look_inside, record_lives
from lsnn_rl.agents.measures import Lifetimes
from lsnn_rl.errors import BadValue, LSNNError, MissingFile, UnknownName

AGENT, WORLD = "LSNNArena-v0/lsnn", "LSNNArena-v0"


@pytest.fixture(scope="module")
def inside():
    return look_inside(AGENT, WORLD, steps=200)


def lines(axes):
    return [np.asarray(line.get_ydata(), float) for line in axes.lines]


def test_survival_shows_the_kaplan_meier_curve_of_each_trial():
    lives = Lifetimes(np.arange(4), np.full(4, 10), np.zeros(4), np.array([0, 1, 2, 2]), np.array([2, 4, 2, 8]))

    (axes,) = figures.survival(lives, trials=(1, 2)).axes

    # First trials end after 2, 4, 2 steps, one is cut short at 10: 2 of 4 left, then 1 of 4.
    assert axes.lines[0].get_xdata().tolist() == [0, 2, 4, 10]
    assert lines(axes)[0].tolist() == [1.0, 0.5, 0.25, 0.25]
    with pytest.raises(BadValue, match="Train it longer"):
        figures.survival(lives, trials=(7,))


def test_a_learning_curve_of_seeds_shows_their_mean():
    seeds = [([0, 1e6, 2e6], [0.0, 1.0, 2.0]), ([0, 1e6, 2e6], [2.0, 3.0, 4.0])]

    (axes,) = figures.learning({"lsnn": seeds, "gru": seeds[0]}).axes

    assert lines(axes)[2].tolist() == [1.0, 2.0, 3.0] and lines(axes)[3].tolist() == [0.0, 1.0, 2.0]
    assert any("lsnn (2 seeds)" in text.get_text() for text in axes.texts)


def test_logs_are_read_from_csv_from_tensorboard_and_from_folders_of_seeds(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    for seed in (0, 1):
        session = tmp_path / "seeds" / f"seed{seed}" / "logs" / "1"
        session.mkdir(parents=True)
        with open(session / "progress.csv", "w", newline="") as file:
            csv.writer(file).writerows([["time/total_timesteps", "lifetime/goals"], [100, 1 + seed], [200, ""]])
    board = SummaryWriter(str(tmp_path / "board" / "PPO_1"))
    for step in (10, 20):
        board.add_scalar("rollout/ep_rew_mean", step / 10, step)
    board.close()

    assert figures.training_logs(tmp_path / "seeds") == [([100.0], [1.0]), ([100.0], [2.0])]
    assert figures.training_logs(tmp_path / "board", "rollout/ep_rew_mean") == [([10.0, 20.0], [1.0, 2.0])]
    with pytest.raises(MissingFile, match="'train/nothing'"):
        training.training_log(tmp_path / "board", "train/nothing")
    with pytest.raises(MissingFile, match="trained for a while"):
        figures.training_logs(tmp_path)


def test_a_raster_draws_every_population_in_the_order_asked_for(inside):
    tuning = np.linspace(-3, 3, 300)[::-1].copy()

    plain = figures.raster(inside, cells=10)
    placed = figures.raster(inside, cells=10, order="place", tuning=tuning)

    assert [axes.get_ylabel() for axes in plain.axes[:3]] == ["regular\ncells", "adaptive\ncells", "their\nthresholds"]
    assert len(lines(plain.axes[0])[0]) == len(lines(placed.axes[0])[0]) > 0  # the same spikes, otherwise ordered
    with pytest.raises(UnknownName, match="Known: first spike, place"):
        figures.raster(inside, order="plce")
    with pytest.raises(BadValue, match="preferred_directions"):
        figures.raster(inside, order="place")


def test_threshold_traces_are_the_thresholds(inside):
    figure = figures.thresholds(inside, cells=2)

    shown = [lines(axes)[0] for axes in figure.axes]
    assert len(shown) == 2
    assert all(any(np.allclose(trace, level) for level in inside.threshold.T) for trace in shown)


def places_and_spikes():
    """Cell 0 fires on the right half, cell 1 everywhere, cell 2 never."""
    rng = np.random.default_rng(0)
    place = rng.uniform(-0.7, 0.7, (500, 4, 2)).astype(np.float32)
    z = np.stack([place[..., 0] > 0, np.ones((500, 4)), np.zeros((500, 4))], axis=-1).astype(np.float32)
    alive = np.ones((500, 4), bool)
    task = np.zeros((500, 4, 2), np.float32)
    return Lives({"z": z}, place, place, ~alive, alive, task, alive, place, {"regular": slice(0, 3)})


def test_a_cell_that_fires_on_the_right_has_its_field_there():
    lives = places_and_spikes()

    rates, visits = neurons.rate_maps(lives, bins=2)

    assert visits.sum() == 2000
    assert rates[0].tolist() == [[0.0, 0.0], [1.0, 1.0]] and (rates[1] == 1).all() and (rates[2] == 0).all()
    assert neurons.spatial_information(rates, visits)[0] == pytest.approx(0.5, abs=0.02)  # half a step, one bit each
    assert abs(neurons.preferred_directions(lives)[0]) < 0.1
    assert (
        len([axes for axes in figures.place_fields(lives, bins=8).axes if axes.images]) == 2
    )  # the silent one is left out


def test_rewiring_is_counted_and_filmed(tmp_path):
    import imageio.v3 as imageio

    before, after = np.zeros((6, 6)), np.zeros((6, 6))
    before[0, :4] = after[0, 2:] = 1.0

    figure = figures.rewired(before, after)
    film = figures.wiring_movie([before, after], tmp_path / "wiring.gif", fps=3)

    assert [text.get_text() for text in figure.texts[:3]] == ["kept 2", "grown 2", "gone 2"]
    assert len(imageio.imread(film)) >= 2
    with pytest.raises(BadValue, match="at least two"):
        figures.wiring_movie([before], tmp_path / "wiring.gif")


def test_the_matrix_shown_is_the_matrix_of_weights():
    network = load_agent(AGENT).policy.network

    shown = figures.connectivity(network).axes[1].images[0].get_array()

    weights = network.weights().w_rec.detach().numpy()
    assert shown.shape == (300, 300)
    assert np.array_equal(np.sign(shown), np.sign(weights))


def test_regret_of_a_random_player_is_the_mean_gap_and_of_the_oracle_nothing():
    random = figures.bandit_regret("random", "LSNNBernoulliBandit-v0", 400)
    oracle = figures.bandit_regret("oracle", "LSNNBernoulliBandit-v0", 50)

    # Ten arms, uniform: the best has mean 10/11, an arm at random 1/2.
    assert random.mean() == pytest.approx(10 / 11 - 0.5, abs=0.02) and (oracle == 0).all()
    (axes,) = figures.regret({"random": random}).axes
    assert lines(axes)[0][-1] == pytest.approx(random.sum(axis=1).mean())
    with pytest.raises(BadValue, match="Choose a bandit"):
        figures.bandit_regret("oracle", WORLD, 2)


def test_functions_are_drawn_with_the_examples_seen_so_far():
    x, asked = np.linspace(0, 1, 9), np.linspace(0, 1, 10)[None]

    figure = figures.function_learning(x, x[None] ** 2, {5: x[None], 10: x[None] ** 2}, asked, asked**2)

    assert [len(lines(axes)[2]) for axes in figure.axes] == [5, 10]
    assert "error 0.00" in figure.axes[1].get_title()
    with pytest.raises(BadValue, match="found 10"):
        figures.function_learning(x, x[None], {11: x[None]}, asked, asked)


def test_an_option_of_another_kind_is_named():
    with pytest.raises(UnknownName, match="option of learning is called 'order'.*tag"):
        figures.draw("learning", ["runs"], order="place")
    with pytest.raises(UnknownName, match="option of scores"):
        figures.draw("scores", ["runs"], function=3)


def test_the_listing_names_every_kind_and_what_it_is_made_from():
    said = figures.listing().splitlines()[1:]

    assert [line.split()[0] for line in said] == list(figures.KINDS)
    assert all(" From " in line for line in said)


def test_a_small_picture_is_smaller_and_has_its_size(tmp_path, inside):
    from PIL import Image

    figure = figures.raster(inside)
    figure.savefig(tmp_path / "large.png", dpi=120)
    save_small(figure, tmp_path / "small.png", dpi=120)

    assert (tmp_path / "small.png").stat().st_size < 0.6 * (tmp_path / "large.png").stat().st_size
    assert Image.open(tmp_path / "small.png").size == Image.open(tmp_path / "large.png").size


def test_lifetimes_without_places_are_told_apart():
    lives = record_lives(AGENT, WORLD, lifetimes=[0], steps=3)
    blind = Lives(**{**lives.__dict__, "place": None})

    with pytest.raises(BadValue, match="Record an arena"):
        figures.place_fields(blind)
    with pytest.raises(BadValue, match="Record an arena"):
        figures.place_fields(Lives(**{**lives.__dict__, "place": lives.place[..., 0]}))  # a corridor's


@pytest.mark.parametrize(
    ("kind", "place", "remedy"),
    [
        ("adaptation", "smnist/ours", "card of a supervised task, smnist"),
        ("adaptation", "LSNNArena-v0/none", "There is no card at"),
        ("surgery", "LSNNCartPoleNoVel-v0/lsnn_direct", "is no arena.*Use LSNNArena-v0"),
        ("surgery", "oracle", "Oracle has no recurrent network"),
        ("lessons", "smnist/ours", "is a run of smnist. Give one of lsnn-rl pretrain function_learning"),
        ("lessons", "LSNNTMaze-v0/lsnn", "is the run of an agent in a world"),
    ],
)
def test_a_place_of_another_kind_is_answered_with_what_to_give(kind, place, remedy):
    with pytest.raises(LSNNError, match=remedy):
        figures.draw(kind, [place])


def test_cards_of_the_zoo_are_drawn_by_their_names():
    figure = figures.draw("adaptation", ["LSNNArena-v0/lsnn"])

    assert "LSNNArena-v0" in figure.axes[0].get_title(loc="left")

"""Learning from a teacher: the examples are those of the worlds, and what is learned is in the state alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from lsnn_rl.agents import figures
from lsnn_rl.agents.figures.lessons import after_examples, error_by_example
from lsnn_rl.agents.lessons import NETWORK, RESET, SPIKES, Pupil, along, classical, compare, table
from lsnn_rl.agents.zoo_pages import supervised
from lsnn_rl.agents.zoo_rows import Row
from lsnn_rl.cli import main
from lsnn_rl.envs.function_families import Sines, TargetNetworks
from lsnn_rl.errors import BadValue, MissingFile, UnknownName
from lsnn_rl.pretrain.loop import pretrain
from lsnn_rl.pretrain.model import build_model, build_task
from lsnn_rl.pretrain.recipe import PretrainRecipe, find_recipe
from lsnn_rl.tasks.function_learning import FunctionLearning, Lessons


def lesson(**options):
    """Recipe of a small network that learns sines of one phase, of which one example tells the amplitude."""
    return PretrainRecipe.from_dict(
        {
            "task": {
                "name": "function_learning",
                "kwargs": {"family": "sine", "examples": 8, "most_phase": 0.0, "functions": 64, "curves": 16},
            },
            "network": {"cell": "lsnn", "regular": 40, "adaptive": 40, "dt_ms": 5.0, "substeps": 3}
            | {"tau_adapt_ms": 200, "thr": 0.03, "delay_ms": 5.0},
            "optimizer": {"learning_rate": 0.01, "max_norm": 1.0},
            "train": {"iterations": 3, "batch": 32, "validate_every": 100, **options},
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, pretrain(lesson(), folder, progress=False)


# ---- what is dealt out -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sine", "target_network"])
def test_with_each_place_comes_the_value_at_the_place_before_and_zero_with_the_first(name):
    task = FunctionLearning(family=name, examples=6, spiking=False)
    lessons, batch = task.lessons("train", 4, 2, seed=1), task.batch("train", 4, 2, seed=1)

    seen = batch.x.numpy() * task.half + task.middle  # [E, N, D + 1]

    assert seen[..., :-1] == pytest.approx(lessons.x.swapaxes(0, 1), abs=1e-5)
    assert seen[0, :, -1] == pytest.approx(np.zeros(4), abs=1e-6)
    assert seen[1:, :, -1] == pytest.approx(batch.target[:-1].numpy(), abs=1e-5)


def test_the_values_are_those_of_one_sine_per_sequence():
    task = FunctionLearning(family="sine", examples=6)
    lessons, batch = task.lessons("test", 4, 0), task.batch("test", 4, 0)

    amplitude, phase = lessons.functions.T[:, :, None]

    assert batch.target.t().numpy() == pytest.approx(amplitude * np.sin(phase + lessons.x[..., 0]), abs=1e-5)


def test_sines_spread_as_theory_says():
    lessons = FunctionLearning(family="sine", examples=20).lessons("train", 4000, 0)

    amplitudes, phases = lessons.functions.T

    assert amplitudes.mean() == pytest.approx(2.55, abs=5 * 4.9 / 12**0.5 / 4000**0.5)
    assert (phases.min(), phases.max()) == pytest.approx((0, np.pi / 2), abs=0.01)
    second_moment = (5**3 - 0.1**3) / (3 * 4.9)  # of a uniform amplitude
    waves = 0.5 * (1 - np.sin(10) / 10 * (np.sin(np.pi) - np.sin(0)) / np.pi)  # E sin^2(phi + x), x and phi uniform
    assert (lessons.y**2).mean() == pytest.approx(second_moment * waves, rel=0.05)


def test_target_networks_reach_from_zero_to_one_and_vary_as_much_as_measured_before():
    lessons = FunctionLearning(examples=200).lessons("train", 300, 0)

    assert lessons.y.min() >= 0
    assert lessons.y.max() <= 1
    assert lessons.y.var(axis=1).mean() == pytest.approx(0.057, abs=0.003)


def test_a_tuning_curve_peaks_where_its_place_is():
    task = FunctionLearning(family="sine", examples=3, curves=11, width=1.0)
    lessons, batch = task.lessons("train", 2, 0), task.batch("train", 2, 0)

    centres = np.linspace(-5, 5, 11)
    expected = np.exp(-0.5 * ((centres - lessons.x.swapaxes(0, 1)) / (10 / 11)) ** 2)

    assert batch.x[..., :11].numpy() == pytest.approx(np.where(expected < np.exp(-8), 0, expected), abs=1e-5)


def test_the_papers_spikes_come_at_two_hundred_hertz_from_curves_of_its_width():
    task = FunctionLearning(coding="poisson", curves=100, examples=40)
    batch = task.batch("train", 16, 0)

    assert batch.x.shape == (40 * 20, 16, 300)
    assert set(batch.x.unique().tolist()) == {0.0, 1.0}
    spacing, sigma = 2 / 99, (2 / 1000) ** 0.5
    inside = 4.0 * (1 - sigma * (2 / np.pi) ** 0.5)  # the area under a line of curves, less what both ends cut off
    expected = 0.2 * inside / 4 * (2 * np.pi) ** 0.5 * sigma / spacing
    assert float(batch.x[..., :100].sum(dim=-1).mean()) == pytest.approx(expected, rel=0.05)


def test_what_spikes_say_of_an_example_is_averaged_over_its_twenty_milliseconds():
    task = FunctionLearning(family="sine", coding="poisson", examples=2)
    readout = torch.cat([torch.full((20, 3, 1), 0.5), torch.full((20, 3, 1), -0.2)])

    assert task.prediction(readout).tolist() == [[pytest.approx(2.5)] * 3, [pytest.approx(-1.0)] * 3]


def test_the_same_arguments_give_the_same_spikes():
    task = FunctionLearning(family="sine", coding="poisson", examples=2)

    assert torch.equal(task.batch("train", 3, 1, seed=5).x, task.batch("train", 3, 1, seed=5).x)


def test_a_perfect_answer_costs_nothing_and_an_error_counts_in_natural_units():
    task = FunctionLearning(family="sine", examples=4)
    batch = task.batch("train", 3, 0)
    perfect = batch.target[..., None] / 5

    assert float(task.loss(perfect, batch)) == pytest.approx(0, abs=1e-10)
    assert task.scores(perfect + 0.2, batch).shape == (3, 4)
    assert float(task.scores(perfect + 0.2, batch).mean()) == pytest.approx(1.0, rel=1e-4)  # 0.2 of 5, squared


def test_what_makes_no_task_is_answered_with_what_would():
    with pytest.raises(UnknownName, match="sine"):
        FunctionLearning(family="sines")
    with pytest.raises(UnknownName, match="poisson"):
        FunctionLearning(coding="spikes")
    with pytest.raises(BadValue, match="at least 1 example"):
        FunctionLearning(examples=0)


@pytest.mark.parametrize("recipe", ["sines", "networks"])
def test_controls_have_as_many_parameters_as_the_network_within_a_hundredth(recipe):
    recipe = find_recipe("function_learning", recipe)
    own = parameters(recipe)

    for cell in ("lif", "lstm", "gru"):
        assert parameters(recipe.with_cell(cell)) == pytest.approx(own, rel=0.01)


def parameters(recipe):
    return sum(p.numel() for p in build_model(recipe, build_task(recipe)).parameters())


# ---- who learns ------------------------------------------------------------------------------------------------------


def test_the_card_counts_functions_and_has_the_error_of_every_example(run):
    _, card = run

    assert card["test"]["answers"] == 64
    assert len(card["by_example"]["mean"]) == 8
    assert np.mean(card["by_example"]["mean"]) == pytest.approx(card["test"]["mean"], abs=1e-5)


def test_a_squared_error_is_not_written_as_a_share(run):
    _, card = run

    assert f"| mean squared error {card['test']['mean']:.4f} |" in supervised([Row("a/b", Path(), (card,), True)])


def test_reset_before_each_example_the_network_says_what_it_would_say_of_a_first_one(run):
    pupil = Pupil(run[0])
    x, y = np.random.default_rng(0).uniform(-5, 5, (3, 4, 1)), np.ones((3, 4))

    reset = pupil.predict(Lessons(np.zeros((3, 2)), x, y), reset=True)

    first = pupil.predict(Lessons(np.zeros((3, 2)), x[:, :1], y[:, :1]))
    assert reset[:, :1] == pytest.approx(first, abs=1e-6)
    assert not np.allclose(reset[:, 1:], pupil.predict(Lessons(np.zeros((3, 2)), x, y))[:, 1:])


def test_a_prediction_depends_on_the_past_and_not_on_what_is_still_to_come(run):
    pupil = Pupil(run[0])
    lessons = pupil.task.lessons("test", 5, 0)
    other = lessons._replace(y=lessons.y.copy())
    other.y[:, 3] += 1

    before, after = pupil.predict(lessons), pupil.predict(other)

    assert np.array_equal(before[:, :4], after[:, :4])
    assert not np.array_equal(before[:, 4:], after[:, 4:])


def test_spikes_are_counted_example_by_example(run):
    pupil = Pupil(run[0])
    lessons = pupil.task.lessons("test", 5, 0)

    counts = pupil.spike_counts(lessons)

    assert counts.shape == (5, 8, 80)
    together = pupil.model(pupil.lines(lessons))[1]
    assert counts.sum(axis=1) == pytest.approx(together.detach().numpy())


def test_who_knows_the_family_of_sines_needs_two_examples_and_the_own_mean_is_the_mean():
    lessons = FunctionLearning(family="sine", examples=6).lessons("test", 50, 0)

    known, mean = (classical(name, Sines(), lessons) for name in ("knows the family", "own mean"))

    assert np.abs(known[:, 3:] - lessons.y[:, 3:]).max() < 0.05
    assert mean[:, 5] == pytest.approx(lessons.y[:, :5].mean(axis=1), abs=0.01)


def test_ridge_on_x_learns_target_networks_as_well_as_a_plane_can():
    lessons = FunctionLearning(examples=100).lessons("test", 100, 0)

    error = (classical("ridge on x", TargetNetworks(), lessons) - lessons.y) ** 2

    assert error[:, 0].mean() > 0.05
    assert error[:, 90:].mean() == pytest.approx(0.0010, abs=0.0004)  # least squares on 450 examples


def test_ridge_along_the_examples_is_ridge_on_those_before():
    generator = np.random.default_rng(0)
    features, y = generator.normal(size=(2, 7, 3)), generator.normal(size=(2, 7))

    predicted = along(features, y, pull=0.5)[1, 6]

    before, target = features[1, :6] - features[1, :6].mean(axis=0), y[1, :6] - y[1, :6].mean()
    weights = np.linalg.inv(before.T @ before + 0.5 * np.eye(3)) @ before.T @ target
    assert predicted == pytest.approx(y[1, :6].mean() + (features[1, 6] - features[1, :6].mean(axis=0)) @ weights)


def test_all_learners_are_compared_on_the_same_functions_and_drawn(run):
    pupil = Pupil(run[0])

    errors = compare(pupil, functions=16)

    assert {NETWORK, RESET, SPIKES, "own mean", "Gaussian process", "online backprop"} <= set(errors)
    assert {error.shape for error in errors.values()} == {(16, 8)}
    assert errors[NETWORK][:, 0] == pytest.approx(errors[RESET][:, 0], abs=1e-6)
    assert f"{errors[NETWORK].mean():.4f}" in table(errors).splitlines()[1]
    drawn = error_by_example(errors), after_examples(pupil, counts=(0, 2, 5))
    assert all(isinstance(figure, Figure) for figure in drawn)
    assert [axes.get_title(loc="left") for axes in drawn[1].axes[:2]] == ["before any example", "after 2 examples"]


def test_both_figures_are_drawn_from_the_command_line(run, tmp_path):
    for kind, more in (("lessons", []), ("beliefs", ["--function", "3"])):
        with pytest.raises(SystemExit, match="0"):
            main(["plot", str(run[0]), "--kind", kind, "--out", str(tmp_path / f"{kind}.svg"), *more])

    assert "no memory" in (tmp_path / "lessons.svg").read_text()
    assert "before any example" in (tmp_path / "beliefs.svg").read_text()


def test_beliefs_are_of_the_function_that_was_asked_for(run):
    truth = Pupil(run[0]).task.lessons("test", 4, 0).functions[3]

    figure = figures.draw("beliefs", [run[0]], function=3)

    x, y = figure.axes[0].lines[0].get_data()
    assert y == pytest.approx(truth[0] * np.sin(x + truth[1]))


def test_another_network_is_compared_on_the_same_functions_or_not_at_all(run, tmp_path):
    other = lesson(iterations=1).with_changes(["task.kwargs.examples=5"])
    pretrain(other, tmp_path, progress=False)
    pupil = Pupil(run[0])

    errors = compare(pupil, functions=8, others={"twin": Pupil(run[0])})

    assert np.array_equal(errors["twin"], errors[NETWORK])
    with pytest.raises(BadValue, match="5, not 8"):
        compare(pupil, functions=8, others={"short": Pupil(tmp_path)})


def test_a_folder_without_a_trained_network_is_answered_with_how_to_get_one(tmp_path):
    lesson().save(tmp_path / "recipe.yml")

    with pytest.raises(MissingFile, match="--resume"):
        Pupil(tmp_path)


def test_a_network_of_another_task_is_refused(tmp_path):
    PretrainRecipe().save(tmp_path / "recipe.yml")

    with pytest.raises(BadValue, match="function_learning"):
        Pupil(tmp_path)


def test_a_small_network_learns_to_learn_the_amplitude_of_sines(tmp_path):
    card = pretrain(lesson(iterations=150), tmp_path, progress=False)

    errors = compare(Pupil(tmp_path), functions=64)
    assert card["test"]["mean"] < 0.7 * errors["own mean"].mean()
    assert errors[NETWORK][:, 2:].mean() < 0.8 * errors[RESET][:, 2:].mean()


@pytest.mark.slow
def test_a_network_learns_to_learn_sines_better_than_without_memory(tmp_path):
    recipe = find_recipe("function_learning", "sines").with_changes(
        ["train.iterations=800", "train.validate_every=200"]
    )

    pretrain(recipe, tmp_path, progress=False)

    errors = compare(Pupil(tmp_path))
    assert errors[NETWORK].mean() < 0.85
    assert errors[NETWORK].mean() < errors["no memory but the last target"].mean() < errors[RESET].mean()

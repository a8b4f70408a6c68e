"""The supervised loop: it learns, it can be interrupted, and it looks at the test split once."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from lsnn_rl import pretrain as room
from lsnn_rl.cli import main
from lsnn_rl.errors import BadValue, BrokenFile, LSNNError, MissingFile, UnknownName
from lsnn_rl.pretrain import checkpoint
from lsnn_rl.pretrain.cards import interval, load_card
from lsnn_rl.pretrain.loop import Training, pretrain, resume
from lsnn_rl.pretrain.model import ThresholdReader, build_model, build_optimizer, build_task
from lsnn_rl.pretrain.recipe import OptimizerRecipe, PretrainRecipe, find_recipe, read_recipe, zoo
from lsnn_rl.pretrain.schedules import factor
from lsnn_rl.tasks import TASKS, smnist
from lsnn_rl.tasks.mnist_files import Digits

ROOT = Path(__file__).resolve().parent.parent
TINY = {"symbols": 4, "symbol_ms": 10.0, "delay": 1.0, "lines": 8}


def tiny(**changes):
    """Store-recall in 40 ms, a dozen cells, DEEP R, a dozen iterations: every part is there, none takes long."""
    recipe = PretrainRecipe.from_dict(
        {
            "task": {"name": "store_recall", "kwargs": TINY},
            "network": {"cell": "lsnn", "regular": 6, "adaptive": 6, "tau_adapt_ms": 40, "refractory_ms": 2},
            "rewiring": {"connectivity": 0.4},
            "optimizer": {"schedule": "cosine", "warm_up": 3},
            "cost": {"firing_rate": 0.1},
            "train": {"iterations": 12, "batch": 16, "validate_every": 3, "validation_batch": 300},
        }
    )
    return recipe.with_changes([f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in changes.items()])


@pytest.fixture
def no_digits(monkeypatch):
    """Sequential MNIST without its files: a network can be built all the same."""
    blank = Digits(np.zeros((50, 784), np.uint8), np.zeros(50, int), np.zeros((5, 784), np.uint8), np.zeros(5, int), "")
    monkeypatch.setattr(smnist, "load_digits", lambda *places: blank)


def weights_of(folder):
    return checkpoint.read(folder / "checkpoint.ckpt")["weights"]


# ---- the loop --------------------------------------------------------------------------------------------------------


def test_a_run_that_was_interrupted_ends_with_the_same_weights_bit_for_bit(tmp_path, monkeypatch):
    whole = pretrain(tiny(), tmp_path / "whole", progress=False)

    step = Training.step

    def step_or_stop(training):
        if training.iteration == 7:
            raise KeyboardInterrupt
        return step(training)

    monkeypatch.setattr(Training, "step", step_or_stop)
    with pytest.raises(room.Interrupted, match="--resume"):
        pretrain(tiny(train__checkpoint_every_s=1e-6), tmp_path / "halves", progress=False)
    monkeypatch.setattr(Training, "step", step)
    halves = resume(tmp_path / "halves", progress=False)

    before, after = weights_of(tmp_path / "whole"), weights_of(tmp_path / "halves")
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert whole["curve"] == halves["curve"]
    assert whole["test"] == halves["test"]


def test_two_seeds_learn_from_different_weights_and_examples(tmp_path):
    first, second = Training(tiny()), Training(tiny(train__seed=1))

    assert not torch.equal(first.model.network.w_in, second.model.network.w_in)
    assert first.step()["loss"] != second.step()["loss"]


def test_the_test_split_is_asked_once_with_the_weights_that_validation_chose(tmp_path, monkeypatch):
    asked = []
    judge = Training.judge

    def watch(training, split):
        asked.append((split, training.model.network.w_out.detach().clone()))
        return judge(training, split)

    monkeypatch.setattr(Training, "judge", watch)
    card = pretrain(tiny(), tmp_path / "run", progress=False)

    assert [split for split, _ in asked] == ["validation"] * 4 + ["test"]
    best = card["curve"]["iteration"].index(card["validation"]["iteration"])
    assert card["validation"]["best"] == pytest.approx(min(card["curve"]["validation"]), abs=1e-5)
    assert torch.equal(asked[-1][1], asked[best][1])


def test_training_ends_when_validation_stops_improving(tmp_path, monkeypatch):
    monkeypatch.setattr(Training, "judge", lambda training, split: (torch.full((10,), 0.5), None))

    card = pretrain(tiny(train__patience=2), tmp_path / "run", progress=False)

    assert card["ended"] == "patience"
    assert card["iterations"] == 9  # best at 3, no better at 6 and 9


def test_training_ends_when_the_goal_is_reached(tmp_path):
    card = pretrain(tiny(train__goal=1.0), tmp_path / "run", progress=False)

    assert card["ended"] == "goal"
    assert card["iterations"] == 3


def test_the_schedule_follows_the_clock_where_that_is_faster(tmp_path):
    training = Training(tiny(train__minutes=1, optimizer__warm_up=0))
    training.elapsed_s = 30.0

    assert training.share() == 0.5
    assert training.step()["learning_rate"] == pytest.approx(0.005)


def test_a_carried_state_reaches_the_next_batch(tmp_path):
    training = Training(tiny())
    training.step()

    assert training.state is not None
    assert float(training.state["b"].abs().sum()) > 0
    assert not training.state["v"].requires_grad


def test_a_run_folder_holds_what_it_takes_to_believe_it(tmp_path):
    card = pretrain(tiny(), tmp_path / "run", name="tiny", progress=False)

    found = {file.name for file in (tmp_path / "run").iterdir()}
    assert found == {"recipe.yml", "command.txt", "checkpoint.ckpt", "logs", "network.safetensors", "card.json"}
    assert load_card(tmp_path / "run") == card
    assert read_recipe(tmp_path / "run") == tiny()
    assert str(tmp_path) not in (tmp_path / "run" / "card.json").read_text()


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path):
    pretrain(tiny(train__iterations=1), tmp_path / "run", progress=False)

    with pytest.raises(BadValue, match="--resume"):
        pretrain(tiny(), tmp_path / "run", progress=False)


def test_a_checkpoint_that_was_cut_short_is_named(tmp_path):
    pretrain(tiny(train__iterations=1), tmp_path / "run", progress=False)
    file = tmp_path / "run" / "checkpoint.ckpt"
    file.write_bytes(file.read_bytes()[:-5])

    with pytest.raises(BrokenFile, match="begin anew"):
        resume(tmp_path / "run", progress=False)


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path):
    with pytest.raises(MissingFile, match=r"recipe\.yml"):
        resume(tmp_path, progress=False)


def test_a_loss_that_is_no_number_ends_the_run_with_advice():
    training = Training(tiny())
    with torch.no_grad():
        training.model.network.w_out.fill_(float("nan"))

    with pytest.raises(BadValue, match="learning_rate"):
        training.step()


# ---- recipes and models ----------------------------------------------------------------------------------------------


def shipped():
    return sorted(str(file.parent.relative_to(zoo())) for file in zoo().glob("*/*/recipe.yml"))


@pytest.mark.parametrize("name", shipped())
def test_every_recipe_that_ships_builds_for_every_cell_it_names(name, no_digits):
    recipe = read_recipe(zoo() / name)
    if recipe.task.name not in ("smnist", "store_recall", "evidence"):
        return  # tasks with data of their own are built in their own tests

    for cell in [recipe.network["cell"], *recipe.cells]:
        own = recipe.with_cell(cell)
        model = build_model(own, build_task(own))
        build_optimizer(own, model)

        assert own.network["cell"] == cell
        assert model.network.readouts == build_task(own).readouts


def test_the_paper_s_network_has_68210_weights_of_which_8185_exist(no_digits):
    recipe = find_recipe("smnist", "paper-1ms")
    model = build_model(recipe, build_task(recipe))
    optimizer = build_optimizer(recipe, model)

    assert sum(p.numel() for p in model.parameters()) == 68210
    assert abs(optimizer.budget + 10 - 8185) < 30  # self-connections are no room for synapses here


def test_the_paper_s_lstm_has_67850_weights_and_remembers_at_first(no_digits):
    recipe = find_recipe("smnist", "paper-1ms").with_cell("lstm")
    network = build_model(recipe, build_task(recipe)).network

    # torch keeps two biases for each gate, TensorFlow one
    assert sum(p.numel() for p in network.parameters()) - network.bias_rec.numel() == 67850
    assert network.bias_in[128:256].mean().item() == pytest.approx(1.0, abs=0.05)


def test_another_cell_replaces_the_network_and_merges_the_rest(no_digits):
    recipe = find_recipe("smnist", "paper-1ms").with_cell("lstm")

    assert recipe.network == {"cell": "lstm", "size": 128, "forget_bias": 1}
    assert recipe.rewiring is None
    assert recipe.optimizer.learning_rate == 0.0002
    assert recipe.optimizer.schedule == "steps"
    assert recipe.train.batch == 256


def test_a_cell_the_recipe_does_not_know_is_answered_with_those_it_does():
    with pytest.raises(UnknownName, match="lstm"):
        find_recipe("store_recall").with_cell("lstn")


def test_full_connectivity_leaves_rewiring_out():
    assert tiny().with_connectivity(1).rewiring is None
    assert tiny().with_connectivity(0.2).rewiring == {"method": "deep_r", "connectivity": 0.2}


def test_an_unknown_recipe_is_answered_with_the_known_ones():
    with pytest.raises(UnknownName, match="paper-2ms"):
        find_recipe("smnist", "paper-3ms")


def test_a_recipe_of_another_task_is_refused(tmp_path):
    tiny().save(tmp_path / "recipe.yml")

    with pytest.raises(BadValue, match="store_recall"):
        find_recipe("evidence", str(tmp_path / "recipe.yml"))


def test_a_recipe_survives_being_written_and_read(tmp_path):
    tiny().save(tmp_path / "recipe.yml")

    assert read_recipe(tmp_path) == tiny()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.iterations", 0),
        ("optimizer.learning_rate", -1),
        ("optimizer.warm_up", -1),
        ("optimizer.epsilon", -1),
        ("train.seed", -1),
    ],
)
def test_a_number_that_leaves_nothing_to_do_is_refused(key, value):
    with pytest.raises(BadValue, match=key):
        tiny().with_changes([f"{key}={value}"])


def test_a_misspelt_schedule_is_refused_with_the_recipe():
    with pytest.raises(UnknownName, match="Did you mean 'cosine'"):
        tiny().with_changes(["optimizer.schedule=cosin"])


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ("task.kwargs.simbols=3", "Did you mean 'symbols'"),
        ("task={name: function_learning, kwargs: {hiden: 3}}", "keyword of function_learning with the family"),
        ("task={name: evidence, kwargs: {decision_ms: 0}}", "a decision within the delay"),
        ("task={name: evidence, kwargs: {cue_ms: 200}}", "Give a shorter cue"),
        ("task.kwargs.symbols=abc", "a word where a number belongs"),
        ("network.substeps=abc", "a word where a number belongs"),
        ("rewiring={method: deep_r, l1: abc}", "a word where a number belongs"),
        ("rewiring={generator: 3}", "keyword of DeepR"),
    ],
)
def test_keywords_that_make_no_sense_are_answered(change, remedy):
    with pytest.raises(LSNNError, match=remedy):
        Training(tiny().with_changes([change]))


@pytest.mark.parametrize("method", ["set", "rigl"])
def test_dales_law_is_kept_or_refused(method):
    recipe = tiny().with_changes(["network.dale=true", "rewiring={connectivity: 0.3}"])
    network = Training(recipe).model.network

    assert network.sign_rec is not None
    assert Training(recipe.with_changes(["rewiring.signs=dale"])).step()["loss"] > 0
    with pytest.raises(BadValue, match="Rewire by deep_r or soft_deep_r"):
        Training(recipe.with_changes([f"rewiring.method={method}"]))


def test_data_that_moved_are_named_when_a_run_goes_on(tmp_path, monkeypatch):
    heard = []
    monkeypatch.setattr("lsnn_rl.pretrain.resume", lambda run, say, progress, changes: heard.append(changes))
    monkeypatch.setattr("lsnn_rl.pretrain.cards.short", str)

    with pytest.raises(SystemExit) as ended:
        main(["pretrain", "--resume", str(tmp_path), "--data", "2024", "--download"])

    assert ended.value.code == 0
    assert tiny().with_changes(heard[0]).task.kwargs | TINY == TINY | {
        "root": str(Path("2024").absolute()),
        "download": True,
    }


def test_the_cell_that_is_meant_where_none_is_named_is_an_lsnn():
    recipe = PretrainRecipe.from_dict({"network": {"regular": 10}})

    assert recipe.with_cell("lsnn") is recipe


def test_noise_that_would_never_be_drawn_is_refused():
    recipe = tiny().with_changes(["network.noise=0.1"])

    with pytest.raises(BadValue, match=r"network\.noise = 0\.1.*Leave it out"):
        build_model(recipe, build_task(recipe))


def test_thresholds_are_read_as_rises_over_their_rest():
    recipe = tiny(thresholds=True, task__name="evidence", task__kwargs={"cues": 1, "lines": 4})
    model = build_model(recipe, build_task(recipe))
    reader, cell = model.reader, model.network.cell
    b = torch.rand(3, 12)

    said = ThresholdReader.forward(reader, cell, {"b": b})

    rise = 1.8 * b[:, 6:] / 0.01
    assert torch.allclose(said, rise @ reader.weight.t(), rtol=1e-5)


def test_thresholds_share_the_budget_of_synapses():
    recipe = tiny(thresholds=True, task__name="evidence", task__kwargs={"cues": 1, "lines": 4})
    model = build_model(recipe, build_task(recipe))

    optimizer = build_optimizer(recipe, model)

    assert optimizer.possible["w_thresholds"] == 2 * 6
    assert int(model.reader.weight.count_nonzero()) == round(0.4 * 12)


def test_thresholds_are_not_read_where_answers_come_on_the_way():
    recipe = tiny(thresholds=True)

    with pytest.raises(BadValue, match="one answer at its end"):
        build_model(recipe, build_task(recipe))


def test_the_rate_falls_by_steps_as_in_the_released_code():
    settings = OptimizerRecipe(schedule="steps", every=2500, factor=0.8)

    assert 0.01 * factor(settings, 35_999, 1.0) == pytest.approx(4.4e-4, abs=1e-5)


def test_a_cosine_ends_at_nothing_and_is_half_in_the_middle():
    settings = OptimizerRecipe(schedule="cosine")

    assert [factor(settings, 10, share) for share in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.5, 0.0])


def test_the_interval_of_answers_is_that_of_a_share():
    scores = torch.tensor([1.0] * 900 + [0.0] * 100)

    low, high = interval(scores)["ci95"]

    assert (low, high) == pytest.approx((0.8814, 0.9186), abs=1e-3)  # 0.9 +- 1.96 sqrt(0.9 * 0.1 / 1000)


# ---- command and documents -------------------------------------------------------------------------------------------


def test_the_command_trains_from_a_recipe_and_says_how_well(tmp_path, capsys):
    tiny().save(tmp_path / "recipe.yml")

    main_ended(["pretrain", "store_recall", "--recipe", str(tmp_path / "recipe.yml"), "--seed", "3",
                "--folder", str(tmp_path / "run"), "--no-progress"])  # fmt: skip

    assert "error" in capsys.readouterr().err
    assert load_card(tmp_path / "run")["seed"] == 3


@pytest.mark.parametrize("words", [[], ["store_recall", "--resume", "runs/x"], ["--resume", "runs/x", "--seed", "1"]])
def test_a_command_that_says_too_little_or_too_much_is_answered(words, capsys):
    assert main_ended(["pretrain", *words]) == 2
    assert "--resume" in capsys.readouterr().err


def main_ended(words):
    try:
        main(words)
    except SystemExit as end:
        return end.code


def test_the_example_of_the_guide_for_new_tasks_runs_and_learns(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(TASKS, "_targets", dict(TASKS._targets))
    code = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "new_task.md").read_text("utf-8"), flags=re.DOTALL)
    names: dict = {}

    exec("\n".join(code), names)

    assert names["card"]["test"]["mean"] > 0.9

"""The commands as a person types them, at toy size."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from lsnn_rl.agents.cards import Card
from lsnn_rl.agents.recipe import read_recipe
from lsnn_rl.cli import main

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
TOY = {
    "env.n_envs": 4,
    "env.kwargs.steps": 60,
    "policy": "{cell: lsnn, regular: 6, adaptive: 6}",
    "ppo.n_steps": 30,
    "ppo.batch_size": 60,
    "ppo.n_epochs": 1,
    "warm_up": "{iterations: 2, batch: 3, steps: 20}",
    "train.total_steps": 600,
    "test.lifetimes": 6,
}
CHANGES = [f"--set={key}={value}" for key, value in TOY.items()]


def run(*arguments: object) -> int:
    """The exit code of `lsnn-rl arguments`."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "toy"
    assert run("train", "LSNNArena-v0/lsnn", *CHANGES, "--folder", folder, "--no-progress", "--seed", 3) == 0
    return folder


def pictures_in(folder):
    """Tags of the images that TensorBoard would show."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return set(events.Tags()["images"])


def test_training_writes_all_that_the_run_was(trained):
    recipe, card = read_recipe(trained), Card.load(trained)

    assert recipe.train.seed == 3 and recipe.env.kwargs == {"steps": 60}
    assert (trained / "agent" / "agent.safetensors").is_file()
    assert (trained / "checkpoints" / "checkpoint-000000000600.ckpt").is_file()
    assert list(trained.glob("logs/1/events.out.tfevents.*")) and (trained / "logs/1/progress.csv").is_file()
    assert pictures_in(trained / "logs/1") == {"pictures/raster", "pictures/thresholds", "pictures/connectivity"}
    assert json.loads((trained / "versions.json").read_text())["lsnn-rl"] == card["versions"]["lsnn-rl"]
    assert (trained / "command.txt").read_text().strip()
    assert card["training"]["env_steps"] == 600 and card["lifetimes"] == 6


def test_evaluating_a_run_folder_gives_its_card_again(trained, capsys):
    assert run("evaluate", trained, "--lifetimes", 6, "--json", "-") == 0

    printed, written = json.loads(capsys.readouterr().out), Card.load(trained)
    assert printed["per_lifetime"] == written["per_lifetime"]
    assert printed["controls"] == written["controls"]
    assert printed["env_hash"] == written["env_hash"]


def test_json_on_standard_output_is_one_object_with_what_a_reader_needs(capsys):
    assert run("evaluate", "sweep_remember", "--env", "LSNNArena-v0", "--lifetimes", 8, "--json", "-") == 0

    card = json.loads(capsys.readouterr().out)
    assert {"env", "agent", "split", "lifetimes", "return", "normalized", "references", "controls"} <= set(card)
    assert set(card["return"]) == {"mean", "ci95"}
    assert set(card["references"]) == {"random", "amnesic", "best_known", "oracle"}
    assert {"mean", "ci95"} <= set(card["controls"]["state_reset"])


def test_a_card_can_be_written_to_a_file_and_shown_as_a_table(tmp_path, capsys):
    assert run("evaluate", "random_walk", "--lifetimes", 4, "--json", tmp_path / "card.json") == 0

    assert Card.load(tmp_path / "card.json")["agent"] == "random_walk"
    assert "best known" in capsys.readouterr().out


def test_an_interrupted_training_says_how_to_go_on_and_does(tmp_path, monkeypatch, capsys):
    from lsnn_rl.agents.recurrent_ppo import RecurrentPPO

    folder, updates = tmp_path / "run", []
    learn_from_rollout = RecurrentPPO.train

    def interrupted_third(self):
        updates.append(1)
        if len(updates) == 3:
            raise KeyboardInterrupt
        learn_from_rollout(self)

    monkeypatch.setattr(RecurrentPPO, "train", interrupted_third)
    assert run("train", "LSNNArena-v0/lsnn", *CHANGES, "--folder", folder, "--no-progress") == 130
    message = capsys.readouterr().err
    assert f"lsnn-rl train --resume {folder}" in message
    assert not (folder / "card.json").exists()

    assert run("train", "--resume", folder, "--no-progress") == 0
    assert Card.load(folder)["training"]["env_steps"] == 600


def test_a_run_folder_is_never_written_over(trained, capsys):
    assert run("train", "LSNNArena-v0/lsnn", "--folder", trained) == 2

    assert f"--resume {trained}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("train", "LSNNArena-v0/lsn"), "Did you mean 'LSNNArena-v0/lsnn'"),
        (("train", "LSNNArena-v0/lsnn", "--set", "ppo.gama=1"), "Did you mean 'gamma'"),
        (("train",), "LSNNArena-v0/lsnn, or --resume FOLDER"),
        (("train", "--resume", "nowhere"), "Give the folder that training wrote"),
        (("evaluate", "orcale"), "Did you mean 'oracle'"),
        (("evaluate", "oracle", "--env", "LSNNArena"), "Did you mean 'LSNNArena-v0'"),
        (("evaluate", "oracle", "--env-kwarg", "teleport"), "teleport=same_step"),
        (("enjoy", "LSNNArena-v0", "--agent", "oracle", "--record", "film.avi"), "does not end in .gif or .mp4"),
        (("plot", "nothing.json"), "lsnn-rl evaluate AGENT"),
        (("plot", "nothing.json", "--kind", "pie"), "Known: adaptation, beliefs, connectivity"),
    ],
)
def test_a_mistake_is_answered_in_one_line_with_what_to_do(arguments, remedy, capsys):
    assert run(*arguments) == 2

    message = capsys.readouterr().err
    assert remedy in message
    assert "Traceback" not in message


def test_plotting_nothing_lists_what_can_be_plotted(capsys):
    assert run("plot") == 0

    said = capsys.readouterr().out
    assert "survival" in said and "Who is still searching" in said


@pytest.mark.parametrize(
    "kind",
    ["adaptation", "trials", "scores", "learning", "raster", "thresholds", "place_fields", "connectivity"],
)
def test_every_figure_is_drawn_from_cards_logs_and_agents(kind, trained, tmp_path):
    assert run("plot", trained, "--kind", kind, "--out", tmp_path / "figure.png") == 0

    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("ending", ["gif", "mp4"])
def test_a_film_lasts_as_long_as_asked_and_something_moves_in_it(ending, trained, tmp_path):
    import imageio.v3 as imageio

    film = tmp_path / f"life.{ending}"
    assert run("enjoy", trained, "--record", film, "--seconds", 1) == 0

    frames = imageio.imread(film, index=None if ending == "gif" else ...)
    assert 20 <= len(frames) <= 22  # 60 steps in one second of 20 pictures, the first and the last included
    assert np.ptp(frames.astype(int), axis=0).max() > 50


def test_the_demonstration_leaves_agent_card_figure_and_film(tmp_path, capsys):
    from lsnn_rl.agents.demo import run_demo

    changes = [change.removeprefix("--set=") for change in CHANGES] + ["train.minutes=1"]
    card = run_demo("LSNNArena-v0/lsnn", changes, tmp_path / "demo")
    run_demo("LSNNArena-v0/lsnn", changes, tmp_path / "demo")  # a second one takes its place

    assert {"agent", "card.json", "adaptation.png", "lifetime.gif"} <= {p.name for p in (tmp_path / "demo").iterdir()}
    assert Card.load(tmp_path / "demo")["per_lifetime"] == card["per_lifetime"]


def test_the_demonstration_does_not_touch_a_folder_with_something_else_in_it(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("precious")

    assert run("demo", "--folder", tmp_path) == 2

    assert "Choose another --folder" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_the_demonstration_replaces_no_run_and_nothing_at_all_for_a_recipe_that_does_not_exist(tmp_path, capsys):
    run_folder, demo_folder = tmp_path / "run", tmp_path / "demo"
    for folder, name in ((run_folder, "recipe.yml"), (demo_folder, "demo.txt")):
        folder.mkdir()
        (folder / name).write_text("precious")

    assert run("demo", "--folder", run_folder) == 2
    assert run("demo", "--folder", demo_folder, "--recipe", "LSNNArenna-v0") == 2

    assert (run_folder / "recipe.yml").read_text() == (demo_folder / "demo.txt").read_text() == "precious"


def test_a_card_that_cannot_be_written_is_shown_all_the_same(trained, tmp_path, capsys):
    (tmp_path / "file").write_text("")

    assert run("evaluate", trained, "--lifetimes", 2, "--json", tmp_path / "file" / "card.json") == 2

    told = capsys.readouterr()
    assert "goals per lifetime" in told.out
    assert "file: Not a directory" in told.err or "file: File exists" in told.err


def test_a_card_goes_into_a_folder_under_its_usual_name(trained, tmp_path):
    assert run("evaluate", trained, "--lifetimes", 2, "--json", tmp_path) == 0

    assert Card.load(tmp_path)["lifetimes"] == 2


@pytest.mark.parametrize("name", ["train", "evaluate", "enjoy", "plot", "surgery", "demo"])
def test_each_script_is_its_command(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--help"])

    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")

    assert ended.value.code in (0, None)
    assert f"lsnn-rl {name}" in capsys.readouterr().out


def test_the_version_is_printed(capsys):
    import lsnn_rl

    assert run("--version") == 0
    assert capsys.readouterr().out.strip() == lsnn_rl.__version__

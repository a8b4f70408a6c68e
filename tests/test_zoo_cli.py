"""`lsnn-rl zoo` as a person types it."""

import json

import pytest

from lsnn_rl.agents.cards import Card
from lsnn_rl.agents.recipe import read_recipe
from lsnn_rl.agents.zoo_places import ZOO
from lsnn_rl.agents.zoo_rows import find_row, rows
from lsnn_rl.agents.zoo_words import verdict
from lsnn_rl.cli import main

TOY = {
    "env.n_envs": 4,
    "env.kwargs.steps": 60,
    "policy": "{cell: gru, size: 6}",
    "ppo.n_steps": 30,
    "ppo.batch_size": 60,
    "warm_up.iterations": 0,
    "train.total_steps": 240,
    "test.lifetimes": 4,
}


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def test_the_list_has_a_line_for_every_row_and_says_which_are_recipes_only(capsys):
    assert run("zoo", "list") == 0

    head, *lines = capsys.readouterr().out.splitlines()
    shipped = {row.name for row in rows() if not row.variant and list(row.recipe.parent.glob("**/*.safetensors"))}
    assert [line.split()[0] for line in lines] == [row.name for row in rows()]
    for row, line in zip(rows(), lines, strict=True):
        assert line.endswith("recipe only") == (not row.cards)
        assert row.score is None or row.unit in line
        assert line.endswith("ship") == (row.name in shipped)
    assert head.split() == ["score", "95", "%", "interval", "normalised", "seeds", "connectivity", "steps", "weights"]


@pytest.mark.parametrize("name", [row.name for row in rows()])
def test_every_row_is_told_with_the_command_that_makes_it(name, capsys):
    assert run("zoo", "show", name) == 0

    told = capsys.readouterr().out
    assert told.splitlines()[0] == name and f"lsnn-rl zoo reproduce {name}" in told
    row = find_row(name)
    assert row.comment.split()[0] in told
    assert ("There is no card yet" in told) == (not row.cards)


def test_the_arena_s_agent_is_told_beside_its_references(capsys):
    assert run("zoo", "show", "LSNNArena-v0/lsnn") == 0

    told = capsys.readouterr().out
    assert "sweep_remember 52.7" in told and "oracle 54.2" in told
    assert "Watch it:      lsnn-rl zoo enjoy LSNNArena-v0/lsnn" in told
    assert "Target: 0.85" in told and "It uses memory." in told


def test_a_row_is_trained_again_from_its_recipe_and_compared(tmp_path, capsys):
    changes = [f"--set={key}={value}" for key, value in TOY.items()]

    assert (
        run("zoo", "reproduce", "LSNNArena-v0/lsnn", "--seed", 7, "--folder", tmp_path, "--no-progress", *changes) == 0
    )

    recipe, card = read_recipe(tmp_path), Card.load(tmp_path)
    assert recipe.train.seed == card["training"]["seed"] == 7 and recipe.train.minutes is None
    said = capsys.readouterr().out
    assert said.startswith("made now") and "shipped, all seeds" in said and "do not overlap" in said
    assert "Not the recipe that ships: env.n_envs=4" in said


def test_a_variant_is_trained_again_by_its_own_recipe_where_it_has_one(tmp_path):
    changes = [f"--set={key}={value}" for key, value in TOY.items() if key != "policy"]

    assert run("zoo", "reproduce", "LSNNArena-v0/gru:untold", "--folder", tmp_path, "--no-progress", *changes) == 0

    recipe = read_recipe(tmp_path)
    assert (recipe.ppo.privileged_critic, recipe.auxiliary.task_inference, recipe.ppo.target_kl) == (False, 0, 0.02)
    assert find_row("LSNNArena-v0/gru").settings["ppo"]["privileged_critic"]
    assert find_row("LSNNArena-v0/lsnn_told:80m").recipe == find_row("LSNNArena-v0/lsnn_told").recipe


@pytest.mark.parametrize(
    "file", sorted(ZOO.glob("*/*/recipe-*.yml")), ids=lambda file: f"{file.parent.name}-{file.stem}"
)
def test_every_recipe_of_a_variant_can_be_read_and_has_its_card(file):
    variant = file.stem.removeprefix("recipe-")

    assert read_recipe(file).env.id == file.parent.parent.name
    assert (file.parent / f"card-{variant}.json").is_file()


def test_a_supervised_row_is_trained_again_by_the_command_in_its_card(tmp_path, capsys):
    options = ["--folder", tmp_path, "--no-progress", "--set=train.iterations=1", "--set=train.validation_batch=8"]

    assert run("zoo", "reproduce", "evidence/paper:lif", *options) == 0

    card = json.loads((tmp_path / "card.json").read_text())
    assert (card["cell"], card["recipe"], card["seed"], card["iterations"]) == ("lif", "paper", 0, 1)
    assert "shipped, seed 0" in capsys.readouterr().out


def test_the_same_card_again_overlaps_with_itself():
    row = find_row("LSNNArena-v0/lsnn")

    assert verdict(row, row.cards[0], row.seeds[0]).splitlines()[-1] == "The intervals overlap."


def test_an_agent_of_the_zoo_is_filmed(tmp_path, capsys):
    options = ["--record", tmp_path / "a.gif", "--seconds", 0.2, "--world"]

    assert run("zoo", "enjoy", "LSNNArena-v0/lsnn", *options) == 0

    assert (tmp_path / "a.gif").read_bytes().startswith(b"GIF")


def test_an_unknown_row_is_answered_in_one_line(capsys):
    assert run("zoo", "show", "LSNNArena-v0/lsn") == 2

    said = capsys.readouterr().err
    assert said.startswith("lsnn-rl: No row of the zoo is called 'LSNNArena-v0/lsn'. Did you mean 'LSNNArena-v0/lsnn'?")


def test_a_misspelt_agent_is_answered_with_the_nearest_one(capsys):
    assert run("enjoy", "LSNNArena-v0/lsn") == 2

    assert "Did you mean 'LSNNArena-v0/lsnn'? Pass a run folder" in capsys.readouterr().err


def test_a_recipe_without_an_agent_says_how_to_get_one(capsys):
    assert run("zoo", "enjoy", "LSNNArena-v0/lsnn_paper") == 2

    assert "Train it: lsnn-rl zoo reproduce LSNNArena-v0/lsnn_paper" in capsys.readouterr().err

"""A recipe is plain data that complains about everything it does not understand."""

import pytest
import torch
import yaml

from lsnn_rl.agents.recipe import Recipe, find_recipe, read_recipe, zoo_names
from lsnn_rl.agents.training import build
from lsnn_rl.errors import BadValue, BrokenFile, MissingFile, UnknownName
from lsnn_rl.pretrain import recipe as pretrain_recipe


def test_an_empty_recipe_is_all_defaults():
    assert Recipe.from_dict({}) == Recipe()


@pytest.mark.parametrize("name", zoo_names())
def test_every_recipe_of_the_zoo_is_valid_and_made_for_the_world_it_lies_under(name):
    recipe = find_recipe(name)

    assert recipe.env.id == name.split("/")[0]
    assert recipe.env.n_envs * recipe.ppo.n_steps % recipe.ppo.batch_size == 0


def test_a_world_id_means_its_spiking_agent():
    assert find_recipe("LSNNArena-v0") == find_recipe("LSNNArena-v0/lsnn")


def test_a_variant_lies_beside_its_recipe():
    assert find_recipe("zoo/LSNNArena-v0/lstm:direct").policy["direct_input"] is True
    assert "direct_input" not in find_recipe("LSNNArena-v0/lstm").policy


def test_what_is_written_is_read_again(tmp_path):
    recipe = find_recipe("LSNNArena-v0/lsnn").with_changes(["rewiring.connectivity=0.2"])

    recipe.save(tmp_path / "recipe.yml")

    assert read_recipe(tmp_path) == recipe


def test_a_number_that_yaml_reads_as_a_string_becomes_a_number():
    text = "{ppo: {gamma: 99e-2, n_steps: 1e2, learning_rate: {schedule: linear, start: 1e-3}}, policy: {beta: 17e-1}}"
    assert yaml.safe_load(text)["ppo"]["gamma"] == "99e-2"  # what YAML 1.1 makes of it

    recipe = Recipe.from_dict(yaml.safe_load(text))

    assert recipe.ppo.gamma == 0.99
    assert recipe.ppo.n_steps == 100 and isinstance(recipe.ppo.n_steps, int)
    assert recipe.ppo.learning_rate == {"schedule": "linear", "start": 0.001}
    assert recipe.policy == {"beta": 1.7}


def test_settings_from_the_command_line_replace_the_recipes():
    recipe = Recipe().with_changes(["ppo.n_steps=256", "policy.cell=gru", "train.minutes=2", "ppo.clip_range_vf=null"])

    assert (recipe.ppo.n_steps, recipe.policy["cell"], recipe.train.minutes) == (256, "gru", 2.0)
    assert recipe.ppo.clip_range_vf is None


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        ({"pppo": {}}, "Did you mean 'ppo'"),
        ({"ppo": {"gama": 0.9}}, "No key of 'ppo' is called 'gama'. Did you mean 'gamma'"),
        ({"env": {"num_envs": 4}}, "Did you mean 'n_envs'"),
        ({"test": {"split": "tset"}}, "No split is called 'tset'. Did you mean 'test'"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_one(data, remedy):
    with pytest.raises(UnknownName, match=remedy):
        Recipe.from_dict(data)


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        ({"ppo": {"gamma": "high"}}, "ppo.gamma = 'high' is not a number. Write gamma: 0.001"),
        ({"ppo": {"gamma": float("nan")}}, "not a number"),
        ({"ppo": {"gamma": True}}, "not a number"),
        ({"ppo": {"gamma": 1.5}}, "outside 0 to 1"),
        ({"ppo": {"n_steps": 2.5}}, "ppo.n_steps = 2.5 is not a whole number"),
        ({"ppo": {"n_steps": 0}}, "Give a positive number"),
        ({"ppo": 3}, "ppo is 3, not a mapping"),
        ({"env": {"id": 7}}, "env.id = 7 is not a word"),
        ({"env": {"kwargs": [1]}}, "Write env.kwargs: {key: value}"),
        ({"test": {"deterministic": "perhaps"}}, "not true or false"),
        ({"train": {"minutes": -1}}, "Give a positive number, or leave it out"),
        ({"train": {"seed": -1}}, "from 0 to 4294967295"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_with_what_to_write(data, remedy):
    with pytest.raises(BadValue, match=remedy):
        Recipe.from_dict(data)


@pytest.mark.parametrize(
    ("change", "error", "remedy"),
    [
        ("env.id=LSNNArenna-v0", UnknownName, "Did you mean 'LSNNArena-v0'"),
        ("env.kwargs.split=test-ood", BadValue, "Use the argument split"),
        ("rewiring.conectivity=0.2", UnknownName, "Did you mean 'connectivity'"),
        ("rewiring.method=deepr", UnknownName, "Did you mean 'deep_r'"),
        ("ppo.bptt_steps=-100", BadValue, "Give a divisor of 500"),
        ("ppo.max_grad_norm=-1", BadValue, "Give a positive number"),
        ("ppo.n_steps=[1", BadValue, "cannot be read as YAML.*Close its brackets"),
    ],
)
def test_what_cannot_be_built_is_refused_before_anything_is_trained(change, error, remedy):
    from lsnn_rl.agents.training import build

    with pytest.raises(error, match=remedy):
        build(Recipe.from_dict({"env": {"n_envs": 2}}).with_changes([change]))


def test_a_number_that_is_a_key_is_changed_where_it_stands():
    recipe = find_recipe("LSNNArena-v0/lsnn").with_changes(["policy.encoder_kwargs.gain.4=9"])

    assert recipe.policy["encoder_kwargs"]["gain"] == {4: 9, 5: 3}


def test_a_setting_without_a_value_is_refused():
    with pytest.raises(BadValue, match=r"section\.key=value"):
        Recipe().with_changes(["ppo.n_steps"])


def test_a_setting_below_a_single_value_is_refused():
    with pytest.raises(BadValue, match="Set gamma itself"):
        Recipe().with_changes(["ppo.gamma.start=1"])


def test_a_misspelt_zoo_name_is_answered_with_the_nearest_one():
    with pytest.raises(UnknownName, match="Did you mean 'LSNNArena-v0/lsnn'"):
        find_recipe("LSNNArena-v0/lsn")


def test_a_missing_and_a_broken_file_are_told_apart(tmp_path):
    (tmp_path / "broken.yml").write_text("ppo: {gamma: [")
    (tmp_path / "list.yml").write_text("- 1")

    with pytest.raises(MissingFile, match="Give a recipe.yml"):
        find_recipe(str(tmp_path / "none.yml"))
    for read in (read_recipe, pretrain_recipe.read_recipe):
        with pytest.raises(BrokenFile, match="is not YAML"):
            read(tmp_path / "broken.yml")
        with pytest.raises(BrokenFile, match="a recipe is a mapping"):
            read(tmp_path / "list.yml")


def test_the_published_experiment_makes_one_step_per_ten_whole_lifetimes_on_their_returns():
    # Constants of Bellec et al. 2018: 200 excitatory and 80 inhibitory regular cells, 120 adaptive, 20 % of synapses.
    recipe = find_recipe("LSNNArena-v0/lsnn_paper").with_changes(["env.kwargs.steps=40", "ppo.n_steps=40"])
    model = build(recipe.with_changes(["ppo.batch_size=400"]))
    sizes = {name: part.stop - part.start for name, part in model.policy.network.populations.items()}

    model.learn(3 * 400)

    optimizer, rollout = model.policy.optimizer, model.rollout_buffer
    assert sizes == {"regular_inhibitory": 80, "regular_excitatory": 200, "adaptive_excitatory": 120}
    assert optimizer.report()["all"]["connectivity"] == pytest.approx(0.2, abs=0.001)
    assert {int(entry["step"]) for entry in optimizer.state_dict()["state"].values()} == {3}
    assert rollout.starts[0].all() and not rollout.starts[1:].any()
    discounts = 0.99 ** torch.arange(40.0)
    assert torch.allclose(rollout.returns[0], (discounts[:, None] * rollout.rewards).sum(0), atol=1e-5)
    assert model.lr_schedule(1.0) == 0.01 and model.lr_schedule(0.74) == 0.005

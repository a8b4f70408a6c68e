"""Beginning with a cell from elsewhere. Expected values: the source's own weights, and hand-made ones."""

import json

import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from lsnn_rl import LSNNPolicy, RecurrentPPO, load_agent, save_agent
from lsnn_rl.agents.pretrained import transfer
from lsnn_rl.errors import BrokenFile, MissingFile, ShapeMismatch
from lsnn_rl.network import LSNN, build_network

ARENA = "LSNNArena-v0"
SMALL = {"regular": 6, "adaptive": 4, "readouts": 5, "beta": 1.7, "tau_adapt_ms": 300, "refractory_ms": 3}


def policy(seed=1, inputs=3, **options):
    torch.manual_seed(seed)
    space = Box(-1, 1, (inputs,))
    return LSNNPolicy(space, Discrete(2), lambda _: 1e-3, **{**({} if "cell" in options else SMALL), **options})


def network(seed, inputs=7, readouts=5, **options):
    return LSNN(inputs, 6, 4, readouts, generator=torch.Generator().manual_seed(seed), **options)


@pytest.fixture(scope="module")
def supervised(tmp_path_factory):
    """The run folder of `lsnn-rl pretrain store_recall`, two iterations long."""
    from lsnn_rl.pretrain import find_recipe, pretrain

    recipe = find_recipe("store_recall", "smoke").with_changes(["train.iterations=2", "train.batch=4"])
    folder = tmp_path_factory.mktemp("runs") / "store_recall"
    pretrain(recipe, folder, "smoke", say=lambda _: None, progress=False)
    return folder


def test_a_network_of_the_same_shape_gets_every_matrix_whole():
    source, target = network(1), network(2)

    report = transfer(source, target, "there")

    x = torch.rand(20, 3, 7) * 3
    assert torch.equal(target.run(x)[0].readout, source.run(x)[0].readout)
    assert report.taken == {"w_rec": "whole", "w_in": "whole", "w_out": "whole"} and report.left == {}


def test_cells_are_matched_within_their_populations_and_the_others_keep_their_first_weights():
    source, target = network(1), LSNN(7, 8, 5, 5, generator=torch.Generator().manual_seed(2))
    before = target.w_rec.detach().clone()

    report = transfer(source, target, "there")

    regular, adaptive = slice(0, 6), slice(8, 12)  # of the target; the source has 0 .. 5 and 6 .. 9
    ours, theirs = target.w_rec.detach(), source.weights().w_rec
    assert torch.equal(ours[adaptive, regular], theirs[6:, :6]) and torch.equal(ours[regular, adaptive], theirs[:6, 6:])
    assert torch.equal(ours[12], before[12]) and torch.equal(ours[regular, 6:8], before[regular, 6:8])
    assert report.cells == 10 and report.taken["w_rec"] == "10 x 10 of 13 x 13 cells"


def test_other_input_lines_drive_the_cells_as_strongly_and_as_alike_as_those_of_the_source():
    source, target = network(1, inputs=2000), network(2, inputs=3000)

    transfer(source, target, "there")

    alike, expected = (w.w_in.detach() @ w.w_in.detach().T for w in (target, source))
    scale = expected.diagonal().mean()
    assert torch.allclose(alike / scale, expected / scale, atol=0.12)


def test_other_readouts_are_left_and_the_report_says_why():
    target = network(2, readouts=9)
    before = target.w_out.detach().clone()

    report = transfer(network(1), target, "there")

    assert torch.equal(target.w_out, before) and report.left == {"w_out": "5 readouts, not 9"}


def test_gates_are_taken_gate_by_gate():
    source, target = (build_network("lstm", 3, 2, size=size) for size in (4, 6))

    transfer(source, target, "there")

    ours, theirs = target.w_rec.detach().view(4, 6, 6), source.w_rec.detach().view(4, 4, 4)
    assert torch.equal(ours[:, :4, :4], theirs)
    assert torch.equal(target.bias_in.detach().view(4, 6)[:, :4], source.bias_in.detach().view(4, 4))


def test_a_constant_that_was_set_stays_the_policys_own_and_a_trained_one_is_taken():
    set_here = transfer(network(1, tau_adapt_ms=1200.0), network(2, tau_adapt_ms=300.0), "there")
    source, target = network(1, trainable=["beta"]), network(2, trainable=["beta"])
    with torch.no_grad():
        for value in source.cell.parameters():
            value.add_(0.25)
    trained = transfer(source, target, "there")

    assert "differs" in set_here.left["decay_adapt"]
    assert all(torch.equal(a, b) for a, b in zip(source.cell.parameters(), target.cell.parameters(), strict=True))
    assert "trained" in trained.taken.values()


def test_a_lif_network_becomes_the_regular_cells_of_an_lsnn():
    report = transfer(build_network("lif", 7, 5, size=20), network(2), "there")

    assert report.cells == 6


def test_under_dales_law_signs_come_with_the_weights_and_other_lines_are_left():
    source, target, other = network(1, dale=True), network(2, dale=True), network(3, inputs=9, dale=True)

    transfer(source, target, "there")
    report = transfer(source, other, "there")

    assert torch.equal(target.sign_in, source.sign_in)
    assert (target.w_rec * target.sign_rec >= 0).all() and "Dale" in report.left["w_in"]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (lambda: build_network("gru", 7, 5, size=8), lambda: network(1)),
        (lambda: network(1), lambda: network(1, dale=True)),
        (lambda: build_network("gru", 7, 5, size=8), lambda: build_network("lstm", 7, 5, size=8)),
        (lambda: network(1), lambda: policy(cell="none").network),
    ],
    ids=["gru_to_lsnn", "mixed_signs_to_dale", "gru_to_lstm", "to_no_recurrence"],
)
def test_where_nothing_fits_both_sides_are_named_with_a_remedy(source, target):
    with pytest.raises(ShapeMismatch, match=r"there.* (holds|fits).* this policy a .*\. (Make|Leave)"):
        transfer(source(), target(), "there")


# ---- from files ------------------------------------------------------------------------------------------------------


def test_a_policy_begins_with_the_cell_of_a_saved_agent_and_says_what_it_took(tmp_path):
    save_agent(policy(1), tmp_path / "agent", env_id=ARENA)

    ours = policy(2, pretrained=tmp_path / "agent")

    theirs = load_agent(tmp_path / "agent").policy.network
    assert torch.equal(ours.network.weights().w_rec, theirs.weights().w_rec)
    assert str(ours.pretrained).startswith(f"10 of 10 cells begin as in {tmp_path / 'agent'}")


def test_a_supervised_run_gives_its_cells_to_a_larger_policy(supervised):
    ours = policy(2, regular=12, adaptive=14)

    report = ours.load_cell(supervised)

    assert report.cells == 20 and report.left["w_out"] == "2 readouts, not 5"
    assert "mixed into" in report.taken["w_in"]
    steps = ours.optimizer.param_groups[0]
    assert steps["lr"] == 1e-3 and any(p is ours.network.w_rec for p in steps["params"])


def test_rewiring_begins_with_the_wiring_of_the_source(tmp_path):
    sparse = policy(1, rewiring={"connectivity": 0.1})
    save_agent(sparse, tmp_path / "agent", env_id=ARENA)

    ours = policy(2, rewiring={"connectivity": 0.3}, pretrained=tmp_path / "agent")

    assert torch.equal(ours.network.w_rec != 0, sparse.network.w_rec != 0)


def test_a_critic_with_a_network_of_its_own_gets_the_same_cell(tmp_path):
    save_agent(policy(1), tmp_path / "agent", env_id=ARENA)

    ours = policy(2, enable_critic_lstm=True, pretrained=tmp_path / "agent")

    assert torch.equal(ours.lstm_critic.network.w_rec, ours.network.w_rec)


def test_a_saved_model_no_longer_needs_its_source(tmp_path):
    source = save_agent(policy(1, inputs=6), tmp_path / "agent", env_id=ARENA)
    options = {**SMALL, "pretrained": source}
    model = RecurrentPPO("LSNNPolicy", ARENA, n_envs=2, n_steps=20, env_kwargs={"steps": 20}, policy_kwargs=options)
    model.learn(40)
    model.save(tmp_path / "model")
    shared = save_agent(model, tmp_path / "shared")
    for file in source.iterdir():
        file.unlink()

    again, agent = RecurrentPPO.load(tmp_path / "model"), load_agent(shared)

    assert torch.equal(again.policy.network.w_rec, model.policy.network.w_rec)
    assert "pretrained" not in json.loads((shared / "agent.json").read_text())["policy_kwargs"]
    assert np.isfinite(agent.act(np.zeros((2, 6), np.float32), agent.initial_state(2), np.ones(2, bool))[0]).all()


def test_a_source_that_is_not_there_is_answered_with_what_could_be(tmp_path):
    with pytest.raises(MissingFile, match=r"There is no agent at .*lsnn-rl pretrain TASK"):
        policy(pretrained=tmp_path / "nothing")


def test_weights_that_do_not_fit_their_recipe_are_refused(supervised, tmp_path):
    (tmp_path / "recipe.yml").write_text((supervised / "recipe.yml").read_text().replace("regular: 10", "regular: 11"))
    (tmp_path / "network.safetensors").write_bytes((supervised / "network.safetensors").read_bytes())

    with pytest.raises(BrokenFile, match="does not hold the network of its recipe"):
        policy(pretrained=tmp_path)

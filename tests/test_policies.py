"""The policy's neutral face: acting and learning agree, heads give SB3's numbers, mistakes are answered."""

import copy
import doctest
import io
import pickle
from importlib import import_module

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import make_proba_distribution

from lsnn_rl.agents.bins import BinnedDistribution, Bins
from lsnn_rl.agents.heads import floor, make_head
from lsnn_rl.agents.policies import (
    FeedForwardPolicy,
    GRUPolicy,
    LIFPolicy,
    LSNNPolicy,
    LSTMPolicy,
    MultiInputLSNNPolicy,
    RNNPolicy,
)
from lsnn_rl.errors import BadValue, LSNNError, ShapeMismatch, UnknownName
from lsnn_rl.state import take

NUMBERS = spaces.Box(-1.0, 1.0, (3,))
ACTIONS = {
    "box": spaces.Box(-1.0, 1.0, (2,)),
    "grid": spaces.Box(-1.0, 1.0, (2, 2)),
    "discrete": spaces.Discrete(4),
    "multi_discrete": spaces.MultiDiscrete([2, 3]),
    "multi_binary": spaces.MultiBinary(3),
}
CELLS = ["lsnn", "alif", "lif", "gru", "lstm", "rnn", "none"]
ALIASES = [LSNNPolicy, LIFPolicy, GRUPolicy, LSTMPolicy, RNNPolicy, FeedForwardPolicy, MultiInputLSNNPolicy]


def make(actions=ACTIONS["discrete"], observations=NUMBERS, kind=LSNNPolicy, seed=0, **options):
    torch.manual_seed(seed)
    cell = options.get("cell") or kind.pinned_cell or "lsnn"
    size = {"regular": 8, "adaptive": 6} if cell == "lsnn" else {"size": 12}
    return kind(observations, actions, lambda _: 1e-3, **{"readouts": 5, **size, **options})


def play(policy, steps=12, n=4, seed=1):
    """Act on random observations; lifetimes start at step 0 everywhere, and later here and there."""
    rng = np.random.default_rng(seed)
    obs = rng.uniform(-1, 1, (steps, n, 3)).astype(np.float32)
    starts = rng.random((steps, n)) < 0.15
    starts[0] = True
    state, told = policy.initial_state(n), []
    for t in range(steps):
        actions, values, log_probs, state = policy.act(obs[t], state, starts[t])
        told.append((actions, values, log_probs))
    actions, values, log_probs = (torch.stack(x) for x in zip(*told, strict=True))
    return torch.as_tensor(obs), torch.as_tensor(starts), actions, values, log_probs, state


def share_that_agrees(a, b):
    """Fraction of equal numbers: a spike that flips by rounding may move a few."""
    return torch.isclose(a, b, rtol=1e-4, atol=1e-5).float().mean().item()


# ---- acting and learning ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_acting_step_by_step_and_evaluating_the_sequence_tell_the_same_probabilities_and_values(cell):
    policy = make(cell=cell)
    obs, starts, actions, values, log_probs, _ = play(policy)

    again_values, again_log_probs, _, _ = policy.evaluate_sequence(obs, actions, policy.initial_state(4), starts)

    assert share_that_agrees(again_log_probs, log_probs) > 0.99
    assert share_that_agrees(again_values, values) > 0.99


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in ACTIONS), ("grid", {"action_bins": 7})])
def test_every_action_space_acts_in_its_own_shape_and_evaluates_to_the_same_probability(name, options):
    policy = make(ACTIONS[name], **options)
    obs, starts, actions, _, log_probs, _ = play(policy)

    _, again, entropy, _ = policy.evaluate_sequence(obs, actions, policy.initial_state(4), starts)

    assert actions.shape == (12, 4, *ACTIONS[name].shape)
    assert share_that_agrees(again, log_probs) > 0.99
    assert entropy.shape == (12, 4)


@pytest.mark.parametrize("name", ACTIONS)
def test_heads_give_the_numbers_of_sb3s_distributions(name):
    distribution = make_proba_distribution(ACTIONS[name])
    torch.manual_seed(3)
    width = {"box": 2, "grid": 4, "discrete": 4, "multi_discrete": 5, "multi_binary": 3}[name]
    params = torch.randn(6, width)
    spread = torch.tensor([-0.7, 0.4, 0.1, -0.2])[:width] if "box" in str(type(ACTIONS[name])).lower() else None
    distribution.proba_distribution(*((params, spread) if spread is not None else (params,)))
    head = make_head(distribution)

    torch.manual_seed(4)
    theirs = distribution.get_actions()
    torch.manual_seed(4)
    ours, log_prob = head.act(params, spread, deterministic=False)
    again, entropy = head.evaluate(params, spread, ours)

    assert torch.allclose(ours.reshape(theirs.shape), theirs)
    assert torch.allclose(log_prob, distribution.log_prob(theirs), atol=1e-6)
    assert torch.allclose(again, distribution.log_prob(theirs), atol=1e-6)
    assert torch.allclose(entropy, distribution.entropy(), atol=1e-6)
    mode, _ = head.act(params, spread, deterministic=True)
    assert torch.equal(mode.reshape(theirs.shape), distribution.mode())


def test_a_choice_among_bins_is_a_choice_among_evenly_spaced_values():
    space = spaces.Box(np.array([-1.0, 0.0], np.float32), np.array([1.0, 6.0], np.float32))
    theirs = BinnedDistribution(Bins(space, 3))
    head = make_head(theirs)
    chances = torch.tensor([[0.5, 0.2, 0.3], [0.1, 0.3, 0.6]])
    params = chances.log().flatten().expand(20_000, 6)

    torch.manual_seed(0)
    actions, log_probs = head.act(params, None, deterministic=False)
    again, entropy = head.evaluate(params, None, actions)

    for dim, values in enumerate(([-1.0, 0.0, 1.0], [0.0, 3.0, 6.0])):
        shares = torch.stack([(actions[:, dim] == value).float().mean() for value in values])
        assert torch.allclose(shares, chances[dim], atol=0.012)  # 3.4 standard errors
    first = actions.eq(torch.tensor([1.0, 3.0])).all(1)
    assert log_probs[first].exp().mean().item() == pytest.approx(0.3 * 0.3)
    assert torch.allclose(again, log_probs) and torch.allclose(entropy, -(chances * chances.log()).sum())
    assert head.act(params[:1], None, deterministic=True)[0].tolist() == [[-1.0, 6.0]]
    theirs.proba_distribution(params)
    assert torch.allclose(theirs.log_prob(actions), log_probs) and theirs.mode()[0].tolist() == [-1.0, 6.0]
    assert (
        torch.allclose(theirs.entropy(), entropy) and theirs.sample().eq(actions.unique()[:, None, None]).any(0).all()
    )


@pytest.mark.parametrize("space", [ACTIONS["discrete"], spaces.Box(-np.inf, np.inf, (2,))])
def test_only_a_box_with_bounds_is_divided_into_bins(space):
    with pytest.raises(BadValue, match="divide a Box with bounds"):
        make(space, action_bins=5)


@pytest.mark.parametrize("squash", [False, True])
def test_state_dependent_noise_acts_and_evaluates_alike(squash):
    policy = make(ACTIONS["box"], use_sde=True, squash_output=squash)
    policy.reset_noise(4)
    obs, starts, actions, _, log_probs, _ = play(policy)

    _, again, entropy, _ = policy.evaluate_sequence(obs, actions, policy.initial_state(4), starts)

    assert torch.isclose(again, log_probs, rtol=1e-3, atol=1e-3).float().mean() > 0.99
    assert entropy.shape == (12, 4)
    assert actions.abs().max() <= 1 or not squash


def test_deterministic_acting_draws_no_random_number():
    policy = make(ACTIONS["box"])
    before = torch.get_rng_state()

    policy.act(torch.zeros(2, 3), policy.initial_state(2), torch.ones(2), deterministic=True)

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("cell", CELLS)
def test_the_state_that_is_handed_in_is_not_written_to(cell):
    policy = make(cell=cell)
    *_, state = play(policy)
    before = copy.deepcopy(state)

    policy.act(torch.ones(4, 3), state, torch.tensor([1, 0, 0, 1]))

    assert all(torch.equal(state[name], before[name]) for name in state)


@pytest.mark.parametrize("cell", CELLS)
def test_the_reset_of_one_lifetime_leaves_its_neighbours_untouched(cell):
    policy = make(ACTIONS["box"], cell=cell)
    *_, state = play(policy)
    obs, starts = torch.full((4, 3), 0.3), torch.tensor([False, True, False, False])
    others = torch.tensor([0, 2, 3])

    _, values, _, after = policy.act(obs, state, starts, deterministic=True)

    _, alone, _, fresh = policy.act(obs[1:2], policy.initial_state(1), torch.ones(1), deterministic=True)
    _, going_on, _, kept = policy.act(obs[others], take(state, others), torch.zeros(3), deterministic=True)
    assert share_that_agrees(values[1:2], alone) == 1 and share_that_agrees(values[others], going_on) == 1
    for name in after:
        assert share_that_agrees(after[name][1], fresh[name][0]) == 1
        assert share_that_agrees(after[name][others], kept[name]) == 1


def test_bootstrap_values_are_those_that_acting_reports():
    policy = make()
    *_, state = play(policy)
    obs, starts = torch.full((4, 3), -0.5), torch.tensor([0, 1, 0, 0])

    values = policy.predict_values_from(obs, state, starts)

    assert torch.equal(values, policy.act(obs, state, starts)[1])


def test_without_recurrence_the_past_makes_no_difference():
    policy = make(ACTIONS["box"], cell="none")
    *_, state = play(policy)

    now = policy.act(torch.ones(4, 3), state, torch.zeros(4), deterministic=True)[0]

    assert torch.equal(now, policy.act(torch.ones(4, 3), {}, torch.ones(4), deterministic=True)[0])


# ---- what learning reaches -------------------------------------------------------------------------------------------


def gradients(policy, of):
    obs, starts, actions, *_ = play(policy, steps=20)
    values, log_probs, _, extras = policy.evaluate_sequence(obs, actions, policy.initial_state(4), starts)
    policy.zero_grad()
    {"value": values, "policy": log_probs, **extras}[of].square().sum().backward()
    touched = [name for name, p in policy.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    return {name.rsplit(".", 1)[0] for name in touched}


def test_the_value_shapes_a_shared_network_and_leaves_the_actors_alone_when_the_critic_has_its_own():
    for_two, for_critic = "lstm_actor.network", "lstm_critic.network"

    assert for_two in gradients(make(), "value")
    assert for_critic in gradients(make(enable_critic_lstm=True), "value")
    assert for_two not in gradients(make(enable_critic_lstm=True), "value")
    assert gradients(make(enable_critic_lstm=False), "value") == {"critic", "value_net"}


def test_the_policy_gradient_reaches_every_weight_matrix_of_the_core():
    policy = make()

    gradients(policy, "policy")

    assert all(p.grad.abs().sum() > 0 for p in (policy.network.w_in, policy.network.w_rec, policy.network.w_out))


def test_the_auxiliary_head_guesses_the_task_at_every_step_and_teaches_the_core():
    policy = make(task_size=2)
    obs, starts, actions, *_ = play(policy)

    guess = policy.evaluate_sequence(obs, actions, policy.initial_state(4), starts)[3]["task_guess"]

    assert guess.shape == (12, 4, 2)
    assert gradients(policy, "task_guess") == {"lstm_actor.network", "task_net"}


@pytest.mark.parametrize("critic", [{}, {"enable_critic_lstm": True}, {"enable_critic_lstm": False}])
def test_with_direct_input_actions_and_values_add_what_their_weights_say_of_the_lines(critic):
    policy, obs, first = make(ACTIONS["box"], direct_input=True, **critic), torch.rand(4, 3), torch.ones(4)
    state = policy.initial_state(4)
    lines = policy.lstm_actor.encoder(obs)
    with torch.no_grad():
        policy.action_net.weight[:, 5:] = 0  # behind the five readouts
    without = policy.act(obs, state, first, deterministic=True)[0]

    with torch.no_grad():
        policy.action_net.weight[:, 5:].uniform_(-0.01, 0.01)
    action = policy.act(obs, state, first, deterministic=True)[0]

    torch.testing.assert_close(action, without + lines @ policy.action_net.weight[:, 5:].T)
    np.testing.assert_allclose(policy.predict(obs.numpy(), None, first.numpy(), True)[0], action, atol=1e-6)
    assert policy.action_net.in_features == 5 + lines.shape[-1]


def test_spike_counts_are_those_of_all_steps_and_simulation_steps():
    policy = make(substeps=3)
    obs, starts, actions, *_ = play(policy)

    counts = policy.evaluate_sequence(obs, actions, policy.initial_state(4), starts)[3]["counts"]

    assert counts.shape == (4, 14)
    assert counts.sum() > 0 and counts.max() <= 12 * 3 / 6 + 1  # a spike every six steps at most: refractory period 5


def test_the_value_layer_begins_with_the_gain_that_was_asked_for():
    assert make().value_net.weight.norm().item() == pytest.approx(0.01, rel=1e-4)  # an orthogonal row has norm 1
    assert make(value_gain=0.5).value_net.weight.norm().item() == pytest.approx(0.5, rel=1e-4)


def test_the_spread_of_actions_never_sinks_below_its_floor():
    policy = make(ACTIONS["box"], log_std_init=-3.0, log_std_min=-0.9)
    torch.manual_seed(0)
    obs, state = torch.zeros(4000, 3), policy.initial_state(4000)

    actions = policy.act(obs, state, torch.ones(4000))[0]

    assert actions.std(0).tolist() == pytest.approx([np.exp(-0.9)] * 2, rel=0.05)
    assert (
        policy.get_distribution(obs, policy._pack(state, 4000).pi, torch.ones(4000))[0].distribution.stddev.min() > 0.4
    )


def test_what_sank_below_the_floor_can_rise_but_not_sink():
    x = torch.tensor([-2.0, -2.0, 0.0], requires_grad=True)

    (floor(x, -1.0) * torch.tensor([1.0, -1.0, 1.0])).sum().backward()

    assert x.grad.tolist() == [0.0, -1.0, 1.0]


def test_rewiring_by_keyword_keeps_the_connectivity_while_learning():
    policy = make(rewiring={"connectivity": 0.2})
    obs, starts, actions, *_ = play(policy)

    for _ in range(3):
        policy.evaluate_sequence(obs, actions, policy.initial_state(4), starts)[1].sum().backward()
        policy.optimizer.step()

    assert policy.optimizer.report()["all"]["connectivity"] == pytest.approx(0.2, abs=0.01)


# ---- spaces ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "one"),
    [
        (spaces.Discrete(3), np.array([0, 2])),
        (spaces.MultiDiscrete([2, 3]), np.array([[1, 0], [0, 2]])),
        (spaces.MultiBinary(2), np.array([[1, 0], [0, 1]], np.int8)),
        (spaces.Box(-np.inf, np.inf, (2, 2)), np.ones((2, 2, 2))),
        (spaces.Dict(b=spaces.Discrete(3), a=NUMBERS), {"a": np.zeros((2, 3), np.float32), "b": np.array([0, 2])}),
    ],
    ids=["discrete", "multi_discrete", "multi_binary", "unbounded_box", "dict"],
)
def test_every_supported_observation_is_read(space, one):
    policy = make(observations=space)

    action, state = policy.predict(one, deterministic=True)

    assert action.shape == (2,) and state[0].shape[1] == 2


def test_a_dict_is_flattened_entry_by_entry_in_the_order_of_the_space():
    space = spaces.Dict(b=spaces.Discrete(2), a=spaces.Box(-2.0, 3.0, (2,)))
    policy = make(observations=space)

    features, _ = policy._features({"a": torch.tensor([[0.5, 1.5]]), "b": torch.tensor([1])})

    assert features.tolist() == [[[0.0, 1.0, 0.5, 1.5]]]
    assert policy.lstm_actor.encoder.box.low.tolist() == [0.0, 0.0, -2.0, -2.0]


@pytest.mark.parametrize(
    ("observations", "actions", "remedy"),
    [
        (spaces.Box(0, 255, (36, 36, 3), np.uint8), ACTIONS["box"], "features_extractor_class"),
        (spaces.Tuple([NUMBERS]), ACTIONS["box"], "wrap the environment"),
        (spaces.Dict(a=spaces.Dict(b=NUMBERS)), ACTIONS["box"], "Entry 'a'"),
        (spaces.Discrete(3, start=1), ACTIONS["box"], "Count from 0: use gymnasium.wrappers.TransformObservation"),
        (NUMBERS, spaces.Discrete(3, start=1), "Count from 0: use gymnasium.wrappers.TransformAction"),
        (NUMBERS, spaces.MultiBinary((2, 2)), "one axis"),
        (NUMBERS, spaces.Dict(a=NUMBERS), "Box, Discrete, MultiDiscrete or MultiBinary"),
    ],
)
def test_spaces_that_cannot_work_are_refused_at_construction(observations, actions, remedy):
    with pytest.raises(BadValue, match=remedy):
        make(actions, observations)


# ---- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"cell": "alf"}, "Did you mean 'alif'"),
        ({"tau_adpt_ms": 700.0}, "Did you mean 'tau_adapt_ms'"),
        ({"direct_imput": True}, "Did you mean 'direct_input'"),
        ({"readout": 8}, "Did you mean 'readouts'"),
        ({"n_lstm_layers": 2}, "n_lstm_layers = 2.*Leave it at 1"),
        ({"lstm_kwargs": {"dropout": 0.5}}, "lstm_kwargs.*options by name"),
        ({"lstm_hidden_size": 20}, "lstm_hidden_size = 20 and adaptive, regular"),
        ({"noise": 0.03}, "Leave it out"),
        ({"log_std_min": -1.0, "use_sde": True}, "Leave one of the two out"),
        ({"log_std_min": -1.0, "action_bins": 5}, "leaves no Gaussian.*Leave them out"),
        ({"action_bins": 1}, "Give at least 2"),
        ({"kind": GRUPolicy, "cell": "lstm"}, r"LSNNPolicy\(cell='lstm'\)"),
    ],
)
def test_keywords_that_make_no_sense_are_answered_with_what_to_type(options, remedy):
    with pytest.raises((BadValue, UnknownName), match=remedy):
        make(ACTIONS["box"], **options)


def test_observations_that_cannot_be_read_are_answered():
    policy = make()
    rest = policy.initial_state(2)
    with_nan = np.zeros((2, 3), np.float32)
    with_nan[1, 2] = np.nan

    with pytest.raises(BadValue, match=r"environment 1 is nan at index \(2,\)"):
        policy.act(with_nan, rest, np.zeros(2))
    with pytest.raises(BadValue, match="environment 1 is nan"):
        policy.predict(with_nan)
    with pytest.raises(ShapeMismatch, match=r"has shape \(2, 4\), the space \(3,\)"):
        policy.act(np.zeros((2, 4)), rest, np.zeros(2))
    with pytest.raises(ShapeMismatch, match=r"a batch of shape \(N, 3\)"):
        policy.predict(np.zeros(4))
    with pytest.raises(ShapeMismatch, match="holds 2 environments, the observation 5"):
        policy.act(np.zeros((5, 3)), rest, np.zeros(5))
    with pytest.raises(BadValue, match="obs, info = env.reset"):
        policy.predict((np.zeros(3), {}))
    with pytest.raises(BadValue, match="does not have"):
        make(observations=spaces.Discrete(3)).predict(3)
    with pytest.raises(ShapeMismatch, match=r"Dict of \['a'\]"):
        make(observations=spaces.Dict(a=NUMBERS)).predict({"b": np.zeros(3)})


def test_a_state_of_another_size_is_answered():
    policy = make()
    _, state = make(readouts=9).predict(np.zeros(3))

    with pytest.raises(ShapeMismatch, match="state=None to begin afresh"):
        policy.predict(np.zeros(3), state)


def test_every_refusal_is_ours():
    with pytest.raises(LSNNError):
        make(observations=spaces.Text(5))


# ---- copies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALIASES)
def test_a_policy_survives_save_and_load_pickle_and_deepcopy(kind):
    policy = make(ACTIONS["box"], kind=kind, log_std_min=-1.0)
    obs, state = torch.rand(3, 3), policy.initial_state(3)
    expected = policy.act(obs, state, torch.ones(3), deterministic=True)[0]
    file = io.BytesIO()

    policy.save(file)
    file.seek(0)

    for twin in (kind.load(file), pickle.loads(pickle.dumps(copy.deepcopy(policy)))):
        assert torch.equal(twin.act(obs, state, torch.ones(3), deterministic=True)[0], expected)
        assert twin.log_std_min == -1.0


# ---- Poisson spikes --------------------------------------------------------------------------------------------------


def test_poisson_spikes_are_met_again_in_learning_whatever_rows_are_learned_together():
    policy = make(ACTIONS["box"], encoder_kwargs={"poisson": True}, log_std_init=-2.0)
    obs, starts, actions, values, log_probs, _ = play(policy, steps=20)
    some = torch.tensor([2, 0])

    again_values, again, _, _ = policy.evaluate_sequence(
        obs[:, some], actions[:, some], policy.initial_state(2), starts[:, some]
    )

    assert share_that_agrees(again, log_probs[:, some]) > 0.99
    assert share_that_agrees(again_values, values[:, some]) > 0.99


def test_poisson_spikes_come_at_the_rate_that_was_asked_for_and_independently_from_step_to_step():
    encoder = make(encoder_kwargs={"poisson": True, "rate_max_hz": 250.0, "curves": 5}).lstm_actor.encoder
    features = torch.zeros(4000, 1, 3)  # the middle curve of 5 has its centre here: full rate, a quarter of the steps

    spikes = encoder(features, torch.arange(4000.0).unsqueeze(1))[:, 0]

    middle = spikes[:, [2, 7, 12]]
    assert middle.mean(0).tolist() == pytest.approx([0.25] * 3, abs=4 * (0.25 * 0.75 / 4000) ** 0.5)
    for a, b in ((middle[:-1, 0], middle[1:, 0]), (middle[:, 0], middle[:, 1])):
        assert torch.corrcoef(torch.stack([a, b]))[0, 1].abs() < 4 / 4000**0.5
    assert spikes[:, -1].eq(1).all()  # the constant line does not draw


def test_keywords_of_the_encoder_are_answered_too():
    with pytest.raises(BadValue, match="unexpected keyword argument 'curvs'"):
        make(encoder_kwargs={"curvs": 12})


@pytest.mark.parametrize("module", ["policies", "heads", "bins", "packing", "poisson"])
def test_the_examples_in_the_docstrings_are_true(module):
    result = doctest.testmod(import_module(f"lsnn_rl.agents.{module}"))

    assert result.attempted > 0 and result.failed == 0


# ---- normalised observations -----------------------------------------------------------------------------------------


def test_observations_beyond_the_bounds_of_their_space_are_warned_about_and_told_the_remedy():
    policy, obs = make(), torch.tensor([[0.0, 0.5, -0.5], [0.0, 3.0, 0.0]])

    with pytest.warns(UserWarning, match=r"Number 1 .* is 3; the space says -1 to 1.*normalized=True"):
        policy.act(obs, policy.initial_state(2), torch.ones(2))


def test_normalised_observations_are_read_beyond_the_bounds_of_the_space(recwarn):
    policy = make(ACTIONS["box"], normalized=True)
    obs = torch.tensor([[0.0, 2.0, 0.0], [0.0, 4.0, 0.0]])

    lines = policy.lstm_actor.encoder(obs)
    policy.act(obs, policy.initial_state(2), torch.ones(2))

    assert not torch.equal(lines[0], lines[1])
    assert not recwarn.list

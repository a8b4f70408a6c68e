"""sb3_contrib.RecurrentPPO, unchanged, trains our policies: the sixteen points of its unwritten contract in turn."""

import copy
import inspect

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import RecurrentPPO
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.common.recurrent.type_aliases import RNNStates
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

import lsnn_rl  # noqa: F401  (registers the worlds)
from lsnn_rl.agents.packing import Packing, also_minimise
from lsnn_rl.agents.policies import FeedForwardPolicy, GRUPolicy, LIFPolicy, LSNNPolicy, LSTMPolicy, RNNPolicy
from lsnn_rl.errors import WrongAlgorithm
from lsnn_rl.network import build_network

TINY = {"regular": 8, "adaptive": 6, "readouts": 5}
ARENA = "LSNNArena-v0"


class Toy(gym.Env):
    """Random numbers in, any action out, lifetimes of 7 steps."""

    def __init__(self, action_space, observation_space=None):
        self.observation_space = observation_space or spaces.Box(-1.0, 1.0, (3,))
        self.action_space = action_space

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self.age = 0
        return self.observation_space.sample(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        self.age += 1
        return self.observation_space.sample(), float(np.sum(action)), False, self.age >= 7, {}


def student(env="CartPole-v1", policy=LSNNPolicy, seed=0, n_steps=16, **options):
    kwargs = TINY if policy is LSNNPolicy else {"size": 10, "readouts": 5}
    algorithm = {key: options.pop(key) for key in list(options) if key in inspect.signature(RecurrentPPO).parameters}
    fixed = {"n_steps": n_steps, "batch_size": 16, "n_epochs": 2, "seed": seed, "device": "cpu"}
    return RecurrentPPO(policy, env, policy_kwargs={**kwargs, **options}, **fixed, **algorithm)


@torch.no_grad()
def some_states(policy, n=3):
    """Packed states after a few random steps."""
    states, generator = zeros(policy, n), torch.Generator().manual_seed(0)
    for _ in range(6):
        obs = torch.rand(n, *policy.observation_space.shape, generator=generator) * 0.8 - 0.4
        states = policy(obs, states, torch.zeros(n))[3]
    return states


def zeros(policy, n):
    one = torch.zeros(1, n, policy.lstm_actor.hidden_size)
    return RNNStates((one, one), (one, one))


# ---- the whole of it -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [LSNNPolicy, LIFPolicy, GRUPolicy, LSTMPolicy, RNNPolicy, FeedForwardPolicy])
def test_upstream_learns_saves_loads_and_predicts_in_the_arena(policy, tmp_path):
    model = student(ARENA, policy)
    before = model.policy.parameters_to_vector()

    model.learn(48)
    model.save(tmp_path / "model.zip")
    twin = RecurrentPPO.load(tmp_path / "model.zip", device="cpu")

    assert not np.array_equal(model.policy.parameters_to_vector(), before)
    state = other = None
    for t, obs in enumerate(np.random.default_rng(0).uniform(-0.5, 0.5, (5, 2, *model.observation_space.shape))):
        start = np.full(2, t == 0)
        action, state = model.predict(obs.astype(np.float32), state, start, deterministic=True)
        action_of_twin, other = twin.predict(obs.astype(np.float32), other, start, deterministic=True)
        assert np.array_equal(action, action_of_twin) and np.array_equal(state, other)


# ---- point by point --------------------------------------------------------------------------------------------------


def test_1_it_is_a_recurrent_policy_and_its_core_can_be_read_as_an_lstm():
    policy = student().policy

    assert isinstance(policy, RecurrentActorCriticPolicy)
    assert policy.lstm_actor is not None


def test_2_all_numbers_of_the_state_fit_into_two_halves():
    core = student(delay_ms=3.0).policy.lstm_actor

    # v, b, z and refractory of 14 cells, 5 readouts, 3 future currents for each cell: 14 * 4 + 5 + 14 * 3 = 103
    assert (core.num_layers, core.hidden_size) == (1, 52)
    state = {name: torch.rand_like(value) for name, value in core.initial_state(3).items()}
    again = core.packing.unpack(core.packing.pack(state, 3))
    assert list(again) == list(state) and all(torch.equal(again[name], state[name]) for name in state)


def test_2_a_network_without_state_still_gives_upstream_an_axis():
    packing = Packing({})

    h, c = packing.pack({}, 4)

    assert h.shape == c.shape == (1, 4, 1) and packing.unpack((h, c)) == {}


@pytest.mark.parametrize("cell", ["lsnn", "alif", "lif", "gru", "lstm", "rnn"])
def test_3_zeros_are_the_state_at_rest(cell):
    network = build_network(cell, 3, 5)

    assert all(not value.any() for value in network.initial_state(2).values())


def test_3_a_start_and_a_state_of_zeros_are_the_same_thing():
    policy = student().policy
    obs, states = torch.full((3, 4), 0.2), some_states(policy)

    reset = policy(obs, states, torch.ones(3), deterministic=True)
    fresh = policy(obs, zeros(policy, 3), torch.zeros(3), deterministic=True)

    assert torch.equal(reset[1], fresh[1])
    assert all(torch.equal(a, b) for a, b in zip(reset[3].pi, fresh[3].pi, strict=True))


def test_4_a_sequence_with_a_reset_inside_equals_single_steps_row_by_row():
    policy = student().policy
    core, states = policy.lstm_actor, some_states(policy, 2).pi
    features, starts = torch.rand(2, 5, 4), torch.zeros(2, 5)
    starts[1, 3] = 1

    whole, after = policy._process_sequence(features.flatten(0, 1), states, starts.flatten(), core)

    steps = []
    for t in range(5):
        out, states = policy._process_sequence(features[:, t], states, starts[:, t], core)
        steps.append(out)
    assert torch.allclose(whole.reshape(2, 5, -1), torch.stack(steps, 1), atol=1e-5)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(after, states, strict=True))


def test_5_the_heads_are_as_wide_as_the_readout_and_no_lstm_is_built_beside_the_core():
    policy = student().policy

    assert policy.lstm_output_dim == policy.action_net.in_features == 5
    assert policy.lstm_hidden_state_shape == (1, 1, policy.lstm_actor.hidden_size)
    assert not any(isinstance(module, torch.nn.LSTM) for module in policy.modules())
    cells, lines = 14, policy.network.inputs
    weights = cells * lines + cells * cells + 5 * cells + 5  # in, recurrent, out, readout bias
    assert policy.parameters_to_vector().size == weights + (5 + 1) * 2 + (5 + 1)  # two actions, one value


def test_6_the_optimiser_knows_every_parameter_once():
    policy = student(enable_critic_lstm=True).policy

    in_optimizer = [id(p) for group in policy.optimizer.param_groups for p in group["params"]]

    assert sorted(in_optimizer) == sorted(id(p) for p in policy.parameters())
    assert policy.optimizer.defaults["eps"] == 1e-5


@pytest.mark.parametrize(
    "options",
    [
        {"tau_adapt_ms": 90.0, "substeps": 2, "log_std_min": -1.0, "value_gain": 0.3, "task_size": 2},
        {"enable_critic_lstm": True, "share_features_extractor": False},
        {"enable_critic_lstm": False},
        {"net_arch": {"pi": [4], "vf": [6]}, "activation_fn": torch.nn.ReLU},
        {"encoder": "current", "encoder_kwargs": {"gain": 2.0}},
    ],
)
def test_7_every_keyword_survives_save_and_load(options, tmp_path):
    policy = student(**options).policy
    policy.save(tmp_path / "policy.pt")

    twin = LSNNPolicy.load(tmp_path / "policy.pt", device="cpu")

    given, kept = policy._get_constructor_parameters(), twin._get_constructor_parameters()
    assert {key: value for key, value in given.items() if key != "lr_schedule"} == {
        key: value for key, value in kept.items() if key != "lr_schedule"
    }
    assert all(kept[key] == value for key, value in options.items())


def test_8_random_wiring_is_saved_and_not_drawn_anew(tmp_path):
    model = student(connectivity=0.3, rewiring=False, delay_ms=4.0, seed=None)
    model.save(tmp_path / "model.zip")
    torch.manual_seed(99)

    twin = RecurrentPPO.load(tmp_path / "model.zip", device="cpu")

    wiring = {name: value for name, value in model.policy.named_buffers() if "mask" in name or "delay" in name}
    assert len(wiring) >= 4
    assert all(torch.equal(dict(twin.policy.named_buffers())[name], value) for name, value in wiring.items())


@pytest.mark.parametrize("algorithm", [PPO, A2C, DQN])
def test_9_algorithms_without_state_are_refused_when_they_are_built(algorithm):
    with pytest.raises(TypeError, match=r"Use lsnn_rl.RecurrentPPO or sb3_contrib.RecurrentPPO") as refusal:
        algorithm(LSNNPolicy, "CartPole-v1")
    assert isinstance(refusal.value, WrongAlgorithm)


def test_9_a_call_without_state_is_refused_too():
    policy = student().policy

    with pytest.raises(WrongAlgorithm, match=r"sb3_contrib.RecurrentPPO"):
        policy(torch.zeros(1, 4))


def test_9_somebodys_own_recurrent_algorithm_is_welcome():
    class Mine(OnPolicyAlgorithm):
        def collect_rollouts(self, *args, **kwargs):
            return True

    model = Mine(
        LSNNPolicy, "CartPole-v1", 1e-3, n_steps=2, gamma=1, gae_lambda=1, ent_coef=0, vf_coef=0, max_grad_norm=1,
        use_sde=False, sde_sample_freq=-1, policy_kwargs=TINY, device="cpu",
    )  # fmt: skip

    assert isinstance(model.policy, LSNNPolicy)


def test_9_a_policy_may_be_built_while_an_algorithm_without_state_is_training():
    built = []

    def callback(*_):
        built.append(student().policy)
        return False

    PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=8, device="cpu").learn(8, callback=callback)

    assert isinstance(built[0], LSNNPolicy)


def test_10_upstreams_keyword_for_size_counts_neurons_half_of_them_adaptive():
    network = RecurrentPPO(
        LSNNPolicy, "CartPole-v1", policy_kwargs={"lstm_hidden_size": 21}, device="cpu"
    ).policy.network

    assert network.size == 21
    assert network.populations["adaptive"] == slice(11, 21)


@pytest.mark.parametrize(
    "options",
    [
        {"shared_lstm": True, "enable_critic_lstm": True},
        {"shared_lstm": True, "enable_critic_lstm": False, "share_features_extractor": False},
    ],
)
def test_10_contradictory_sharing_raises_what_upstream_raises(options):
    with pytest.raises(AssertionError, match="Share"):
        student(**options)


def test_11_no_hidden_layer_stands_between_readout_and_action_unless_asked_for():
    assert list(student().policy.mlp_extractor.parameters()) == []
    assert len(list(student(net_arch=[7]).policy.mlp_extractor.parameters())) == 4  # weight and bias, actor and critic


def test_11_with_a_shared_core_the_value_shapes_it():
    policy = student().policy
    values, _, _ = policy.evaluate_actions(torch.rand(6, 4), torch.zeros(6), zeros(policy, 2), torch.zeros(6))

    values.sum().backward()

    assert policy.network.w_out.grad.abs().sum() > 0


def test_12_evaluation_in_mid_training_changes_nothing():
    watcher = EvalCallback(gym.make("CartPole-v1"), eval_freq=10, n_eval_episodes=1, verbose=0, warn=False)

    quiet = student(seed=3).learn(64)
    watched = student(seed=3).learn(64, callback=watcher)

    assert np.array_equal(quiet.policy.parameters_to_vector(), watched.policy.parameters_to_vector())


def test_12_states_and_observations_that_are_handed_in_stay_as_they_are():
    policy = student().policy
    obs, states = 0.4 * torch.rand(3, 4), some_states(policy)
    before = copy.deepcopy((obs, states))

    policy(obs, states, torch.tensor([0.0, 1.0, 0.0]))

    assert torch.equal(obs, before[0])
    assert all(torch.equal(a, b) for a, b in zip(states.pi + states.vf, before[1].pi + before[1].vf, strict=True))


@pytest.mark.parametrize("policy", [LSNNPolicy, GRUPolicy])
def test_13_without_learning_the_update_finds_the_policy_that_acted(policy):
    model = student(Toy(spaces.Box(-1.0, 1.0, (2,))), policy, n_steps=64, learning_rate=0.0)

    model.learn(64)

    assert model.logger.name_to_value["train/approx_kl"] == pytest.approx(0.0, abs=1e-6)
    assert model.logger.name_to_value["train/clip_fraction"] == 0.0


def test_14_a_cost_on_firing_rates_works_without_a_word_to_upstream():
    def rate(**options):
        model = student(Toy(spaces.Discrete(2)), n_steps=64, learning_rate=0.01, max_grad_norm=10.0, **options).learn(
            512
        )
        policy, obs = model.policy, torch.rand(40, 2, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
        extras = policy.evaluate_sequence(obs, torch.zeros(40, 2), policy.initial_state(2), torch.zeros(40, 2))[3]
        return extras["counts"].mean().item() / 40 * 1000

    assert rate(rate_cost=1.0, rate_target_hz=5.0) < 0.8 * rate()


def test_14_the_cost_rides_on_the_values_and_changes_none():
    values, x = torch.tensor([1.0, 2.0]), torch.tensor(3.0, requires_grad=True)

    passed = also_minimise(values, x**2)
    passed.mean().backward()

    assert passed.tolist() == [1.0, 2.0] and x.grad.item() == 6.0


def test_14_rewiring_goes_on_under_upstream_and_survives_save_and_load(tmp_path):
    model = student(rewiring={"connectivity": 0.25, "l1": 1.0}, learning_rate=0.02)
    before = model.policy.network.w_in.detach() != 0

    model.learn(128)
    model.save(tmp_path / "model.zip")
    twin = RecurrentPPO.load(tmp_path / "model.zip", env=gym.make("CartPole-v1"), device="cpu")
    twin.learn(32)

    assert not torch.equal(before, model.policy.network.w_in != 0)
    for policy in (model.policy, twin.policy):
        assert policy.optimizer.report()["all"]["connectivity"] == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    "actions",
    [spaces.MultiBinary(3), spaces.MultiDiscrete([2, 3]), spaces.Box(-1.0, 1.0, (2, 2)), spaces.Discrete(3)],
    ids=["multi_binary", "multi_discrete", "box_2d", "discrete"],
)
def test_15_every_action_space_of_upstream_is_trained(actions):
    model = student(Toy(actions)).learn(32)

    assert model.num_timesteps == 32


@pytest.mark.parametrize(
    "observations",
    [
        spaces.Dict(a=spaces.Box(-1.0, 1.0, (2,)), b=spaces.Discrete(3)),
        spaces.Discrete(4),
        spaces.MultiDiscrete([2, 3]),
        spaces.MultiBinary(4),
    ],
    ids=["dict", "discrete", "multi_discrete", "multi_binary"],
)
def test_15_every_observation_space_is_trained_on(observations):
    env = Toy(spaces.Discrete(2), observations)

    model = student(env).learn(32)

    assert len(evaluate_policy(model, env, 2, warn=False, return_episode_rewards=True)[0]) == 2


def test_15_images_come_in_through_a_features_extractor_of_the_users_choice():
    class Mean(torch.nn.Module):
        features_dim = 2

        def __init__(self, space):
            super().__init__()

        def forward(self, images):
            return images.mean((2, 3))[:, :2]

    env = Toy(spaces.Discrete(2), spaces.Box(0, 255, (3, 36, 36), np.uint8))

    model = student(env, features_extractor_class=Mean).learn(16)

    assert model.policy.network.inputs == 2


def test_15_a_squashed_action_is_stretched_to_its_box_once():
    box = spaces.Box(0.0, 10.0, (2,), np.float32)
    options = {"regular": 4, "adaptive": 4, "squash_output": True, "keep_direction": True}
    policy = LSNNPolicy(spaces.Box(-1, 1, (3,)), box, lambda _: 0.0, use_sde=True, **options)

    actions, _ = policy.predict(np.zeros((1, 3), np.float32), deterministic=True)

    assert np.all((actions > 0) & (actions < 10))
    np.testing.assert_allclose(actions, 5, atol=2)  # a fresh policy wants little


@pytest.mark.parametrize("options", [{}, {"use_sde": True}])
def test_16_a_policy_can_be_copied_right_after_training(options):
    model = student("Pendulum-v1", **options).learn(32)

    twin = copy.deepcopy(model.policy)

    assert torch.equal(twin.action_net.weight, model.policy.action_net.weight)

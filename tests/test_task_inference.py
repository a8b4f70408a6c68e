"""The warm-up on the hidden task: what is watched, and that it teaches."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from lsnn_rl.agents.recurrent_ppo import RecurrentPPO
from lsnn_rl.agents.task_inference import Wanderer, warm_up, watch
from lsnn_rl.agents.vec_bridge import make_env
from lsnn_rl.errors import BadValue

BIG = {"steps": 30, "goal_radius": 0.6}  # goals that are met soon


def lessons(steps=40, n=6, **options):
    env = make_env("LSNNArena-v0", n, **{**BIG, **options})
    env.seed(0)
    return watch(env, steps, np.random.default_rng(0))


def model(cell="gru", **options):
    return RecurrentPPO(
        "LSNNPolicy",
        "LSNNArena-v0",
        n_envs=2,
        n_steps=8,
        seed=0,
        auxiliary={"task_inference": 0.3},
        policy_kwargs={"cell": cell, "readouts": 8, **options},
    )


def test_the_task_stays_for_a_lifetime_and_changes_with_the_next():
    seen = lessons()

    changed = (seen.task[1:] != seen.task[:-1]).any(-1)

    assert torch.equal(changed, seen.starts[1:])
    assert seen.starts[30].all() and seen.starts.sum() == 2 * 6


def test_the_task_counts_as_known_from_the_first_reward_seen():
    seen = lessons()
    rewarded = seen.observations[:30, :, 4] > 0  # the first lifetime of each slot

    assert torch.equal(seen.known[:30], rewarded.int().cummax(0).values.bool())
    assert 0 < seen.known.float().mean() < 1


def test_the_previous_action_seen_is_the_action_done():
    seen = lessons(steps=20)

    # The arena shows actions as it did them: shortened to length 1.
    done = seen.actions / seen.actions.norm(dim=-1, keepdim=True).clamp(min=1)

    torch.testing.assert_close(seen.observations[1:, :, 2:4], done[:-1], atol=1e-6, rtol=0)


def test_every_other_slot_heeds_the_expert_more():
    expert = np.tile(np.float32([1, 0]), (200, 1))
    wanderer = Wanderer(spaces.Box(-1, 1, (2,)), 200, np.random.default_rng(0))

    heeded = np.mean([wanderer.actions(expert)[:, 0] for _ in range(50)], axis=0)

    assert heeded[1::2].mean() > heeded[::2].mean() + 0.1


def test_the_wandering_direction_persists():
    wanderer = Wanderer(spaces.Box(-1, 1, (2,)), 100, np.random.default_rng(0))

    first, second = wanderer.actions(None), wanderer.actions(None)
    for _ in range(100):
        late = wanderer.actions(None)

    assert (first[::2] * second[::2]).sum(-1).mean() > 0.8
    assert abs((first[::2] * late[::2]).sum(-1).mean()) < 0.4


@pytest.mark.parametrize(
    "space", [spaces.Box(-3, 1, (2, 2)), spaces.Discrete(4), spaces.MultiDiscrete([2, 5])], ids=str
)
def test_wandering_stays_in_the_action_space(space):
    wanderer = Wanderer(space, 5, np.random.default_rng(0))
    wanted = np.stack([space.sample() for _ in range(5)])

    for _ in range(20):
        for actions in (wanderer.actions(wanted), wanderer.actions(None)):
            assert all(space.contains(action) for action in actions)


@pytest.mark.parametrize("cell", ["gru", "lsnn"])
def test_the_warm_up_teaches_where_the_goal_is(cell):
    torch.manual_seed(0)
    trained = model(cell, **({"size": 24} if cell == "gru" else {"regular": 16, "adaptive": 16}))

    world = {"steps": 1000, "goal_radius": 0.5}
    errors = warm_up(trained, "LSNNArena-v0", iterations=60, batch=32, steps=50, learning_rate=0.02, env_kwargs=world)

    # Who ignores what is seen errs by the variance of a coordinate on the ring of radius 0.85, that is 0.85^2 / 2.
    assert np.mean(errors[-10:]) < 0.8 * 0.85**2 / 2


def test_the_warm_up_leaves_actions_and_values_to_ppo():
    trained = model()
    heads = [
        p.detach().clone() for net in (trained.policy.action_net, trained.policy.value_net) for p in net.parameters()
    ]
    core = trained.policy.network.w_rec.detach().clone()

    warm_up(trained, "LSNNArena-v0", iterations=2, batch=4, steps=10, env_kwargs=BIG)

    after = [p for net in (trained.policy.action_net, trained.policy.value_net) for p in net.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(heads, after, strict=True))
    assert not torch.equal(core, trained.policy.network.w_rec)
    assert len(trained.policy.optimizer.state) == 0


def test_the_same_seed_gives_the_same_lessons():
    curves = []
    for _ in range(2):
        torch.manual_seed(0)
        curves.append(warm_up(model(), "LSNNArena-v0", iterations=2, batch=4, steps=10, seed=5, env_kwargs=BIG))

    assert curves[0] == curves[1]


def test_a_rewired_core_stays_sparse_in_the_warm_up():
    trained = model("lsnn", regular=8, adaptive=8, rewiring={"connectivity": 0.2})

    warm_up(trained, "LSNNArena-v0", iterations=3, batch=4, steps=10, env_kwargs=BIG)

    assert trained.policy.optimizer.active_count() <= trained.policy.optimizer.budget


def test_a_policy_without_task_head_is_told_how_to_get_one():
    plain = RecurrentPPO("GRUPolicy", "LSNNArena-v0", n_envs=2, policy_kwargs={"size": 4})

    with pytest.raises(BadValue, match="has none.*task_inference"):
        warm_up(plain, "LSNNArena-v0", iterations=1)


@pytest.mark.parametrize("nothing", [{"batch": 0}, {"steps": 0}])
def test_a_warm_up_that_shows_nothing_is_refused(nothing):
    with pytest.raises(BadValue, match="Give at least one lifetime and one step"):
        warm_up(model(), "LSNNArena-v0", iterations=1, **nothing)


def test_a_world_without_hidden_task_is_refused():
    with pytest.raises(BadValue, match="reveals it"):
        warm_up(model(), "CartPole-v1", iterations=1)

"""POPGym's own worlds through our face. Expected values: POPGym's environments, and rules played by hand."""

import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import popgym  # noqa: F401  (it registers its ids)
import pytest
from popgym.wrappers import Antialias, Flatten, PreviousAction

import lsnn_rl
from lsnn_rl import RecurrentPPO
from lsnn_rl.agents.episodes import evaluate_episodes
from lsnn_rl.agents.popgym_scores import PUBLISHED, mmer, table
from lsnn_rl.agents.recipe import find_recipe
from lsnn_rl.agents.vec_bridge import SB3VecEnv, answers, ask, make_env
from lsnn_rl.agents.zoo_places import ZOO
from lsnn_rl.envs.popgym_bridge import LEVELS, NAMES, PopgymEnv
from lsnn_rl.errors import BadValue, MissingFile

ROOT = Path(__file__).resolve().parent.parent
BANDIT, FIRST, PREVIOUS = (f"POPGym{name}Easy-v0" for name in ("MultiarmedBandit", "RepeatFirst", "RepeatPrevious"))
SHIPPED = sorted(file.parent.relative_to(ZOO).as_posix() for file in ZOO.glob("POPGym*/*/recipe.yml"))


def theirs(env_id):
    """What POPGym's own baselines see: flattened, with the previous action and a flag for the first step."""
    return Flatten(
        Antialias(PreviousAction(gym.make(env_id.replace("POPGym", "popgym-")).unwrapped)), flatten_action=False
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", LEVELS)
def test_every_world_of_popgym_has_a_face_here_with_observations_inside_its_space(name, level):
    env = gym.make(f"POPGym{name}{level}-v0")
    env.action_space.seed(0)

    seen = [env.reset(seed=0)[0]] + [env.step(env.action_space.sample())[0] for _ in range(5)]

    assert all(env.observation_space.contains(obs) for obs in seen)


def test_every_id_of_popgym_is_among_them():
    own = {env_id for env_id in gym.registry if env_id.startswith("popgym-")}

    assert own == {f"popgym-{name}{level}-v0" for name in NAMES for level in LEVELS}


def test_a_learner_may_ask_the_bandits_what_their_arms_pay_and_no_other_world():
    bandits, others = make_env(BANDIT, 3), make_env(FIRST, 3)
    bandits.seed(5)
    bandits.reset()
    singles = bandits.unwrapped.venv.singles
    hidden = np.stack([single.inner.unwrapped.bandits for single in singles])

    known = ask(bandits, "task_known").tolist()
    bandits.step(np.zeros(3, int))

    assert ask(bandits, "task_vector").tolist() == hidden.tolist() and hidden.std() > 0.1
    assert known == [False] * 3 and ask(bandits, "task_known").tolist() == [True] * 3
    assert answers(bandits, ["task_vector", "task_known"]) and not answers(others, ["task_vector"])


@pytest.mark.parametrize("env_id", [BANDIT, FIRST, PREVIOUS, "POPGymHigherLowerEasy-v0", "POPGymBattleshipEasy-v0"])
def test_rules_and_luck_are_popgyms_to_the_bit(env_id):
    ours, reference = gym.make(env_id), theirs(env_id)
    ours.action_space.seed(1)

    ours.reset(seed=5)
    reference.reset(seed=5)
    for _ in range(40):
        action = ours.action_space.sample()
        (obs, *mine, _), (their_obs, *their, _) = ours.step(action), reference.step(action)
        # Ours has one number for the first step where the wrapper has a one-hot pair; after the first step both say no.
        assert np.array_equal(obs[:-1], their_obs[:-2]) and obs[-1] == 0
        assert mine == their
        if any(mine[1:]):
            break


def test_the_first_observation_says_so_and_shows_no_previous_action():
    env = gym.make(BANDIT)

    first, _ = env.reset(seed=0)
    second, reward, *_, info = env.step(3)

    assert first.tolist() == [1, 0] + [0] * 10 + [1]
    assert second[2:12].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0] and second[12] == 0
    assert second[1] == (reward > 0) and info == {}  # POPGym's own info tells the arms' means


def test_the_previous_reward_can_be_asked_for_and_the_rest_left_out():
    env = gym.make(FIRST, previous_action=False, first_step=False, previous_reward=True)
    card = int(np.argmax(env.reset(seed=0)[0][:4]))

    obs, reward, *_ = env.step(card)

    assert obs.shape == (5,) and reward == pytest.approx(1 / 51) and obs[4] == pytest.approx(1 / 51)


@pytest.mark.parametrize("env_id", [BANDIT, PREVIOUS])
def test_slot_i_lives_as_a_single_environment_with_its_seed_and_goes_on_to_the_next_lifetime(env_id):
    many, single = gym.make_vec(env_id, num_envs=3), gym.make(env_id)
    many.action_space.seed(2)

    seen, _ = many.reset(seed=7)
    assert np.array_equal(seen[2], single.reset(seed=9)[0])
    for _ in range(210):
        actions = many.action_space.sample()
        seen, rewards, terminated, truncated, infos = many.step(actions)
        obs, reward, *ends, _ = single.step(actions[2])
        assert rewards[2] == reward and [terminated[2], truncated[2]] == ends
        if any(ends):
            assert np.array_equal(infos["final_obs"][2], obs)
            obs, _ = single.reset()
        assert np.array_equal(seen[2], obs)


def test_a_saved_state_goes_on_exactly():
    one, other = (SB3VecEnv(gym.make_vec(PREVIOUS, num_envs=2)) for _ in range(2))
    one.seed(3)
    one.reset()
    for step in range(70):  # the second lifetime, in its middle
        one.step(np.array([step % 4, 1]))

    other.reset()
    other.set_state(one.get_state())

    for step in range(60):
        (a, *rest), (b, *others) = (env.step(np.array([2, step % 4])) for env in (one, other))
        assert np.array_equal(a, b) and all(np.array_equal(x, y) for x, y in zip(rest[:2], others[:2], strict=True))


def test_it_refuses_to_reset_otherwise_and_to_be_drawn():
    with pytest.raises(BadValue, match='vectorization_mode="sync"'):
        gym.make_vec(FIRST, num_envs=2, autoreset_mode="NextStep")
    with pytest.raises(BadValue, match="are not drawn"):
        PopgymEnv("RepeatFirstEasy", render_mode="rgb_array")


def test_without_popgym_the_extra_is_named():
    code = f"""
import sys; sys.modules["popgym"] = None
import gymnasium as gym, lsnn_rl
try:
    gym.make("{FIRST}")
except lsnn_rl.errors.MissingPackage as mistake:
    print(mistake)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert "pip install 'lsnn-rl[popgym]'" in done.stdout


# ---- learning and scores ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_every_recipe_makes_a_learner_whose_rollouts_are_whole_columns(name):
    recipe = find_recipe(name)

    env = make_env(recipe.env.id, 2, **recipe.env.kwargs)
    model = RecurrentPPO("LSNNPolicy", env, policy_kwargs=recipe.policy, n_steps=recipe.ppo.n_steps)

    assert recipe.ppo.batch_size % recipe.ppo.n_steps == 0 and model.policy.cell == recipe.policy["cell"]
    assert recipe.env.id == name.partition("/")[0]


def test_an_agent_that_repeats_the_first_card_earns_all_there_is():
    def repeat(obs, state, starts):
        first = obs[:, -1] > 0
        suit = obs[:, :4].argmax(1)
        state = suit if state is None else np.where(first, suit, state)
        return state, state

    card = evaluate_episodes(repeat, FIRST, episodes=8)

    assert card["return"]["mean"] == pytest.approx(1.0)


def test_who_sees_the_previous_action_need_not_remember_the_first_card_so_our_recipes_hide_it():
    def parrot(obs, state, starts):
        return np.where(obs[:, -1] > 0, obs[:, :4].argmax(1), obs[:, 4:8].argmax(1)), state

    assert evaluate_episodes(parrot, FIRST, episodes=8)["controls"]["no_state"]["mean"] == pytest.approx(1.0)
    assert [find_recipe(f"{FIRST}/{agent}").env.kwargs for agent in ("lsnn", "gru")] == [{"previous_action": False}] * 2


def progress(folder, means, every=32_768):
    folder.mkdir(parents=True)
    rows = [f"{(i + 1) * every},{mean}" for i, mean in enumerate(means)]
    (folder / "progress.csv").write_text("\n".join(["time/total_timesteps,rollout/ep_rew_mean", *rows]) + "\n")


def test_mmer_is_the_largest_mean_of_a_training_batch_across_sessions(tmp_path):
    progress(tmp_path / "logs" / "1", [0.0, 0.2, 0.9, 0.1, 0.4, 0.4, 1.0])  # means 0.1, 0.5, 0.4; the last is half

    assert mmer(tmp_path) == pytest.approx(0.5)


def test_mmer_of_too_short_a_training_or_of_none_is_refused(tmp_path):
    with pytest.raises(MissingFile, match="lsnn-rl train"):
        mmer(tmp_path)
    progress(tmp_path / "logs" / "1", [0.3])
    with pytest.raises(BadValue, match="trained for 32,768 steps"):
        mmer(tmp_path)


def test_the_table_sets_runs_beside_what_was_published(tmp_path):
    for seed in (0, 1):
        run = tmp_path / str(seed)
        progress(run / "logs" / "1", [0.6 + 0.1 * seed] * 4)
        find_recipe(f"{BANDIT}/gru").save(run / "recipe.yml")

    said = table([tmp_path / "0", tmp_path / "1"])

    assert said.startswith(f"{BANDIT} gru: MMER 0.650 [") and "over 2 seeds" in said
    assert f"best of 13 models {PUBLISHED[BANDIT].best:.3f}; Bayes-UCB 0.733" in said


def test_importing_the_package_leaves_popgym_alone():
    done = subprocess.run(
        [sys.executable, "-c", "import lsnn_rl, sys; print('popgym' in sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.stdout.strip() == "False" and lsnn_rl.__version__


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["lsnn", "gru"])
def test_the_first_card_is_remembered_after_a_short_training(agent, tmp_path):
    from lsnn_rl.agents.training import train

    limits = ["train.minutes=null", "train.total_steps=500000", "test.lifetimes=200", "train.seed=1"]

    card = train(find_recipe(f"{FIRST}/{agent}").with_changes(limits), tmp_path / "run", progress=False)

    assert card["return"]["mean"] > 0.95  # without memory at most -0.5: one card in four is right
    assert card["controls"]["no_state"]["mean"] < 0

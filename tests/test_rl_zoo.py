"""rl_zoo3 with our worlds and algorithm: settings and search here, the commands themselves in the learning wing."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sb3_contrib

from lsnn_rl import RecurrentPPO
from lsnn_rl.agents.recipe import find_recipe
from lsnn_rl.errors import UnknownName
from lsnn_rl.zoo import bridge, ppo_lsnn, ppo_lstm
from lsnn_rl.zoo.samplers import suggest, to_settings

ROOT = Path(__file__).resolve().parent.parent
ARENA = "LSNNArena-v0"
TINY = ["--env-kwargs", "steps:30", "--eval-env-kwargs", "steps:30", "--seed", "1", "-f", "logs"]
NEEDS = (
    *("rl_zoo3>=2.9,<3", "sb3-team-hf-integration<4", "huggingface_hub", "hf-xet", "httpx2", "httpcore2", "anyio"),
    *("truststore", "h11", "idna", "certifi", "click", "wasabi", "shimmy<3", "requests", "urllib3", "pandas<3", "pytz"),
    *("charset-normalizer", "optuna", "alembic", "mako", "sqlalchemy", "greenlet", "colorlog", "moviepy", "proglog"),
    *("python-dotenv", "decorator", "pytablewriter<2", "dataproperty", "mbstrdecoder", "pathvalidate", "tabledata"),
    *("tcolorpy", "typepy<2", "chardet<7"),
)


class Extreme:
    """A trial that always takes the same end of each range."""

    def __init__(self, end):
        self.end = end

    def suggest_float(self, name, *ends, log=False):
        return ends[self.end]

    def suggest_int(self, name, *ends):
        return ends[self.end]

    def suggest_categorical(self, name, choices):
        return choices[self.end]


# ---- settings and search ---------------------------------------------------------------------------------------------


def test_the_settings_of_our_algorithm_are_the_recipe_in_rl_zoo3s_words():
    recipe, settings = find_recipe(f"{ARENA}/lsnn"), ppo_lsnn.hyperparams[ARENA]

    assert settings["n_envs"] == recipe.env.n_envs and settings["n_timesteps"] == recipe.train.total_steps
    assert settings["policy_kwargs"] == recipe.policy and settings["learning_rate"] == recipe.ppo.learning_rate
    assert settings["callback"][0]["lsnn_rl.zoo.callbacks.WarmUp"]["iterations"] == recipe.warm_up.iterations


@pytest.mark.parametrize(
    ("table", "algorithm"), [(ppo_lsnn, RecurrentPPO), (ppo_lstm, sb3_contrib.RecurrentPPO)], ids=["ours", "upstream"]
)
def test_every_setting_is_a_keyword_of_the_algorithm_or_one_that_rl_zoo3_takes_out(table, algorithm):
    keywords = set(inspect.signature(algorithm).parameters)

    for env_id, settings in table.hyperparams.items():
        left = set(settings) - {"n_envs", "n_timesteps", "env_kwargs", "callback", "normalize"}
        assert left <= keywords, env_id


def test_upstream_gets_its_own_word_for_a_linear_schedule():
    start = find_recipe(f"{ARENA}/lsnn").ppo.learning_rate["start"]

    assert ppo_lstm.hyperparams[ARENA]["learning_rate"] == f"lin_{start}"


@pytest.mark.parametrize("end", [0, -1], ids=["low", "high"])
def test_both_ends_of_the_search_space_make_a_learner_that_keeps_the_recipes_encoder(end):
    base = ppo_lsnn.hyperparams[ARENA]

    settings = to_settings(suggest(Extreme(end)), base)
    model = RecurrentPPO("LSNNPolicy", ARENA, n_envs=2, **settings)

    cells = [64, 256][end]
    assert model.policy.network.size == cells and model.gamma == pytest.approx([0.999, 0.9][end])
    assert model.policy.encoder_kwargs == base["policy_kwargs"]["encoder_kwargs"]
    assert settings["auxiliary"]["task_inference"] == base["auxiliary"]["task_inference"]


def test_named_schedules_pass_rl_zoo3_untouched_and_its_own_are_prepared():
    cosine = {"schedule": "cosine", "start": 0.001}
    prepare = bridge.keeping_named_schedules(lambda settings: {key: f"<{value}>" for key, value in settings.items()})

    assert prepare({"learning_rate": cosine, "clip_range": 0.2}) == {"learning_rate": cosine, "clip_range": "<0.2>"}


def test_a_misspelt_command_is_answered_with_the_known_ones():
    with pytest.raises(UnknownName, match=r"Did you mean 'train'\? Known: enjoy, load_from_hub"):
        bridge.main(["trian"])


def test_without_rl_zoo3_the_command_says_what_to_install():
    code = "import sys; sys.modules['rl_zoo3'] = None; from runpy import run_module; sys.argv = ['x', 'train']; "
    code += "run_module('lsnn_rl.zoo', run_name='__main__')"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "pip install 'lsnn-rl[rl_zoo]'" in done.stderr


# ---- the commands ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def zoo(borrow, tmp_path_factory):
    """Runs a command as a user would, in an empty folder; gives what it printed."""
    folder, path = tmp_path_factory.mktemp("zoo"), borrow(*NEEDS)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(path)])}

    def run(*command):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout + done.stderr

    run.folder = folder
    return run


def warm_up(iterations):
    return f"callback:[{{'lsnn_rl.zoo.callbacks.WarmUp':{{'iterations':{iterations},'batch':2,'steps':30}}}}]"


@pytest.mark.slow
def test_our_algorithm_trains_is_watched_and_filmed(zoo):
    small = ["-params", "n_envs:4", "n_steps:30", "batch_size:60", warm_up(2)]
    zoo("lsnn_rl.zoo", "train", "--algo", "ppo_lsnn", "--env", ARENA, "-n", "240", "--eval-freq", "120", *TINY, *small)
    watched = zoo("lsnn_rl.zoo", "enjoy", "--algo", "ppo_lsnn", "--env", ARENA, "-f", "logs", "-n", "60", "--no-render")
    zoo("lsnn_rl.zoo", "record_video", "--algo", "ppo_lsnn", "--env", ARENA, "-f", "logs", "-n", "10")

    run = zoo.folder / "logs" / "ppo_lsnn" / f"{ARENA}_1"
    assert "2 Episodes" in watched and "Mean episode length: 30.00" in watched
    assert (run / "best_model.zip").is_file() and [film.stat().st_size > 0 for film in run.glob("videos/*.mp4")] == [1]
    monitor = (run / "0.monitor.csv").read_text().splitlines()
    assert json.loads(monitor[0][1:])["env_id"] == ARENA and len(monitor) == 2 + 4 * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("lsnn_rl.zoo", "train"),
        ("rl_zoo3.train", "--gym-packages", "lsnn_rl", "--conf-file", "lsnn_rl.zoo.ppo_lstm"),
    ],
    ids=["bridge", "rl_zoo3_alone"],
)
def test_upstreams_algorithm_trains_our_policy(zoo, command):
    small = ["-params", "n_envs:2", "n_steps:30", "batch_size:30"]

    said = zoo(*command, "--algo", "ppo_lstm", "--env", ARENA, "-n", "60", "--eval-freq", "-1", *TINY, *small)

    assert "'policy', 'lsnn_rl.LSNNPolicy'" in said and "Saving to logs/ppo_lstm" in said


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ppo_lsnn", "ppo_lstm"])
def test_optuna_finds_every_suggestion_constructible_and_a_trial_can_be_trained_again(zoo, algorithm):
    study = ["--storage", f"sqlite:///{algorithm}.db", "--study-name", "s"]
    start = ["lsnn_rl.zoo", "train", "--algo", algorithm, "--env", ARENA, "-n", "60", *TINY, *study]
    search = ["-optimize", "--n-trials", "2", "--n-startup-trials", "1", "--n-evaluations", "1", "--no-optim-plots"]

    said = zoo(*start, *search, "--eval-episodes", "1", "-params", "n_envs:2", "callback:None")
    again = zoo(*start, "--trial-id", "1", "--eval-freq", "-1", "-params", "n_envs:2", "callback:None")

    assert said.count("finished with value") == 2
    assert "Loading from Optuna study" in again and "Saving to" in again

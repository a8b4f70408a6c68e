"""rl_zoo3 with this package's worlds, its algorithm `ppo_lsnn`, its recipes and its search space.

rl_zoo3 reads its table of algorithms before it imports anybody's package, so a plugin comes too late; this bridge fills
the tables first and then hands over to rl_zoo3's own command.
"""

import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from lsnn_rl.errors import missing_package, unknown_name

COMMANDS = {
    "train": "rl_zoo3.train",
    "enjoy": "rl_zoo3.enjoy",
    "record_video": "rl_zoo3.record_video",
    "record_training": "rl_zoo3.record_training",
    "push_to_hub": "rl_zoo3.push_to_hub",
    "load_from_hub": "rl_zoo3.load_from_hub",
}
CONF_FILES = {"ppo_lsnn": "lsnn_rl.zoo.ppo_lsnn", "ppo_lstm": "lsnn_rl.zoo.ppo_lstm"}
HELP = f"""Usage: python -m lsnn_rl.zoo COMMAND [options of rl_zoo3's command]
Commands: {", ".join(COMMANDS)}
Train:    python -m lsnn_rl.zoo train --algo ppo_lsnn --env LSNNArena-v0 -f logs
Search:   python -m lsnn_rl.zoo train --algo ppo_lsnn --env LSNNArena-v0 -optimize --n-trials 50 -n 1000000
Watch:    python -m lsnn_rl.zoo enjoy --algo ppo_lsnn --env LSNNArena-v0 -f logs"""


def main(arguments: Sequence[str]) -> None:
    """Run one of rl_zoo3's commands. Raises: UnknownName for a command; MissingPackage without rl_zoo3."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(HELP)
        return
    command, *rest = arguments
    if command not in COMMANDS:
        raise unknown_name("command of lsnn_rl.zoo", command, COMMANDS)
    algorithm, env_id = _option(rest, "--algo"), _option(rest, "--env")
    register(env_id)
    unsaid = command == "train" and not {"-conf", "--conf-file"} & set(rest)
    # For upstream's algorithm rl_zoo3 has settings of its own, but none for our worlds.
    if unsaid and (algorithm == "ppo_lsnn" or (algorithm == "ppo_lstm" and env_id in _settings("ppo_lstm"))):
        rest += ["--conf-file", CONF_FILES[algorithm]]
    sys.argv = [f"lsnn_rl.zoo {command}", *rest]
    runpy.run_module(COMMANDS[command], run_name="__main__", alter_sys=True)


def register(env_id: str | None = None) -> None:
    """Enter `ppo_lsnn` into rl_zoo3's tables, and let it vectorise worlds natively and take schedules by name.

    Args: env_id: the world whose recipe a search starts from.
    Raises: MissingPackage.
    """
    try:
        from rl_zoo3 import ALGOS
        from rl_zoo3.exp_manager import ExperimentManager
        from rl_zoo3.hyperparams_opt import HYPERPARAMS_CONVERTER, HYPERPARAMS_SAMPLER
    except ImportError as problem:
        raise missing_package(f"rl_zoo3 ({problem})", "rl_zoo", "rl_zoo3's commands") from problem

    from lsnn_rl.agents.recurrent_ppo import RecurrentPPO
    from lsnn_rl.zoo.native import native_vec_env
    from lsnn_rl.zoo.samplers import suggest, to_settings

    settings = _settings("ppo_lsnn")
    base = deepcopy(settings.get(env_id or "", settings["default"]))  # rl_zoo3 writes into its settings
    samplers: dict[str, Any] = HYPERPARAMS_SAMPLER
    converters: dict[str, Any] = HYPERPARAMS_CONVERTER
    manager: Any = ExperimentManager
    ALGOS["ppo_lsnn"] = RecurrentPPO
    samplers["ppo_lsnn"] = lambda trial, *_: to_settings(suggest(trial), base)
    converters["ppo_lsnn"] = lambda point: to_settings(point, base)
    manager.default_vec_env_cls = staticmethod(native_vec_env)
    manager._preprocess_schedules = staticmethod(keeping_named_schedules(manager._preprocess_schedules))


def keeping_named_schedules(preprocess: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict], dict]:
    """rl_zoo3's preparation of schedules, which leaves {"schedule": "linear", ...} to our RecurrentPPO."""

    def prepare(settings: dict[str, Any]) -> dict[str, Any]:
        named = {key: value for key, value in settings.items() if isinstance(value, Mapping) and "schedule" in value}
        return {**preprocess({key: value for key, value in settings.items() if key not in named}), **named}

    return prepare


def _settings(algorithm: str) -> Mapping[str, dict[str, Any]]:
    from importlib import import_module

    table: Mapping[str, dict[str, Any]] = import_module(CONF_FILES[algorithm]).hyperparams
    return table


def _option(arguments: Sequence[str], name: str) -> str | None:
    """The value of an option written `--name value` or `--name=value`.

    >>> _option(["--algo", "ppo_lsnn", "--env=LSNNArena-v0"], "--env")
    'LSNNArena-v0'
    """
    for i, here in enumerate(arguments):
        if here == name and i + 1 < len(arguments):
            return arguments[i + 1]
        if here.startswith(name + "="):
            return here.partition("=")[2]
    return None

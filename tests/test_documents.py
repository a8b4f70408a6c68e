"""What the documents show is run: a stranger types it first."""

import re
import shlex
from pathlib import Path

import pytest

import lsnn_rl.cli as cli
from lsnn_rl.agents import evaluate as evaluation
from lsnn_rl.agents.recurrent_ppo import RecurrentPPO

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "zoo/README.md")]
DOCUMENTS += sorted((ROOT / "docs").glob("*.md"))
COMMANDS = {command.name or command.callback.__name__ for command in cli.app.registered_commands}
COMMANDS |= {group.name for group in cli.app.registered_groups}


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def commands(path: Path) -> list[str]:
    """Every `lsnn-rl ...` in code spans and shell blocks, its comment cut off."""
    text = path.read_text(encoding="utf-8")
    lines = re.findall(r"`(lsnn-rl [^`]+)`", text)
    lines += [line for block in blocks(path, "bash") for line in block.splitlines() if line.startswith("lsnn-rl ")]
    return [line.partition("#")[0].strip() for line in lines]


def test_the_code_of_the_readme_runs_as_it_stands(monkeypatch, tmp_path):
    (code,) = blocks(ROOT / "README.md", "python")
    learn, evaluate, learned = RecurrentPPO.learn, evaluation.evaluate, []

    def learn_a_little(model, total, **options):
        learned.append(total)
        return learn(model, 64 * 4, **{**options, "progress_bar": False})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(RecurrentPPO, "learn", learn_a_little)
    monkeypatch.setattr(evaluation, "evaluate", lambda *a, **k: evaluate(*a, **{**k, "lifetimes": 2, "controls": ()}))
    names: dict = {}
    exec(code, names)

    assert learned == [400_000]
    assert names["envs"].num_envs == 1024
    assert names["card"]["lifetimes"] == 2


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_a_document_names_exists(path):
    named = [shlex.split(line)[1] for line in commands(path)]

    assert set(named) <= COMMANDS | {"--version"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(path):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith(("http:", "https:"))]

    assert [link for link in local if not (path.parent / link).exists()] == []


def test_the_world_of_ones_own_is_played_drawn_learned_and_scored(monkeypatch):
    import gymnasium as gym
    import numpy as np

    from lsnn_rl.envs.registration import WORLDS

    world, use = blocks(ROOT / "docs" / "new_world.md", "python")
    assert 40 <= len(world.splitlines()) <= 50
    names: dict = {}
    learn = RecurrentPPO.learn
    monkeypatch.setattr(RecurrentPPO, "learn", lambda model, total: learn(model, 64 * 20))
    try:
        exec(world + use.replace("lifetimes=500", "lifetimes=20").replace('"human"', '"rgb_array"'), names)
        names["env"].reset(seed=0)
        picture = names["env"].render()
        with pytest.raises(Exception, match="Choose another name"):
            names["register_world"]("Switches-v0", names["Switches"])
    finally:
        WORLDS.pop("Switches-v0", None)
        gym.registry.pop("Switches-v0", None)

    assert picture.shape == (640, 960, 3) and len(np.unique(picture)) > 50
    assert names["oracle"]["score"]["mean"] == 20.0
    assert 0.0 <= names["card"]["score"]["mean"] <= 20.0
    assert names["envs"].single_action_space.n == 8

"""Imports run one way, and asking for a world costs no torch. Each question is put to a fresh Python."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"lsnn_rl": ROOT / "lsnn_rl"} | {f"lsnn_rl.{name}": ROOT / name for name in ("envs", "agents", "zoo")}

# Who may know whom: room -> rooms of this package it may import when it is loaded or later.
BASE = {"units", "errors", "registry", "_version"}
DATA = {"files", "plain", "settings"}  # how settings and files are read and written
CORE = BASE | {"state", "surrogates", "neurons", "kernels", "network", "encoders", "rewiring", "regularizers", "probe"}
MAY_IMPORT = {
    "units": {"errors"},
    "errors": set(),
    "registry": {"errors"},
    "state": BASE,
    "surrogates": BASE,
    "neurons": BASE | {"state", "surrogates"},
    "kernels": BASE | {"state", "surrogates", "neurons", "network"},
    "network": BASE | {"state", "surrogates", "neurons", "kernels"},
    "encoders": BASE | {"state"},
    "rewiring": BASE | {"state", "network"},
    "regularizers": BASE | {"state", "network"},
    "probe": BASE | {"state", "neurons", "network"},
    "files": set(),
    "plain": BASE,
    "settings": BASE,
    "tasks": CORE | DATA | {"envs"},  # functions are drawn by the same generators as the worlds
    "pretrain": CORE | DATA | {"tasks", "zoo"},
    "envs": BASE,
    "zoo": BASE | {"envs", "agents"},  # its data is read by rooms below; its modules are the front door for rl_zoo3
    "agents": CORE | DATA | {"envs", "zoo", "tasks", "pretrain"},
    "benchmarks": CORE | {"envs", "zoo", "agents"},
}


def modules() -> dict[str, Path]:
    """Every module of the installed package by its dotted name; the symlinks are not followed twice."""
    found = {}
    for prefix, folder in FOLDERS.items():
        for file in folder.rglob("*.py"):
            inside = file.relative_to(folder)
            if prefix == "lsnn_rl" and inside.parts[0] in ("envs", "agents", "zoo"):
                continue
            parts = inside.with_suffix("").parts
            found[".".join([prefix, *parts]).removesuffix(".__init__")] = file
    return found


def rooms_imported(file: Path) -> set[str]:
    """Rooms of the package that a file imports anywhere, TYPE_CHECKING blocks aside: those are words, not arrows."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("lsnn_rl.")}


def loaded_after(code: str) -> set[str]:
    """Top-level names in sys.modules of a fresh Python that ran `code`."""
    script = f"{code}\nimport sys\nprint(' '.join(sorted({{name.split('.')[0] for name in sys.modules}})))"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "name", sorted(name for name in modules() if name.count(".") and name.split(".")[1] in MAY_IMPORT)
)
def test_arrows_between_rooms_run_one_way(name):
    room = name.split(".")[1]

    forbidden = rooms_imported(modules()[name]) - MAY_IMPORT[room] - {room}

    assert not forbidden, f"{name} belongs to {room!r}, which may not know {sorted(forbidden)}"


def test_importing_the_package_registers_the_worlds_and_loads_neither_torch_nor_pygame():
    loaded = loaded_after("import lsnn_rl, gymnasium; assert 'LSNNArena-v0' in gymnasium.registry")

    assert not loaded & {"torch", "pygame", "stable_baselines3", "matplotlib", "numba", "scipy", "typer"}


def test_living_in_a_world_loads_neither_torch_nor_pygame():
    loaded = loaded_after(
        "import gymnasium as gym, lsnn_rl\n"
        "envs = gym.make_vec('LSNNArena-v0', num_envs=3)\n"
        "envs.reset(seed=0)\n"
        "envs.step(envs.action_space.sample())"
    )

    assert not loaded & {"torch", "pygame", "matplotlib", "numba"}


def test_a_world_is_found_by_its_module_prefix_without_an_import():
    assert "lsnn_rl" in loaded_after("import gymnasium as gym; gym.make('lsnn_rl:LSNNArena-v0').reset(seed=0)")


def test_asking_the_command_line_for_help_loads_no_torch():
    loaded = loaded_after(
        "from lsnn_rl.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\nprint()"
    )

    assert not loaded & {"torch", "pygame", "matplotlib"}


@pytest.mark.parametrize("folder", ["envs", "agents", "zoo"])
def test_importing_a_bare_folder_says_by_which_name_it_is_imported(folder):
    run = subprocess.run([sys.executable, "-c", f"import {folder}"], cwd=ROOT, capture_output=True, text=True)

    assert run.returncode == 1
    assert f"import lsnn_rl.{folder}" in run.stderr


def test_an_unknown_public_name_is_answered_with_the_known_ones():
    import lsnn_rl

    with pytest.raises(AttributeError, match="LSNNPolicy"):
        lsnn_rl.LSNNPolcy  # noqa: B018

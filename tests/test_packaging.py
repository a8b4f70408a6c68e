"""What the wheel would hold, read from setup.cfg: a folder that is missing there is silently left out of it."""

import ast
import configparser
import doctest
import importlib
import re
from pathlib import Path

import pytest

import lsnn_rl

ROOT = Path(__file__).resolve().parent.parent
BESIDE = ("envs", "agents", "zoo")


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def listed_packages() -> list[str]:
    return setup_cfg()["options"]["packages"].split()


def module_names() -> list[str]:
    """Every module of the package by its dotted name, read from the disk; the symlinks are not followed twice."""
    folders = [("lsnn_rl", ROOT / "lsnn_rl"), *((f"lsnn_rl.{name}", ROOT / name) for name in BESIDE)]
    found = []
    for prefix, root in folders:
        for file in root.rglob("*.py"):
            inside = file.relative_to(root).with_suffix("").parts
            if not (prefix == "lsnn_rl" and inside[0] in BESIDE):
                found.append(".".join([prefix, *inside]))
    return sorted(found)


def package_folders() -> list[str]:
    """Every folder that holds Python modules of the package, by its dotted name."""
    return sorted({name.rpartition(".")[0] for name in module_names()})


def test_every_folder_with_modules_is_a_package_of_the_wheel():
    assert sorted(listed_packages()) == package_folders()


def test_every_package_folder_has_an_init_file():
    for package in listed_packages():
        root, *inside = package.split(".")
        folder = ROOT / root if not inside or inside[0] not in BESIDE else ROOT
        assert (folder.joinpath(*inside) / "__init__.py").is_file(), package


def test_the_wheel_installs_one_top_level_name():
    assert {package.split(".")[0] for package in listed_packages()} == {"lsnn_rl"}


@pytest.mark.parametrize("name", BESIDE)
def test_the_folders_beside_are_seen_by_static_tools_through_symlinks(name):
    link = ROOT / "lsnn_rl" / name

    assert link.is_symlink()
    assert link.resolve() == ROOT / name


def test_data_files_are_covered_by_package_data():
    patterns = {
        package: globs.replace(",", " ").split() for package, globs in setup_cfg()["options.package_data"].items()
    }

    covered = {ROOT / "zoo" / path for glob in patterns["lsnn_rl.zoo"] for path in (ROOT / "zoo").glob(glob)}
    covered |= {path for glob in patterns["lsnn_rl.envs"] for path in (ROOT / "envs").glob(glob)}

    data = {
        path
        for name in ("zoo", "envs")
        for path in (ROOT / name).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".md")
    }
    assert data - covered == set()


def test_the_version_is_one_literal():
    tree = ast.parse((ROOT / "lsnn_rl" / "_version.py").read_text())

    assert ast.literal_eval(tree.body[-1].value) == lsnn_rl.__version__
    assert setup_cfg()["metadata"]["version"] == "attr: lsnn_rl._version.__version__"


def test_every_pin_lies_in_the_range_that_is_asked_for():
    from packaging.requirements import Requirement

    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            pins[pin.name.lower().replace("_", "-")] = str(pin.specifier).removeprefix("==")

    for line in setup_cfg()["options"]["install_requires"].split("\n"):
        if line:
            wanted = Requirement(line)
            assert wanted.specifier.contains(pins[wanted.name.lower().replace("_", "-")]), line


@pytest.mark.parametrize("name", ["setup.cfg", "pyproject.toml", "constraints.txt", "Makefile", ".ci/run"])
def test_no_registry_address_is_written_down(name):
    assert not re.search(r"index-url|find-links|://", (ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [name.removesuffix(".__init__") for name in module_names()])
def test_examples_in_docstrings_give_what_they_say(name):
    module = importlib.import_module(name)

    outcome = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)

    assert outcome.failed == 0

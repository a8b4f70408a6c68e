"""Where the zoo lies, and what a name like "LSNNArena-v0/lsnn" or "smnist/ours" may mean."""

from pathlib import Path

ZOO = Path(__file__).resolve().parent.parent / "zoo"
SUPERVISED = "pretrained"  # the folder of networks of supervised tasks


def zoo_name(where: str | Path) -> str:
    """The name within the zoo, whether or not the zoo itself was named.

    >>> zoo_name("zoo/pretrained/smnist/ours"), zoo_name("LSNNArena-v0/lsnn/")
    ('smnist/ours', 'LSNNArena-v0/lsnn')
    """
    return str(where).rstrip("/").removeprefix("zoo/").removeprefix(f"{SUPERVISED}/")


def places(where: str | Path) -> tuple[Path, Path, Path]:
    """Where it may lie, to be tried in this order: as a path, as an agent of the zoo, as one of its networks."""
    return Path(where), ZOO / zoo_name(where), ZOO / SUPERVISED / zoo_name(where)

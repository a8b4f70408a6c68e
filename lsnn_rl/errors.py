"""What can go wrong, said in three parts: what was asked, what was found, what to type instead.

Each class is also the built-in error a caller would expect, so `except ValueError` keeps working.
"""

from collections.abc import Iterable
from difflib import get_close_matches

MANY = 40  # names beyond which only the nearest are listed


class LSNNError(Exception):
    """Any mistake this package can explain."""


class UnknownName(LSNNError, ValueError):
    """A name that no table knows: a cell, a surrogate, a world, an agent, a recipe key."""


class ShapeMismatch(LSNNError, ValueError):
    """Two arrays that should agree in shape, and do not."""


class BadValue(LSNNError, ValueError):
    """A number that makes no sense here: NaN, a negative time constant, an action outside its space."""


class WrongAlgorithm(LSNNError, TypeError):
    """A recurrent policy handed to an algorithm that keeps no state."""


class MissingFile(LSNNError, FileNotFoundError):
    """A recipe, checkpoint, agent or data file that is not where it was looked for."""


class BrokenFile(LSNNError, ValueError):
    """A file that is there but cannot be trusted: truncated, altered, or of another kind."""


class MissingPackage(LSNNError, ImportError):
    """An optional package that is not installed."""


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """A question that names the nearest known name, with a space before it; nothing if none is near.

    >>> did_you_mean("alf", ["alif", "gru"]), did_you_mean("zebra", ["alif", "gru"])
    (" Did you mean 'alif'?", '')
    """
    near = get_close_matches(str(name), list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> UnknownName:
    """The error for a misspelt name: the nearest known one, then all of them, or the nearest where they are many.

    >>> print(unknown_name("cell", "alf", ["alif", "gru"]))
    No cell is called 'alf'. Did you mean 'alif'? Known: alif, gru.
    """
    names = sorted(known)
    listed = ", ".join(names if len(names) <= MANY else get_close_matches(str(name), names, n=8, cutoff=0.0))
    which = "Known" if len(names) <= MANY else f"Nearest of {len(names)}"
    return UnknownName(f"No {kind} is called {name!r}.{did_you_mean(name, names)} {which}: {listed}.")


def missing_package(package: str, extra: str, purpose: str) -> MissingPackage:
    """The error for an optional package: what it is needed for, and the extra that brings it.

    >>> print(missing_package("popgym", "popgym", "POPGym's worlds"))
    POPGym's worlds need the package popgym, which is not installed. Type: pip install 'lsnn-rl[popgym]'
    """
    return MissingPackage(
        f"{purpose} need the package {package}, which is not installed. Type: pip install 'lsnn-rl[{extra}]'"
    )

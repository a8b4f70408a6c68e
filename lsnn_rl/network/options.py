"""Keywords on their way to a cell and a network: who takes which, and an answer for those that nobody takes."""

import inspect
from collections.abc import Iterable
from typing import Any

from lsnn_rl.errors import unknown_name


def accepted(target: type) -> set[str]:
    """The keyword-only arguments of a class and of the parents it hands them on to."""
    signatures = [
        inspect.signature(vars(parent)["__init__"]) for parent in target.__mro__ if "__init__" in vars(parent)
    ]
    return {p.name for signature in signatures for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY}


def split(
    name: str, options: dict[str, Any], cell: type, network: type, also: Iterable[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options for the cell and options for the network; one that both take (dt_ms) goes to both.

    Raises: UnknownName for an option of neither, with the nearest known one (or one of `also`).
    """
    for_cell, for_network = accepted(cell), accepted(network)
    for option in options:
        if option not in for_cell | for_network:
            raise unknown_name(f"option of {name}", option, (for_cell | for_network | set(also)) - {"options"})
    return (
        {key: value for key, value in options.items() if key in for_cell},
        {key: value for key, value in options.items() if key in for_network},
    )

"""Tables of names: a new cell, surrogate, encoder or task is one file and one `add` line."""

import inspect
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from lsnn_rl.errors import unknown_name


class Registry:
    """Names mapped to classes or functions, imported when first asked for.

    >>> cells = Registry("cell")
    >>> cells.add("counter", "collections:Counter")
    >>> cells.get("counter")("aab")["a"]
    2
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._targets: dict[str, Any] = {}

    def add(self, name: str, target: Any) -> None:
        """Enter `target` under `name`: the thing itself, or "module:attribute" to import it only when used."""
        if name in self._targets and self._targets[name] != target:
            raise ValueError(f"A {self.kind} called {name!r} is already entered. Choose another name.")
        self._targets[name] = target

    def get(self, name: str) -> Any:
        """The thing entered under `name`. Raises UnknownName with the nearest known name."""
        if name not in self._targets:
            raise unknown_name(self.kind, name, self._targets)
        target = self._targets[name]
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            target = self._targets[name] = getattr(import_module(module), attribute)
        return target

    def names(self) -> list[str]:
        return sorted(self._targets)


def check_keywords(name: str, target: Any, keywords: Iterable[str], apart: Iterable[str] = ()) -> None:
    """Raises UnknownName for a keyword that a class or function does not take; one with **keywords takes all.

    Args: apart: its parameters that are no keywords of a person's.
    """
    taken = inspect.signature(target).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
        return
    known = [parameter for parameter in taken if parameter not in apart]
    for keyword in keywords:
        if keyword not in known:
            raise unknown_name(f"keyword of {name}", keyword, known or ["none"])

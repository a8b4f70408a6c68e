"""Structures as JSON plus arrays, so that reading a file never runs code.

`to_plain` takes numbers, strings, lists, tuples, deques, dicts with any keys, numpy arrays, tensors, Gymnasium spaces
and torch classes; the arrays go into a table of their own (stored as safetensors), everything else into plain JSON.
`from_plain` undoes it exactly, to the bit and the type. Whatever else is met is refused, with the path to it.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import nn

from lsnn_rl.errors import BadValue, BrokenFile

TRUSTED_ROOTS = ("torch", "stable_baselines3", "sb3_contrib", "lsnn_rl")
TRUSTED_BASES = (nn.Module, torch.optim.Optimizer)
_TAG = "~"


def to_plain(value: Any, arrays: dict[str, np.ndarray], path: str = "") -> Any:
    """JSON for `value`; its arrays are entered into `arrays` under the path that leads to them.

    Raises: BadValue for what is not data, naming where it was found.

    >>> table = {}
    >>> to_plain({"a": (1, np.zeros(2))}, table), list(table)
    ({'a': {'~': 'tuple', 'items': [1, {'~': 'array', 'name': '/a/1'}]}}, ['/a/1'])
    """
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, np.generic)):
        return value
    if isinstance(value, np.generic):
        return {_TAG: "number", "dtype": value.dtype.str, "value": value.item()}
    if isinstance(value, np.ndarray | torch.Tensor):
        array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value
        if array.dtype == object:
            raise _refusal(path, value, "an array of Python objects")
        arrays[path] = np.array(array, order="C")  # a copy: a snapshot must not change with what it was taken from
        return {_TAG: "tensor" if isinstance(value, torch.Tensor) else "array", "name": path}
    if isinstance(value, list | tuple | deque):
        items = [to_plain(item, arrays, f"{path}/{i}") for i, item in enumerate(value)]
        if type(value) is list:
            return items
        if isinstance(value, deque):
            return {_TAG: "deque", "items": items, "maxlen": value.maxlen}
        return {_TAG: "tuple", "items": items}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value) and _TAG not in value:
            return {key: to_plain(item, arrays, f"{path}/{key}") for key, item in value.items()}
        pairs = [[to_plain(k, arrays, path), to_plain(v, arrays, f"{path}/{k}")] for k, v in value.items()]
        return {_TAG: "dict", "items": pairs}
    if isinstance(value, spaces.Space):
        return {_TAG: "space", **space_to_plain(value)}
    if isinstance(value, type) and issubclass(value, TRUSTED_BASES):
        return {_TAG: "class", "name": f"{value.__module__}:{value.__qualname__}"}
    raise _refusal(path, value, f"a {type(value).__name__}")


def from_plain(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """What `to_plain` was given. Raises BrokenFile for anything it could not have written."""
    if isinstance(value, list):
        return [from_plain(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(_TAG)
    if kind is None:
        return {key: from_plain(item, arrays) for key, item in value.items()}
    if kind == "number":
        return np.dtype(value["dtype"]).type(value["value"])
    if kind in ("array", "tensor"):
        array = np.array(arrays[value["name"]])
        return torch.from_numpy(array) if kind == "tensor" else array
    if kind == "tuple":
        return tuple(from_plain(item, arrays) for item in value["items"])
    if kind == "deque":
        return deque((from_plain(item, arrays) for item in value["items"]), maxlen=value["maxlen"])
    if kind == "dict":
        return {from_plain(key, arrays): from_plain(item, arrays) for key, item in value["items"]}
    if kind == "space":
        return space_from_plain(value)
    if kind == "class":
        return trusted_class(value["name"])
    raise BrokenFile(
        f"The file holds an entry of kind {kind!r}, which this version cannot read. Install a newer lsnn-rl."
    )


def trusted_class(name: str, bases: tuple[type, ...] = TRUSTED_BASES) -> type:
    """The class called "module:name", if it is a network part, policy or optimiser of an installed, trusted package.

    A file from someone else may name any function of any package; only classes of these kinds are ever looked up.
    """
    module, _, attribute = str(name).partition(":")
    if module.split(".")[0] in TRUSTED_ROOTS:
        try:
            found = getattr(import_module(module), attribute, None)
        except ImportError:
            found = None
        if isinstance(found, type) and issubclass(found, bases):
            return found
    raise BrokenFile(
        f"The file names {name!r}, which is not a network class of {', '.join(TRUSTED_ROOTS)}, so it was not imported. "
        "If the class is your own, pass policy_class=YourPolicy; if not, do not trust the file."
    )


def space_to_plain(space: spaces.Space) -> dict[str, Any]:
    """A Gymnasium space as plain JSON, readable without Gymnasium.

    >>> space_to_plain(spaces.Discrete(3))
    {'kind': 'Discrete', 'n': 3, 'start': 0}
    """
    if isinstance(space, spaces.Box):
        low, high = (_bound(bound) for bound in (space.low, space.high))
        return {"kind": "Box", "low": low, "high": high, "shape": list(space.shape), "dtype": space.dtype.name}
    if isinstance(space, spaces.Discrete):
        return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"kind": "MultiDiscrete", "nvec": space.nvec.tolist()}
    if isinstance(space, spaces.MultiBinary):
        return {"kind": "MultiBinary", "n": list(space.shape)}
    if isinstance(space, spaces.Dict):
        return {"kind": "Dict", "spaces": {key: space_to_plain(part) for key, part in space.spaces.items()}}
    raise _refusal("space", space, f"a {type(space).__name__} space")


def space_from_plain(data: Mapping[str, Any]) -> spaces.Space:
    kind = data.get("kind")
    if kind == "Box":
        dtype, shape = np.dtype(data["dtype"]).type, tuple(data["shape"])
        low, high = (np.broadcast_to(np.asarray(data[end], dtype=dtype), shape).copy() for end in ("low", "high"))
        return spaces.Box(low, high, shape, dtype)
    if kind == "Discrete":
        return spaces.Discrete(data["n"], start=data["start"])
    if kind == "MultiDiscrete":
        return spaces.MultiDiscrete(data["nvec"])
    if kind == "MultiBinary":
        return spaces.MultiBinary(data["n"] if len(data["n"]) > 1 else data["n"][0])
    if kind == "Dict":
        return spaces.Dict(OrderedDict((key, space_from_plain(part)) for key, part in data["spaces"].items()))
    raise BrokenFile(
        f"The file holds a space of kind {kind!r}, which this version cannot read. Install a newer lsnn-rl."
    )


def _bound(bound: np.ndarray) -> Any:
    """One number where all entries agree; JSON's Infinity is Python's."""
    return bound.flat[0].item() if bound.size and np.all(bound == bound.flat[0]) else bound.tolist()


def _refusal(path: str, value: Any, what: str) -> BadValue:
    return BadValue(
        f"Only data can be written to a file that is safe to read; {path.strip('/') or 'this'} is {what} "
        f"({repr(value)[:80]}). Use numbers, strings, arrays, lists and dicts there, or a class of torch."
    )

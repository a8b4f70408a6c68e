"""Recipes as plain data: nested mappings become frozen dataclasses, every key and type checked on the way.

YAML reads `1e-3` as a string; it is converted here, nonsense is refused.
"""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from lsnn_rl.errors import BadValue, BrokenFile, MissingFile, unknown_name

T = TypeVar("T", bound="Settings")


class Settings:
    """What every kind of recipe can do. Subclasses are frozen dataclasses; `check` refuses what types cannot."""

    @classmethod
    def from_dict(cls: type[T], data: Mapping[str, Any]) -> T:
        """A recipe from nested mappings, defaults filled in, every key and type checked."""
        settings: T = build(cls, data)
        settings.check()
        return settings

    @classmethod
    def read(cls: type[T], path: str | Path, others: str) -> T:
        """The recipe in a YAML file, or in `recipe.yml` of a folder.

        Args: others: what could be given instead of a file, for the error.
        Raises: MissingFile, BrokenFile if it is not YAML, UnknownName for a key, BadValue for a value of another type.
        """
        file = Path(path)
        if file.is_dir():
            file = file / "recipe.yml"
        if not file.is_file():
            raise MissingFile(f"There is no recipe at {file}. Give a recipe.yml, its folder, or {others}.")
        try:
            data = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as problem:
            raise BrokenFile(f"{file} is not YAML: {problem}. Correct it, or start from one in the zoo.") from problem
        if not isinstance(data, Mapping):
            raise BrokenFile(
                f"{file} holds a {type(data).__name__}, a recipe is a mapping of sections. See the zoo for one."
            )
        return cls.from_dict(data)

    def check(self) -> None:
        """Raise BadValue or UnknownName for settings that do not fit together."""

    def to_dict(self) -> dict[str, Any]:
        """Nested plain data, defaults included."""
        return asdict(self)  # type: ignore[call-overload]

    def save(self, path: str | Path) -> None:
        """Write the resolved recipe, defaults included, so that later defaults cannot change what this run was."""
        Path(path).write_text(yaml.safe_dump(self.to_dict(), sort_keys=False), encoding="utf-8")

    def with_changes(self: T, changes: Sequence[str]) -> T:
        """The recipe with settings such as "ppo.n_steps=256" put in; values are read as YAML."""
        return self.from_dict(changed(self.to_dict(), changes))


def check_seed(seed: int) -> None:
    """Raises BadValue for a `train.seed` that numpy's generators do not take."""
    if not 0 <= seed < 2**32:
        raise BadValue(f"train.seed = {seed} is not a seed. Give a whole number from 0 to {2**32 - 1}.")


def changed(settings: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """The settings with changes such as "ppo.n_steps=256" put in; values are read as YAML.

    >>> changed({"train": {"seed": 0}}, ["train.seed=3"])
    {'train': {'seed': 3}}
    """
    data = deepcopy(dict(settings))
    for change in changes:
        path, equals, value = change.partition("=")
        if not equals or not path:
            raise BadValue(f"{change!r} changes nothing. Write section.key=value, for example ppo.n_steps=256.")
        *sections, key = path.strip().split(".")
        place = data
        for word in sections:
            section = _as_there(word, place)
            if place.get(section) is None:
                place[section] = {}
            place = place[section]
            if not isinstance(place, dict):
                raise BadValue(f"{path} goes below {section}, which is a single value. Set {section} itself.")
        place[_as_there(key, place)] = read_value(value, path)
    return data


def _as_there(word: str, place: Mapping[Any, Any]) -> Any:
    """The key that is meant by a word: YAML keys may be numbers, as in `gain: {4: 6}`."""
    return int(word) if word not in place and word.isdecimal() and int(word) in place else word


def read_value(text: str, where: str) -> Any:
    """The value that a person typed behind "where=", read as YAML. Raises BadValue if it is none."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as problem:
        line = " ".join(str(problem).split())
        raise BadValue(f"{where}={text} cannot be read as YAML: {line}. Close its brackets and quotes.") from problem


def build(cls: type, data: Any, path: str = "") -> Any:
    """An instance of a dataclass from nested mappings; `path` leads to it, for messages."""
    if not isinstance(data, Mapping):
        raise BadValue(
            f"{path or 'The recipe'} is {data!r}, not a mapping. Write it as {path or 'section'}: {{key: value}}."
        )
    types = get_type_hints(cls)
    known = [f.name for f in fields(cls)]
    values = {}
    for key, value in data.items():
        where = f"{path}.{key}" if path else str(key)
        if key not in known:
            raise unknown_name("recipe key" if not path else f"key of {path!r}", key, known)
        values[key] = convert(types[key], value, where)
    return cls(**values)


def convert(wanted: Any, value: Any, where: str) -> Any:
    """`value` as the type the field wants; strings that spell a number become one."""
    if get_origin(wanted) in (Union, UnionType):
        options = [option for option in get_args(wanted) if option is not type(None)]
        if value is None and len(options) < len(get_args(wanted)):
            return None
        mappings = [option for option in options if get_origin(option) is dict]
        return convert(mappings[0] if mappings and isinstance(value, Mapping) else options[0], value, where)
    if is_dataclass(wanted):
        return build(wanted, value, where)  # type: ignore[arg-type]
    if get_origin(wanted) is dict:
        if not isinstance(value, Mapping):
            raise BadValue(f"{where} = {value!r} is not a mapping. Write {where}: {{key: value}}.")
        return {key: number_if_spelt(entry) for key, entry in value.items()}
    if wanted is bool and isinstance(value, bool):
        return value
    if wanted is str and isinstance(value, str):
        return value
    if wanted in (int, float) and not isinstance(value, bool):
        number = number_if_spelt(value)
        if isinstance(number, int | float) and math.isfinite(number):
            if wanted is float:
                return float(number)
            if float(number).is_integer():
                return int(number)
    kind, example = {
        bool: ("true or false", "true"),
        str: ("a word", "LSNNArena-v0"),
        int: ("a whole number", "64"),
        float: ("a number", "0.001"),
    }[wanted]
    raise BadValue(f"{where} = {value!r} is not {kind}. Write {where.rpartition('.')[2]}: {example}, for example.")


def number_if_spelt(value: Any) -> Any:
    """YAML 1.1 reads 1e-3, without a point, as a string: nobody means a string by it."""
    if isinstance(value, Mapping):
        return {key: number_if_spelt(entry) for key, entry in value.items()}
    if not isinstance(value, str):
        return value
    try:
        return float(value.replace("_", ""))
    except ValueError:
        return value

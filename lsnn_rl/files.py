"""How files are written: whole ones only, and JSON that a person can read."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_NUMBERS = re.compile(r"\[\s*([-+0-9.eE,\s]+?)\s*\]")


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that under its name there is always a whole one, the old or the new."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def to_json(data: Mapping[str, Any]) -> str:
    """One JSON object, a list of numbers on one line; NaN is refused, because JSON has none.

    >>> print(to_json({"mean": 0.5, "ci95": [0.25, 0.75]}))
    {
     "mean": 0.5,
     "ci95": [0.25, 0.75]
    }
    """
    text = json.dumps(data, indent=1, allow_nan=False)
    return _NUMBERS.sub(lambda found: f"[{', '.join(found[1].replace(',', ' ').split())}]", text)

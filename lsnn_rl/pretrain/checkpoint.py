"""Interrupting a supervised run and going on as if nothing had happened.

    file = magic | sha256 of the rest | length of the JSON | JSON | safetensors

Batches are functions of the seed and the iteration, so what must be kept is weights, optimiser and rewiring, carried
state and counters. A file is the old one or the new one, never half of each, and reading one runs no code.
"""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load as read_arrays
from safetensors.numpy import save as arrays_to_bytes

from lsnn_rl.errors import BrokenFile, MissingFile
from lsnn_rl.files import replace_file
from lsnn_rl.plain import from_plain, to_plain

MAGIC = b"lsnn-rl pretraining 1\n"


def write(path: Path, contents: dict[str, Any]) -> None:
    """Write nested data, tensors among them, so that `read` gives it back to the bit."""
    arrays: dict[str, np.ndarray] = {}
    text = json.dumps(to_plain(contents, arrays)).encode()
    body = struct.pack("<Q", len(text)) + text + arrays_to_bytes(arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, MAGIC + hashlib.sha256(body).digest() + body)


def read(path: Path) -> dict[str, Any]:
    """Raises: MissingFile; BrokenFile for a file that was cut short, altered, or is another thing."""
    if not path.is_file():
        raise MissingFile(f"There is no checkpoint at {path}. Begin anew: lsnn-rl pretrain TASK --folder FOLDER.")
    raw = path.read_bytes()
    body = raw[len(MAGIC) + 32 :]
    if not raw.startswith(MAGIC) or hashlib.sha256(body).digest() != raw[len(MAGIC) : len(MAGIC) + 32]:
        raise BrokenFile(f"{path} was cut short or altered ({len(raw)} bytes). Delete it and begin anew.")
    (length,) = struct.unpack("<Q", body[:8])
    contents = from_plain(json.loads(body[8 : 8 + length]), read_arrays(body[8 + length :]))
    assert isinstance(contents, dict)
    return contents

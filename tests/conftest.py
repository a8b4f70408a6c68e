"""Tests share two cores and have no screen."""

import os
import subprocess
import sys

import pytest

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def borrow(tmp_path_factory):
    """Fetches packages that only the learning wing needs, without their dependencies, so that nothing installed moves.

    Gives the folder that they are in, for `PYTHONPATH` or `monkeypatch.syspath_prepend`.
    """

    def fetch(*requirements):
        folder = tmp_path_factory.mktemp("borrowed")
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*install, *requirements], check=True)
        return folder

    return fetch

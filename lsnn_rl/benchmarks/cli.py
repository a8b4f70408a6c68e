"""The benchmark command: which suite, which workloads, and where the result goes."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from lsnn_rl.benchmarks import SUITES
from lsnn_rl.benchmarks.settings import Settings

# Huge pages save page faults of large fresh tensors, for rivals more than for us; torch reads this when it is loaded.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def benchmark(
    suite: Annotated[str, typer.Argument(help="core, cuda, envs or learner.")] = "core",
    json_to: Annotated[
        str | None, typer.Option("--json", help="Write JSON here; - prints it and nothing else.")
    ] = None,
    only: Annotated[list[str], typer.Option(help="A workload by name; may be repeated.")] = [],  # noqa: B006
    repeats: Annotated[int, typer.Option(min=1, help="Rounds in which every contender has its turn.")] = 5,
    quick: Annotated[bool, typer.Option(help="Shortened workloads, for a look.")] = False,
) -> None:
    """Measure the speed of this machine, ours against named rivals, taking turns in one process."""
    from rich.console import Console

    from lsnn_rl.benchmarks.tables import show

    errors = Console(stderr=True)
    settings = Settings(repeats=repeats, quick=quick, only=only, say=errors.print)
    result = SUITES.get(suite)(settings)
    text = json.dumps(result, indent=2)
    if json_to == "-":
        sys.stdout.write(text + "\n")
        return
    show(result, Console(width=None if sys.stdout.isatty() else 140))
    if json_to is not None:
        Path(json_to).write_text(text + "\n", encoding="utf-8")
        errors.print(f"Written to {json_to}.")

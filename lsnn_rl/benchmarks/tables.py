"""Benchmark results for the eye: one row per contender."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Column, Table


def show(result: dict[str, Any], console: Console) -> None:
    """Print the machine and a table of every workload, of some with each number of rows."""
    m = result["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in m["versions"].items())
    console.print(f"{m['processor']}, {m['cores']} cores, {m['simd']}; Python {m['python']}, {versions}")
    if result["quick"]:
        console.print("Quick look: shortened workloads, not for quoting.")
    for title, workload in _workloads(result):
        console.print(f"\n[bold]{title}[/bold]  {_caption(workload)}", highlight=False)
        console.print(_table(workload))


def _workloads(result: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, workload in result["workloads"].items():
        if "rows" in workload:
            yield from ((f"{name}, {n} rows", rows) for n, rows in workload["rows"].items())
        else:
            yield name, workload


def _table(workload: dict[str, Any]) -> Table:
    ours = workload["ours_ms"]
    last = "steps_per_s" if "steps_per_s" in workload else "peak_mb"
    rows: list[tuple[Any, ...]] = [("ours", ours, 1.0, workload["ours_median_ms"], workload[last])]
    for name, peer in workload["peers"].items():
        rows.append((name, peer["ms"], peer["ratio"], peer["median_ms"], peer[last]))
    others = {"delays": "ours, delays", "delays_dormant": "ours, delays, dormant gradients", "floor": "floor"}
    for key, name in others.items():
        if f"{key}_ms" in workload:
            rows.append((name, workload[f"{key}_ms"], workload[f"{key}_ms"] / ours, None, None))
    if workload.get("formula_mb"):
        for kind, mb in workload["formula_mb"].items():
            rows.append((f"memory {kind}, by the formula", None, None, None, mb))
    if workload.get("ours_two_threads_ms"):
        rows.append(("ours, 2 threads, wall", workload["ours_two_threads_ms"], None, None, None))

    headings = ("ms", "x ours", "median ms", {"steps_per_s": "steps/s", "peak_mb": "peak MB"}[last])
    table = Table("", *(Column(heading, justify="right") for heading in headings))
    for name, *values in rows:
        table.add_row(name, *map(number, values))
    return table


def _caption(workload: dict[str, Any]) -> str:
    sizes = " ".join(f"{key} {value}" for key, value in workload["sizes"].items())
    rate = f", {workload['rate_hz']:.1f} Hz" if "rate_hz" in workload else ""
    return f"{sizes}{rate}, {workload['computed_by']}"


def number(value: float | None) -> str:
    """Three significant digits, and nothing for nothing.

    >>> number(1234.5), number(0.01234), number(None)
    ('1234', '0.0123', '')
    """
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"

"""The table of results, drawn from the cards in the zoo: a row for each task, recipe and cell, its seeds together."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lsnn_rl.pretrain.cards import load_card
from lsnn_rl.pretrain.recipe import zoo

BEGIN, END = "<!-- drawn from the cards: begin -->", "<!-- drawn from the cards: end -->"
HEADINGS = ("task", "recipe", "cell", "test", "95 % interval", "seeds", "firing", "synapses", "time", "made by")
T_975 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}  # Student, n - 1

SHARES = ("accuracy", "error")


def cards_in(folder: Path | None = None) -> list[dict[str, Any]]:
    """All cards of the zoo, in order of task, recipe and file."""
    return [load_card(file) for file in sorted((folder or zoo()).glob("*/*/card*.json"))]


def row(cards: list[dict[str, Any]]) -> list[str]:
    """One row, of runs that differ in their seed only.

    Several seeds: the mean of their test scores with Student's interval over seeds. One seed: its own score, and the
    interval over test answers, which says nothing about other seeds.
    """
    first, scores = cards[0], [card["test"]["mean"] for card in cards]
    n, mean = len(scores), sum(scores) / len(scores)
    low, high = first["test"]["ci95"]
    if n > 1:
        spread = math.sqrt(sum((score - mean) ** 2 for score in scores) / (n - 1))
        half = T_975.get(n, 1.96) * spread / math.sqrt(n)
        low, high = max(0.0, mean - half), mean + half  # no measure is below 0
        if first["measure"] in SHARES:
            high = min(1.0, high)
    rates = [card["rate_hz"] for card in cards]
    minutes = sum(card["wall_s"] for card in cards) / n / 60
    return [
        first["task"],
        first["recipe"],
        first["cell"],
        f"{first['measure']} {_number(first, mean)}{' %' if first['measure'] in SHARES else ''}",
        f"{_number(first, low)} to {_number(first, high)}" + (" (answers)" if n == 1 else ""),
        str(n),
        "" if rates[0] is None else f"{sum(rates) / n:.0f} Hz",
        f"{first['parameters']['active']:,} of {first['parameters']['all']:,}",
        f"{minutes:.1f} min",
        f"`{first['command']}`",
    ]


def _number(card: Mapping[str, Any], value: float) -> str:
    """Shares in per cent, other measures as they are."""
    return f"{100 * value:.1f}" if card["measure"] in SHARES else f"{value:.4f}"


def table(cards: Iterable[Mapping[str, Any]]) -> str:
    """The rows as a Markdown table."""
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for card in cards:
        groups[card["task"], card["recipe"], card["cell"]].append(dict(card))
    lines = [HEADINGS, ["---"] * len(HEADINGS)]
    lines += [row(sorted(group, key=lambda card: int(card["seed"]))) for group in groups.values()]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def redraw(document: Path) -> None:
    """Put the table between the two marks of a document."""
    text = document.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    document.write_text(f"{before}{BEGIN}\n{table(cards_in())}\n{END}{after}", encoding="utf-8")

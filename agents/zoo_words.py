"""Rows of the zoo in words, for the command line."""

from collections.abc import Sequence
from dataclasses import replace

from lsnn_rl.agents.cards import uses_memory
from lsnn_rl.agents.statistics import Interval
from lsnn_rl.agents.zoo_pages import said
from lsnn_rl.agents.zoo_rows import CardData, Row, seed_of
from lsnn_rl.agents.zoo_targets import LSNNS, TARGETS, paper

CONTROLS = {
    "state_reset": "with its state wiped after every trial",
    "no_state": "with its state wiped at every step",
    "sampled": "with drawn actions",
}


def listing(rows: Sequence[Row]) -> str:
    """One line a row: score, interval, normalised score, seeds, connectivity, training steps, whether weights ship."""
    lines = [["", "score", "95 % interval", "normalised", "seeds", "connectivity", "steps", "weights"]]
    for row in rows:
        score = row.score
        if score is None:
            lines.append([row.name, "recipe only"])
            continue
        lines.append(
            [
                row.name,
                f"{row.unit} {said(row, score.mean)}",
                span(row, score),
                f"{row.normalized.mean:.2f}" if row.normalized else "",
                str(len(row.cards)),
                "" if row.connectivity is None else f"{100 * row.connectivity:.0f} %",
                steps(row),
                "ship" if row.weights is not None else "",
            ]
        )
    wide = [max(len(line[n]) for line in lines if n < len(line)) for n in range(len(lines[0]))]
    told = ("  ".join(cell.ljust(width) for cell, width in zip(line, wide, strict=False)) for line in lines)
    return "\n".join(line.rstrip() for line in told)


def told(row: Row) -> str:
    """All that the cards of a row say, in sentences, and the commands that go with it."""
    parts = [f"{row.name}\n{row.comment}"]
    if row.score is None:
        parts.append("There is no card yet: this is a recipe that nobody has run to its end for the zoo.")
    else:
        parts.append("\n".join(_scores(row)))
        parts.append("\n".join(_making(row)))
    commands = []
    if row.weights is not None and not row.supervised:
        commands += [("Watch it", f"lsnn-rl zoo enjoy {row.name}"), ("Score it", f"lsnn-rl evaluate {row.name}")]
    commands.append(("Make it again" if row.cards else "Make it", row.command))
    parts.append("\n".join(f"{what + ':':<15}{command}" for what, command in commands))
    return "\n\n".join(parts)


def verdict(row: Row, card: CardData, seed: int) -> str:
    """A new card beside the one that ships: of the same seed, or all seeds together where that seed has no card."""
    made, shipped = replace(row, cards=(card,)), row.card_of(seed)
    old = row if shipped is None else replace(row, cards=(shipped,))
    lines = [_one("made now", made)]
    if made.score is None or old.score is None:
        return "\n".join([*lines, "The zoo has no card of this row to compare it with."])
    lines.append(_one("shipped, all seeds" if shipped is None else f"shipped, seed {seed}", old))
    if made.score.low <= old.score.high and old.score.low <= made.score.high:
        return "\n".join([*lines, "The intervals overlap."])
    lines.append(
        f"The intervals do not overlap. They are over {made.over}, and say nothing about other trainings; processors "
        "that round differently make another training of the same seed."
    )
    return "\n".join(lines)


def _one(name: str, row: Row) -> str:
    score = row.score
    return name if score is None else f"{name:<20}{row.unit} {said(row, score.mean)}, {span(row, score)} ({row.over})"


def _scores(row: Row) -> list[str]:
    """How well it does, by itself and beside others."""
    first, score = row.cards[0], row.score
    assert score is not None
    if row.supervised:
        where = f"{first['cell']} on {row.place}, {first['test'].get('answers', 0):,} test answers"
    else:
        acted = "the most probable action" if first.get("deterministic", True) else "drawn actions"
        where = f"In {row.place}, {first.get('lifetimes', 0):,} {first.get('split', 'test')} lifetimes, {acted}"
    lines = [f"{where}: {row.unit} {said(row, score.mean)}, {span(row, score)} over {row.over}."]
    if len(row.cards) > 1:
        alone = [(seed_of(card), replace(row, cards=(card,)).score) for card in row.cards]
        each = ", ".join(f"{seed}: {said(row, entry.mean)}" for seed, entry in alone if entry is not None)
        lines.append(f"By seed {each}.")
    known = row.references
    if known is not None and row.normalized is not None:
        names = {role: f"{entry['agent']} {said(row, entry['mean'])}" for role, entry in known["scores"].items()}
        lines.append(
            f"That is {row.normalized.mean:.2f} of the way from no memory ({names['amnesic']}) to the best known "
            f"({names['best_known']}); oracle {names['oracle'].split()[-1]}, chance {names['random'].split()[-1]}."
        )
    for control in dict.fromkeys(name for card in row.cards for name in card.get("controls") or {}):
        hampered = row.control(control)
        if hampered is not None:
            lines.append(f"{CONTROLS.get(control, control).capitalize()}: {said(row, hampered.mean)}.")
    claims = [uses_memory(card) for card in row.cards]
    if None not in claims and not row.supervised:
        lines.append("It uses memory." if all(claims) else "That it uses memory is not shown.")
    if paper(row):
        lines.append(f"The paper: {paper(row)}.")
    target = TARGETS.get(row.place) if row.agent in LSNNS else None
    if target is not None and (found := target.measure(row)) is not None:
        lines.append(f"Target: {target.words}; found {found:.3f}, {'reached' if target.reached(row) else 'missed'}.")
    return lines


def _making(row: Row) -> list[str]:
    """How it was made, and what lies in its folder."""
    spikes, first = row.measure("spikes_per_goal"), row.cards[0]
    lines = []
    if spikes is not None:
        lines.append(f"{spikes:.0f} spikes a goal.")
    if row.connectivity is not None:
        lines.append(f"{100 * row.connectivity:.0f} % of the possible synapses exist.")
    if row.steps is not None and row.minutes is not None:
        lines.append(f"Trained for {steps(row)}{'' if row.supervised else ' steps'}, {row.minutes:.0f} minutes.")
    kept = (first.get("training") or {}).get("agent")
    if kept:
        lines.append(f"What was kept is {kept}.")
    if row.weights is not None:
        lines.append(f"{row.weights.stat().st_size / 1000:.0f} kB of weights ship, of seed {row.shipped_seed}.")
    else:
        lines.append("No weights ship.")
    versions = first.get("versions") or {}
    if versions:
        lines.append(f"Made with lsnn-rl {versions.get('lsnn-rl', '?')} and torch {versions.get('torch', '?')}.")
    return lines


def span(row: Row, score: Interval) -> str:
    return f"{said(row, score.low)} to {said(row, score.high)}"


def steps(row: Row) -> str:
    if row.steps is None:
        return ""
    return f"{row.steps:,.0f} iterations" if row.supervised else f"{row.steps / 1e6:.1f} M"

"""The tables of zoo/README.md and docs/results.md, drawn from the zoo's cards between marks that name them:

    <!-- drawn from the cards: worlds -->  ...  <!-- end -->

A number that a card lacks leaves its cell empty, and a column in which nothing stands is left out.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path  # noqa: F401  (for the example of `said`)

from lsnn_rl.agents.cards import decimals
from lsnn_rl.agents.popgym_scores import PUBLISHED
from lsnn_rl.agents.statistics import Interval
from lsnn_rl.agents.zoo_rows import SHARES, Row, mean_of, mmer_of
from lsnn_rl.agents.zoo_targets import LSNNS, TARGETS, compared, headline, paper
from lsnn_rl.envs.registration import WORLDS

PICTURES = "pictures/results"
_MARKED = re.compile(r"(<!-- drawn from the cards: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_FIRST = re.compile(r"(?<=[.?])(?<!al\.)\s")  # where a first sentence ends


def redrawn(text: str, rows: Sequence[Row], pictures: Iterable[str] = ()) -> str:
    """A document with what stands between its marks drawn anew.

    Args: pictures: worlds of which there is a figure in `PICTURES`.
    """
    tables: dict[str, Callable[[], str]] = {
        "targets": lambda: targets(rows),
        "worlds": lambda: worlds(rows, set(pictures)),
        "popgym": lambda: popgym(rows),
        "supervised": lambda: supervised(rows),
        "machines": lambda: machines(rows),
        "agents": lambda: short([row for row in rows if not row.supervised]),
        "networks": lambda: short([row for row in rows if row.supervised]),
        "recipes": lambda: recipes(rows),
    }
    return _MARKED.sub(lambda found: f"{found[1]}{tables[found[2]]()}\n{found[3]}", text)


def targets(rows: Sequence[Row]) -> str:
    """Every target and whether it was met, missed ones first to be seen."""
    lines = []
    for env_id, target in TARGETS.items():
        ours = headline([row for row in rows if row.place == env_id])
        found = None if ours is None else target.measure(ours)
        if ours is None or found is None:
            lines.append([env_id, target.words, "", "no agent yet"])
        else:
            told = f"{found:.3f} ({_seeds(ours)})"
            lines.append([env_id + _by(ours), target.words, told, "reached" if target.reached(ours) else "**missed**"])
    return _table(["world", "target for the LSNN", "found", ""], lines)


def worlds(rows: Sequence[Row], pictures: set[str]) -> str:
    """A section for each of our worlds of which there is a card: figure, table, comparison."""
    sections = []
    for env_id in dict.fromkeys(row.place for row in rows if row.score is not None and row.place in WORLDS):
        own = [row for row in rows if row.place == env_id]
        lines = [f"### {env_id}", "", f"[What it is](worlds.md#{env_id.lower()}). {_lifetimes(own)}", ""]
        if env_id in pictures:
            lines += [f"![{env_id}: how the score comes about]({PICTURES}/{env_id}.png)", ""]
        lines += [world_table(own), *_remarks(own)]
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


def world_table(rows: Sequence[Row]) -> str:
    """Agents and classical players of one world, the best first."""
    carded = [row for row in rows if row.cards and row.score is not None]
    known = carded[0].references
    players: dict[str, Interval] = {}
    if known is not None:
        entries = {entry["agent"]: entry for entry in known["scores"].values()} | known["others"]
        players = {name: Interval(entry["mean"], *entry["ci95"]) for name, entry in entries.items()}
    digits = decimals([row.score.mean for row in carded if row.score] + [entry.mean for entry in players.values()])
    roles: dict[str, list[str]] = {}
    for role, entry in (known["scores"] if known else {}).items():
        roles.setdefault(entry["agent"], []).append(role.replace("_", " "))
    lines = []
    for name, entry in players.items():
        role = f" ({', '.join(roles[name])})" if name in roles and roles[name] != [name] else ""
        share = ""
        if known is not None:
            low, high = (known["scores"][role]["mean"] for role in ("amnesic", "best_known"))
            share = f"{(entry.mean - low) / (high - low):.2f}" if high != low else ""
        cells = [f"{name.replace('_', ' ')}{role}", "", _number(entry.mean, digits), _span(entry, digits), share]
        lines.append((entry.mean, [*cells, "", "", "", "", "", f"`lsnn-rl evaluate {name} --env {rows[0].place}`"]))
    for row in carded:
        assert row.score is not None
        lines.append((row.score.mean, _agent_cells(row, row.score, digits)))
    heads = ["agent", "seeds", carded[0].unit, "95 % interval", "normalised", "state wiped", "spikes per goal"]
    return _table(
        [*heads, "connectivity", "steps", "minutes", "command"],
        [cells for _, cells in sorted(lines, key=lambda line: -line[0])],
    )


def popgym(rows: Sequence[Row]) -> str:
    """POPGym's bandits, and those other worlds of it of which there is a card: ours beside what was published."""
    lines = []
    for env_id, known in PUBLISHED.items():
        own = [row for row in rows if row.place == env_id and row.score is not None]
        if known.bayes_ucb is None and not own:
            continue
        best = f"best of 13 published memory models ({known.best_name})"
        lines.append([env_id, best, "", f"{known.best:.3f}", *[""] * 7])
        lines.append([env_id, "published GRU", "", f"{known.gru:.3f}", *[""] * 7])
        if known.bayes_ucb is not None:
            lines.append([env_id, "Bayes-UCB", "", "", f"{known.bayes_ucb:.3f}", *[""] * 6])
        for row in own:
            assert row.score is not None
            measured, wiped = mmer_of(row), row.control("no_state")
            cells = [str(len(row.cards)), f"**{measured.mean:.3f}**" if measured else "", f"**{row.score.mean:.3f}**"]
            cells += [_over(row, 3), f"{wiped.mean:.3f}" if wiped else "", _connectivity(row), _steps(row)]
            lines.append([env_id, f"**{row.agent}**", *cells, _minutes(row), f"`{row.command}`"])
    heads = ["world", "agent", "seeds", "MMER", "greedy return", "95 % interval", "no state", "connectivity"]
    table = _table([*heads, "steps", "minutes", "command"], lines)
    return "\n".join([table, *_beside_published(rows)])


def _beside_published(rows: Sequence[Row]) -> list[str]:
    """Where our LSNN stands among the published models by their own measure, world by world."""
    found = []
    for env_id, known in PUBLISHED.items():
        ours = [mmer_of(row) for row in rows if row.place == env_id and row.agent in LSNNS]
        means = [measured.mean for measured in ours if measured is not None]
        if known.bayes_ucb is not None and means:
            level = env_id.removeprefix("POPGymMultiarmedBandit").removesuffix("-v0")
            place = "above" if max(means) > known.best else "**below**"
            found.append(f"{level} {max(means):.3f}, {place} {known.best:.3f}")
    return ["", f"By MMER our LSNN beside the best of the 13: {'; '.join(found)}."] if found else []


def supervised(rows: Sequence[Row]) -> str:
    """A row for each task, recipe and cell, beside what the paper reports."""
    lines = []
    for row in rows:
        if not row.supervised or row.score is None:
            continue
        first, score = row.cards[0], row.score
        rate = mean_of([card.get("rate_hz") for card in row.cards])
        parameters = first.get("parameters")
        lines.append(
            [
                row.place,
                row.agent.partition(":")[0],
                row.variant or str(first.get("cell", "")),
                f"{row.unit} {said(row, score.mean)}",
                f"{said(row, score.low)} to {said(row, score.high)}" + (" (answers)" if len(row.cards) == 1 else ""),
                str(len(row.cards)),
                paper(row),
                "" if rate is None else f"{rate:.0f} Hz",
                f"{parameters['active']:,} of {parameters['all']:,}" if parameters else "",
                _steps(row),
                _minutes(row),
                f"`{row.command}`",
            ]
        )
    heads = ["task", "recipe", "cell", "test", "95 % interval", "seeds", "paper", "firing", "synapses", "iterations"]
    return _table([*heads, "minutes", "command"], lines)


def machines(rows: Sequence[Row]) -> str:
    """What the cards were made on and with, in one sentence."""
    told = [card.get("versions") or {} for row in rows for card in row.cards]
    platforms = sorted({str(own["platform"]).partition("-with-")[0] for own in told if "platform" in own})
    torches = sorted({str(own["torch"]) for own in told if "torch" in own})
    return f"Made on {'; '.join(platforms)}, with torch {', '.join(torches)}."


def short(rows: Sequence[Row]) -> str:
    """One line a row: how well it does, what ships, and what makes it again."""
    lines = []
    for row in rows:
        score = row.score
        if score is None:
            continue
        folder = (f"pretrained/{row.name}" if row.supervised else row.name).partition(":")[0]
        span = f"{said(row, score.low)} to {said(row, score.high)} ({row.over})"
        normalized = f"{row.normalized.mean:.2f}" if row.normalized else ""
        shipped = f"{row.weights.stat().st_size / 1000:.0f} kB" if row.weights else ""
        cells = [f"[{row.name}]({folder})", f"{row.unit} {said(row, score.mean)}", span, normalized]
        lines.append([*cells, str(len(row.cards)), shipped, f"`{row.command}`"])
    return _table(["row", "score", "95 % interval", "normalised", "seeds", "weights", "made again by"], lines)


def recipes(rows: Sequence[Row]) -> str:
    """Recipes of which there is no card, with the first thing they say about themselves."""
    return "\n".join(f"- `{row.name}`: {_FIRST.split(row.comment)[0]}" for row in rows if not row.cards)


def said(row: Row, value: float) -> str:
    """A score with its unit's digits; shares in per cent.

    >>> said(Row("smnist/ours", Path(), ({"task": "smnist", "measure": "accuracy"},), True), 0.953)
    '95.3 %'
    """
    if row.unit in SHARES:
        return f"{100 * value:.1f} %"
    score = row.score
    return _number(value, 4 if row.supervised else decimals([value if score is None else score.mean]))


def _agent_cells(row: Row, score: Interval, digits: int) -> list[str]:
    wiped, spikes = row.control("state_reset"), row.measure("spikes_per_goal")
    return [
        f"**{row.agent}**",
        str(len(row.cards)),
        f"**{_number(score.mean, digits)}**",
        _over(row, digits),
        f"{row.normalized.mean:.2f}" if row.normalized else "",
        "" if wiped is None else _number(wiped.mean, digits),
        "" if spikes is None else f"{spikes:.0f}",
        _connectivity(row),
        _steps(row),
        _minutes(row),
        f"`{row.command}`",
    ]


def _remarks(rows: Sequence[Row]) -> list[str]:
    """What follows from a world's table: the target, and where the LSNN stands beside its controls."""
    own = [row for row in rows if not row.variant]
    target = TARGETS.get(own[0].place)
    lines = []
    ours = headline(own)
    if target is not None and ours is not None and (found := target.measure(ours)) is not None:
        lines.append(
            f"Target: {target.words}. Found: {found:.3f}{_by(ours)}, "
            f"{'reached' if target.reached(ours) else '**missed**'}."
        )
    beside = compared(own)
    if beside and ours is not None:
        lines.append(f"By its 95 % interval the LSNN{_by(ours)} is {', '.join(beside)}.")
    bare = [f"`{row.agent}`" for row in rows if not row.cards]
    if bare:
        lines.append(f"Recipes without a card yet: {', '.join(bare)}.")
    return ["", " ".join(lines)] if lines else []


def _by(ours: Row) -> str:
    """Which of a world's LSNNs is meant, where it is not the plain one."""
    return "" if ours.agent == "lsnn" else f" (`{ours.agent}`)"


def _lifetimes(rows: Sequence[Row]) -> str:
    counts = sorted({card["lifetimes"] for row in rows for card in row.cards if "lifetimes" in card})
    if not counts:
        return ""
    return f"Agents lived {' or '.join(f'{count:,}' for count in counts)} test lifetimes each."


def _seeds(row: Row) -> str:
    return f"{len(row.cards)} seed{'s' * (len(row.cards) > 1)}"


def _steps(row: Row) -> str:
    steps = row.steps
    if steps is None:
        return ""
    return f"{steps:,.0f}" if row.supervised else f"{steps / 1e6:.1f} M"


def _minutes(row: Row) -> str:
    return "" if row.minutes is None else f"{row.minutes:.1f}" if row.supervised else f"{row.minutes:.0f}"


def _number(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:,.{digits}f}"  # adding 0 makes of -0.0 plain 0.0


def _connectivity(row: Row) -> str:
    return "" if row.connectivity is None else f"{100 * row.connectivity:.0f} %"


def _over(row: Row, digits: int) -> str:
    """The interval of a row's score, and what it is over where that is not seeds."""
    assert row.score is not None
    return _span(row.score, digits) + (f" ({row.over})" if len(row.cards) == 1 else "")


def _span(entry: Interval, digits: int) -> str:
    return f"{_number(entry.low, digits)} to {_number(entry.high, digits)}"


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table without the columns in which nothing stands."""
    kept = [n for n, head in enumerate(heads) if any(line[n] for line in lines)]
    rows = [[heads[n] for n in kept], ["---"] * len(kept), *([line[n] for n in kept] for line in lines)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)

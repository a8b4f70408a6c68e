"""The rows of the zoo: a recipe with the cards that were made from it, one for each seed.

    zoo/<env id>/<agent>/            recipe.yml, agent/, card.json, card-seed1.json, card-demo.json ...
    zoo/pretrained/<task>/<name>/    recipe.yml, network.safetensors, card.json, card-lif.json, card-lif-seed1.json ...

A card's file is card[-VARIANT][-seedN].json; a variant has a row of its own, "LSNNArena-v0/lsnn:demo". It differs in
its number of steps, or in what recipe-VARIANT.yml says instead of recipe.yml. What the folder ships is of the seed of
card.json; cards of other seeds lie there without weights.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lsnn_rl.agents.statistics import Interval, mean_interval
from lsnn_rl.agents.zoo_places import SUPERVISED, ZOO, zoo_name
from lsnn_rl.envs.references import reference_row
from lsnn_rl.envs.registration import WORLDS
from lsnn_rl.errors import BrokenFile, unknown_name

SHARES = ("accuracy", "error")  # measures of supervised tasks that lie between 0 and 1
_FILE = re.compile(r"card(?:-(?!seed\d)(?P<variant>.+?))?(?:-seed(?P<seed>\d+))?\.json")
_AGENTS = ("lsnn", "lif", "gru", "lstm", "rnn", "mlp")  # in this order; others follow by name
_LEVELS = ("Easy", "Medium", "Hard")

CardData = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """A recipe, or a variant of it, with its cards in order of their seeds; without cards it is a recipe only."""

    name: str
    folder: Path
    cards: tuple[CardData, ...] = ()
    supervised: bool = False

    @property
    def place(self) -> str:
        """The world's id, or the task."""
        return self.name.split("/")[0]

    @property
    def agent(self) -> str:
        """What is left of the name: "lsnn", "lsnn:demo"."""
        return self.name.split("/")[1]

    @property
    def variant(self) -> str:
        return self.name.partition(":")[2]

    @property
    def seeds(self) -> list[int]:
        return [seed_of(card) for card in self.cards]

    @property
    def score(self) -> Interval | None:
        """Several seeds: the mean over them with Student's interval. One seed: its own, over lifetimes or answers."""
        return over_seeds([_score(card) for card in self.cards], _limits(self.cards))

    @property
    def unit(self) -> str:
        """What is counted: "goals", "return", "accuracy", "mean squared error"."""
        first = self.cards[0]
        return str(first["measure"] if self.supervised else first.get("score", {}).get("of", "return"))

    @property
    def over(self) -> str:
        """What the interval of the score is over."""
        return "seeds" if len(self.cards) > 1 else "answers" if self.supervised else "lifetimes"

    @property
    def normalized(self) -> Interval | None:
        return over_seeds([entry_of(card.get("normalized")) for card in self.cards])

    def control(self, name: str) -> Interval | None:
        """The score under a control, for example "state_reset"."""
        return over_seeds([entry_of((card.get("controls") or {}).get(name)) for card in self.cards])

    def measure(self, name: str) -> float | None:
        """The mean over seeds of a number among the cards' measures, for example "spikes_per_goal"."""
        found = [entry_of((card.get("measures") or {}).get(name)) for card in self.cards]
        return mean_of([entry.mean if entry else None for entry in found])

    @property
    def steps(self) -> float | None:
        """Environment steps, or iterations of a supervised task, in the mean over seeds."""
        if self.supervised:
            return mean_of([card.get("iterations") for card in self.cards])
        return mean_of([(card.get("training") or {}).get("env_steps") for card in self.cards])

    @property
    def minutes(self) -> float | None:
        """Wall-clock time of training, in the mean over seeds."""
        if self.supervised:
            seconds = mean_of([card.get("wall_s") for card in self.cards])
            return None if seconds is None else seconds / 60
        return mean_of([(card.get("training") or {}).get("minutes") for card in self.cards])

    @property
    def connectivity(self) -> float | None:
        """The share of synapses that exist: counted in supervised cards, else what the recipe keeps to."""
        if self.supervised:
            counted = [card.get("parameters") for card in self.cards]
            return mean_of([p["active"] / p["all"] if p else None for p in counted])
        settings = self.settings
        policy, rewiring = settings.get("policy") or {}, settings.get("rewiring") or {}
        inner = policy.get("rewiring") or {}
        return float(policy.get("connectivity") or inner.get("connectivity") or rewiring.get("connectivity") or 1.0)

    @property
    def recipe(self) -> Path:
        """The file that says how it was trained."""
        own = self.folder / f"recipe-{self.variant}.yml"
        return own if self.variant and own.is_file() else self.folder / "recipe.yml"

    @property
    def settings(self) -> dict[str, Any]:
        """The recipe as it is written, without defaults."""
        return yaml.safe_load(self.recipe.read_text(encoding="utf-8")) or {}

    @property
    def comment(self) -> str:
        """What the recipe says about itself: the comment above its first key."""
        lines = self.recipe.read_text(encoding="utf-8").splitlines()
        head = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
        return " ".join(line.lstrip("# ") for line in lines[:head])

    @property
    def references(self) -> dict[str, Any] | None:
        """The measured row of classical agents for this world, split and settings; None where there is none."""
        if self.supervised or not self.cards:
            return None
        first = self.cards[0]
        return reference_row(self.place, first.get("split", "test"), **(first.get("env_kwargs") or {}))

    @property
    def weights(self) -> Path | None:
        """The shipped weights, which are of the first row of a folder."""
        file = self.folder / ("network.safetensors" if self.supervised else "agent/agent.safetensors")
        return file if file.is_file() and not self.variant else None

    @property
    def shipped_seed(self) -> int | None:
        """The seed of the shipped weights: that of card.json."""
        return next((seed_of(card) for card in self.cards if card.get("_file") == "card.json"), None)

    @property
    def command(self) -> str:
        """What makes the row again."""
        return f"lsnn-rl zoo reproduce {self.name}"

    def card_of(self, seed: int) -> CardData | None:
        return next((card for card in self.cards if seed_of(card) == seed), None)


def rows(zoo: Path = ZOO) -> list[Row]:
    """All rows: agents by world, then networks of supervised tasks; a world's spiking agent comes first."""
    found: list[Row] = []
    for pattern, supervised in (("*/*/recipe.yml", False), (f"{SUPERVISED}/*/*/recipe.yml", True)):
        for file in sorted(zoo.glob(pattern)):
            folder = file.parent
            if supervised or folder.parent.name != SUPERVISED:
                found += _rows_in(folder, f"{folder.parent.name}/{folder.name}", supervised)
    return sorted(found, key=_order)


def find_row(name: str, zoo: Path = ZOO) -> Row:
    """The row of that name; a world's id alone means its LSNN. Raises UnknownName."""
    known = {row.name: row for row in rows(zoo)}
    for candidate in (zoo_name(name), f"{zoo_name(name)}/lsnn"):
        if candidate in known:
            return known[candidate]
    raise unknown_name("row of the zoo", name, known)


def seed_of(card: CardData) -> int:
    """The seed of the training, which in a card of an agent is not that of its evaluation."""
    if "task" in card:
        return int(card["seed"])
    match = _FILE.fullmatch(card.get("_file", ""))
    by_name = match["seed"] if match else None
    told = (card.get("training") or {}).get("seed")
    return int(by_name or 0) if told is None else int(told)


def over_seeds(
    entries: Sequence[Interval | None], limits: tuple[float | None, float | None] = (None, None)
) -> Interval | None:
    """The mean of several seeds with Student's interval, of one its own interval; None if one of them says nothing.

    >>> one = Interval(0.5, 0.4, 0.6)
    >>> over_seeds([one]) == one, over_seeds([one, None])
    (True, None)
    """
    told = [entry for entry in entries if entry is not None]
    if not told or len(told) < len(entries):
        return None
    mean, low, high = told[0] if len(told) == 1 else mean_interval([entry.mean for entry in told])
    least, most = limits
    return Interval(mean, low if least is None else max(least, low), high if most is None else min(most, high))


def entry_of(entry: dict[str, Any] | None) -> Interval | None:
    """A card's {mean, ci95} as an Interval."""
    return None if entry is None else Interval(entry["mean"], *entry["ci95"])


def mmer_of(row: Row) -> Interval | None:
    """POPGym's own score over the seeds (see `popgym_scores`), where the cards hold it; one seed has no width."""
    told = [(card.get("training") or {}).get("mmer") for card in row.cards]
    return over_seeds([None if value is None else Interval(value, value, value) for value in told])


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean, or None if a value is missing."""
    told = list(values)
    return None if not told or None in told else float(sum(told) / len(told))  # type: ignore[arg-type]


def _rows_in(folder: Path, name: str, supervised: bool) -> list[Row]:
    variants: defaultdict[str, list[CardData]] = defaultdict(list)
    for file in sorted(folder.glob("card*.json")):
        match = _FILE.fullmatch(file.name)
        if match is None:
            continue
        try:
            card = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as problem:
            raise BrokenFile(f"{file} is no card: {problem}. Make it again: lsnn-rl zoo reproduce {name}") from problem
        variants[match["variant"] or ""].append({**card, "_file": file.name})
    for file in folder.glob("recipe*.yml"):  # also those that nobody has trained yet
        variants[file.stem.removeprefix("recipe").removeprefix("-")]
    return [
        Row(f"{name}:{variant}" if variant else name, folder, tuple(sorted(cards, key=seed_of)), supervised)
        for variant, cards in variants.items()
    ]


def _order(row: Row) -> tuple[bool, int, str, int, int, str]:
    """Our worlds in the order of their table, others by name and from easy to hard; their spiking agent first."""
    agent = row.agent.partition(":")[0]
    world = list(WORLDS).index(row.place) if row.place in WORLDS else len(WORLDS)
    level = next((n for n, name in enumerate(_LEVELS) if name in row.place), 0)
    kind = row.place.replace(_LEVELS[level], "")
    return row.supervised, world, kind, level, _AGENTS.index(agent) if agent in _AGENTS else len(_AGENTS), row.agent


def _score(card: CardData) -> Interval | None:
    return entry_of(card.get("test") if "task" in card else card.get("score") or card.get("return"))


def _limits(cards: Sequence[CardData]) -> tuple[float | None, float | None]:
    """What a supervised measure cannot leave: none of them is below 0, a share not above 1."""
    if not cards or "task" not in cards[0]:
        return None, None
    return 0.0, 1.0 if cards[0]["measure"] in SHARES else None

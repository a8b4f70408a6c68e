"""What the zoo is measured by besides its references: targets that we set ourselves, and numbers of the papers."""

from collections.abc import Sequence
from typing import NamedTuple

from lsnn_rl.agents.zoo_rows import Row


class Target(NamedTuple):
    """A target for the mean score of a world's LSNN over its seeds; ours, set before the agents were trained.

    kind: "normalized" (0 without memory of the lifetime, 1 best known), "optimum" (0 chance, 1 best known),
    "regret" (what is lost to the oracle, in units of what the best known loses: less is better) or "return".
    """

    kind: str
    value: float

    @property
    def words(self) -> str:
        return {
            "normalized": f"{self.value:.2f} of the way from no memory to the best known",
            "optimum": f"{self.value:.2f} of the way from chance to the best known",
            "regret": f"at most {self.value:.1f} times the regret of the best known",
            "return": f"a greedy return of {self.value:.2f}",
        }[self.kind]

    def measure(self, row: Row) -> float | None:
        """How far the row is, in the target's own units; None where its cards cannot tell."""
        score, known = row.score, row.references
        if score is None:
            return None
        if self.kind == "return":
            return score.mean
        if self.kind == "normalized":
            return row.normalized.mean if row.normalized else None
        if known is None:
            return None
        mean = {role: entry["mean"] for role, entry in known["scores"].items()}
        if self.kind == "optimum":
            return float((score.mean - mean["random"]) / (mean["best_known"] - mean["random"]))
        return float((mean["oracle"] - score.mean) / (mean["oracle"] - mean["best_known"]))

    def reached(self, row: Row) -> bool | None:
        found = self.measure(row)
        if found is None:
            return None
        return found <= self.value if self.kind == "regret" else found >= self.value


LSNNS = ("lsnn", "lsnn_told", "lsnn_direct", "lsnn_long")  # alone; its critic told the task; seeing directly; longer

TARGETS = {
    "LSNNArena-v0": Target("normalized", 0.85),
    "LSNNArenaDisc-v0": Target("normalized", 0.70),
    "LSNNBernoulliBandit-v0": Target("optimum", 0.95),
    "LSNNDependentBandit-v0": Target("optimum", 0.95),
    "LSNNGPBandit-v0": Target("regret", 1.3),
    "LSNNTwoStep-v0": Target("optimum", 0.95),
    "POPGymMultiarmedBanditEasy-v0": Target("return", 0.70),
    "POPGymMultiarmedBanditMedium-v0": Target("return", 0.75),
    "POPGymMultiarmedBanditHard-v0": Target("return", 0.78),
}

# What the papers report for the same task; by task and recipe, then by cell.
_BELLEC = "Bellec et al. 2018"
PAPERS = {
    "smnist/ours": {
        "lsnn": f"94.2 +- 0.3 % over 12 runs, at most 94.7 ({_BELLEC})",
        "lif": f"at most 63.3 % ({_BELLEC})",
        "lstm": f"at most 98.5 % ({_BELLEC})",
        "dense": f"at most 93.3 % ({_BELLEC})",
    },
    "store_recall/paper": {"lsnn": "below 5 % within 200 iterations (released code)"},
    "evidence/paper": {"lsnn": "below 7 % (the criterion of e-prop, which trains otherwise)"},
    "function_learning/sines": {"lsnn": "0.3134, over 500 examples of 20 ms (recalled)"},
    "function_learning/networks": {"lsnn": "0.0056 (recalled)"},
}
PAPERS["smnist/paper-1ms"] = PAPERS["smnist/one-step"] = PAPERS["smnist/ours"]


def paper(row: Row) -> str:
    """What the paper reports for a supervised row; empty where it reports nothing."""
    said = PAPERS.get(row.name.partition(":")[0], {})
    return said.get(row.variant or str(row.cards[0].get("cell", "lsnn")), "") if row.cards else ""


def headline(rows: Sequence[Row]) -> Row | None:
    """The row by which a world's LSNN is judged: of its recipes the one with the best mean score."""
    ours = [row for row in rows if row.agent in LSNNS and row.score is not None]
    return max(ours, key=lambda row: row.score.mean if row.score else 0.0, default=None)


def compared(rows: Sequence[Row]) -> list[str]:
    """Sentences on a world's LSNN beside the best row of each control, by their intervals: "within" if they overlap."""
    ours = headline(rows)
    if ours is None or ours.score is None:
        return []
    sentences = []
    names = {"lstm": "the LSTM", "gru": "the GRU", "lif": "the network without adaptation", "mlp": "the memoryless MLP"}
    for agent, name in names.items():
        scores = [row.score for row in rows if row.score is not None and row.agent.partition(":")[0] == agent]
        if scores:
            other = max(scores, key=lambda score: score.mean)
            place = "above" if ours.score.low > other.high else "below" if ours.score.high < other.low else "within"
            sentences.append(f"{place} the interval of {name}" if place == "within" else f"clearly {place} {name}")
    wiped = ours.control("state_reset")
    if wiped is not None:
        place = "above" if ours.score.low > wiped.high else "not clearly above"
        sentences.append(f"{'clearly ' * (place == 'above')}{place} itself with its state wiped after every trial")
    return sentences

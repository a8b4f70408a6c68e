"""What a benchmark run was asked to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lsnn_rl.errors import unknown_name


def _silent(message: str) -> None:
    """Progress that nobody wants to see."""


@dataclass(frozen=True)
class Settings:
    """`only` names workloads (all if empty); `quick` shortens them, for a look and for tests, not for quoting."""

    repeats: int = 5
    quick: bool = False
    only: Sequence[str] = ()
    say: Callable[[str], None] = field(default=_silent, compare=False)

    def chosen(self, known: Sequence[str]) -> list[str]:
        """The workloads to run, in their own order. Raises UnknownName for one that does not exist."""
        for name in self.only:
            if name not in known:
                raise unknown_name("workload", name, known)
        return [name for name in known if not self.only or name in self.only]

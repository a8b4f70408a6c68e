"""Which units are regular, adaptive, excitatory or inhibitory: labels for index ranges, kept for reports and probes."""

from collections.abc import Iterator, Mapping

from lsnn_rl.errors import BadValue, unknown_name


class Populations(Mapping[str, slice]):
    """Ranges of units by label: disjoint parts that cover all units, and the unions of parts that share a label.

    Iterating gives the parts, in order. Under Dale's law inhibitory units come first within the regular ones (as in the
    released code) and adaptive units last, so every label is one slice.

    >>> cells = Populations(regular=120, adaptive=100, inhibitory=54)
    >>> list(cells)
    ['regular_inhibitory', 'regular_excitatory', 'adaptive_excitatory']
    >>> cells["excitatory"], cells["adaptive"]
    (slice(54, 220, None), slice(120, 220, None))
    >>> dict(Populations(regular=3, adaptive=2))
    {'regular': slice(0, 3, None), 'adaptive': slice(3, 5, None)}
    """

    def __init__(self, regular: int, adaptive: int, inhibitory: int | None = None) -> None:
        size = regular + adaptive
        labels = {"regular": range(regular), "adaptive": range(regular, size)}
        parts = labels
        if inhibitory is not None:
            signs = {"inhibitory": range(inhibitory), "excitatory": range(inhibitory, size)}
            parts = {f"{kind}_{sign}": _overlap(labels[kind], signs[sign]) for kind in labels for sign in signs}
            labels = labels | signs
        self._parts = [name for name, units in parts.items() if len(units)]
        self._units = {name: units for name, units in (parts | labels).items() if len(units)}

    def __getitem__(self, label: str) -> slice:
        if label not in self._units:
            raise unknown_name("population", label, self._units)
        units = self._units[label]
        return slice(units.start, units.stop)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        return "Populations(" + ", ".join(f"{part}={len(self._units[part])}" for part in self) + ")"


def inhibitory_cells(size: int, excitatory: float) -> int:
    """How many of `size` cells are inhibitory, rounded as in the released code: 54 of 220 at 0.75."""
    if not 0 < excitatory <= 1:
        raise BadValue(f"excitatory = {excitatory} is no fraction of cells. Give a number in (0, 1], such as 0.75.")
    return max(0, size - int(excitatory * size) - 1)


def _overlap(a: range, b: range) -> range:
    return range(max(a.start, b.start), max(a.start, b.start, min(a.stop, b.stop)))

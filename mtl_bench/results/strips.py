"""Columns of text into the width of a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from mtl_bench.results.folding import fold

GAP = 2  # cells between two columns
LONG = 16  # cells: longer names fold to make room for a column that could be left out,
SHORT = 11  # and longer ones than this for a column that could not


@dataclass(frozen=True)
class Strip:
    """One column: a `name` folds where room is short, numbers do not; a `spare` one is left out first."""

    header: str
    texts: tuple[str, ...]
    name: bool = False
    spare: bool = False

    @property
    def width(self) -> int:
        return max(cell_len(line) for text in (self.header, *self.texts) for line in text.split("\n"))

    def within(self, width: int) -> "Strip":
        return replace(self, header=fold(self.header, width), texts=tuple(fold(text, width) for text in self.texts))


def choose(strips: Sequence[Strip], width: int) -> list[Strip]:
    """Those that stand beside each other in `width` cells.

    Long names fold to make room for spare columns, which are left out from the last one on; short names fold where all
    the rest would not fit either. Where nothing helps, all that is not spare is left, for `parts`.
    """
    kept = list(strips)
    while not (limits := _limits(kept, width, LONG)) and (spare := [n for n, strip in enumerate(kept) if strip.spare]):
        del kept[spare[-1]]
    limits = limits or _limits(kept, width, SHORT) or [strip.width for strip in kept]
    return [strip.within(limit) for strip, limit in zip(kept, limits, strict=True)]


def parts(strips: Sequence[Strip], width: int) -> list[list[Strip]]:
    """Tables of at most `width` cells that together hold all strips, the first one in each."""
    first = strips[0].within(max(width // 3, 1))
    found = [[first]]
    for strip in strips[1:]:
        narrow = strip.within(max(width - first.width - GAP, 1))
        if len(found[-1]) > 1 and _total([each.width for each in (*found[-1], narrow)]) > width:
            found.append([first])
        found[-1].append(narrow)
    return found


def _limits(strips: Sequence[Strip], width: int, least: int) -> list[int] | None:
    """Cells for each strip, the widest names narrowed to no less than `least`; None where that is not enough."""
    limits = [strip.width for strip in strips]
    while _total(limits) > width:
        names = [place for place, strip in enumerate(strips) if strip.name and limits[place] > least]
        if not names:
            return None
        limits[max(names, key=limits.__getitem__)] -= 1
    return limits


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)

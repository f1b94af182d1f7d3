"""What the cells of a published table imply for its Δm and mean ranks, as exact ranges over everything that rounding
may hide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from mtl_bench.results.change import Term, Terms, term_weights
from mtl_bench.results.published.catalogue import PaperTable
from mtl_bench.results.published.printed import Printed, Range

NO_CELLS = "its cells are not printed"


@dataclass(frozen=True)
class Recomputed:
    """A printed Δm or mean rank beside what its row's cells allow, in the paper's own sign."""

    table: str
    method: str
    metric: str
    printed: Printed
    range: Range

    @property
    def derivable(self) -> bool:
        """Whether some numbers behind the printed cells give a number that is printed as this one is."""
        low, high = self.printed.range
        return self.range[0] <= high and low <= self.range[1]

    @property
    def low(self) -> str:
        return self._text(self.range[0])

    @property
    def high(self) -> str:
        return self._text(self.range[1])

    def _text(self, value: Fraction) -> str:
        """To one digit more than printed, so that a row that is off by little is seen to be."""
        return f"{float(value):.{self.printed.places + 1}f}"


@dataclass(frozen=True)
class Unchecked:
    """A printed Δm or mean rank whose cells are not all here."""

    table: str
    method: str
    metric: str
    why: str


def recompute(table: PaperTable) -> tuple[list[Recomputed], list[Unchecked]]:
    """Every Δm and mean rank of the table, in its order."""
    checked: list[Recomputed] = []
    left: list[Unchecked] = []
    for method in table.rows:
        for metric in table.deltas:
            _sort(_delta(table, method, metric), checked, left)
        if table.rank is not None:
            _sort(_mean_rank(table, method, table.rank), checked, left)
    return checked, left


def change_range(value: Printed, baseline: Printed) -> Range:
    """100 s (M − B) / |B| over all M and B that are printed so.

    Linear in M and monotone in B of one sign, so its ends are among the corners. The sign s makes higher better.
    """
    assert baseline.range[0] > 0 or baseline.range[1] < 0, f"a baseline of {baseline.text} may be zero"
    corners = [100 * value.sign * (m - b) / abs(b) for m in value.range for b in baseline.range]
    return min(corners), max(corners)


def rank_range(cell: Printed, others: Sequence[Printed]) -> tuple[int, int]:
    """The best and the worst rank of a cell in one column: whatever rounding hides may stand either way round."""
    low, high = cell.range
    surely = sum(other.range[0] > high if cell.higher_is_better else other.range[1] < low for other in others)
    perhaps = sum(other.range[1] >= low if cell.higher_is_better else other.range[0] <= high for other in others)
    return 1 + surely, 1 + perhaps


def _sort(found: Recomputed | Unchecked | None, checked: list[Recomputed], left: list[Unchecked]) -> None:
    if isinstance(found, Recomputed):
        checked.append(found)
    elif found is not None:
        left.append(found)


def _delta(table: PaperTable, method: str, metric: str) -> Recomputed | Unchecked | None:
    cells = table.rows[method]
    if metric not in cells:
        return None
    weights = _weights(table, table.deltas[metric]) if table.judged else {}
    if why := _missing(table, cells, [column for _, column in weights]):
        return Unchecked(table.name, method, metric, why)
    low = high = Fraction(0)
    for (_, column), weight in weights.items():
        ends = _change(table, cells, column)
        low, high = low + weight * ends[0], high + weight * ends[1]
    printed = cells[metric]
    return Recomputed(table.name, method, metric, printed, (low, high) if printed.higher_is_better else (-high, -low))


def _change(table: PaperTable, cells: Mapping[str, Printed], column: str) -> Range:
    if table.changes:
        return cells[column].range
    assert table.baseline is not None
    return change_range(cells[column], table.baseline[column])


def _weights(table: PaperTable, definition: str) -> dict[Term, Fraction]:
    terms: Terms = table.terms
    if definition in terms:
        terms, definition = {definition: terms[definition]}, "metric_mean"
    # each weight is one over a small whole number, so the nearest simple fraction is the weight itself
    return {term: Fraction(w).limit_denominator(1000) for term, w in term_weights(definition, terms).items()}


def _missing(table: PaperTable, cells: Mapping[str, Printed], columns: Sequence[str]) -> str | None:
    absent = [column for column in columns if column not in cells]
    if len(absent) == len(columns):
        return NO_CELLS
    if absent:
        return f"{', '.join(absent)} is not printed"
    return None if table.changes or table.baseline is not None else "no baseline is printed"


def _mean_rank(table: PaperTable, method: str, metric: str) -> Recomputed | Unchecked | None:
    """Ranks among the methods; the single-task row takes no part, as in every table of which a rank fits."""
    cells, columns = table.rows[method], [column for names in table.judged.values() for column in names]
    if metric not in cells:
        return None
    if not columns:
        return Unchecked(table.name, method, metric, NO_CELLS)
    if not table.complete:
        return Unchecked(table.name, method, metric, "it counts rows that are not here")
    rivals = [other for name, other in table.rows.items() if name != method]
    if any(column not in row for row in table.rows.values() for column in columns):
        return Unchecked(table.name, method, metric, NO_CELLS)
    ends = [rank_range(cells[column], [other[column] for other in rivals]) for column in columns]
    low, high = (Fraction(sum(end), len(columns)) for end in zip(*ends, strict=True))
    return Recomputed(table.name, method, metric, cells[metric], (low, high))

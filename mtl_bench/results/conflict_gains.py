"""Do problems with more conflict between task gradients reward methods more, over the plain sum of the losses?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from mtl_bench.results.alignment import Aligned, Prediction, board_name, predicted
from mtl_bench.results.board import Board

FEW = 5  # boards below which no order is judged: of four, 2 in 24 orders give ρ = ±1


@dataclass(frozen=True)
class GainsOverSum:
    """Of one board: Δm of every method less that of the plain sum, in percent, each row the mean of its seeds.

    `cosine` is the mean over its measured runs and their tasks.
    """

    board: str
    cosine: float
    gains: tuple[float, ...]


def gains_over_sum(boards: Sequence[Board], points: Sequence[Aligned]) -> list[GainsOverSum]:
    """Boards with measured cosines, the plain sum and another method, rows without a diverged seed.

    The plain sum stepped several times per batch is no other method.
    """
    found = []
    for board in boards:
        cosines = [point.cosine for point in points if point.board == board_name(board)]
        whole = [row for row in board.rows if row.is_method and row.delta_m and not row.diverged]
        plain = [row.delta_m.mean for row in whole if row.delta_m and row.spending == "once"]
        others = [row.delta_m.mean for row in whole if row.delta_m and row.spending is None]
        if cosines and plain and others:
            gains = tuple(change - plain[0] for change in others)
            found.append(GainsOverSum(board_name(board), fmean(cosines), gains))
    return found


def order_of_boards(found: Sequence[GainsOverSum], gain: Callable[[Sequence[float]], float]) -> Prediction | None:
    """Spearman's ρ over boards between mean cosine and what `gain` makes of theirs; None below `FEW` boards."""
    return predicted("", {"": [(one.cosine, gain(one.gains)) for one in found]}) if len(found) >= FEW else None

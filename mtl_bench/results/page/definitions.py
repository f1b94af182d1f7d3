"""The same runs under every definition of Δm, and where the ranking changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from scipy import stats

from mtl_bench.records import Record, Shared
from mtl_bench.records.entry import EntryFile
from mtl_bench.results.board import Board, leaderboards
from mtl_bench.results.row import Estimate

DEFINITIONS = ("metric_mean", "task_mean", "one_per_task")

_Shared = TypeVar("_Shared", bound=Shared)


@dataclass(frozen=True)
class Ranking:
    """What one definition says: Δm and place of every row, by label; `judged` is what it looks at, in words.

    Places count methods of which every seed converged. `tau` is Kendall's τ-b with the board's own definition over
    them, None below two methods or where all are equal.
    """

    definition: str
    judged: str
    delta_m: Mapping[str, Estimate | None]
    places: Mapping[str, int]
    tau: float | None = None


def rankings(board: Board, records: Sequence[Record], files: Sequence[EntryFile]) -> list[Ranking]:
    """The board's own definition first. Alone where every task has one metric, as all definitions then agree.

    `one_per_task` takes the first judged metric of each task.
    """
    own = _ranking(board, board.definition, "")
    if len(board.columns) == len({column.task for column in board.columns}):
        return [own]
    behind = {digest for row in board.rows for digest in row.hashes}
    runs = [record for record in records if record["hash"] in behind]
    named = [file for file in files if file["experiment"]["hash"] == board.hash]
    return [own, *(_other(board, own, name, runs, named) for name in DEFINITIONS if name != board.definition)]


def _other(
    board: Board, own: Ranking, definition: str, records: Sequence[Record], files: Sequence[EntryFile]
) -> Ranking:
    again = leaderboards(
        [_under(record, definition, board.hash) for record in records],
        [_under(file, definition, board.hash) for file in files],
    )
    judged = next(one for one in again if one.hash == board.hash)
    metrics = [column.metric for column in judged.columns]
    found = _ranking(judged, definition, f"of {', '.join(metrics)}" if definition == "one_per_task" else "")
    shared = [label for label in own.places if label in found.places]
    places = [[ranking.places[label] for label in shared] for ranking in (own, found)]
    tau = float(stats.kendalltau(*places).statistic) if len(shared) > 1 else None
    return Ranking(definition, found.judged, found.delta_m, found.places, tau)


def _ranking(board: Board, definition: str, judged: str) -> Ranking:
    ranked = [row.label for row in board.rows if row.delta_m and not row.diverged and not row.is_single_task]
    places = {label: place for place, label in enumerate(ranked, start=1)}
    return Ranking(definition, judged, {row.label: row.delta_m for row in board.rows}, places)


def _under(shared: _Shared, definition: str, digest: str) -> _Shared:
    """The same record under another definition, if it is one of this board."""
    if shared["experiment"]["hash"] != digest:
        return shared
    terms = shared["delta_m"]["terms"]
    if definition == "one_per_task":
        terms = {task: metrics[:1] for task, metrics in terms.items()}
    return cast(_Shared, {**shared, "delta_m": {"definition": definition, "terms": terms}})

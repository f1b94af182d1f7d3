"""What a frozen version holds: per board a page and one CSV per filter, and a page that says how to read them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mtl_bench.errors import BenchError
from mtl_bench.results.board import Board
from mtl_bench.results.board_csv import board_csv, delta_m_places
from mtl_bench.results.mean_ranks import Grid, complete_grid, mean_ranks
from mtl_bench.results.render import markdown
from mtl_bench.results.sensitivity import Rank, places, span_text
from mtl_bench.results.table_text import markdown_table

READING = """A frozen version of the leaderboard. It never changes: a new seed, method or protocol makes a new version.
`MANIFEST.json` holds the digest of every file and of every record behind them; `mtl-bench freeze --check` compares.

In a CSV `place` is the rank by Δm among the rows of that file, `…_less_a_task_best` and `…_worst` the places of the row
when any one task is left out, `…_less_a_method_…` when any one other method is. That method goes on counting where it
stood, so that a row moves only where the others change their order. Δm knows of no other row, so its places move with
tasks alone; a mean rank moves with both, and is there only where the grid of its suite is complete. `…_low` and
`…_high` are 95 % intervals over seeds for this test set; they cover neither the sampling of the test set nor the choice
of hyper-parameters. A row that did not converge with every seed is placed last. A method of a suite that cannot run on
the board has a row that says so, in `cannot_run`, and no place.

Filters: `all` rows; `default`, methods with no option changed; `suite-…`, the methods of that suite. One that would
repeat another is left out.
"""


@dataclass(frozen=True)
class Filter:
    """Rows of a board: those of these methods (None: all), with a mean rank where every one has all of `seeds`."""

    name: str
    methods: tuple[str, ...] | None = None
    seeds: tuple[int, ...] = ()


def frozen_files(
    boards: Sequence[tuple[Board, Sequence[Filter]]], refused: Callable[[Board], Mapping[str, str]] = lambda _: {}
) -> dict[str, str]:
    """File name → text. `refused`: methods that cannot run on a board, and why."""
    files: dict[str, str] = {}
    listed = []
    for board, filters in sorted(boards, key=lambda pair: (pair[0].experiment, pair[0].hash)):
        stem = f"{board.experiment.replace('/', '-')}-{board.hash[:12]}"
        cannot = refused(board)
        parts, links = [markdown(board) + _told_refused(cannot), _places_table(board)], [f"[table]({stem}.md)"]
        for chosen in filters:
            kept, grid, told = _apply(board, chosen)
            among = {name: why for name, why in cannot.items() if chosen.methods is None or name in chosen.methods}
            text, name = board_csv(kept, grid, among), f"{stem}.{chosen.name}.csv"
            if all(row.is_single_task for row in kept.rows) or text in files.values():
                continue
            files[name] = text
            links.append(f"[{chosen.name}]({name})")
            parts += [_mean_rank_table(chosen.name, grid)] if grid else [told] if told else []
        files[f"{stem}.md"] = "\n".join(parts)
        listed.append([board.experiment, board.hash[:12], str(len(board.rows)), ", ".join(links)])
    table = markdown_table(["board", "protocol", "rows", "files"], listed, text=(0, 1, 3))
    return {**files, "README.md": f"# Frozen leaderboard\n\n{READING}\n{table}\n"}


def _told_refused(refused: Mapping[str, str]) -> str:
    return "".join(f"- Cannot run here: {name}. {why}\n" for name, why in refused.items())


def _apply(board: Board, chosen: Filter) -> tuple[Board, Grid | None, str | None]:
    """The rows that are left, their grid, and why there is none."""
    if chosen.methods is None:
        return board, None, None
    found = {row.label for name in chosen.methods if (row := board.row_of(name))}
    kept = board.only([row for row in board.rows if row.is_single_task or row.label in found])
    if not chosen.seeds:
        return kept, None, None
    try:
        return kept, complete_grid([board], chosen.methods, chosen.seeds), None
    except BenchError as error:
        return kept, None, f"{chosen.name}: {error}\n"


def _places_table(board: Board) -> str:
    found = delta_m_places(board)
    return _table("Places by Δm", {}, found) if found else ""


def _mean_rank_table(name: str, grid: Grid) -> str:
    return _table(f"Mean rank, {name}", mean_ranks(grid), places(grid, mean_ranks))


def _table(title: str, ranks: dict[str, float], found: dict[str, Rank]) -> str:
    head = ["row", *([f"MR of {len(ranks)} ↓"] if ranks else []), "place", "less a method", "less a task"]
    rows = [
        [
            label,
            *([f"{ranks[label]:.2f}"] if ranks else []),
            f"{rank.place:g}",
            span_text(rank.less_a_method),
            span_text(rank.less_a_task),
        ]
        for label, rank in sorted(found.items(), key=lambda item: item[1].place)
    ]
    return f"#### {title}\n\n{markdown_table(head, rows)}\n"

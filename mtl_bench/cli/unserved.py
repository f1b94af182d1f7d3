"""Methods that a board has no row of because they cannot run on it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtl_bench.records import Record
    from mtl_bench.results import Board


def unserved(board: "Board") -> dict[str, str]:
    """Method of a suite on this experiment without a row → why its `setup` refuses what the rows were trained with.

    Those that are merely not trained yet are left out.
    """
    from mtl_bench.configuration.commands import is_whole, method_node
    from mtl_bench.configuration.suite_grid import suites_of

    names = dict.fromkeys(name for suite in suites_of(board.experiment) for name in suite.methods)
    missing = [name for name in names if not board.variants_of(name)]
    record = _record(board)
    if not missing or record is None or not is_whole(record["config"]):
        return {}
    from mtl_bench.training.refusal import refusals  # late: only here the import of torch is needed

    nodes = {name: node for name in missing if (node := method_node(board.experiment, name))}
    return refusals(record["config"], nodes, _per_epoch(record))


def _record(board: "Board") -> "Record | None":
    """Of a row that trained all tasks together, for its configuration."""
    tasks = {column.task for column in board.columns}
    runs = (run for entry in board.entries.values() for run in entry.behind.values())
    return next((record for run in runs for record in run.values() if tasks <= set(record["tasks"])), None)


def _per_epoch(record: Mapping[str, Any]) -> int:
    last = next(iter(record["evaluations"][::-1]), None)
    return max(1, round(last["batch"] / last["epoch"])) if last and last["epoch"] else 1

"""Groups from networks that were trained: all pairs, or every group there is. Validation chooses, test judges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mtl_bench.errors import BenchError
from mtl_bench.grouping import higher_order_approximation, select_groups
from mtl_bench.pipeline.base import Choice, Grouping, Need, RecordsByNeed
from mtl_bench.records import Record
from mtl_bench.results import delta_m
from mtl_bench.results.change import seed_mean

Gains = dict[tuple[int, ...], list[float]]  # group → gain of each member


@dataclass(frozen=True)
class HigherOrder(Grouping):
    """HOA (Standley et al., ICML 2020): all single tasks and pairs are trained, larger groups predicted from pairs.

    What is predicted and added up are gains over single-task runs, as in Δm; the paper adds up losses, in which the
    task with the largest loss decides.
    """

    def needs(self, tasks: Sequence[str]) -> list[Need]:
        return [Need(group) for size in (1, 2) for group in combinations(tasks, size)]

    def choose(self, tasks: Sequence[str], budget: int, records: RecordsByNeed) -> Choice:
        matrix = pair_gains(gains_of(tasks, records, "val"), len(tasks))
        return Choice(select_groups(higher_order_approximation(np.zeros(len(tasks)), -matrix.T), budget), matrix)


@dataclass(frozen=True)
class Exhaustive(Grouping):
    """Every group is trained: the best choice that validation knows."""

    def needs(self, tasks: Sequence[str]) -> list[Need]:
        return [Need(group) for size in range(1, len(tasks) + 1) for group in combinations(tasks, size)]

    def choose(self, tasks: Sequence[str], budget: int, records: RecordsByNeed) -> Choice:
        gains = gains_of(tasks, records, "val")
        return Choice(select_groups(gains, budget), pair_gains(gains, len(tasks)))


def pair_gains(gains: Gains, tasks: int) -> np.ndarray:
    """[source, target]: gain of the target when it is trained with the source; 0 on the diagonal."""
    matrix = np.zeros((tasks, tasks))
    for group, members in gains.items():
        if len(group) == 2:
            (a, b), (matrix[b, a], matrix[a, b]) = group, members
    return matrix


def gains_of(tasks: Sequence[str], records: RecordsByNeed, split: str, against: RecordsByNeed | None = None) -> Gains:
    """Relative change in percent of each member of each group against its single-task runs, higher better.

    Means over seeds; of a task with several judged metrics, their mean as in Δm. `against` holds the single-task runs
    (None: `records` does). Raises BenchError without validation.
    """
    baselines = records if against is None else against
    singles = {need.tasks[0]: runs for need, runs in baselines.items() if len(need.tasks) == 1}
    baseline = {task: _means(runs, task, split) for task, runs in singles.items()}
    gains: Gains = {}
    for need, runs in records.items():
        metrics = runs[0]["metrics"]
        better = {task: {name: info["higher_is_better"] for name, info in metrics[task].items()} for task in need.tasks}
        gains[tuple(tasks.index(task) for task in need.tasks)] = [
            delta_m(
                {task: _means(runs, task, split)},
                baseline,
                better,
                "task_mean",
                {task: runs[0]["delta_m"]["terms"][task]},
            )
            for task in need.tasks
        ]
    return gains


def _means(records: Sequence[Record], task: str, split: str) -> Mapping[str, float]:
    tables: list[dict[str, float]] = []
    for record in records:
        table = (record["val"] if split == "val" else record["test"]).get(task)
        if table is None:
            raise BenchError(
                f"The run {record['hash'][:12]} has no {split} values of {task}; groups are chosen on validation, so "
                "the protocol needs protocol.training.val."
            )
        tables.append(table)
    return {name: seed_mean([table[name] for table in tables]) for name in tables[0]}

"""A complete grid: every group of tasks was trained, so that it is known what any choice would have gained."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from mtl_bench.errors import BenchError
from mtl_bench.pipeline.base import Need
from mtl_bench.pipeline.trained import Gains, gains_of
from mtl_bench.records import Record


@dataclass(frozen=True)
class Grid:
    """What every group of tasks gained against single-task training, the group of one: percent, higher better.

    `tasks` are in the order by which groups number them. `val` and `test` are gains of means over seeds. `by_seed`
    holds one table of test gains per seed, the runs of that seed against single-task means over all seeds: only these
    are common to all groups.
    """

    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    val: Gains
    test: Gains
    by_seed: tuple[Gains, ...]

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Grid":
        """From the runs of one experiment, the longest of whose task lists names all tasks.

        Raises BenchError when a group lacks a seed or has two runs with one, and without validation values.
        """
        tasks = max((record["tasks"] for record in records), key=len, default=[])
        seeds = sorted({record["seed"] for record in records})
        found: dict[Need, list[Record]] = {
            Need(group): [] for size in range(1, len(tasks) + 1) for group in combinations(tasks, size)
        }
        for record in records:
            found.setdefault(Need(tuple(record["tasks"])), []).append(record)
        for need, runs in found.items():
            if sorted(run["seed"] for run in runs) != seeds:
                raise BenchError(
                    f"The group {', '.join(need.tasks)} was trained with seeds {[run['seed'] for run in runs]} instead "
                    f"of {seeds}; a complete grid has one run of every group with every seed."
                )
        if not found:
            raise BenchError("There is no run here; a complete grid has one run of every group with every seed.")
        by_seed = [{need: [r for r in runs if r["seed"] == seed] for need, runs in found.items()} for seed in seeds]
        return cls(
            tuple(tasks),
            tuple(seeds),
            gains_of(tasks, found, "val"),
            gains_of(tasks, found, "test"),
            tuple(gains_of(tasks, runs, "test", found) for runs in by_seed),
        )

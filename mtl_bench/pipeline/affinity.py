"""Groups from a matrix that one joint run measured."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mtl_bench.errors import BenchError
from mtl_bench.grouping import select_groups
from mtl_bench.pipeline.base import Choice, Grouping, Need, RecordsByNeed
from mtl_bench.records import Record


@dataclass(frozen=True)
class Affinity(Grouping):
    """One run on all tasks, by the method under `grouping.measure`; its last finding of this name decides.

    TAG (Fifty et al., NeurIPS 2021) with `affinity` or its `first_order` estimate, CS with `cosine`, STGU's proximal
    affinity with its `affinity`. Matrices of several seeds are averaged, each pair over the seeds that measured it; a
    group is scored by the mean over pairs.
    """

    finding: str

    def needs(self, tasks: Sequence[str]) -> list[Need]:
        return [Need(tuple(tasks), measuring=True)]

    def choose(self, tasks: Sequence[str], budget: int, records: RecordsByNeed) -> Choice:
        (runs,) = records.values()
        matrices = np.array([finding_matrix(record, self.finding) for record in runs])
        with np.errstate(invalid="ignore"):  # 0 / 0 where no seed measured
            matrix = np.nansum(matrices, axis=0) / np.isfinite(matrices).sum(axis=0)
        for source, target in np.argwhere(~np.isfinite(matrix) & ~np.eye(len(tasks), dtype=bool)):
            raise BenchError(
                f"No batch told how {tasks[source]} acts on {tasks[target]}; train longer, or measure more often."
            )
        return Choice(select_groups(matrix, budget), matrix)


def finding_matrix(record: Record, name: str) -> Float[np.ndarray, "K K"]:
    """The last matrix of this name that the method of a run found; NaN where it never measured a pair."""
    findings = record.get("findings")
    if not findings:
        raise BenchError(
            f"The run of {record['method']['label']} with seed {record['seed']} measured nothing; let it train for a "
            "whole epoch, by a method that measures."
        )
    matrix, K = findings[-1].get(name), len(record["tasks"])
    if not isinstance(matrix, list) or [len(row) for row in matrix] != [K] * K:
        raise BenchError(
            f"The run of {record['method']['label']} found no {K} × {K} matrix {name!r}; choose a grouping.measure and "
            "a grouping.finding that fit."
        )
    return np.array(matrix, dtype=np.float64)  # None becomes NaN

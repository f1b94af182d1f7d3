"""The single-task runs of one record: found below folders, and their means."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from mtl_bench.errors import Damaged, noting
from mtl_bench.records import Record
from mtl_bench.records.entry import find_entries
from mtl_bench.records.reading import read_alike
from mtl_bench.records.record import RECORD_NAME, has_converged, load_record
from mtl_bench.records.spent import has_score
from mtl_bench.results.change import delta_m, seed_mean
from mtl_bench.results.tuned_rows import without_trials


def find_baselines(record: Record, roots: Iterable[Path], damaged: list[Damaged] | None = None) -> list[Record]:
    """The single-task runs that Δm of this record is taken against, converged or not, where they lie below the roots.

    Trials of searches are none of them. Records that cannot be used, of whatever run, are told to `damaged`; None: the
    first one is raised.
    """
    wanted, found, roots = set(record["baselines"].values()), [], list(roots)
    for path in sorted({path.resolve() for root in roots for path in root.rglob(RECORD_NAME)}):
        with noting(damaged):
            known = _load(path, path.stat().st_mtime_ns)
            if known["hash"] in wanted and read_alike(known, record):
                found.append(known)
    return without_trials(found, find_entries(roots, damaged)) if found else []


@cache
def _load(path: Path, changed: int) -> Record:
    """A sweep asks for the same thousand records after every cell. Not to be changed by who gets them."""
    return load_record(path)


def single_task_means(
    record: Record, baselines: Sequence[Record], split: Literal["test", "val"] = "test"
) -> dict[str, dict[str, float]]:
    """Mean metrics of each task's single-task runs.

    A task without a run, or of which a seed did not converge, is left out, as a board leaves out Δm against it: the
    mean of those that are left would be too good. For means of validation the test split is not asked.
    """
    sound = has_converged if split == "test" else has_score
    runs: dict[str, dict[int, Record]] = {}
    lost = {one["hash"] for one in baselines if not sound(one)}
    for one in baselines:
        if one["hash"] not in lost:
            runs.setdefault(one["hash"], {})[one["seed"]] = one
    return {
        task: {
            name: seed_mean([run[split][task][name] for run in runs[digest].values()]) for name in record[split][task]
        }
        for task, digest in record["baselines"].items()
        if digest in runs and all(task in run[split] for run in runs[digest].values())
    }


def delta_m_of(record: Record, means: dict[str, dict[str, float]], split: Literal["test", "val"] = "test") -> float:
    """Δm of one record against the means of its single-task runs. Raises BenchError as `delta_m` does."""
    setting = record["delta_m"]
    better = {t: {name: info["higher_is_better"] for name, info in m.items()} for t, m in record["metrics"].items()}
    return delta_m(record[split], means, better, setting["definition"], setting["terms"])

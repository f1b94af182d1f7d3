"""Δm into W&B runs that ended before their single-task baselines were trained."""

from collections.abc import Sequence
from pathlib import Path

from mtl_bench.errors import BenchError, Damaged, noting
from mtl_bench.records import Record
from mtl_bench.records.reading import readings_in
from mtl_bench.records.record import RECORD_NAME, SINGLE, has_converged, load_record
from mtl_bench.results.baselines import delta_m_of, find_baselines, single_task_means
from mtl_bench.training.loggers import RunInfo, WandbLogger
from mtl_bench.training.loggers.wandb import logged_to


def late_delta_m(roots: Sequence[Path], damaged: list[Damaged] | None = None) -> list[tuple[Path, float | str]]:
    """Continues every finished run below the roots that was logged to W&B, and gives its summary `delta_m`.

    A run goes where it went, under its id; offline ones leave another folder beside their first, which `wandb sync`
    merges. Returns each run's folder and Δm, or why there is none.
    """
    found: list[tuple[Path, float | str]] = []
    for path in sorted({path.resolve() for root in roots for path in root.rglob(RECORD_NAME)}):
        folder = path.parent
        with noting(damaged):
            logger = logged_to(folder)
            if logger is None:
                continue
            record = load_record(path)
            if record["method"]["name"] == SINGLE:
                continue
            change = _change(record, find_baselines(record, roots, damaged))
            if isinstance(change, float):
                _write(logger, record, folder, change)
            found.append((folder, change))
    return found


def _change(record: Record, singles: Sequence[Record]) -> float | str:
    if not has_converged(record):
        return "it did not converge"
    means = single_task_means(record, singles)
    if set(record["baselines"]) - set(means):
        return "its single-task baselines are missing or did not converge"
    try:
        return delta_m_of(record, means)
    except BenchError as error:  # a baseline of zero
        return str(error)


def _write(logger: WandbLogger, record: Record, folder: Path, change: float) -> None:
    names, readings = (record["experiment"]["name"], record["method"]["name"]), readings_in(record)
    logger.start(RunInfo.of(*names, record["hash"], record["seed"], folder, record["config"], readings))
    logger.finish({"delta_m": change})

"""How the gradients of tasks related while they were trained, from the diagnostics in the histories of runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from scipy import stats

from mtl_bench.errors import BenchError
from mtl_bench.records.probed_cosines import COSINE

SHARE, SOUND = "diagnostics/share/", "diagnostics/conflicts"
Probe = Mapping[str, float]  # one probed batch: name of a number → the number


@dataclass(frozen=True)
class PairCosine:
    """Of the gradients of one pair of tasks over the probed batches: its mean, the standard error of that, and in which
    share of the batches, from 0 to 1, it was below 0."""

    mean: float
    error: float
    negative: float


def middle_probes(rows: Iterable[Mapping[str, Any]]) -> list[Probe]:
    """The probes in the middle third of a run's history (`History.rows`), those with a gradient that is not finite
    left out."""
    found = [row["diagnostics"] for row in rows if SOUND in row.get("diagnostics", ())]
    return found[len(found) // 3 : 2 * len(found) // 3]


def mean_shares(probes: Sequence[Probe]) -> dict[str, float]:
    """Task → mean share of its weighted gradient norm in the sum over tasks. Raises BenchError without a probe."""
    return {task: fmean(values) for task, values in _by_name(probes, SHARE).items()}


def pair_cosines(probes: Sequence[Probe]) -> dict[str, PairCosine]:
    """`first-second` → the cosine of that pair of tasks. Raises BenchError with fewer than two probes."""
    if len(probes) < 2:
        raise BenchError(f"A standard error needs two probed batches or more; got {len(probes)}.")
    return {
        pair: PairCosine(fmean(values), float(stats.sem(values)), fmean(value < 0 for value in values))
        for pair, values in _by_name(probes, COSINE).items()
    }


def _by_name(probes: Sequence[Probe], prefix: str) -> dict[str, list[float]]:
    if not probes:
        raise BenchError("There is no probed batch; train with diagnostics.every set.")
    names = [key for key in probes[0] if key.startswith(prefix)]
    return {key.removeprefix(prefix): [probe[key] for probe in probes] for key in names}

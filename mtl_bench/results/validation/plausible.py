"""Values that coarse edits leave: far from what other runs of the same experiment show, and nothing else explains it.

A number is far out when it lies further from the median of the others than `RANGES` times their range and by more than
`SHARE` of what it should be; ranges, because runs do collapse, and few seeds say little of a deviation.
"""

from collections.abc import Callable, Iterator, Sequence
from math import inf, isfinite
from statistics import median, median_low
from typing import Literal

from mtl_bench.records import Record
from mtl_bench.records.record import has_converged
from mtl_bench.results.validation.fault import Fault, Located

RANGES, SHARE = 3.0, 0.2
MOVED = 2.0  # ranges by which the training loss of a run that went another way lies off
SEEDS_BESIDE, RECORDS_BESIDE = 2, 8  # others that it takes: of the row, and of the experiment
Reading = Callable[[Record], float]


def check_plausible(records: Sequence[Located], others: Sequence[Located]) -> Iterator[Fault]:
    """Warnings on `records`, all of one experiment hash; `others` stand on the same board and are not judged."""
    judged = set(map(id, records))
    rows: dict[str, list[Located]] = {}
    for one in [*others, *records]:
        if has_converged(one.record) and one.record["evaluations"]:
            rows.setdefault(one.record["hash"], []).append(one)
    whole = [one for row in rows.values() for one in row]
    names = {(task, name) for one in whole for task, metrics in one.record["test"].items() for name in metrics}
    for task, name in sorted(names):
        having = {digest: [one for one in row if _has(one, "test", task, name)] for digest, row in rows.items()}
        found = [*_off_validation(having, task, name), *_off_seeds(having, task, name)]
        yield from (Fault(one.path, text, wrong=False) for one, text in found if id(one) in judged)


def _has(one: Located, split: Literal["test", "val"], task: str, name: str) -> bool:
    return isfinite(one.record[split].get(task, {}).get(name, inf))


def _off_validation(rows: dict[str, list[Located]], task: str, name: str) -> Iterator[tuple[Located, str]]:
    have = [one for row in rows.values() for one in row if _has(one, "val", task, name)]
    gaps = [one.record["test"][task][name] - one.record["val"][task][name] for one in have]
    for n, (one, gap) in enumerate(zip(have, gaps, strict=True)):
        beside = gaps[:n] + gaps[n + 1 :]
        test, val = one.record["test"][task][name], one.record["val"][task][name]
        if len(beside) < RECORDS_BESIDE or abs(gap - median(beside)) <= SHARE * abs(val):
            continue
        if _ranges(gap, beside) > RANGES:
            yield (
                one,
                (
                    f"test {name} of {task} is {test:.4g} and validation's {val:.4g}, further apart than in the other "
                    f"{len(beside)} records of its experiment"
                ),
            )


def _off_seeds(rows: dict[str, list[Located]], task: str, name: str) -> Iterator[tuple[Located, str]]:
    def test(record: Record) -> float:
        return record["test"][task][name]

    def loss(record: Record) -> float:
        return record["evaluations"][-1]["train"].get(task, inf)

    for digest, row in rows.items():
        for one in row:
            seeds = [other for other in row if other.record["seed"] != one.record["seed"]]
            if len(seeds) < SEEDS_BESIDE:
                continue
            values = [test(other.record) for other in seeds]
            value = test(one.record)
            if abs(value - median(values)) <= SHARE * abs(median(values)):
                continue
            usual = [found for key, found in rows.items() if key != digest]
            losses = [loss(other.record) for other in seeds]
            if _ranges(value, values, _usual(usual, test)) > RANGES and (
                _ranges(loss(one.record), losses, _usual(usual, loss)) < MOVED
            ):
                yield (
                    one,
                    (
                        f"test {name} of {task} is {value:.4g}, that of the row's other seeds {min(values):.4g} to "
                        f"{max(values):.4g}, and its training loss is like theirs"
                    ),
                )


def _usual(rows: Sequence[Sequence[Located]], of: Reading) -> float:
    """The range over seeds of the middle row, of an even number the lower one."""
    found = [[of(one.record) for one in row] for row in rows if len(row) > 1]
    return median_low(max(values) - min(values) for values in found) if found else 0.0


def _ranges(value: float, others: Sequence[float], least: float = 0.0) -> float:
    """How many ranges of the others a value lies off their median."""
    off, span = abs(value - median(others)), max(max(others) - min(others), least)
    if not isfinite(off):
        return inf
    return off / span if span else inf if off else 0.0

"""What came out of a run that was repeated, beside what its record says: where it ran, and by how much it differs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from statistics import stdev
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.record import SINGLE, has_converged, reproducible
from mtl_bench.results.baselines import delta_m_of, single_task_means
from mtl_bench.results.folding import fill

SHOWN = 5  # differences that are printed, beside those of the test split
BESIDE = ("created_by", "environment", "resumed_elsewhere")  # no results, though they may explain one
PROBED = {"shares", "cosines"}  # there with diagnostics, which no command of a record asks for
MEASURED = ("val", "other_tests", "evaluations", "findings")  # move with the last digits
DIGEST = 64  # characters
EQUAL = "Every result is that of the record, to the last digit."
ELSEWHERE = "another environment explains that while the test values are no further apart than two seeds may be"


def check_rerun(former: Record, latter: Record, seeds: Sequence[Record], singles: Sequence[Record]) -> None:
    """Prints what differs, the environment first. `seeds` are of the same row, `singles` what Δm is against.

    Raises BenchError when a result differs, whatever explains it.
    """
    before, after = reproducible(former), reproducible(latter)
    passed = {"config", *(PROBED - after.keys())}  # presets gain keys at their defaults; the hash of both is the same
    keys = [key for key in before if key not in passed]  # not those that records have gained since
    found = [one for key in keys for one in _unlike_values(before[key], after.get(key), key)]
    beside = [one for one in found if one[0].startswith(BESIDE)]
    results = [one for one in found if not one[0].startswith(BESIDE)]
    if beside:
        print("The record was made in another environment" + ", so last digits differ:" * bool(results))
        _print_lines(beside)
    if not results:
        print(EQUAL)
        return
    if any(place.startswith("test.") for place, *_ in results):
        _print_table(former, latter, seeds, singles)
    others = [one for one in results if not one[0].startswith("test.")]
    told = [one for one in others if not (beside and one[0].startswith(MEASURED))][:SHOWN]
    _print_lines(told)
    if len(others) > len(told):
        print(f"… and {len(others) - len(told)} more")
    why = f"; {ELSEWHERE}" if beside else ", in the environment that it names"
    what = "1 value differs" if len(results) == 1 else f"{len(results)} values differ"
    raise BenchError(f"{what} from the record{why}.")


def _unlike_values(before: Any, after: Any, place: str) -> Iterator[tuple[str, Any, Any]]:
    """Dotted place, value before and value after."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {**before, **after}:
            yield from _unlike_values(before.get(key), after.get(key), f"{place}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for n, pair in enumerate(zip(before, after, strict=True)):
            yield from _unlike_values(*pair, f"{place}.{n}")
    elif before != after and not (before != before and after != after):  # NaN is NaN
        yield place, before, after


def _print_lines(found: Sequence[tuple[str, Any, Any]]) -> None:
    for place, *pair in found:
        before, after = (one[:12] if isinstance(one, str) and len(one) == DIGEST else one for one in pair)
        print(f"{place}: {before} in the record, {after} now")


def _print_table(former: Record, latter: Record, seeds: Sequence[Record], singles: Sequence[Record]) -> None:
    """Test values and, where the single-task runs are at hand, Δm."""
    before, after = (_numbers(record, singles) for record in (former, latter))
    several = [_numbers(record, singles) for record in seeds if has_converged(record)]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for header in ("Test", "Record", "Now", "Difference", *(["SD"] if len(several) > 1 else [])):
        table.add_column(header, justify="left" if header == "Test" else "right", overflow="fold")
    for what in [one for one in before if one in after]:
        spread = [numbers[what] for numbers in several if what in numbers]
        cells = [f"{stdev(spread):.2g}" if len(spread) > 1 else "–"] if len(several) > 1 else []
        change = f"{after[what] - before[what]:+.2g}"
        table.add_row(Text(what), f"{before[what]:.6g}", f"{after[what]:.6g}", change, *cells)
    console = Console()
    console.print(table)
    if len(several) > 1:
        print(fill(f"SD: of the {len(several)} seeds of this row that lie beside the record.", console.width))


def _numbers(record: Record, singles: Sequence[Record]) -> dict[str, float]:
    found = {f"{task}.{name}": value for task, metrics in record["test"].items() for name, value in metrics.items()}
    if record["method"]["name"] != SINGLE and has_converged(record):
        with suppress(BenchError):  # a single-task run is missing, or a mean is zero
            found["Δm %"] = delta_m_of(record, single_task_means(record, singles))
    return found

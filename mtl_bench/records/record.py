"""The record: one JSON file per run, from which every table, rank and plot is derived."""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NotRequired, TypedDict, cast, get_args, get_origin, get_type_hints, is_typeddict

from mtl_bench.errors import BenchError, Damaged, noting
from mtl_bench.records.atomic import write_atomic

SCHEMA = 1
RECORD_NAME = "record.json"
SINGLE = "single"  # the method's name in a run with one task


class Experiment(TypedDict):
    name: str  # of its YAML, or `custom`
    hash: str  # the full setting, reporting part included: rows of different hashes never share a table


class MethodName(TypedDict):
    name: str  # "single" for runs with one task
    label: str  # as in tables: the name, and what was changed in its options


class MetricInfo(TypedDict):
    higher_is_better: bool  # false: lower is better
    unit: str  # "" for a pure number


class Evaluation(TypedDict):
    batch: int  # trained on so far
    epoch: float  # the same in epochs
    train: dict[str, float]  # mean loss per task
    val: dict[str, dict[str, float]]  # task → metric → value; {} without a validation split
    test: dict[str, dict[str, float]] | None  # likewise; None where the selection rule did not ask for it


class DeltaM(TypedDict):
    definition: Literal["metric_mean", "task_mean", "one_per_task"]  # see protocols
    terms: dict[str, list[str]]  # task → the metrics that enter; auxiliary tasks are left out


class Counts(TypedDict):
    batches: int  # seen in the whole training, as all below
    forwards: int  # of the model, lookaheads included
    backwards: int  # through the encoder
    passes: float  # sweeps of a batch through the encoder, forward or backward
    optimizer_steps: int  # the skipped ones too


class Failures(TypedDict):
    nonfinite_steps: int  # skipped, as a loss or gradient was not finite
    solver: int  # residuals that a method's solver missed


class Measured(TypedDict):
    seconds: float  # of steps alone, without evaluations
    seconds_per_step: float  # of steps, per batch
    peak_memory_bytes: int  # largest allocation on the GPU; on a CPU of the process
    host: str  # processor and cores
    started: str  # local time, ISO 8601
    finished: str  # likewise


class Shared(TypedDict):
    """What all rows of one table have in common."""

    experiment: Experiment  # the setting
    tasks: list[str]  # in dataset order
    metrics: dict[str, dict[str, MetricInfo]]  # task → metric
    selection: str  # the rule that says at which evaluation values are taken
    delta_m: DeltaM  # how Δm is defined
    baselines: dict[str, str]  # task that counts in Δm → hash of its single-task run


class Record(Shared):
    """What one run leaves. All but `measured` is the same when the run is repeated in the same environment."""

    schema: int  # version of this form
    hash: str  # identity of dataset, tasks, model, method and the training part of the protocol
    seed: int  # of all random streams
    created_by: str  # version of the package
    method: MethodName  # how it is called
    test: dict[str, dict[str, float]]  # task → metric → value under the selection rule
    val: dict[str, dict[str, float]]  # likewise; {} without a validation split
    parameters: NotRequired[int]  # numbers that the network holds, of all tasks, frozen ones too
    variant: NotRequired[str]  # in words: the data are a copy or a part of what the dataset's name says
    other_tests: NotRequired[dict[str, dict[str, dict[str, float]]]]  # split → task → metric, at the selected weights
    findings: NotRequired[list[dict[str, Any]]]  # what the method told after each epoch, with its number
    shares: NotRequired[dict[str, float]]  # task → mean effective gradient share of the batches that diagnostics probed
    cosines: NotRequired[list[list[float | None]]]  # [K][K]: mean cosine of task gradients over those batches
    evaluations: list[Evaluation]  # all of them, in order
    counts: Counts  # what the training cost
    failures: Failures  # what was skipped or missed
    converged: bool  # all test values finite, not given up, most steps not skipped (`has_converged`)
    test_evaluations: int  # how often the test split was looked at
    config: dict[str, Any]  # the composed configuration, as given
    identity: dict[str, Any]  # what `hash` is the hash of
    environment: dict[str, Any]  # versions, device, threads, bytes of the packed data
    resumed_elsewhere: bool  # whether a checkpoint of another environment was gone on from
    measured: Measured  # what a clock or a machine says


REQUIRED = tuple(key for key in get_type_hints(Record) if key in Record.__required_keys__)


def validate(record: Any) -> None:
    """Raises BenchError naming the first key that is missing or of the wrong type, as a dotted path."""
    check_shape(record, Record, "record")


def save_record(path: Path, record: Record) -> None:
    """Write a valid record. The NaN of a diverged run is written as `NaN`, which Python and pandas read back."""
    validate(record)
    write_atomic(path, json.dumps(record, indent=1) + "\n")


def load_record(path: Path) -> Record:
    """Raises Damaged when the file cannot be read, is no valid record, or follows another schema."""
    try:
        record = json.loads(path.read_bytes())
        if not isinstance(record, dict) or record.get("schema", SCHEMA) == SCHEMA:
            validate(record)
            return cast(Record, record)
    except OSError as error:
        raise Damaged(f"{path} cannot be read ({error.strerror}); check the path and its permissions.") from error
    except (ValueError, BenchError) as error:
        raise Damaged(f"{path} is damaged ({error}); delete it and run its cell again.") from error
    raise Damaged(f"{path} does not follow record schema {SCHEMA}; read it with the version that wrote it.")


def find_records(roots: Iterable[Path], damaged: list[Damaged] | None = None) -> list[Record]:
    """Every record below the roots, each file once, in the order of their paths.

    Those that cannot be used are told to `damaged`; None: the first one is raised.
    """
    return [record for _, record in locate_records(roots, damaged)]


def locate_records(roots: Iterable[Path], damaged: list[Damaged] | None = None) -> list[tuple[Path, Record]]:
    """As `find_records`, with the file of each."""
    located = []
    for path in sorted({path.resolve() for root in roots for path in root.rglob(RECORD_NAME)}):
        with noting(damaged):
            located.append((path, load_record(path)))
    return located


def mostly_skipped(nonfinite_steps: int, optimizer_steps: int) -> bool:
    """Whether more than half of a run's steps had a non-finite loss or gradient and were skipped."""
    return 2 * nonfinite_steps > optimizer_steps


def has_converged(record: Record) -> bool:
    """Whether the numbers of a run are those of a training; boards rank a method last that has a seed without.

    Three things are asked: every test value is finite; the run was not given up for `options.max_nonfinite` skipped
    steps in a row; no more than half of its steps were skipped. The first two are what the record says of itself; the
    third, added later, is asked of older records too.
    """
    return record["converged"] and has_learned(record)


def has_learned(record: Record) -> bool:
    """Whether no more than half of its steps were skipped."""
    return not mostly_skipped(record["failures"]["nonfinite_steps"], record["counts"]["optimizer_steps"])


def reproducible(record: Record) -> dict[str, Any]:
    """What must be equal when a run is repeated: everything that was not measured on a clock or a machine."""
    return {key: value for key, value in record.items() if key != "measured"}


def check_shape(value: Any, kind: Any, place: str) -> None:
    """Raises BenchError naming the first part of a JSON value that is not what its TypedDict wants."""
    if isinstance(kind, UnionType):  # X | None
        if value is None:
            return
        kind = get_args(kind)[0]
    if not _fits(value, kind):
        raise BenchError(f"{place} is {value!r:.60} where {getattr(kind, '__name__', kind)} is expected")
    for key, part, inner in _parts(value, kind, place):
        check_shape(part, inner, f"{place}.{key}")


def _fits(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    plain = dict if is_typeddict(kind) else get_origin(kind) or kind
    if isinstance(value, bool):  # a bool is an int to Python, but not to JSON
        return plain is bool
    return isinstance(value, (int, float) if plain is float else plain)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """A thousand records ask for the same few."""
    return get_type_hints(kind)


def _parts(value: Any, kind: Any, place: str) -> Iterator[tuple[Any, Any, Any]]:
    """(key, value, expected type) of everything directly inside a value that fits `kind`."""
    if is_typeddict(kind):
        for key, inner in _hints(kind).items():
            if key in value:
                yield key, value[key], inner
            elif key in kind.__required_keys__:
                raise BenchError(f"{place}.{key} is missing")
    elif get_origin(kind) is dict:
        yield from ((key, part, get_args(kind)[1]) for key, part in value.items())
    elif get_origin(kind) is list:
        yield from ((index, part, get_args(kind)[0]) for index, part in enumerate(value))

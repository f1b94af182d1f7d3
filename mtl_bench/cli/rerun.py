"""`mtl-bench rerun RECORD`: the command that made a record, typed again, and what came out this time."""

import argparse
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.record import find_records, load_record, reproducible

SHOWN = 5  # differences that are printed
BESIDE = ("created_by", "environment", "resumed_elsewhere")  # no results, though they may explain one
PROBED = {"shares", "cosines"}  # there with diagnostics, which no command of a record asks for


def add_rerun_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", type=Path, help="a record.json, or the folder that it lies in")
    parser.add_argument("--print", action="store_true", help="only print the command")
    parser.add_argument("--into", type=Path, default=Path("reruns"), metavar="FOLDER", help="for runs (reruns)")
    parser.add_argument("--config-dir", action="append", type=Path, default=[], help="where YAMLs of yours lie")
    parser.epilog = "Whatever else is typed goes to the command as it is, such as paths.data=FOLDER."


def rerun(parsed: argparse.Namespace) -> None:
    """Trains into a folder of its own, or goes on there, and compares all that was not measured on a clock.

    Raises BenchError, before anything is trained, where the command means another run today, and after it where a
    number differs.
    """
    from mtl_bench.configuration.commands import searching

    path: Path = parsed.record
    record = load_record(path / "record.json" if path.is_dir() else path)
    sys.path[:0] = [str(Path.cwd()), *(str(folder.resolve()) for folder in parsed.config_dir)]
    overrides = [*_overrides(record, parsed.config_dir), *parsed.overrides]
    if not parsed.print:
        overrides.append(f"paths.runs={parsed.into}")
    own = [word for folder in parsed.config_dir for word in ("--config-dir", str(folder))]
    print(shlex.join(["mtl-bench", "train", *own, *overrides]), flush=True)
    if parsed.print:
        return
    from mtl_bench.job import compose_job

    if compose_job([*searching(parsed.config_dir), *overrides]).plan().hash != record["hash"]:
        raise BenchError("The command means another run today: its method, model, data or presets changed since.")
    from mtl_bench.cli.hydra_verbs import hydra_verb
    from mtl_bench.training.trainer import Diverged

    try:
        hydra_verb("train", [*own, *overrides])
    except Diverged as error:  # its record is there, and the former may say the same
        print(error)
    cell = record["hash"], record["seed"]
    _compare(record, next(one for one in find_records([parsed.into]) if (one["hash"], one["seed"]) == cell))


def _overrides(record: Record, config_dirs: Sequence[Path]) -> list[str]:
    from mtl_bench.configuration.commands import KeptRun, is_whole, train_words

    if not is_whole(record["config"]):
        raise BenchError("Its configuration is not whole, so no command trains it again.")
    experiment = record["experiment"]["name"]
    run = KeptRun(experiment, record["method"]["name"], record["config"], (record["seed"],))
    words = train_words(run, config_dirs)
    if words is None:
        raise BenchError(f"There is no experiment {experiment!r} here; name the folder of its YAML with --config-dir.")
    tasks, *rest = words
    return [*([f"only={tasks}"] if tasks else []), *rest]


def _compare(former: Record, latter: Record) -> None:
    before, after = reproducible(former), reproducible(latter)
    passed = {"config", *(PROBED - after.keys())}  # presets gain keys at their defaults; the hash of both is the same
    keys = [key for key in before if key not in passed]  # not those that records have gained since
    found = [line for key in keys for line in _differences(before[key], after.get(key), key)]
    results = [line for line in found if not line.startswith(BESIDE)]
    for line in found[:SHOWN] if results else found:
        print(line)
    if results:
        more = f", {len(found) - SHOWN} more not shown" if len(found) > SHOWN else ""
        raise BenchError(f"{len(results)} values differ from the record{more}.")
    print("Every result is that of the record, to the last digit.")


def _differences(before: Any, after: Any, place: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in {**before, **after}:
            yield from _differences(before.get(key), after.get(key), f"{place}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for n, pair in enumerate(zip(before, after, strict=True)):
            yield from _differences(*pair, f"{place}.{n}")
    elif before != after and not (before != before and after != after):  # NaN is NaN
        yield f"{place}: {before} in the record, {after} now"

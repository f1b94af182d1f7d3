"""`mtl-bench rerun RECORD`: the command that made a record, typed again, and what came out this time."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.record import RECORD_NAME, find_records, load_record


def add_rerun_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", type=Path, help="a record.json, or the folder that it lies in")
    parser.add_argument("--print", action="store_true", help="only print the command")
    parser.add_argument("--into", type=Path, default=Path("reruns"), metavar="FOLDER", help="for runs (reruns)")
    parser.add_argument("--config-dir", action="append", type=Path, default=[], help="where YAMLs of yours lie")
    parser.epilog = (
        "Whatever else is typed goes to the command as it is, such as paths.data=FOLDER. Exit status: 0 where every "
        "result is that of the record, to the last digit, 1 where one differs, which another processor, other versions "
        "or other data explain and are then named."
    )


def rerun(parsed: argparse.Namespace) -> None:
    """Trains into a folder of its own, or goes on there, and compares all that was not measured on a clock.

    Raises BenchError, before anything is trained, where the command means another run today, and after it where a
    number differs.
    """
    from mtl_bench.configuration.commands import searching

    path: Path = parsed.record
    path = path / RECORD_NAME if path.is_dir() else path
    record = load_record(path)
    sys.path[:0] = [str(Path.cwd()), *(str(folder.resolve()) for folder in parsed.config_dir)]
    overrides = [*_overrides(record, parsed.config_dir), *parsed.overrides]
    if not parsed.print:
        overrides.append(f"paths.runs={parsed.into}")
    own = [word for folder in parsed.config_dir for word in ("--config-dir", str(folder))]
    print(shlex.join(["mtl-bench", "train", *own, *overrides]), flush=True)
    if parsed.print:
        return
    from mtl_bench.job import compose_job

    job = compose_job([*searching(parsed.config_dir), *overrides])
    if job.plan().hash != record["hash"]:
        raise BenchError("The command means another run today: its method, model, data or presets changed since.")
    from mtl_bench.cli.hydra_verbs import hydra_verb
    from mtl_bench.cli.rerun_differences import check_rerun
    from mtl_bench.results.baselines import find_baselines
    from mtl_bench.results.validation.fault import Located
    from mtl_bench.training.trainer import Diverged

    try:
        hydra_verb("train", [*own, *overrides])
    except Diverged as error:  # its record is there, and the former may say the same
        print(error)
    cell = record["hash"], record["seed"]
    latter = next(one for one in find_records([parsed.into]) if (one["hash"], one["seed"]) == cell)
    place, roots = Located(path.resolve(), record), [job.paths["reference"]]
    in_place = place.row.name == record["hash"][:12]  # else it was taken from beside its seeds and single-task runs
    seeds = find_records([place.row], damaged=[]) if in_place else []
    check_rerun(record, latter, seeds, find_baselines(record, [place.root] * in_place + roots, []))


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

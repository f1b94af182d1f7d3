"""Whether records can stand on a board: schema, hash, completeness, plausibility."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mtl_bench.errors import BenchError, Damaged
from mtl_bench.records import Record
from mtl_bench.records.entry import FOLDER, EntryFile, find_entries
from mtl_bench.records.record import RECORD_NAME, load_record
from mtl_bench.results.entries import Run, check_runs
from mtl_bench.results.tuned_rows import is_over
from mtl_bench.results.validation.fault import Fault, Located, Remarks
from mtl_bench.results.validation.metric_values import check_values
from mtl_bench.results.validation.one_board import check_board
from mtl_bench.results.validation.one_entry import check_entry, few_seeds, searched_runs
from mtl_bench.results.validation.one_record import check_record
from mtl_bench.results.validation.plausible import check_plausible
from mtl_bench.results.validation.submission import Submission, check_submission, credited, submissions, submitted_runs

__all__ = ["Fault", "Remarks", "Submission", "credited", "faults_below", "submitted_runs"]

Check = Callable[[Record], Remarks]


def faults_below(folders: Sequence[Path], reference: Path, further: Check | None = None) -> tuple[int, list[Fault]]:
    """How many records lie below the folders, and what is wrong or has to be known about them, in order of paths.

    A root (the folder of folders of experiments) has boards of its own; a submission stands on those of `reference`.
    There, below the folders and nowhere else, single-task runs are looked for. `further` is asked of every record.
    """
    folders, faults = [folder.resolve() for folder in folders], list[Fault]()
    sent = submissions(folders)
    records = _load(folders, sent, faults)
    for folder in sent:
        faults += check_submission(folder, [one for one in records if one.path.is_relative_to(folder)])
    reference = reference.resolve()
    covered = any(reference.is_relative_to(folder) for folder in folders)
    ours = [one for one in records if one.path.is_relative_to(reference)] if covered else _load([reference], [], [])
    known: dict[str, dict[int, Record]] = {}
    for one in [*ours, *records]:
        known.setdefault(one.record["hash"], {})[one.record["seed"]] = one.record
    entries = _entries(folders, faults)
    searched = searched_runs([entry for _, entry in entries], known)
    for one in records:
        faults += [Fault(one.path, text, wrong) for wrong, text in check_record(one.record, one.path)]
        faults += [Fault(one.path, text, wrong) for wrong, text in check_values(one.record)]
    if further:
        faults += _folded([(one, *remark) for one in records for remark in further(one.record)], records)
    boards: dict[tuple[Path, str], list[Located]] = {}
    for one in records:
        boards.setdefault((one.root, one.record["experiment"]["hash"]), []).append(one)
    for (_, digest), group in boards.items():
        beside = [one for one in (ours if group[0].submitted else []) if one.record["experiment"]["hash"] == digest]
        faults += check_board(group, beside, known.keys(), searched)
        faults += check_plausible(group, beside)
    for path, entry in entries:
        faults += [Fault(path, text, wrong=True) for text in _of_entry(entry, known)]
        submitted = any(path.is_relative_to(folder) for folder in sent)
        faults += [Fault(path, text, submitted) for text in few_seeds(entry, known)]
    return len(records), sorted(faults, key=lambda fault: (not fault.wrong, fault.path))


def _folded(remarks: Sequence[tuple[Located, bool, str]], records: Sequence[Located]) -> list[Fault]:
    """What holds for all seeds of a run is said once, of their folder."""
    seeds = Counter(one.row for one in records)
    same = Counter((one.row, text) for one, _, text in remarks)
    found = {
        Fault(one.row if same[one.row, text] == seeds[one.row] > 1 else one.path, text, wrong)
        for one, wrong, text in remarks
    }
    return sorted(found, key=lambda fault: (fault.path, fault.text))


def _load(folders: Iterable[Path], sent: Sequence[Path], faults: list[Fault]) -> list[Located]:
    found = []
    for path in sorted({path.resolve() for folder in folders for path in folder.rglob(RECORD_NAME)}):
        try:
            record = load_record(path)
        except Damaged as error:
            faults.append(Fault(path, str(error).removeprefix(f"{path} ").rstrip("."), wrong=True))
            continue
        found.append(Located(path, record, any(path.is_relative_to(folder) for folder in sent)))
    return found


def _entries(folders: Iterable[Path], faults: list[Fault]) -> list[tuple[Path, EntryFile]]:
    found = []
    for path in sorted({path for folder in folders for path in folder.rglob(FOLDER)}):
        damaged: list[Damaged] = []
        found += [(path / f"{entry['id']}.json", entry) for entry in find_entries([path.parent], damaged)]
        faults += [Fault(path, str(error).rstrip("."), wrong=True) for error in damaged]
    return found


def _of_entry(entry: EntryFile, known: Mapping[str, Run]) -> Iterator[str]:
    try:
        if "tuning" not in entry or is_over(entry):  # winners may be trained yet
            check_runs(entry, known.keys())
    except BenchError as error:
        yield str(error).rstrip(".")
    yield from check_entry(entry, known)

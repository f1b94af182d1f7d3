"""Who sent records in: a `submission.yaml` beside them makes every run below it a submitted one."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from mtl_bench.errors import Damaged, noting
from mtl_bench.records.record import RECORD_NAME, load_record
from mtl_bench.results.board import Board
from mtl_bench.results.validation.fault import Fault, Located

SUBMISSION_NAME = "submission.yaml"
UNTUNED = "none"  # `tuning` of a submission with the defaults
BELONGING = (RECORD_NAME, SUBMISSION_NAME, "README.md")
# What runs leave besides, which git ignores.
LEFT = {"lock", "config.yaml", "history.jsonl", "checkpoint.pt", "predictions.npz", "multirun.yaml"}
LEFT_FOLDERS = {"__pycache__", ".submitit"}


@dataclass(frozen=True)
class Submission:
    """All four are asked for, and shown beside the rows."""

    author: str
    link: str  # paper or page of the method
    code: str  # where its class lies, at a commit
    tuning: str  # how hyper-parameters were chosen, by how many trials on which score; none: the defaults

    @property
    def is_tuned(self) -> bool:
        return self.tuning.strip().lower() != UNTUNED

    @classmethod
    def read(cls, path: Path) -> "Submission":
        """Raises Damaged for what is missing, unknown or no text."""
        names = [field.name for field in fields(cls)]
        try:
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise Damaged(f"{path} cannot be read ({' '.join(str(error).split())}).") from error
        given = found if isinstance(found, dict) else {}
        if set(given) != set(names):
            raise Damaged(f"{path} must hold {', '.join(names)}, and nothing else.")
        for name, value in given.items():
            if not isinstance(value, str) or not value.strip():
                raise Damaged(f"{path}: {name} must be text, got {value!r}.")
        for name in ("link", "code"):
            if not given[name].startswith(("https://", "http://")):
                raise Damaged(f"{path}: {name} must be an address that starts with https://, got {given[name]!r}.")
        return cls(**{name: " ".join(text.split()) for name, text in given.items()})  # a note is one line


def submissions(roots: Iterable[Path]) -> list[Path]:
    """The folders below the roots that are one, each once."""
    return sorted({path.resolve().parent for root in roots for path in root.rglob(SUBMISSION_NAME)})


def submitted_runs(roots: Iterable[Path], damaged: list[Damaged] | None = None) -> dict[str, Submission]:
    """Run hash → who sent it in; of a row, these are among `Row.hashes`. All other runs are ours.

    Files that cannot be used are told to `damaged`; None: the first one is raised.
    """
    found: dict[str, Submission] = {}
    for folder in submissions(roots):
        with noting(damaged):
            submission = Submission.read(folder / SUBMISSION_NAME)
            for path in sorted(folder.rglob(RECORD_NAME)):
                with noting(damaged):
                    found[load_record(path)["hash"]] = submission
    return found


def credited(board: Board, sent: Mapping[str, Submission]) -> Board:
    """The board with a note for every row that holds a submitted run; `sent` comes from `submitted_runs`."""
    notes = [
        f"{row.label}: submitted by {who.author} ({who.link}); tuning: {who.tuning}."
        for row in board.rows
        for who in dict.fromkeys(sent[digest] for digest in row.hashes if digest in sent)
    ]
    return replace(board, notes=(*board.notes, *notes))


def check_submission(folder: Path, records: Sequence[Located]) -> Iterator[Fault]:
    """What lies beside its records, and that they can be repeated from it.

    Nothing else belongs there: weights could run code where they are opened.
    """
    damaged: list[Damaged] = []
    with noting(damaged):
        Submission.read(folder / SUBMISSION_NAME)
    for error in damaged:
        yield Fault(folder / SUBMISSION_NAME, str(error).removeprefix(f"{folder / SUBMISSION_NAME} "), wrong=True)
    sources = sorted(folder.glob("*.py"))
    for path in sorted(folder.rglob("*")):
        if LEFT_FOLDERS.intersection(path.relative_to(folder).parts):
            continue
        known = path.name in {*BELONGING, *LEFT} or (path.suffix == ".json" and path.parent.name == "entries")
        if path.is_symlink() or (path.is_file() and not known and path not in sources):
            yield Fault(path, "does not belong into a submission; delete it", wrong=True)
    if not any(folder.rglob(RECORD_NAME)):
        yield Fault(folder, "holds no record", wrong=True)
    here = {hashlib.sha256(path.read_bytes()).hexdigest() for path in sources}
    lacking = {(one.row, *lack) for one in records for lack in _sources(one.record["identity"])}
    for row, target, digest in sorted(lacking):
        if digest not in here:
            yield Fault(row, f"cannot be repeated: put the file of {target}, as it was, beside submission.yaml", True)


def _sources(node: Any) -> Iterator[tuple[str, str]]:
    """Class and sha256 of the file of every class in an identity that is not ours."""
    if isinstance(node, Mapping):
        if "_source_" in node:
            yield node["_target_"], node["_source_"]
        for part in node.values():
            yield from _sources(part)
    elif isinstance(node, list):
        for part in node:
            yield from _sources(part)

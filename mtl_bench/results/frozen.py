"""Versions of the leaderboard that never change: `v<n>/` with a manifest of digests."""

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.record import reproducible

MANIFEST = "MANIFEST.json"
VERSION = re.compile(r"v([1-9]\d*)")


@dataclass(frozen=True)
class Frozen:
    version: int
    folder: Path

    @property
    def manifest(self) -> Path:
        return self.folder / MANIFEST


def versions(root: Path) -> list[Frozen]:
    """Those below the root, oldest first."""
    found = [(match, path) for path in root.glob("v*") if (match := VERSION.fullmatch(path.name)) and path.is_dir()]
    return sorted((Frozen(int(match[1]), path) for match, path in found), key=lambda one: one.version)


def freeze_files(root: Path, files: Mapping[str, str], records: Sequence[Record], created_by: str) -> Frozen:
    """Write the next version: the files, and a manifest with their digests and those of the records they rest on.

    The manifest holds the digest of the one before, so that no old version can be replaced with its manifest. What
    lies under the root is checked first. Raises BenchError when an old version was changed, or nothing is new.
    """
    check_frozen(root)
    old = versions(root)
    version = old[-1].version + 1 if old else 1
    manifest = {
        "version": version,
        "previous": _digest(old[-1].manifest.read_bytes()) if old else None,
        "created_by": created_by,
        "files": {name: _digest(text.encode()) for name, text in sorted(files.items())},
        "records": _digests(records),
    }
    if old and _content(json.loads(old[-1].manifest.read_text())) == _content(manifest):
        raise BenchError(f"Nothing is new since {old[-1].folder}: the same records give the same boards.")
    made = Frozen(version, root / f"v{version}")
    temporary = root / f".{made.folder.name}.{secrets.token_hex(4)}.tmp"
    try:
        temporary.mkdir(parents=True)
        for name, text in files.items():
            (temporary / name).write_text(text, encoding="utf-8")
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        os.rename(temporary, made.folder)  # a version is there as a whole or not at all
    except OSError as error:
        raise BenchError(f"{made.folder} cannot be written ({error.strerror}); choose another folder.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return made


def check_frozen(root: Path) -> int:
    """The number of versions under the root, all as they were frozen.

    Raises BenchError naming the first that is missing, or the first file that was changed, added or removed.
    """
    previous = None
    found = versions(root)
    for number, one in enumerate(found, start=1):
        if one.version != number:
            raise BenchError(f"{root / f'v{number}'} is missing, and frozen versions stay; restore it from git.")
        try:
            manifest = json.loads(one.manifest.read_bytes())
            there = {path.relative_to(one.folder).as_posix(): _digest(path.read_bytes()) for path in _files(one)}
            listed, chained = dict(manifest["files"]), manifest["previous"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BenchError(f"{one.manifest} cannot be read ({error}); restore it from git.") from error
        if unlike := sorted(name for name in {*there, *listed} if there.get(name) != listed.get(name)):
            raise BenchError(
                f"{one.folder / unlike[0]} is not what was frozen; restore it from git, and freeze a new version."
            )
        if chained != previous:
            raise BenchError(f"{one.manifest} does not continue v{number - 1}; restore both from git.")
        previous = _digest(one.manifest.read_bytes())
    return len(found)


def _files(one: Frozen) -> list[Path]:
    return [path for path in one.folder.rglob("*") if path.is_file() and path != one.manifest]


def _digests(records: Sequence[Record]) -> dict[str, dict[str, str]]:
    """Experiment and run → seed → head of the digest of what its record says, clocks and machines left out."""
    found: dict[str, dict[str, str]] = {}
    for record in sorted(records, key=lambda one: (one["hash"], one["seed"])):
        told = json.dumps(reproducible(record), sort_keys=True)
        run = f"{record['experiment']['name']}/{record['hash'][:12]}"  # a single-task run may lie under several
        found.setdefault(run, {})[str(record["seed"])] = _digest(told.encode())[:16]
    return found


def _content(manifest: Mapping[str, object]) -> tuple[object, object]:
    return manifest["files"], manifest["records"]


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()

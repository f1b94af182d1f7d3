"""Packed datasets: one `.npy` file per split and field, and a manifest that says what they hold."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mtl_bench.data.fields import Arrays, Field, is_target, mismatch
from mtl_bench.data.publish import continued
from mtl_bench.data.stream import Samples, Stream, Unfit, file_name
from mtl_bench.errors import BenchError

__all__ = ["MANIFEST", "Field", "Manifest", "Packed", "Samples", "is_target", "read_manifest", "write_packed"]
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """The content of `manifest.json`.

    `splits` maps a split to its number of samples, `files` a file name to {"bytes", "sha256"}. `digest` identifies the
    content: the sha256 over the sorted file names and checksums or, where another processor computes other last bits,
    over what the content is computed from.
    """

    name: str
    fields: dict[str, Field]
    splits: dict[str, int]
    files: dict[str, dict[str, Any]]
    digest: str
    source: str
    parameters: dict[str, Any]

    @property
    def written(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**asdict(self), "fields": {name: field.written for name, field in self.fields.items()}}

    @property
    def bytes_digest(self) -> str:
        """sha256 over the sorted file names and checksums."""
        return _bytes_digest(self.files)

    @property
    def targets(self) -> tuple[str, ...]:
        """Fields that may serve as targets."""
        return tuple(name for name, field in self.fields.items() if is_target(name, field))


@dataclass(frozen=True)
class Packed:
    """A packed dataset on disk whose files have been checked against its manifest."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: Path) -> "Packed":
        """Checks presence, sizes, types and shapes (not checksums: those would read every byte at every start).

        Raises BenchError naming the damaged file and the command that makes it anew.
        """
        packed = cls(folder, read_manifest(folder))
        for file, entry in packed.manifest.files.items():
            packed._check_size(file, entry["bytes"])
        for split in packed.manifest.splits:
            packed._check_arrays(split)
        return packed

    @property
    def digest(self) -> str:
        return self.manifest.digest

    def arrays(self, split: str) -> dict[str, np.ndarray]:
        """Memory-mapped arrays of one split, each [samples, *shape], read-only, still encoded."""
        if split not in self.manifest.splits:
            known = ", ".join(self.manifest.splits)
            raise BenchError(f"Dataset {self.manifest.name} has no split `{split}`; it has {known}.")
        return {field: np.load(self.folder / file_name(split, field), mmap_mode="r") for field in self.manifest.fields}

    def _check_size(self, file: str, expected: int) -> None:
        path = self.folder / file
        if not path.is_file():
            raise self._damaged(f"{path} is missing")
        if (found := path.stat().st_size) != expected:
            raise self._damaged(f"{path} is truncated or changed: expected {expected} bytes, found {found}")

    def _check_arrays(self, split: str) -> None:
        for field in self.manifest.fields:
            if file_name(split, field) not in self.manifest.files:
                raise self._damaged(f"Field `{field}` of split `{split}` is missing from {self.folder / MANIFEST}")
        try:
            arrays = self.arrays(split)
        except ValueError as error:
            raise self._damaged(f"{self.folder} holds a file of split `{split}` that is no NumPy array") from error
        if wrong := mismatch(split, arrays, self.manifest.fields, self.manifest.splits[split]):
            raise self._damaged(f"{self.folder}: {wrong}")

    def _damaged(self, what: str) -> BenchError:
        return BenchError(f"{what}; delete the folder and run `mtl-bench prepare dataset={self.manifest.name}`.")


def write_packed(
    folder: Path,
    name: str,
    arrays: Mapping[str, Arrays | Samples],
    fields: Mapping[str, Field],
    source: str,
    parameters: Mapping[str, Any],
    digest: str | None = None,
) -> Manifest:
    """Writes arrays[split][field] ([samples, *shape]) so that `folder` appears complete or not at all.

    A split may also be `Samples`, made and written a few at a time: memory then does not grow with the data, and what
    was written before an error is continued by the next process, as is whatever a killed one has written. The digest
    depends on the content, not on either.

    `source` says in words where the content comes from, `digest` identifies it where bytes do not (None: they do).
    Returns the manifest that lies in `folder` afterwards, which is another process's when that one was faster.

    Raises BenchError when an array does not fit its field, or when the disk is full or not writable.
    """
    splits = {
        split: part if isinstance(part, Samples) else _whole(name, split, part, fields)
        for split, part in arrays.items()
    }
    counts = {split: samples.count for split, samples in splits.items()}
    manifest = Manifest(name, dict(fields), counts, {}, digest or "", source, dict(parameters))
    streamed = any(isinstance(part, Samples) for part in arrays.values())
    with continued(folder) as started:
        try:
            if not folder.is_dir():
                _write(started, splits, manifest)
        except Unfit as error:
            shutil.rmtree(started)
            raise _refused(name, error) from error
        except Exception:
            if not streamed:  # whole arrays are written again in no time
                shutil.rmtree(started)
            raise
    return read_manifest(folder)


def _write(folder: Path, splits: Mapping[str, Samples], manifest: Manifest) -> None:
    stream = Stream(folder, manifest.written)
    for split, samples in splits.items():
        stream.write(split, samples, manifest.fields)
    names = [file_name(split, field) for split in splits for field in manifest.fields]
    files = {file: _entry(folder / file) for file in names}
    complete = replace(manifest, files=files, digest=manifest.digest or _bytes_digest(files))
    (folder / MANIFEST).write_text(json.dumps(complete.written, indent=1) + "\n")
    stream.close()


def _whole(name: str, split: str, arrays: Arrays, fields: Mapping[str, Field]) -> Samples:
    samples = Samples.of(arrays)
    if wrong := mismatch(split, arrays, fields, samples.count):
        raise _refused(name, wrong)
    return samples


def _refused(name: str, wrong: object) -> BenchError:
    return BenchError(f"Dataset {name} cannot be packed: {wrong}; mend its `pack` or its `fields`.")


def read_manifest(folder: Path) -> Manifest:
    """Raises BenchError when the manifest is absent or damaged."""
    try:
        content = json.loads((folder / MANIFEST).read_text())
        fields = {name: Field(**{**field, "shape": tuple(field["shape"])}) for name, field in content["fields"].items()}
        return Manifest(**{**content, "fields": fields})
    except BenchError as error:
        raise BenchError(f"{folder / MANIFEST}: {error}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(
            f"{folder / MANIFEST} is missing or damaged; delete the folder and run `mtl-bench prepare` for its dataset."
        ) from error


def _entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _bytes_digest(files: Mapping[str, Mapping[str, Any]]) -> str:
    rows = "".join(f"{file} {files[file]['sha256']}\n" for file in sorted(files))
    return hashlib.sha256(rows.encode()).hexdigest()

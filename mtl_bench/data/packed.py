"""Packed datasets: one `.npy` file per split and field, and a manifest that says what they hold."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mtl_bench.data.fields import Arrays, Field, is_target, mismatch
from mtl_bench.data.manifest import MANIFEST, Manifest, bytes_digest, file_entry, read_manifest
from mtl_bench.data.publish import continued
from mtl_bench.data.stream import OnError, Samples, Stream, Unfit, file_name
from mtl_bench.errors import BenchError

__all__ = ["MANIFEST", "Field", "Manifest", "Packed", "Samples", "is_target", "read_manifest", "write_packed"]


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

    def verify(self) -> None:
        """Reads every byte and compares it with the manifest's checksums. Raises BenchError naming what has changed."""
        for file, entry in self.manifest.files.items():
            if file_entry(self.folder / file)["sha256"] != entry["sha256"]:
                raise self._damaged(f"{self.folder / file} has changed since it was packed (its SHA256 differs)")

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
        if wrong := mismatch(f"split `{split}`", arrays, self.manifest.fields, self.manifest.splits[split]):
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
    variant: str = "",
    skipped: Mapping[str, Sequence[str]] | None = None,
    on_error: OnError = "raise",
) -> Manifest:
    """Writes arrays[split][field] ([samples, *shape]) so that `folder` appears complete or not at all.

    A split may also be `Samples`, made and written a few at a time: memory then does not grow with the data, and what
    was written before an error is continued by the next process, as is whatever a killed one has written. The digest
    depends on the content, not on either.

    `source` says in words where the content comes from, `digest` identifies it where bytes do not (None: they do);
    `variant` and `skipped` are the manifest's. Samples that turn out to be unreadable raise, or are skipped.
    Returns the manifest that lies in `folder` afterwards, which is another process's when that one was faster.

    Raises BenchError when an array does not fit its field, or when the disk is full or not writable.
    """
    splits = {
        split: part if isinstance(part, Samples) else _whole(name, split, part, fields)
        for split, part in arrays.items()
    }
    counts = {split: samples.count for split, samples in splits.items()}
    missing = {split: list(reasons) for split, reasons in (skipped or {}).items() if reasons}
    manifest = Manifest(name, dict(fields), counts, {}, digest or "", source, dict(parameters), variant, missing)
    streamed = any(isinstance(part, Samples) for part in arrays.values())
    with continued(folder) as started:
        try:
            if not folder.is_dir():
                _write(started, splits, manifest, on_error)
        except Unfit as error:
            shutil.rmtree(started)
            raise _refused(name, error) from error
        except Exception:
            if not streamed:  # whole arrays are written again in no time
                shutil.rmtree(started)
            raise
    return read_manifest(folder)


def _write(folder: Path, splits: Mapping[str, Samples], manifest: Manifest, on_error: OnError) -> None:
    stream = Stream(folder, manifest.written, on_error)
    counts = {split: stream.write(split, samples, manifest.fields) for split, samples in splits.items()}
    skipped = {split: [*manifest.skipped.get(split, ()), *stream.skipped[split].values()] for split in splits}
    names = [file_name(split, field) for split in splits for field in manifest.fields]
    files = {file: file_entry(folder / file) for file in names}
    complete = replace(
        manifest,
        splits=counts,
        files=files,
        digest=manifest.digest or bytes_digest(files),
        skipped={split: reasons for split, reasons in skipped.items() if reasons},
    )
    (folder / MANIFEST).write_text(json.dumps(complete.written, indent=1) + "\n")
    stream.close()


def _whole(name: str, split: str, arrays: Arrays, fields: Mapping[str, Field]) -> Samples:
    samples = Samples.of(arrays)
    if wrong := mismatch(f"split `{split}`", arrays, fields, samples.count):
        raise _refused(name, wrong)
    return samples


def _refused(name: str, wrong: object) -> BenchError:
    return BenchError(f"Dataset {name} cannot be packed: {wrong}; mend its `pack` or its `fields`.")

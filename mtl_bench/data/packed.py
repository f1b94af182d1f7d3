"""Packed datasets: one `.npy` file per split and field, and a manifest that says what they hold."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtl_bench.data.publish import published
from mtl_bench.errors import BenchError

MANIFEST = "manifest.json"
TARGET_ENCODINGS = ("class", "float", "int8/127")
KINDS = ("", "map", "depth", "normal")
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Field:
    """What one stored array holds.

    `dtype` is NumPy's name of the stored type, `shape` the shape of one sample. `encoding` says how stored numbers are
    read: `uint8/255` (image, to [0, 1]), `class` (integer, -1 = unlabelled), `float` (NaN = unlabelled), `int8/127`
    (to [-1, 1], -128 = unlabelled), or `index` (bookkeeping, never a target). `unit` is the unit after decoding, empty
    where there is none.

    `kind` says what a change of the picture's geometry does to the values: `""` nothing, they are about the whole
    image; `map` they move with their pixels; `depth` they move and are distances from the camera or their inverse;
    `normal` they move and are unit vectors in the camera's frame (x right, y down, z away).

    Raises BenchError for another kind, and for normals that are not three channels.
    """

    dtype: str
    shape: tuple[int, ...]
    encoding: str
    unit: str = ""
    kind: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BenchError(f"The kind of a field is one of {', '.join(map(repr, KINDS))}, got {self.kind!r}.")
        if self.kind == "normal" and (len(self.shape) != 3 or self.shape[0] != 3):
            raise BenchError(f"A field of kind 'normal' has the shape (3, height, width), got {self.shape}.")


def is_target(name: str, field: Field) -> bool:
    """Whether tasks may predict it; the input may be stored as floats too."""
    return name != "image" and field.encoding in TARGET_ENCODINGS


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
        return {field: np.load(self.folder / _file(split, field), mmap_mode="r") for field in self.manifest.fields}

    def _check_size(self, file: str, expected: int) -> None:
        path = self.folder / file
        if not path.is_file():
            raise self._damaged(f"{path} is missing")
        if (found := path.stat().st_size) != expected:
            raise self._damaged(f"{path} is truncated or changed: expected {expected} bytes, found {found}")

    def _check_arrays(self, split: str) -> None:
        for field in self.manifest.fields:
            if _file(split, field) not in self.manifest.files:
                raise self._damaged(f"Field `{field}` of split `{split}` is missing from {self.folder / MANIFEST}")
        try:
            arrays = self.arrays(split)
        except ValueError as error:
            raise self._damaged(f"{self.folder} holds a file of split `{split}` that is no NumPy array") from error
        if wrong := _mismatch(split, arrays, self.manifest.fields, self.manifest.splits[split]):
            raise self._damaged(f"{self.folder}: {wrong}")

    def _damaged(self, what: str) -> BenchError:
        return BenchError(f"{what}; delete the folder and run `mtl-bench prepare dataset={self.manifest.name}`.")


def write_packed(
    folder: Path,
    name: str,
    arrays: Mapping[str, Arrays],
    fields: Mapping[str, Field],
    source: str,
    parameters: Mapping[str, Any],
    digest: str | None = None,
) -> Manifest:
    """Writes arrays[split][field] ([samples, *shape]) so that `folder` appears complete or not at all.

    `source` says in words where the content comes from, `digest` identifies it where bytes do not (None: they do).
    Returns the manifest that lies in `folder` afterwards, which is another process's when that one was faster.

    Raises BenchError when an array does not fit its field, or when the disk is full or not writable.
    """
    splits = {split: len(next(iter(part.values()))) for split, part in arrays.items()}
    for split, part in arrays.items():
        if wrong := _mismatch(split, part, fields, splits[split]):
            raise BenchError(f"Dataset {name} cannot be packed: {wrong}; mend its `pack` or its `fields`.")
    with published(folder) as temporary:
        files = {}
        for split, part in arrays.items():
            for field in fields:
                np.save(temporary / _file(split, field), part[field])
                files[_file(split, field)] = _entry(temporary / _file(split, field))
        identified = _bytes_digest(files) if digest is None else digest
        manifest = Manifest(name, dict(fields), splits, files, identified, source, dict(parameters))
        (temporary / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n")
    return read_manifest(folder)


def read_manifest(folder: Path) -> Manifest:
    """Raises BenchError when the manifest is absent or damaged."""
    try:
        content = json.loads((folder / MANIFEST).read_text())
        fields = {name: Field(**{**field, "shape": tuple(field["shape"])}) for name, field in content["fields"].items()}
        return Manifest(**{**content, "fields": fields})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(
            f"{folder / MANIFEST} is missing or damaged; delete the folder and run `mtl-bench prepare` for its dataset."
        ) from error


def _mismatch(split: str, arrays: Arrays, fields: Mapping[str, Field], count: int) -> str:
    """What is wrong with the arrays of one split; empty when nothing is."""
    for name, field in fields.items():
        if name not in arrays:
            return f"split `{split}` has no field `{name}`"
        found = (str(arrays[name].dtype), arrays[name].shape)
        if found != (field.dtype, (count, *field.shape)):
            expected = f"{field.dtype} {[count, *field.shape]}"
            return f"field `{name}` of split `{split}` is {found[0]} {list(found[1])} instead of {expected}"
    return ""


def _file(split: str, field: str) -> str:
    return f"{split}.{field}.npy"


def _entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _bytes_digest(files: Mapping[str, Mapping[str, Any]]) -> str:
    rows = "".join(f"{file} {files[file]['sha256']}\n" for file in sorted(files))
    return hashlib.sha256(rows.encode()).hexdigest()

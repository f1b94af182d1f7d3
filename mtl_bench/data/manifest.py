"""What `manifest.json` of a packed dataset says."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mtl_bench.data.fields import Field, is_target
from mtl_bench.errors import BenchError

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """The content of `manifest.json`.

    `splits` maps a split to its number of samples, `files` a file name to {"bytes", "sha256"}. `digest` identifies the
    content: the sha256 over the sorted file names and checksums or, where another processor computes other last bits,
    over what the content is computed from. `variant` names a copy or a part of the data, in words; empty: it is all of
    what its name says. `skipped` says per split why which samples were left out.
    """

    name: str
    fields: dict[str, Field]
    splits: dict[str, int]
    files: dict[str, dict[str, Any]]
    digest: str
    source: str
    parameters: dict[str, Any]
    variant: str = ""
    skipped: dict[str, list[str]] = field(default_factory=dict)

    @property
    def written(self) -> dict[str, Any]:
        """Plain JSON."""
        said = {**asdict(self), "fields": {name: field.written for name, field in self.fields.items()}}
        return {key: value for key, value in said.items() if value or key not in ("variant", "skipped")}

    @property
    def label(self) -> str:
        """What records and boards say of data that are not all of what their name says; empty otherwise."""
        count = sum(map(len, self.skipped.values()))
        left_out = f"{count} sample{'s' * (count > 1)} left out as missing or unreadable" if count else ""
        return ", ".join(filter(None, (self.variant, left_out)))

    @property
    def bytes_digest(self) -> str:
        """sha256 over the sorted file names and checksums."""
        return bytes_digest(self.files)

    @property
    def targets(self) -> tuple[str, ...]:
        """Fields that may serve as targets."""
        return tuple(name for name, field in self.fields.items() if is_target(name, field))


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


def file_entry(path: Path) -> dict[str, Any]:
    """The size and checksum of a file, as manifests hold them."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def bytes_digest(files: Mapping[str, Mapping[str, Any]]) -> str:
    """sha256 over the sorted file names and checksums."""
    rows = "".join(f"{file} {files[file]['sha256']}\n" for file in sorted(files))
    return hashlib.sha256(rows.encode()).hexdigest()

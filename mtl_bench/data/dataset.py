"""What a dataset is before it is packed, and where its packed form lies."""

import hashlib
import inspect
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from mtl_bench.data.packed import Field, Manifest, Packed, is_target
from mtl_bench.errors import BenchError
from mtl_bench.records.identity import source_of

SEEDS = 2**32  # of NumPy's RandomState
log = logging.getLogger(__name__)
Pack: TypeAlias = Callable[[Path, Path, Path | None], Manifest]


class Dataset(ABC):
    """How official files become packed arrays.

    Every constructor argument is kept as an attribute of the same name; together with `revision` they name the packed
    folder, so a change of either packs anew.
    """

    revision: ClassVar[int] = 1
    name: str

    @property
    @abstractmethod
    def fields(self) -> Mapping[str, Field]:
        """Every stored array; one of them is `image`."""

    @abstractmethod
    def pack(self, folder: Path, raw: Path, source: Path | None) -> Manifest:
        """Reads official files from `source` if given, else from `raw` (downloads land there), and writes `folder`.

        Raises BenchError when the files are missing or not what they claim to be.
        """

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a decoded image."""
        channels, height, width = self.fields["image"].shape
        return channels, height, width

    @property
    def targets(self) -> dict[str, Field]:
        """The fields that may serve as targets."""
        return {name: field for name, field in self.fields.items() if is_target(name, field)}

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything the packed content depends on beside the official files."""
        names = inspect.signature(type(self)).parameters
        if unknown := [name for name in names if not hasattr(self, name)]:
            raise BenchError(
                f"{type(self).__name__} must keep its argument `{unknown[0]}` as an attribute of that name."
            )
        arguments = {name: getattr(self, name) for name in names}
        return {"class": type(self).__name__, **arguments, "revision": self.revision, **source_of(type(self))}

    @property
    def folder_name(self) -> str:
        canonical = json.dumps(self.parameters, sort_keys=True)
        return f"{self.name}-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"


def prepare(dataset: Dataset, root: Path, source: Path | None = None, pack: Pack | None = None) -> Packed:
    """The packed form of a dataset under root/packed, made first where it is absent.

    Official files are looked for in `source`, then in root/raw, then downloaded to root/raw where that is possible.
    `pack` is the dataset's own unless it is given.

    Raises BenchError for a `data_seed` that no frozen stream of random numbers starts from.
    """
    seed = getattr(dataset, "data_seed", 0)
    if isinstance(seed, int) and not 0 <= seed < SEEDS:
        raise BenchError(f"Dataset {dataset.name}: data_seed is from 0 to {SEEDS - 1}, got {seed}.")
    folder = packed_folder(dataset, root)
    if not folder.is_dir():  # a warning, so that it is seen wherever logging was not set up
        log.warning("Packing dataset %s into %s, once …", dataset.name, folder)
        (pack or dataset.pack)(folder, root / "raw", source)
    elif source is not None:
        log.warning(
            "Dataset %s was packed earlier; %s is not read; delete %s to pack anew.", dataset.name, source, folder
        )
    return Packed.open(folder)


def unread(dataset: Dataset, root: Path, digest: str) -> Packed:
    """The packed form where it lies under root/packed, else one without splits that is said to hold `digest`: it names
    runs, and cannot be read."""
    folder = packed_folder(dataset, root)
    if folder.is_dir():
        return Packed.open(folder)
    return Packed(folder, Manifest(dataset.name, dict(dataset.fields), {}, {}, digest, "", dataset.parameters))


def packed_folder(dataset: Dataset, root: Path) -> Path:
    """Where the packed form of a dataset lies, or would."""
    return root / "packed" / dataset.folder_name

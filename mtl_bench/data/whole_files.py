"""Datasets whose official files hold all samples at once and are read whole."""

from dataclasses import dataclass, replace
from pathlib import Path

from mtl_bench.data.manifest import Manifest
from mtl_bench.data.official import OfficialDataset, Packing, Sample
from mtl_bench.data.official.held_out import hold_out


@dataclass(frozen=True, kw_only=True)
class WholeFiles(OfficialDataset):
    """An official dataset that a single process packs: every other one would read all files again."""

    def pack(self, folder: Path, raw: Path, source: Path | None, packing: Packing | None = None) -> Manifest:
        return super().pack(folder, raw, source, replace(packing or Packing(), workers=1))


def numbered(parts: dict[str, tuple[Path, int]], val: int, data_seed: int) -> dict[str, list[Sample]]:
    """The samples of every part, which lie in one file in so many rows; `val` of those of `train` are held out.

    The part that a sample comes from is the one key of its `files`.
    """
    rows = {
        part: [Sample(f"{part}/{row}", {part: path}, row) for row in range(count)]
        for part, (path, count) in parts.items()
    }
    return {split: list(samples) for split, samples in hold_out(rows, val, data_seed).items()}


def find_file(folder: Path, name: str) -> Path:
    """In the folder, or up to two folders deeper; where it should be when it is nowhere."""
    places = (path for depth in ("", "*/", "*/*/") for path in sorted(folder.glob(f"{depth}{name}")) if path.is_file())
    return next(places, folder / name)

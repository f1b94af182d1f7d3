"""What `mtl-bench prepare` does: pack, draw what was packed, compare checksums, and say so."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from mtl_bench.data.contact_sheet import draw_contact_sheet
from mtl_bench.data.dataset import Dataset, prepare
from mtl_bench.data.official import OfficialDataset, Packing
from mtl_bench.data.official.told import shortened
from mtl_bench.data.packed import Packed
from mtl_bench.errors import BenchError
from mtl_bench.training.build import build

WIDTH = 100  # columns
SHEET, ROWS = "contact.png", 3  # samples of every split on it


def prepare_as_asked(plain: Mapping[str, Any], root: Path) -> None:
    """`plain` is the configuration of the verb. Raises BenchError for whatever is missing, damaged or wrong in it."""
    if not isinstance(plain["verify"], bool):  # `no` is text to Hydra, and any text would count as true
        raise BenchError(f"verify is true or false, got {plain['verify']!r}.")
    dataset = build(_limited(plain), "dataset", Dataset)
    source = None if plain["source"] is None else Path(str(plain["source"]))
    if source is not None and not source.is_dir():
        raise BenchError(f"There is no folder {source}; source names the folder with the official files.")
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    packing = Packing(plain["workers"], plain["on_error"], console)
    official = isinstance(dataset, OfficialDataset)
    packed = prepare(dataset, root, source, partial(dataset.pack, packing=packing) if official else None)
    if plain["verify"]:
        packed.verify()
    if isinstance(dataset, OfficialDataset) and dataset.pictured:
        _draw(packed, packed.folder / SHEET)
    for line in _summary(packed, plain["verify"]):
        console.print(line)


def _limited(plain: Mapping[str, Any]) -> Mapping[str, Any]:
    """The node of the dataset, with the limit that was asked for."""
    node = plain.get("dataset") or {}
    if plain["limit"] is None:
        return node
    if "limit" not in node:
        raise BenchError(f"Dataset {node.get('name', '')} takes no limit; leave limit={plain['limit']} out.")
    return {**node, "limit": plain["limit"]}


def _draw(packed: Packed, path: Path) -> None:
    """Once; a drawing that was broken off leaves none."""
    if not path.is_file():
        started = path.with_name(f".{path.name}")
        draw_contact_sheet(packed, dict.fromkeys(packed.manifest.splits, ROWS), started)
        started.rename(path)


def _summary(packed: Packed, verified: bool) -> list[str]:
    manifest = packed.manifest
    sizes = ", ".join(f"{name} {size}" for name, size in manifest.splits.items())
    lines = [f"{manifest.name}: {sizes} in {packed.folder} (digest {packed.digest[:12]})"]
    lines += [f"What records and boards will say of these data: {manifest.label}."] if manifest.label else []
    if manifest.skipped:
        lines.append(f"When it was packed this stood in the way; delete {packed.folder} to look again:")
        lines += shortened([sentence for sentences in manifest.skipped.values() for sentence in sentences])
    lines += [f"Checksums of {len(manifest.files)} files are right."] if verified else []
    return lines + ([f"Look at {packed.folder / SHEET}."] if (packed.folder / SHEET).is_file() else [])

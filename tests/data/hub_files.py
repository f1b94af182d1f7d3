"""Copies as they lie on the Hugging Face hub, in miniature; tests that write them are skipped without pyarrow."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.cityscapes_files import mtan_arrays

WITHOUT = "copies of datasets need `pip install -e '.[parquet]'`"
pa = pytest.importorskip("pyarrow", reason=WITHOUT)
pq = pytest.importorskip("pyarrow.parquet", reason=WITHOUT)

Drawn = dict[str, np.ndarray]  # [rows, …], channels first
SIZES = {"nyuv2": ((288, 384), 13), "cityscapes": ((128, 256), 19)}


def drawn(dataset: str, rows: int, seed: int) -> Drawn:
    draw = np.random.RandomState(seed)
    made = [mtan_arrays(draw, *SIZES[dataset]) for _ in range(rows)]
    first = {
        name: np.stack([one[name].transpose(2, 0, 1) for one in made]).astype(np.float32)
        for name in ("image", "depth", "normal")
    }
    return {**first, "labels": np.stack([one["labels"] for one in made])}


def write_copy(folder: Path, dataset: str, counts: dict[str, int], shards: int = 2) -> dict[str, Drawn]:
    written = {}
    for seed, (split, rows) in enumerate(counts.items()):
        written[split] = arrays = drawn(dataset, rows, seed)
        columns = {name: nested(arrays[name]) for name in ("image", "depth")}
        if dataset == "nyuv2":
            columns |= {"segmentation": nested(arrays["labels"]), "normal": nested(arrays["normal"])}
            columns["noise"] = nested(arrays["depth"])
        else:
            sevens = np.minimum(arrays["labels"], 6)
            columns |= {
                "segmentation_19": nested(arrays["labels"]),
                "segmentation_7": nested(sevens.astype(np.float32)),
            }
        write_shards(folder / "data", split, columns, shards)
    return written


def nested(arrays: np.ndarray) -> "pa.Array":
    """[rows, …] as the lists of lists that the hub's Array3D is stored as."""
    found = pa.array(arrays.reshape(-1))
    for size in reversed(arrays.shape[1:]):
        found = pa.ListArray.from_arrays(pa.array(np.arange(0, len(found) + 1, size), pa.int32()), found)
    return found


def pictures(arrays: list[np.ndarray]) -> "pa.Array":
    """As the hub's Image is stored: the bytes of a file, and its name."""
    return pa.array([{"bytes": png(array), "path": f"{row}.png"} for row, array in enumerate(arrays)])


def png(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(array).save(content, "PNG", compress_level=1)
    return content.getvalue()


def write_shards(folder: Path, split: str, columns: Mapping[str, "pa.Array"], shards: int, group: int = 2) -> None:
    table = pa.table(dict(columns))
    size = -(-len(table) // shards)
    for shard in range(shards):
        path = folder / f"{split}-{shard:05d}-of-{shards:05d}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table.slice(shard * size, size), path, row_group_size=group)

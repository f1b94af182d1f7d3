"""Taskonomy's official files in miniature: pictures as large as the real ones, a few views of a few buildings."""

import shutil
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from mtl_bench.data.formats.taskonomy_maps import MAPS, RGB, SIDE

Views = Iterable[tuple[int, int]]  # point and view
PATTERNS = ("{building}/{task}", "{task}/taskonomy/{building}", "{task}/{building}", "{task}")
WORDS = {"segment_semantic": "segmentsemantic"}  # where files do not end with the name of their folder
BUILDINGS = {"hanson": "train", "merom": "train", "corozal": "val", "ihlen": "test"}
VIEWS = ((1, 0), (1, 2), (10, 0))


@cache
def drawn_map(task: str, seed: int) -> np.ndarray:
    """As its PNG holds it; blocks of 4 × 4 pixels, so that the nearest one shows."""
    draw = np.random.RandomState(seed)
    missing = _blocks(draw.rand(SIDE // 16, SIDE // 16) < 0.1, 16)  # first: the same in all maps of a view
    shape = (SIDE // 4, SIDE // 4, 3)
    match task:
        case "depth_euclidean" | "depth_zbuffer":
            return np.where(missing, 65535, _blocks(draw.randint(500, 12_000, shape[:2]), 4)).astype(np.uint16)
        case "edge_occlusion" | "edge_texture" | "keypoints2d" | "keypoints3d":
            return _blocks(draw.randint(0, 9000, shape[:2]), 4).astype(np.uint16)
        case "segment_semantic":
            return _blocks(draw.randint(0, 18, shape[:2]), 4).astype(np.uint8)
        case "segment_unsup2d" | "segment_unsup25d":
            return _blocks(draw.randint(0, 256, shape[:2]), 4).astype(np.uint8)
        case "reshading":
            return np.repeat(_blocks(draw.randint(0, 256, shape[:2]), 4)[..., None], 3, axis=2).astype(np.uint8)
    colours = _blocks(draw.randint(0, 256, shape), 4).astype(np.uint8)
    if task == "normal":
        colours[missing] = 128
    if task == "principal_curvature":
        colours[..., 2] = 0
    return colours


def write_views(
    folder: Path, pattern: str, building: str, views: Views, seed: int = 0, tasks: Iterable[str] = (RGB, *MAPS)
) -> None:
    """All views of a building show the same, the maps of `seed`, in one copy."""
    for task in tasks:
        place = folder / pattern.format(building=building, task=task)
        place.mkdir(parents=True, exist_ok=True)
        first, *others = [place / f"point_{p}_view_{v}_domain_{WORDS.get(task, task)}.png" for p, v in views]
        Image.fromarray(drawn_map(task, seed)).save(first, compress_level=1)
        for other in others:
            other.symlink_to(first.name)


def write_list(folder: Path, split: str, buildings: Mapping[str, str]) -> None:
    """Lines end with a bare CR, as in the official ones."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        ",".join([name, *(str(int(part == one)) for one in ("train", "val", "test"))])
        for name, part in buildings.items()
    ]
    (folder / f"train_val_test_{split}.csv").write_bytes("\r".join(["id,train,val,test", *rows]).encode())


def write_taskonomy(
    folder: Path, pattern: str = PATTERNS[0], split: str = "tiny", tasks: Iterable[str] = (RGB, *MAPS)
) -> Path:
    """`BUILDINGS`, each with maps of its own, and their list."""
    shutil.rmtree(folder, ignore_errors=True)
    for seed, building in enumerate(BUILDINGS):
        write_views(folder, pattern, building, VIEWS, seed, tuple(tasks))
    write_list(folder / "splits_taskonomy", split, BUILDINGS)
    return folder


def _blocks(array: np.ndarray, side: int) -> np.ndarray:
    return array.repeat(side, axis=0).repeat(side, axis=1)

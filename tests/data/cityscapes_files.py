"""Cityscapes' official files in miniature, and MTAN's folder of it."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 1024, 2048
CAMERA = {"extrinsic": {"baseline": 0.209313}, "intrinsic": {"fx": 2262.52}}
TRAIN = ["aachen_000000_000019", "aachen_000001_000019", "bremen_000002_000019", "zurich_000121_000019"]
VAL = ["frankfurt_000000_000294", "munster_000173_000019"]
FOLDERS = {"leftImg8bit": ".png", "gtFine": "_labelIds.png", "disparity": ".png", "camera": ".json"}
Frame = dict[str, np.ndarray]  # image, ids and disparity as published


def drawn_frame(seed: int) -> Frame:
    """Blocks of 16 pixels, so that a file is small and a resized one differs from its neighbours."""
    draw = np.random.RandomState(seed)
    blocks = HEIGHT // 16, WIDTH // 16
    image = draw.randint(0, 256, (*blocks, 3)).astype(np.uint8)
    ids = draw.randint(0, 34, blocks).astype(np.uint8)
    disparity = draw.randint(0, 32258, blocks).astype(np.uint16)
    disparity[:3, :3] = [[0, 1, 2]] * 3
    grown = {"image": image, "ids": ids, "disparity": disparity}
    return {name: array.repeat(16, 0).repeat(16, 1) for name, array in grown.items()}


def write_cityscapes(folder: Path, train: list[str] = TRAIN, val: list[str] = VAL) -> dict[str, Frame]:
    """Frames by their names."""
    frames = {}
    for split, names in (("train", train), ("val", val)):
        for name in names:
            frames[name] = drawn_frame(len(frames))
            write_frame(folder, split, name, frames[name])
    return frames


def write_frame(folder: Path, split: str, name: str, frame: Frame) -> None:
    for kind, array in (("leftImg8bit", "image"), ("gtFine", "ids"), ("disparity", "disparity")):
        Image.fromarray(frame[array]).save(_made(place(folder, split, name, kind)), compress_level=1)
    _made(place(folder, split, name, "camera")).write_text(json.dumps(CAMERA))


def place(folder: Path, split: str, name: str, kind: str) -> Path:
    return folder / kind / split / name.split("_")[0] / f"{name}_{kind}{FOLDERS[kind]}"


def write_mtan_cityscapes(
    folder: Path, counts: Mapping[str, int], label: str = "label_7", classes: int = 7, kind: type = np.float64
) -> None:
    draw = np.random.RandomState(0)
    for split, count in counts.items():
        for row in range(count):
            arrays = mtan_arrays(draw, (128, 256), classes)
            for name, array in {"image": arrays["image"], label: arrays["labels"], "depth": arrays["depth"]}.items():
                np.save(_made(folder / split / name / f"{row}.npy"), array.astype(kind))


def mtan_arrays(draw: np.random.RandomState, size: tuple[int, int], classes: int) -> dict[str, np.ndarray]:
    """Channels last, as in MTAN's files; the first rows have no depth and no normals."""
    normal = draw.normal(size=(*size, 3))
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    normal[:5] = 0
    depth = draw.rand(*size, 1) / 2
    depth[:7] = 0
    image = draw.randint(0, 256, (*size, 3)) / 255
    return {"image": image, "labels": draw.randint(-1, classes, size), "depth": depth, "normal": normal}


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path

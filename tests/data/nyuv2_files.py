"""NYU Depth v2's official files in miniature: the axes, types and numbering of the real ones, a few frames."""

from pathlib import Path

import h5py
import numpy as np
from scipy import io

from mtl_bench.data.formats.nyuv2_mat import CLASSES_40, FRAMES, SPLITS

HEIGHT, WIDTH = 480, 640
Frames = dict[str, np.ndarray]  # images [n, 480, 640, 3], depths, rawDepths and labels [n, 480, 640]


def drawn_frames(count: int, seed: int = 0) -> Frames:
    draw = np.random.RandomState(seed)
    smooth = np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) / 400
    depths = np.stack([1.5 + frame / 10 + smooth for frame in range(count)]).astype(np.float32)
    holes = draw.rand(count, HEIGHT, WIDTH) < 0.2
    return {
        "images": draw.randint(0, 256, (count, HEIGHT, WIDTH, 3)).astype(np.uint8),
        "depths": depths,
        "rawDepths": np.where(holes, 0, depths),
        "labels": draw.randint(0, 895, (count, HEIGHT, WIDTH)).astype(np.uint16),
    }


def write_nyuv2(folder: Path, frames: Frames, train: list[int], test: list[int]) -> np.ndarray:
    """`train` and `test` count frames from 1. Returns the map from 894 names to 40 classes."""
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / FRAMES, "w") as file:
        for name, array in frames.items():
            axes = (0, 3, 2, 1) if array.ndim == 4 else (0, 2, 1)
            file.create_dataset(name, data=np.ascontiguousarray(array.transpose(axes)))
    io.savemat(folder / SPLITS, {"trainNdxs": np.array(train)[:, None], "testNdxs": np.array(test)[:, None]})
    classes = np.random.RandomState(1).randint(1, 41, (1, 894)).astype(np.uint8)
    io.savemat(folder / CLASSES_40, {"mapClass": classes})
    return np.concatenate([[0], classes[0]])


def write_mtan(folder: Path, counts: dict[str, int], kind: type = np.float64) -> None:
    draw = np.random.RandomState(0)
    for split, count in counts.items():
        for row in range(count):
            normal = draw.normal(size=(288, 384, 3))
            normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
            normal[:5] = 0
            depth = draw.rand(288, 384, 1) * 10
            depth[:, :7] = 0
            label = draw.randint(-1, 13, (288, 384))
            image = draw.randint(0, 256, (288, 384, 3)) / 255
            for name, array in {"image": image, "label": label, "depth": depth, "normal": normal}.items():
                path = folder / split / name / f"{row}.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, array.astype(kind))

"""NYUD-MT in miniature, in each of the forms that go round."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import io

KINDS = ("images", "segmentation", "depth", "normals", "edge")
FORMS = {  # the endings of these, and height and width of frames
    "vandenhende": ((".jpg", ".png", ".npy", ".npy", ".npy"), (480, 640)),
    "invpt": ((".png", ".png", ".npy", ".png", ".png"), (425, 560)),
    "astmt": ((".jpg", ".mat", ".mat", ".jpg", ".png"), (480, 640)),
}
Frame = dict[str, np.ndarray]  # images [h, w, 3], segmentation 0 to 40, depth in m, normals [h, w, 3], edge


def drawn_frame(size: tuple[int, int], row: int = 0) -> Frame:
    draw, (height, width) = np.random.RandomState(row), size
    normals = draw.normal(size=(*size, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    normals[:9] = 0
    depth = 1 + row / 10 + np.add.outer(np.arange(height), np.arange(width)) / 300
    depth[:, :12] = 0
    return {
        "images": draw.randint(0, 256, (height // 5 + 1, width // 5 + 1, 3))
        .repeat(5, 0)
        .repeat(5, 1)[:height, :width]
        .astype(np.uint8),
        "segmentation": draw.randint(0, 41, size).astype(np.uint8),
        "depth": depth.astype(np.float32),
        "normals": normals.astype(np.float32),
        "edge": (draw.rand(*size) < 0.1).astype(np.float32),
    }


def write_nyud(
    folder: Path, form: str, train: Sequence[str], test: Sequence[str], small: tuple[int, int] | None = None
) -> dict[str, Frame]:
    """`small` frames are none that the dataset knows, unless it is told to."""
    endings, size = FORMS[form]
    size = small or size
    (folder / "gt_sets").mkdir(parents=True, exist_ok=True)
    for split, names in {"train": train, "val": test}.items():
        (folder / "gt_sets" / f"{split}.txt").write_text("\n".join(names) + "\n")
    frames = {name: drawn_frame(size, row) for row, name in enumerate([*train, *test])}
    for name, frame in frames.items():
        for kind, ending in zip(KINDS, endings, strict=True):
            write(folder / kind / f"{name}{ending}", kind, frame[kind])
    return frames


def write(path: Path, kind: str, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    match path.suffix:
        case ".npy":
            np.save(path, array)
        case ".mat":
            io.savemat(path, {kind: array}, do_compression=True)
        case _:
            scaled = {"normals": (array + 1) * 127.5, "edge": array * 255}.get(kind, array)
            Image.fromarray(np.round(scaled).astype(np.uint8)).save(path, compress_level=1)

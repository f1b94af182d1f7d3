"""CelebA's official files in miniature: any attributes, faces of 178×218 pixels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mtl_bench.data.formats.celeba_txt import ATTRIBUTES, IMAGES, NAMES, PARTS

WIDTH, HEIGHT = 178, 218


def drawn_attributes(count: int) -> list[list[int]]:
    """Every attribute both 1 and -1 among any two neighbours."""
    signs = np.random.RandomState(0).choice([-1, 1], len(NAMES))
    return [(signs if row % 2 else -signs).tolist() for row in range(count)]


def write_celeba(folder: Path, attributes: Sequence[Sequence[int]], parts: Sequence[int]) -> None:
    names = [f"{number:06d}.jpg" for number in range(1, len(parts) + 1)]
    rows = [f"{name} {' '.join(f'{value:2d}' for value in row)}" for name, row in zip(names, attributes, strict=True)]
    text = "\n".join([str(len(rows)), f"{' '.join(NAMES)} ", *rows])
    put(folder / "Anno" / ATTRIBUTES, f"{text}\n")
    put(folder / "Eval" / PARTS, "".join(f"{name} {part}\n" for name, part in zip(names, parts, strict=True)))
    faces = folder / "Img" / IMAGES
    faces.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        rows_, columns = np.mgrid[:HEIGHT, :WIDTH]
        planes = [128 + 100 * np.sin((rows_ + 20 * number) / (15 + 9 * c) + columns / 30) for c in range(3)]
        Image.fromarray(np.stack(planes, axis=-1).round().astype(np.uint8)).save(faces / name, quality=95)


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

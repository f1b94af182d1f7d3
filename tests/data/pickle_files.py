"""Pickles as published, in miniature, and one that would run something."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np


def drawn_pairs(count: int, seed: int, kind: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.RandomState(seed)
    images = draw.randint(0, 256, (count, 36, 36))
    images[0, 0, 0] = 255
    return (images if kind == np.uint8 else images / 255).astype(kind), draw.randint(0, 10, (count, 2))


def write_pickle(path: Path, content: Any, protocol: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


class Trap:
    """Unpickled as usual it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)

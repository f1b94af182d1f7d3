"""CIFAR-100's pickles in miniature, as Python 3 writes them."""

from pathlib import Path
from typing import Any

import numpy as np

from mtl_bench.data.cifar100_superclasses import SUPERCLASS
from tests.data.pickle_files import write_pickle


def write_cifar(folder: Path, sizes: dict[str, int], **changes: Any) -> dict[str, dict[str, Any]]:
    """Classes come one after another from 0 on; `changes` replace entries of both files."""
    made = {}
    for seed, (part, size) in enumerate(sizes.items()):
        fine = [number % 100 for number in range(size)]
        content = {
            "batch_label": part,
            "fine_labels": fine,
            "coarse_labels": [SUPERCLASS[number] for number in fine],
            "data": np.random.RandomState(seed).randint(0, 256, (size, 3072)).astype(np.uint8),
        }
        made[part] = content | changes
        write_pickle(folder / "cifar-100-python" / part, made[part])
    return made

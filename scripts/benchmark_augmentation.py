"""Images per second of augmentation, batched and sample by sample: `python scripts/benchmark_augmentation.py`.

Scale-crop, flip and colour jitter of fields like those of rooms (image, classes, normals, ten maps), from samples as
stored, in memory, to a decoded and augmented batch. The reference is written as the loaders of papers are: per sample
and field a conversion, a slice, an F.interpolate and a flip, and the batch stacked at the end. Medians of interleaved
rounds in one process, one thread (`--device cuda` moves both to the GPU).
"""

import argparse
import random
import statistics
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.cost.rounds import timed
from mtl_bench.data.augmentation import Chain, ColourJitter, HorizontalFlip, RandomScaleCrop
from mtl_bench.data.packed import Packed, write_packed
from mtl_bench.data.rooms.targets import fields
from mtl_bench.data.split import Batch, Split

SAMPLES = 256
SIZE = (96, 128)
BAR = 1.5
FIELDS = fields(*SIZE)


def pack(folder: Path) -> Packed:
    draw = np.random.RandomState(0)
    arrays: dict[str, np.ndarray] = {
        name: draw.rand(SAMPLES, *field.shape).astype(np.float16)
        for name, field in FIELDS.items()
        if field.dtype == "float16"
    }
    arrays["image"] = draw.randint(0, 256, (SAMPLES, 3, *SIZE)).astype(np.uint8)
    arrays["segmentation"] = draw.randint(-1, 13, (SAMPLES, *SIZE)).astype(np.int8)
    arrays["normal"] = draw.randint(-128, 128, (SAMPLES, 3, *SIZE)).astype(np.int8)
    write_packed(folder, "rooms-like", {"train": arrays}, FIELDS, "drawn", {})
    return Packed.open(folder)


def batched(packed: Packed, size: int, device: str) -> Callable[[], Batch]:
    split = Split(packed, ["train"], packed.manifest.targets, device)
    chain = Chain([RandomScaleCrop(), HorizontalFlip(), ColourJitter()], FIELDS, 0, device)
    steps = count()
    return lambda: split.batch(torch.randperm(SAMPLES)[:size], chain.at(0, next(steps)))


def per_sample(packed: Packed, size: int, device: str) -> Callable[[], dict[str, Tensor]]:
    stored = {name: torch.from_numpy(np.array(array)).to(device) for name, array in packed.arrays("train").items()}

    def run() -> dict[str, Tensor]:
        indices = torch.randperm(SAMPLES)[:size].tolist()
        samples = [{name: load(name, array[index]) for name, array in stored.items()} for index in indices]
        augmented = [jittered(flipped(scale_cropped(sample))) for sample in samples]
        return {name: torch.stack([sample[name] for sample in augmented]) for name in FIELDS}

    return run


def load(name: str, stored: Tensor) -> Tensor:
    """As read from a file to what the transforms take, channels first."""
    if name == "image":
        return stored.float() / 255
    if name == "normal":
        return stored.float() / 127
    return stored.float() if stored.ndim == 3 else stored.float()[None]


def scale_cropped(sample: dict[str, Tensor]) -> dict[str, Tensor]:
    height, width = SIZE
    scale = random.choice([1.0, 1.2, 1.5])
    h, w = int(height / scale), int(width / scale)
    i, j = random.randint(0, height - h), random.randint(0, width - w)
    resized = {}
    for name, field in sample.items():
        crop = field[None, :, i : i + h, j : j + w]
        if name in ("image", "normal"):
            resized[name] = F.interpolate(crop, size=SIZE, mode="bilinear", align_corners=True)[0]
        else:
            resized[name] = F.interpolate(crop, size=SIZE, mode="nearest")[0]
        if name.startswith("depth"):
            resized[name] = resized[name] / scale
    return resized


def flipped(sample: dict[str, Tensor]) -> dict[str, Tensor]:
    if random.random() < 0.5:
        sample = {name: torch.flip(field, dims=[2]) for name, field in sample.items()}
        sample["normal"][0] = -sample["normal"][0]
    return sample


def jittered(sample: dict[str, Tensor]) -> dict[str, Tensor]:
    """Brightness, contrast, saturation as torchvision computes them on tensors."""
    brightness, contrast, saturation = (random.uniform(0.6, 1.4) for _ in range(3))
    image = (sample["image"] * brightness).clamp(0, 1)
    image = (contrast * image + (1 - contrast) * grey(image).mean()).clamp(0, 1)
    return {**sample, "image": (saturation * image + (1 - saturation) * grey(image)).clamp(0, 1)}


def grey(image: Tensor) -> Tensor:
    return (0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2])[None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=61)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        packed = pack(Path(folder) / "packed")
        for size in (8, 32):
            steps = {make.__name__: make(packed, size, arguments.device) for make in (batched, per_sample)}
            found = [size / statistics.median(kept) for kept in timed(steps, arguments.rounds, warmup=3).values()]
            print(
                f"batch {size:2d}   batched {found[0]:7.0f} images/s   per sample {found[1]:7.0f} images/s   "
                f"ratio {found[0] / found[1]:.2f} (at least {BAR})"
            )


if __name__ == "__main__":
    main()

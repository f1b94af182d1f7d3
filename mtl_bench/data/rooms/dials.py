"""Changes to rooms whose right answer is known, so that a method can be wrong, measurably."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mtl_bench.data.packed import Field
from mtl_bench.data.rooms.furniture import CLASSES, Draw
from mtl_bench.errors import BenchError
from mtl_bench.streams import stream_seed

COPY = "_copy"  # a duplicated task's second name ends in this
NEAREST = 0.01  # metres: where noise puts a surface at or behind the camera; without a distance it would be no label
EDGES = "edge_occlusion"  # of 0 and 1, where a number below 0 is no label either
WAVES = 4.0  # periods of the distractor over the range of brightness
Arrays = dict[str, np.ndarray]


def check_dials(name: str, known: Mapping[str, Field], label_noise: Mapping[str, float], duplicate: str | None) -> None:
    """Raises BenchError for a target that rooms do not have, and for noise below 0 (or a share of classes above 1)."""
    targets = [field for field in known if field != "image"]
    for task in [*label_noise, *([] if duplicate is None else [duplicate])]:
        if task not in targets:
            raise BenchError(f"Dataset {name} has no target {task!r}; choose among {', '.join(targets)}.")
    for task, sigma in label_noise.items():
        if not 0 <= sigma <= (1 if known[task].encoding.categorical else math.inf):
            raise BenchError(
                f"Dataset {name}: label_noise.{task} is a standard deviation from 0 on (for classes the share of "
                f"pixels with a random label, at most 1), got {sigma}."
            )


def distractor(clean: Float[Tensor, "scenes 3 height width"]) -> Float[Tensor, "scenes 1 height width"]:
    """A wave of the local brightness, shifted by a fixed pattern over the picture, in [0, 1].

    It follows from the image alone, so it can be learnt; geometry, classes and edges say nothing about it. The pattern
    is its own mirror image, so that a flip leaves it right; other augmentations that move pixels would not.
    """
    height, width = clean.shape[-2:]
    y, x = torch.meshgrid(
        torch.linspace(0, 1, height, device=clean.device),
        torch.linspace(0, 1, width, device=clean.device),
        indexing="ij",
    )
    side = (2 * x - 1).abs()
    shift = torch.sin(7 * side + 3 * y) + torch.cos(5 * y - 4 * side)
    phase = WAVES * clean.mean(dim=1, keepdim=True) + shift
    return 0.5 + 0.5 * torch.sin(2 * math.pi * phase)


def add_noise(arrays: Arrays, fields: Mapping[str, Field], label_noise: Mapping[str, float], seed: int) -> None:
    """Noise on stored training targets, in place: Gaussian of σ in the target's unit, on normals before they are unit
    again; for classes σ is the share of labelled pixels that get a random class. A duplicate gets noise of its own.
    Noise takes no label away: distances end at `NEAREST`, edges at 0; other maps may leave [0, 1].
    """
    copies = {task + COPY: sigma for task, sigma in label_noise.items() if task + COPY in fields}
    for task, sigma in (*label_noise.items(), *copies.items()):
        draw = Draw(stream_seed("rooms", "label noise", seed, task) & 0xFFFFFFFF)
        stored, field = arrays[task], fields[task]
        if field.encoding.categorical:
            hit = (draw.random_sample(stored.shape) < sigma) & (stored >= 0)
            stored[hit] = draw.randint(len(CLASSES), size=int(hit.sum()))
        elif field.kind == "normal":
            noisy = stored / field.encoding.scale + sigma * draw.standard_normal(stored.shape)
            stored[:] = np.rint(field.encoding.scale * noisy / np.linalg.norm(noisy, axis=1, keepdims=True).clip(1e-6))
        else:
            stored += (sigma * draw.standard_normal(stored.shape)).astype(stored.dtype)
            if field.kind == "depth":
                np.maximum(stored, NEAREST, out=stored)  # NaN stays
            elif task.removesuffix(COPY) == EDGES:
                np.maximum(stored, 0, out=stored)

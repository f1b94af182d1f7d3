"""rooms as a dataset: what is rendered, how much of it, and with which dials."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from mtl_bench.data.dataset import Dataset
from mtl_bench.data.packed import Field, Manifest, write_packed
from mtl_bench.data.rooms.dials import COPY, add_noise, check_dials, distractor
from mtl_bench.data.rooms.render_rooms import extra_field, render_split
from mtl_bench.data.rooms.targets import fields
from mtl_bench.errors import BenchError

SMALLEST = 16  # pixels; below, filters see more border than picture


@dataclass(frozen=True)
class Rooms(Dataset):
    """Views into furnished rooms with twelve exact targets; a controlled experiment, not a picture of the world.

    A room, its camera, its lights and its materials follow from (data_seed, split, index): splits share no scene, and a
    smaller split is the beginning of a larger one. `train`, `val` and `test` count images of `height` × `width` pixels,
    `shift` those of `test_shift`, whose surface patterns appear nowhere else. Colours and patterns are drawn without a
    look at what they cover. Targets and their units are those of `mtl_bench.data.rooms.targets.fields`: NYUv2's 13
    classes (-1: unlabelled), two depths (m; none through windows and in mirrors), normals in the camera's frame, and
    Taskonomy's maps.

    Dials with a known right answer: `label_noise={task: σ}` on training targets (see `add_noise`), `distractor=true`
    adds a target that has nothing to do with the others, `duplicate=task` stores a target a second time as
    `<task>_copy`; a task's `loss_scale` is the fourth.

    Every kind of processor renders other last bits. The content digest is therefore that of the rooms as they were
    drawn, and of the arguments; a record's environment names the bytes it was trained on.

    Raises BenchError for sizes below 16 pixels, empty splits, dials that name no target, and a missing device.
    """

    revision: ClassVar[int] = 2  # 1: the same rooms, identified by their bytes
    name: str = "rooms"
    train: int = 2048
    val: int = 128
    test: int = 1000
    shift: int = 250
    height: int = 48
    width: int = 64
    data_seed: int = 0
    label_noise: Mapping[str, float] = field(default_factory=dict)
    distractor: bool = False
    duplicate: str | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if min(self.height, self.width) < SMALLEST:
            raise BenchError(
                f"Dataset {self.name}: height and width start at {SMALLEST} pixels, got {self.height}×{self.width}."
            )
        if min(self.train, self.val, self.test, self.shift) < 1:
            raise BenchError(f"Dataset {self.name}: train, val, test and shift each need at least one image.")
        if self.device not in ("cpu", "cuda") or (self.device == "cuda" and not torch.cuda.is_available()):
            raise BenchError(f"Dataset {self.name}: there is no device {self.device!r} to render on; set device=cpu.")
        check_dials(self.name, fields(self.height, self.width), self.label_noise, self.duplicate)

    @property
    def fields(self) -> Mapping[str, Field]:
        found = fields(self.height, self.width)
        if self.duplicate is not None:
            found[self.duplicate + COPY] = found[self.duplicate]
        if self.distractor:
            found["distractor"] = extra_field(self.height, self.width)
        return found

    def pack(self, folder: Path, raw: Path, source: Path | None) -> Manifest:
        sizes = {"train": self.train, "val": self.val, "test": self.test, "test_shift": self.shift}
        drawn = hashlib.sha256(json.dumps(self.parameters, sort_keys=True).encode())
        arrays = {split: self._split(split, count, drawn.update) for split, count in sizes.items()}
        add_noise(arrays["train"], self.fields, self.label_noise, self.data_seed)
        said = f"rendered from data_seed {self.data_seed} by mtl_bench.data.rooms"
        return write_packed(folder, self.name, arrays, self.fields, said, self.parameters, drawn.hexdigest())

    def _split(self, split: str, count: int, drawn: Callable[[bytes], None]) -> dict[str, np.ndarray]:
        extra = {"distractor": distractor} if self.distractor else {}
        device = torch.device(self.device)
        arrays = render_split(self.data_seed, split, count, self.height, self.width, device, extra, drawn)
        if self.duplicate is not None:
            arrays[self.duplicate + COPY] = arrays[self.duplicate].copy()
        return arrays

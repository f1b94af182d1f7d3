"""What a run keeps of its test predictions, so that people can look at them."""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import UInt8

from mtl_bench.errors import Damaged

Kind = Literal["classes", "depth", "normal", "map"]
ABOUT = "about"  # the entry of the file that says, as JSON, what the others are


@dataclass(frozen=True)
class Dense:
    """Targets and predictions of one dense task.

    Classes are integers [samples, height, width], -1 where there is no label. Every other kind is float16 [samples,
    channels, height, width] in `unit`, NaN where there is no value; normals are in the camera's frame (x right, y down,
    z away).
    """

    kind: Kind
    unit: str
    target: np.ndarray
    prediction: np.ndarray


@dataclass(frozen=True)
class Pictures:
    """The first test samples of a run, with every dense task in dataset order."""

    image: UInt8[np.ndarray, "samples channels height width"]
    tasks: dict[str, Dense]

    def __len__(self) -> int:
        return len(self.image)

    def to_bytes(self) -> bytes:
        """A compressed `.npz` file: `image`, `about`, and `<task>.target` and `<task>.prediction` per task."""
        about = {name: {"kind": dense.kind, "unit": dense.unit} for name, dense in self.tasks.items()}
        arrays = {"image": self.image, ABOUT: np.array(json.dumps(about))}
        for name, dense in self.tasks.items():
            arrays |= {f"{name}.target": dense.target, f"{name}.prediction": dense.prediction}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # no task is called allow_pickle
        return buffer.getvalue()

    @classmethod
    def read(cls, path: Path) -> "Pictures":
        """Raises Damaged when the file cannot be read or is not what `to_bytes` writes."""
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file[ABOUT]))
                tasks = {
                    name: Dense(said["kind"], said["unit"], file[f"{name}.target"], file[f"{name}.prediction"])
                    for name, said in about.items()
                }
                pictures = cls(file["image"], tasks)
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
            raise Damaged(f"{path} is damaged ({error}); delete it.") from error
        if unknown := {dense.kind for dense in tasks.values()} - set(get_args(Kind)):
            raise Damaged(f"{path} has a task of the unknown kind {min(unknown)!r}; use the version that wrote it.")
        return pictures

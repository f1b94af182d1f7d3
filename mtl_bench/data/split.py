"""Batches of a packed dataset: indexed and decoded on the device, a whole batch at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from mtl_bench.data.packed import Packed
from mtl_bench.data.residency import Residency, open_store, send
from mtl_bench.errors import BenchError

DECODERS: dict[str, Callable[[Tensor], Tensor]] = {
    "uint8/255": lambda stored: stored.float().div_(255),
    "class": lambda stored: stored.long(),
    "float": lambda stored: stored.float(),
}
Normalisation = tuple[Sequence[float], Sequence[float]]  # mean and standard deviation per channel, of values in [0, 1]


@dataclass
class Batch:
    """Decoded images and targets on the device; which labels exist is known on the host (None: all)."""

    image: Float[Tensor, "batch channels height width"]
    targets: dict[str, Tensor]
    labelled: Bool[np.ndarray, "batch tasks"] | None

    @property
    def size(self) -> int:
        return len(self.image)

    def part(self, index: Int64[np.ndarray, "part"]) -> "Batch":
        """The samples at `index`, positions within this batch."""
        here = send(torch.from_numpy(index), self.image.device)
        return Batch(
            self.image.index_select(0, here),
            {task: target.index_select(0, here) for task, target in self.targets.items()},
            None if self.labelled is None else self.labelled[index],
        )


class Split:
    """One or several splits of a packed dataset, end to end.

    `tasks` names the target fields to serve; `normalise` is (mean, std) per channel and acts after decoding to [0, 1].
    `labelled` [size, tasks] says which samples carry which label (None: every sample every one). A sample with a dense
    target is labelled when any of its elements is.

    Raises BenchError for an unknown split, task, encoding or residency, and for statistics that do not fit the image.
    """

    def __init__(
        self,
        packed: Packed,
        parts: Sequence[str],
        tasks: Sequence[str],
        device: torch.device | str,
        normalise: Normalisation | None = None,
        residency: Residency = "auto",
    ) -> None:
        _check_tasks(packed, tasks)
        self.tasks = tuple(tasks)
        self.device = torch.device(device)
        self.decoders = {field: _decoder(packed, field) for field in ("image", *tasks)}
        opened = [packed.arrays(part) for part in parts]
        columns = {field: [arrays[field] for arrays in opened] for field in self.decoders}
        self.size = sum(packed.manifest.splits[part] for part in parts)
        self.labelled = _label_table([columns[task] for task in tasks])
        self.normalise = _statistics(normalise, packed.manifest.fields["image"].shape[0], self.device)
        self.store = open_store(columns, self.device, residency)

    def batch(self, index: Int64[Tensor, "batch"]) -> Batch:
        """The samples at `index` (host tensor). Nothing in here waits for the device."""
        rows = self.store.rows(index)
        decoded = {field: decode(rows[field]) for field, decode in self.decoders.items()}
        image = decoded.pop("image")
        if self.normalise is not None:
            mean, std = self.normalise
            image.sub_(mean).div_(std)
        return Batch(image, decoded, None if self.labelled is None else self.labelled[index.numpy()])

    def prefetch(self, index: Int64[Tensor, "batch"]) -> None:
        """Announces the index of the next `batch`, right after taking the one before it."""
        self.store.prefetch(index)


def _check_tasks(packed: Packed, tasks: Sequence[str]) -> None:
    known = packed.manifest.targets
    if unknown := [task for task in tasks if task not in known]:
        raise BenchError(
            f"Dataset {packed.manifest.name} has no target `{unknown[0]}`; choose among {', '.join(known)}."
        )


def _decoder(packed: Packed, field: str) -> Callable[[Tensor], Tensor]:
    encoding = packed.manifest.fields[field].encoding
    if encoding not in DECODERS:
        raise BenchError(f"Field `{field}` has the unknown encoding `{encoding}`; choose among {', '.join(DECODERS)}.")
    return DECODERS[encoding]


def _statistics(normalise: Normalisation | None, channels: int, device: torch.device) -> tuple[Tensor, Tensor] | None:
    if normalise is None:
        return None
    if any(len(values) != channels for values in normalise):
        raise BenchError(f"Input normalisation needs {channels} means and {channels} stds, got {normalise}.")
    mean, std = (torch.tensor(list(values)).view(-1, 1, 1).to(device) for values in normalise)
    return mean, std


def _label_table(targets: Sequence[Sequence[np.ndarray]]) -> Bool[np.ndarray, "size tasks"] | None:
    table = np.stack([np.concatenate([_labelled(array) for array in arrays]) for arrays in targets], axis=1)
    return None if table.all() else table


def _labelled(array: np.ndarray) -> Bool[np.ndarray, "size"]:
    known = ~np.isnan(array) if array.dtype.kind == "f" else array >= 0
    return np.any(known.reshape(len(array), -1), axis=1)

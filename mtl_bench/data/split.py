"""Batches of a packed dataset: indexed and decoded on the device, a whole batch at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from mtl_bench.data.encoding import Numbers, write
from mtl_bench.data.fields import Field
from mtl_bench.data.label_facts import label_facts
from mtl_bench.data.packed import Packed
from mtl_bench.data.residency import Residency, open_store, send, widened
from mtl_bench.errors import BenchError

Decoder = Callable[[Tensor], Tensor]  # stored to decoded values
Decoders = Mapping[str, Decoder]
Normalisation = tuple[Sequence[float], Sequence[float]]  # mean and standard deviation per channel, of values in [0, 1]


@dataclass
class Batch:
    """Decoded images and targets on the device; which labels exist is known on the host (None: all)."""

    image: Float[Tensor, "batch channels height width"]
    targets: dict[str, Tensor]
    labelled: Bool[np.ndarray, "batch tasks"] | None
    asked: bool = False  # whether `labelled` is what the tasks say of these very targets, augmented as they are

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
            self.asked,
        )


Augment = Callable[[Batch, Decoders], Batch]  # from a batch as stored to one decoded and augmented


class Split:
    """One or several splits of a packed dataset, end to end.

    `tasks` names the target fields to serve; `normalise` is (mean, std) per channel and acts after decoding to [0, 1].
    `labelled` [size, tasks] says which samples carry which label (None: every sample every one). A sample with a dense
    target is labelled when any of its elements is.

    Raises BenchError for an unknown split, task or residency, for stored labels that their encoding does not know, for
    an image that no augmentation could interpolate, and for statistics that do not fit it.
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
        fields = packed.manifest.fields
        _check_image(fields["image"])
        self.decoders = {field: decoder(fields[field]) for field in ("image", *tasks)}
        opened = [packed.arrays(part) for part in parts]
        columns = {field: [arrays[field] for arrays in opened] for field in self.decoders}
        self.size = sum(packed.manifest.splits[part] for part in parts)
        self.labelled = _label_table(packed, parts, tasks)
        self.normalise = _statistics(normalise, fields["image"].shape[0], self.device)
        self.store = open_store(columns, self.device, residency)

    def batch(self, index: Int64[Tensor, "batch"], augment: Augment | None = None) -> Batch:
        """The samples at `index` (host tensor), augmented before they are normalised. Nothing waits for the device."""
        rows = self.store.rows(index)
        batch = Batch(rows.pop("image"), rows, None if self.labelled is None else self.labelled[index.numpy()])
        batch = decoded(batch, self.decoders) if augment is None else augment(batch, self.decoders)
        if self.normalise is not None:
            mean, std = self.normalise
            batch.image.sub_(mean).div_(std)
        return batch

    def prefetch(self, index: Int64[Tensor, "batch"]) -> None:
        """Announces the index of the next `batch`, right after taking the one before it."""
        self.store.prefetch(index)


def decoded(stored: Batch, decoders: Decoders) -> Batch:
    targets = {task: decoders[task](target) for task, target in stored.targets.items()}
    return replace(stored, image=decoders["image"](stored.image), targets=targets)


def _check_tasks(packed: Packed, tasks: Sequence[str]) -> None:
    known = packed.manifest.targets
    if unknown := [task for task in tasks if task not in known]:
        raise BenchError(
            f"Dataset {packed.manifest.name} has no target `{unknown[0]}`; choose among {', '.join(known)}."
        )


def _check_image(field: Field) -> None:
    """Augmentations interpolate images before they are decoded: only what is linear and whole survives that."""
    if not isinstance(field.encoding, Numbers) or field.encoding.invalid is not None or field.dtype == "uint16":
        raise BenchError(
            f"Images are stored as bytes or floats without invalid pixels, got {field.dtype} read by "
            f"{write(field.encoding)!r}; pack them so."
        )


def decoder(field: Field) -> Decoder:
    """From what a store serves."""
    decode = field.encoding.decode
    return (lambda stored: decode(widened(stored))) if field.dtype == "uint16" else decode


def _statistics(normalise: Normalisation | None, channels: int, device: torch.device) -> tuple[Tensor, Tensor] | None:
    if normalise is None:
        return None
    if any(len(values) != channels for values in normalise):
        raise BenchError(f"Input normalisation needs {channels} means and {channels} stds, got {normalise}.")
    mean, std = (torch.tensor(list(values)).view(-1, 1, 1).to(device) for values in normalise)
    return mean, std


def _label_table(packed: Packed, parts: Sequence[str], tasks: Sequence[str]) -> Bool[np.ndarray, "size tasks"] | None:
    columns = [np.concatenate([label_facts(packed, part, task).labelled for part in parts]) for task in tasks]
    table = np.stack(columns, axis=1)
    return None if table.all() else table

"""The contract of an augmentation."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch

from mtl_bench.data.augmentation.view import View, resample
from mtl_bench.data.packed import Field
from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError

Fields = Mapping[str, Field]  # `image` and the targets of a run


class Augmentation(ABC):
    """A random change of a batch of decoded, not yet normalised samples; images are in [0, 1].

    It draws from `generator` alone, which lies on the batch's device, as many numbers whatever the targets; it reads
    nothing back from the device and leaves the tensors it was given as they are. `batch.labelled` stays: it says which
    samples are labelled in the data, and the pixels that show it may have left the picture.
    """

    revision: ClassVar[int] = 1

    def check(self, fields: Fields) -> None:  # noqa: B027  (most serve every dataset)
        """Raises BenchError when these fields cannot be served."""

    @abstractmethod
    def __call__(self, batch: Batch, fields: Fields, generator: torch.Generator) -> Batch: ...


class Geometric(Augmentation):
    """An augmentation that moves pixels. Neighbouring ones in a chain sample the batch once, together.

    `keeps_labels` says that a label of the whole image (a field of kind "") is still true afterwards, which nobody can
    know but its owner: a mirrored room is a room, a mirrored 2 is no 2.

    Raises BenchError for labels of the whole image without `keeps_labels`, and for targets that cannot be moved.
    """

    def __init__(self, keeps_labels: bool = False) -> None:
        self.keeps_labels = keeps_labels

    @abstractmethod
    def view(self, view: View, generator: torch.Generator) -> View:
        """What is seen when `view` is looked at through this augmentation."""

    def __call__(self, batch: Batch, fields: Fields, generator: torch.Generator) -> Batch:
        return resample(batch, self.view(View.whole(batch.image), generator), fields)

    def check(self, fields: Fields) -> None:
        name, size = type(self).__name__, fields["image"].shape[1:]
        for target, field in fields.items():
            sized = field.shape[-2:] == size
            if target == "image" or (field.kind and sized):
                continue
            if field.kind:
                raise BenchError(
                    f"{name} cannot move `{target}`, whose shape {field.shape} does not end with the image's {size}; "
                    "pack it at the image's size or leave the augmentation out."
                )
            if sized:
                raise BenchError(
                    f"{name} would move the image but not `{target}`, which is of its size; give the field a kind "
                    "(map, depth or normal)."
                )
            if not self.keeps_labels:
                raise BenchError(
                    f"{name} moves pixels, and `{target}` is a label of the whole image that may not survive it; set "
                    "keeps_labels: true where it does, else leave the augmentation out."
                )

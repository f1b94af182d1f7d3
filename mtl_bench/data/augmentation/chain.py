"""The augmentations of a protocol, in their order, each batch with random numbers of its own."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial, reduce

import torch

from mtl_bench.data.augmentation.base import Augmentation, Geometric
from mtl_bench.data.augmentation.view import View, resample
from mtl_bench.data.packed import Field
from mtl_bench.data.split import Augment, Batch, Decoders, decoded
from mtl_bench.streams import stream_seed


class Chain:
    """Augmentations of one run, one after another; neighbouring ones that move pixels sample the batch once.

    Every batch draws from a generator seeded by (seed, epoch, position): a resumed run needs no state of it, and two
    methods of one seed see the same pictures, whatever else they draw. Another kind of device draws other numbers.

    Raises BenchError for fields that an augmentation cannot serve.
    """

    def __init__(
        self,
        augmentations: Sequence[Augmentation],
        fields: Mapping[str, Field],
        seed: int,
        device: torch.device | str,
    ) -> None:
        for augmentation in augmentations:
            augmentation.check(fields)
        self.stages, self.fields, self.seed = tuple(_stages(augmentations)), fields, seed
        self.generator = torch.Generator(device)

    def at(self, epoch: int, position: int) -> Augment | None:
        """What augments the batch at `position` of `epoch`; None: nothing does."""
        return partial(self._augment, epoch, position) if self.stages else None

    def _augment(self, epoch: int, position: int, batch: Batch, decoders: Decoders) -> Batch:
        self.generator.manual_seed(stream_seed("augmentation", self.seed, epoch, position))
        first, *rest = self.stages
        if isinstance(first, Geometric):
            view = first.view(View.whole(batch.image), self.generator)
            batch = resample(batch, view, self.fields, decoders)
        else:
            batch = first(decoded(batch, decoders), self.fields, self.generator)
        return reduce(lambda batch, stage: stage(batch, self.fields, self.generator), rest, batch)


class _Together(Geometric):
    def __init__(self, parts: Sequence[Geometric]) -> None:
        super().__init__()
        self.parts = parts

    def view(self, view: View, generator: torch.Generator) -> View:
        return reduce(lambda view, part: part.view(view, generator), self.parts, view)


def _stages(augmentations: Sequence[Augmentation]) -> Iterator[Augmentation]:
    run: list[Geometric] = []
    for augmentation in augmentations:
        if isinstance(augmentation, Geometric):
            run.append(augmentation)
            continue
        if run:
            yield _Together(run)
            run = []
        yield augmentation
    if run:
        yield _Together(run)

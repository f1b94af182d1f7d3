"""Buffers that forwards move beside the statistics of BatchNorms."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn


class OtherBuffers:
    """Lets each move in the first pass of a batch that moves it (an EMA, an InstanceNorm's statistics, the vectors of
    spectral_norm), and never again: in later passes a copy stands in its place.

    A copy during the forward, not a value put back after it: autograd may hold what the forward has read. Moved is what
    was written into or put in its place; what never moves is never copied.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._places = [(module, name) for module in modules for name, _ in module._buffers.items()]
        self.moved = [False] * len(self._places)  # in this batch
        self._before: list[tuple[Tensor | None, int]] = []  # as the pass found them, with their versions
        self._originals: dict[int, Tensor | None] = {}  # by place

    @contextmanager
    def forward(self) -> Iterator[None]:
        """Around all passes of a forward; the buffers themselves are in their places afterwards."""
        self._lend([place for place, moved in enumerate(self.moved) if moved])
        self._before = [self._state(place) for place in range(len(self._places))]
        try:
            yield
        finally:
            self._note()
            for place, original in self._originals.items():
                self._put(place, original)
            self._before, self._originals = [], {}

    def end_pass(self) -> None:
        """Between two passes of a forward."""
        self._lend(self._note())

    def _note(self) -> list[int]:
        """What this pass was the first to move."""
        new = []
        for place, (buffer, version) in enumerate(self._before):
            now, its_version = self._state(place)
            if not self.moved[place] and (now is not buffer or its_version != version):
                self.moved[place] = True
                new.append(place)
        return new

    def _lend(self, places: Sequence[int]) -> None:
        copies: dict[int, Tensor] = {}  # one for a buffer in two places
        for place in places:
            buffer, _ = self._state(place)
            self._originals[place] = buffer
            if buffer is not None:
                self._put(place, copies.setdefault(id(buffer), buffer.clone()))

    def _state(self, place: int) -> tuple[Tensor | None, int]:
        module, name = self._places[place]
        buffer = getattr(module, name, None)
        return buffer, 0 if buffer is None else buffer._version

    def _put(self, place: int, buffer: Tensor | None) -> None:
        module, name = self._places[place]
        setattr(module, name, buffer)

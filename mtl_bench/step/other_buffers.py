"""Buffers that forwards move beside the statistics of BatchNorms."""

from collections.abc import Iterable, Sequence

from torch import Tensor, nn


class OtherBuffers:
    """Lets each move in the first pass of a batch that moves it (an EMA, an InstanceNorm's statistics, the vectors of
    spectral_norm), and never again: in later passes a copy stands in its place.

    A copy during the forward, not a value put back after it: autograd may hold what the forward has read. Moved is what
    was written into or put in its place; what never moves is never copied.
    """

    def __init__(self, modules: Iterable[nn.Module]) -> None:
        self._places = [(module._buffers, name) for module in modules for name, _ in module._buffers.items()]
        self.moved = [False] * len(self._places)  # in this batch
        self._before: list[tuple[Tensor | None, int]] = []  # as the pass found them, with their versions
        self._originals: dict[int, Tensor | None] = {}  # by place

    def begin_forward(self) -> None:
        self._lend([place for place, moved in enumerate(self.moved) if moved])
        self._before = self._state()

    def end_pass(self) -> None:
        """Between two passes of a forward."""
        self._lend(self._note())

    def end_forward(self) -> None:
        """The buffers themselves are in their places again."""
        self._note()
        for place, original in self._originals.items():
            self._put(place, original)
        self._before, self._originals = [], {}

    def _note(self) -> list[int]:
        """What this pass was the first to move."""
        if not self._before:
            return []
        new = [
            place
            for place, ((old, before), (now, after)) in enumerate(zip(self._before, self._state(), strict=True))
            if (old is not now or before != after) and not self.moved[place]
        ]
        for place in new:
            self.moved[place] = True
        return new

    def _lend(self, places: Sequence[int]) -> None:
        copies: dict[int, Tensor] = {}  # one for a buffer in two places
        for place in places:
            buffers, name = self._places[place]
            buffer = buffers[name]
            self._originals[place] = buffer
            if buffer is not None:
                self._put(place, copies.setdefault(id(buffer), buffer.clone()))

    def _state(self) -> list[tuple[Tensor | None, int]]:
        """Of every place what is there, and its version."""
        found = [buffers[name] for buffers, name in self._places]
        return [(buffer, 0 if buffer is None else buffer._version) for buffer in found]

    def _put(self, place: int, buffer: Tensor | None) -> None:
        buffers, name = self._places[place]
        buffers[name] = buffer

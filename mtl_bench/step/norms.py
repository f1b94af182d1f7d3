"""When norm layers update their running statistics."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

from mtl_bench.step.other_buffers import OtherBuffers


class NormSwitch:
    """Lets every norm layer update its running statistics in its own first pass of a batch, and never again.

    A pass is a forward, or the path of one task; all uses of a layer in it count, as in plain PyTorch. The rule holds
    per layer, not per call: with a norm per task and one task per forward, a rule per call would leave
    the layers of tasks 2..K at their initial variance, silently. Turning `track_running_stats` off in training mode
    normalises by the batch as before and leaves the buffers exactly alone. Instance norms are not switched: there
    the flag means something else, and they would evaluate with batch statistics; theirs are among the `OtherBuffers`.
    Only between `new_batch` and `end_batch`: whoever trains or looks at the model next finds it as it was.
    """

    def __init__(self, model: nn.Module, every_forward: bool) -> None:
        modules = [] if every_forward else list(model.modules())
        self.norms = [layer for layer in modules if isinstance(layer, _BatchNorm)]
        self.others = OtherBuffers(module for module in modules if not isinstance(module, _BatchNorm))
        self.layers: list[_BatchNorm] = []  # that are switched in this batch: those which track
        self._used: list[nn.Module] = []  # in this pass
        self._in_batch = False  # torch.compile notices a flag that changes, and not a hook that comes and goes
        self._hooks: list[RemovableHandle] = [layer.register_forward_hook(self._use) for layer in self.norms]

    def new_batch(self) -> None:
        """Of a whole batch, or of each of its parts."""
        if not self._in_batch:
            self.layers = [layer for layer in self.norms if layer.track_running_stats]
            self._in_batch = True
        self._switch_on()

    def end_batch(self) -> None:
        self._switch_on()
        self.layers, self._in_batch = [], False

    @contextmanager
    def forward(self) -> Iterator[None]:
        """Around a forward of the batch."""
        self.others.begin_forward()
        try:
            yield
        finally:
            self._switch_off()
            self.others.end_forward()

    def end_pass(self) -> None:
        """Between the paths of two tasks in a forward."""
        self._switch_off()
        self.others.end_pass()

    def remove(self) -> None:
        """The hooks."""
        for hook in self._hooks:
            hook.remove()

    def flags(self) -> list[bool]:
        return [*(layer.track_running_stats for layer in self.norms), *self.others.moved]

    def restore(self, flags: list[bool]) -> None:
        for layer, flag in zip(self.norms, flags, strict=False):
            layer.track_running_stats = flag
        self.others.moved = flags[len(self.norms) :]

    def _switch_on(self) -> None:
        for layer in self.layers:
            if not layer.track_running_stats:  # a module takes far longer to set than to read
                layer.track_running_stats = True
        self._used.clear()
        self.others.moved = [False] * len(self.others.moved)

    def _switch_off(self) -> None:
        for layer in self._used:
            layer.track_running_stats = False  # type: ignore[assignment]
        self._used.clear()

    def _use(self, layer: nn.Module, args: object, output: object) -> None:
        if self._in_batch and layer.training:
            self._used.append(layer)

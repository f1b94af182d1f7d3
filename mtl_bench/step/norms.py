"""When norm layers update their running statistics."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle


class NormSwitch:
    """Lets every norm layer update its running statistics at its own first forward of a batch, and never again.

    The rule holds per layer, not per call: with a norm per task and one task per forward, a rule per call would leave
    the layers of tasks 2..K at their initial variance, silently. Turning `track_running_stats` off in training mode
    normalises by the batch as before and leaves the buffers exactly alone. Instance norms are not switched: there
    the flag means something else, and they would evaluate with batch statistics. Only between `new_batch` and
    `end_batch`: whoever trains or looks at the model next finds it as it was.
    """

    def __init__(self, model: nn.Module, every_forward: bool) -> None:
        norms = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
        self.norms = [] if every_forward else norms
        self.layers: list[_BatchNorm] = []  # that are switched in this batch: those which track
        self._in_batch = False  # torch.compile notices a flag that changes, and not a hook that comes and goes
        self._hooks: list[RemovableHandle] = [layer.register_forward_hook(self._switch_off) for layer in self.norms]

    def new_batch(self) -> None:
        """Of a whole batch, or of each of its parts."""
        if not self._in_batch:
            self.layers = [layer for layer in self.norms if layer.track_running_stats]
            self._in_batch = True
        self._switch_on()

    def end_batch(self) -> None:
        self._switch_on()
        self.layers, self._in_batch = [], False

    def remove(self) -> None:
        """The hooks."""
        for hook in self._hooks:
            hook.remove()

    def flags(self) -> list[bool]:
        return [layer.track_running_stats for layer in self.norms]

    def restore(self, flags: list[bool]) -> None:
        for layer, flag in zip(self.norms, flags, strict=True):
            layer.track_running_stats = flag

    def _switch_on(self) -> None:
        for layer in self.layers:
            layer.track_running_stats = True

    def _switch_off(self, layer: nn.Module, args: object, output: object) -> None:
        if self._in_batch and layer.training:
            layer.track_running_stats = False  # type: ignore[assignment]

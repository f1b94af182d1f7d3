"""When norm layers update their running statistics."""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle


class NormSwitch:
    """Lets every norm layer update its running statistics at its own first forward of a batch, and never again.

    The rule holds per layer, not per call: with a norm per task and one task per forward, a rule per call would leave
    the layers of tasks 2..K at their initial variance, silently. Turning `track_running_stats` off in training mode
    normalises by the batch as before and leaves the buffers exactly alone. Instance norms are not switched: there
    the flag means something else, and they would evaluate with batch statistics.
    """

    def __init__(self, model: nn.Module, every_forward: bool) -> None:
        norms = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
        self.layers = [layer for layer in norms if layer.track_running_stats]
        if not every_forward:
            self._hooks: list[RemovableHandle] = [layer.register_forward_hook(_switch_off) for layer in self.layers]

    def new_batch(self) -> None:
        for layer in self.layers:
            layer.track_running_stats = True

    def flags(self) -> list[bool]:
        return [layer.track_running_stats for layer in self.layers]

    def restore(self, flags: list[bool]) -> None:
        for layer, flag in zip(self.layers, flags, strict=True):
            layer.track_running_stats = flag


def _switch_off(layer: nn.Module, args: object, output: object) -> None:
    if layer.training:
        layer.track_running_stats = False  # type: ignore[assignment]

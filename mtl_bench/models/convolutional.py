"""Models of one encoder, with norms shared or per task."""

from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.errors import BenchError
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.models.task_copies import choose_task
from mtl_bench.models.task_norm import with_task_norms


class EncoderModel(MultiTaskModel):
    """What `encoder` gives is shared: one tensor, or a list.

    With `task_norm` every norm of the encoder becomes one per task (`with_task_norms`): features then depend on the
    task from the first norm on, and K tasks take K forwards. Other layers are named, and start, as without.
    Raises `BenchError` when `encode` is asked for no task although it depends on one.
    """

    encoder: nn.Module

    def __init__(self, encoder: nn.Module, heads: nn.ModuleDict, task_norm: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = heads
        self.per_task_path = task_norm
        if task_norm:
            with_task_norms(encoder, self.tasks)

    def encode(
        self, image: Float[Tensor, "batch channels height width"], task: int | None = None
    ) -> list[Float[Tensor, "batch ..."]]:
        self.choose(task)
        found = self.encoder(image)
        return found if isinstance(found, list) else [found]

    def choose(self, task: int | None) -> None:
        """Every forward is one of `task` from here on, where that matters."""
        if self.per_task_path:
            if task is None:
                raise BenchError("This model has a path per task: `encode` needs the task that the features are for.")
            choose_task(self.encoder, self.tasks[task])


class ConvolutionalModel(EncoderModel):
    """An `EncoderModel` whose convolutions start as those of torchvision's ResNets."""

    def reset_module(self, module: nn.Module) -> None:
        """Kaiming normal with fan-out for convolutions (He et al., ICCV 2015), as torchvision's ResNets; subclasses of
        torch's convolution draw as they say.
        """
        if type(module) is nn.Conv2d:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        else:
            super().reset_module(module)


def check_widths(argument: str, *widths: int | None) -> None:
    """Raises `BenchError` for a layer without channels or features, behind which predictions are constant."""
    if empty := [width for width in widths if width is not None and width < 1]:
        raise BenchError(f"`model.{argument}` counts channels or features: give at least 1, got {empty[0]}.")


def check_size(model: str, input_shape: tuple[int, int, int], least: int) -> None:
    """Raises `BenchError` for an image with a side below `least` pixels."""
    if min(input_shape[1:]) < least:
        raise BenchError(
            f"{model} needs images of at least {least}×{least} pixels here and one side has {min(input_shape[1:])}: "
            "use larger images or a smaller output stride."
        )

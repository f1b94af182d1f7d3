"""SegNet as the dense multi-task literature shares it."""

from collections.abc import Mapping
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from mtl_bench.errors import BenchError
from mtl_bench.models.convolutional import ConvolutionalModel, check_size
from mtl_bench.models.heads import build_heads

MULTIPLES = (1, 2, 4, 8, 8)  # of the width, per stage
CONVOLUTIONS = (2, 2, 3, 3, 3)


class XavierModel(ConvolutionalModel):
    """An `EncoderModel` whose convolutions start as MTAN's release draws them."""

    def reset_module(self, module: nn.Module) -> None:
        super().reset_module(module)
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight)


class SegNet(XavierModel):
    """VGG-like encoder and mirrored decoder, both shared; two convolutions per task (Liu et al., CVPR 2019).

    The "split" baseline of MTAN's release, `im2im_pred/model_segnet_split.py`: (3×3 convolution, norm, ReLU) layers,
    five 2×2 max-poolings whose indices place the values again on the way up (Badrinarayanan et al., TPAMI 2017), head
    3×3 then 1×1 convolution without anything between. `width` is the channels of the first stage; the shared tensor is
    `[batch, width, height, width of the image]`. Xavier normal weights, biases 0, as released.

    Deviations: convolutions before a norm have no bias (its gradient would be 0), unless `biases` asks for them: only
    with them are the parameters of segmentation, depth and normals the 25.1 million (25,055,185) that papers print, and
    25.0 without. Softmax and unit length of normals belong to the tasks.
    Raises `BenchError` for images below 32×32 and a width below 1.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        width: int = 64,
        task_norm: bool = False,
        biases: bool = False,
    ) -> None:
        check_segnet("SegNet", input_shape, width)
        heads = build_heads(outputs, lambda n: prediction(width, n))
        super().__init__(SegNetTrunk(input_shape[0], width, biases), heads, task_norm)


class SegNetTrunk(nn.Module):
    """Encoder and decoder; any size from 32×32, since unpooling goes back to the size before pooling."""

    def __init__(self, channels: int, width: int, biases: bool = False) -> None:
        super().__init__()
        widths = [width * multiple for multiple in MULTIPLES]
        down = zip([channels, *widths], widths, CONVOLUTIONS, strict=False)
        up = zip(widths, [widths[0], *widths], CONVOLUTIONS, strict=False)
        self.down = nn.ModuleList(segnet_stage(*sizes, biases) for sizes in down)
        self.up = nn.ModuleList(segnet_stage(*sizes, biases) for sizes in reversed(list(up)))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features height width"]:
        poolings = []
        for stage in self.down:
            full = stage(x)
            x, indices = max_pool2d(full, 2, return_indices=True)
            poolings.append((indices, full.shape))
        for stage in self.up:
            x = stage(unpool(x, *poolings.pop()))
        return x


def unpool(
    x: Float[Tensor, "batch channels h w"], indices: Int[Tensor, "batch channels h w"], shape: torch.Size
) -> Float[Tensor, "batch channels height width"]:
    """`max_unpool2d`, by a scatter because that one has no deterministic form on a GPU."""
    flat = x.new_zeros(*shape[:2], shape[2] * shape[3])
    return flat.scatter(2, indices.flatten(2), x.flatten(2)).view(shape)


def segnet_stage(inputs: int, outputs: int, convolutions: int, biases: bool = False) -> nn.Sequential:
    """So many times 3×3 convolution, norm and ReLU."""
    layers: list[nn.Module] = []
    for before, after in pairwise([inputs, *[outputs] * convolutions]):
        layers += [nn.Conv2d(before, after, 3, padding=1, bias=biases), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)


def prediction(width: int, outputs: int) -> nn.Sequential:
    """The released head: 3×3 then 1×1 convolution."""
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, outputs, 1))


def check_segnet(model: str, input_shape: tuple[int, int, int], width: int) -> None:
    if width < 1:
        raise BenchError(f"`model.width` is the channels of the first stage and cannot be {width}: 64 is released.")
    check_size(model, input_shape, 2 ** len(MULTIPLES))

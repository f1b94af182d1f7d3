"""Images of any size for encoders that halve exactly."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from mtl_bench.models.dense_head import enlarge


def next_multiple(size: Sequence[int], stride: int) -> tuple[int, int]:
    """The smallest height and width that hold `size` and are multiples of `stride`."""
    height, width = (-(-side // stride) * stride for side in size)
    return height, width


def padded(image: Float[Tensor, "batch channels height width"], stride: int) -> Float[Tensor, "batch channels H W"]:
    """Zeros on the right and below, up to the next multiple of `stride`."""
    height, width = next_multiple(image.shape[2:], stride)
    return pad(image, (0, width - image.shape[3], 0, height - image.shape[2]))


def enlarge_and_crop(
    maps: Float[Tensor, "batch n h w"], size: tuple[int, int], stride: int
) -> Float[Tensor, "batch n height width"]:
    """Maps of a padded image, enlarged bilinearly, without what was padded."""
    return enlarge(maps, next_multiple(size, stride))[..., : size[0], : size[1]]

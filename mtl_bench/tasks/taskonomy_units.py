"""Units of heads in sel-update-mtl that need more than a shift and a scale."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.errors import BenchError
from mtl_bench.tasks.encodings import Affine, Log

TRUNCATE = 4  # standard deviations, SciPy's default


class StoredLog(Log):
    """`Log` of stored whole numbers, `steps` of them per unit: log(1 + steps·x) / log(1 + top).

    Taskonomy's depth in sel-update-mtl: 512 steps per metre, top 65535.

    Raises what `Log` raises, and BenchError for steps that are not above 0.
    """

    def __init__(self, top: float, steps: float) -> None:
        super().__init__(top)
        if not steps > 0:
            raise BenchError(f"The steps of a log encoding are above 0, got {steps}.")
        self.steps = steps

    def encode(self, target: Float[Tensor, "batch channels height width"]) -> Tensor:
        return super().encode(target * self.steps)

    def decode(self, output: Float[Tensor, "batch channels height width"]) -> Tensor:
        return super().decode(output) / self.steps


class BlurredAffine(Affine):
    """`Affine` of a target blurred by a Gaussian of `sigma` pixels, as sel-update-mtl blurs occlusion edges.

    SciPy's `gaussian_filter`: cut at 4 sigma, mirrored at the borders. NaN spreads 0 and stays NaN. Nothing undoes the
    blur, so that metrics in the target's units compare a blurred prediction with a sharp target.

    Raises what `Affine` raises, and BenchError for a sigma that is not above 0.
    """

    def __init__(
        self,
        sigma: float,
        shift: float | list[float] = 0.0,
        scale: float | list[float] = 1.0,
        clip: list[float] | None = None,
    ) -> None:
        super().__init__(shift, scale, clip)
        if not sigma > 0:
            raise BenchError(f"The sigma of a blur is above 0, got {sigma}.")
        self.sigma = sigma

    def encode(self, target: Float[Tensor, "batch channels height width"]) -> Tensor:
        missing = target.isnan()
        blurred = gaussian(target.masked_fill(missing, 0.0), self.sigma)
        return super().encode(blurred).masked_fill(missing, torch.nan)


def gaussian(
    maps: Float[Tensor, "batch channels height width"], sigma: float
) -> Float[Tensor, "batch channels height width"]:
    """Rows, then columns, of maps of at least as many pixels as the kernel reaches."""
    kernel = _kernel(sigma, maps.dtype, maps.device)
    reach, (height, width) = len(kernel) // 2, maps.shape[2:]
    flat = maps.reshape(-1, 1, height, width)
    down = F.conv2d(flat[:, :, _mirrored(height, reach, maps.device)], kernel.view(1, 1, -1, 1))
    return F.conv2d(down[..., _mirrored(width, reach, maps.device)], kernel.view(1, 1, 1, -1)).view(maps.shape)


@lru_cache
def _kernel(sigma: float, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "taps"]:
    reach = int(TRUNCATE * sigma + 0.5)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / sigma) ** 2)
    return (weights / weights.sum()).to(device, dtype)


@lru_cache
def _mirrored(size: int, reach: int, device: torch.device) -> Tensor:
    """Positions from -reach to size + reach, … 1 0 | 0 1 … 1 0 | 0 1 …, the border itself repeated."""
    around = torch.arange(-reach, size + reach) % (2 * size)
    return torch.minimum(around, 2 * size - 1 - around).to(device)

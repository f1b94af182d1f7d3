"""Separable convolutions and the residual blocks that are made of them."""

from jaxtyping import Float
from torch import Tensor, nn


def separable(inputs: int, outputs: int) -> list[nn.Module]:
    """A 3×3 convolution per channel, a 1×1 convolution over channels, norm (Chollet, CVPR 2017, §2)."""
    return [
        nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class XceptionBlock(nn.Module):
    """ReLU and separable convolution, so many times, max-pool where it strides; beside it an identity, or a 1×1
    convolution with norm where shapes change (Chollet, CVPR 2017, Fig. 5).
    """

    def __init__(self, inputs: int, outputs: int, stride: int, convolutions: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number in range(convolutions):
            layers += [nn.ReLU(), *separable(outputs if number else inputs, outputs)]
        if stride > 1:
            layers.append(nn.MaxPool2d(3, stride, 1))
        self.residual = nn.Sequential(*layers)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Float[Tensor, "batch inputs h w"]) -> Float[Tensor, "batch outputs H W"]:
        found: Tensor = self.residual(x) + self.shortcut(x)
        return found

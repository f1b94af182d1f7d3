"""The small residual network of the CelebA experiments on task grouping."""

from collections.abc import Mapping

from torch import nn

from mtl_bench.models.convolutional import EncoderModel, check_size, check_widths
from mtl_bench.models.heads import build_heads
from mtl_bench.models.resnet_encoder import BasicBlock


class ShallowResNet(EncoderModel):
    """A 3×3 convolution, one residual block and two poolings, one linear head per task on all positions.

    As released by Fifty et al. (NeurIPS 2021), who call it ResNet18: convolution with BatchNorm and ReLU, 3×3 max-pool
    of stride 2 without padding, a basic block, all of `width` channels, 2×2 mean-pool; 64×64 pixels give 64 × 15 × 15
    features. Weights of convolutions and heads are Glorot uniform and biases 0, as Keras draws them, and norms follow
    Keras too (ε 0.001, momentum 0.99). `task_norm` gives every task norms of its own.

    Raises `BenchError` for an image that vanishes in the poolings, and a width below 1.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        width: int = 64,
        task_norm: bool = False,
    ) -> None:
        check_size("This network", input_shape, 5)
        check_widths("width", width)
        encoder = nn.Sequential(
            nn.Conv2d(input_shape[0], width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            BasicBlock(width, width, 1, 1, 1),
            nn.AvgPool2d(2),
            nn.Flatten(),
        )
        for module in encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps, module.momentum = 1e-3, 0.01  # torch's momentum is the share of what is new
        rows, columns = (((side - 3) // 2 + 1) // 2 for side in input_shape[1:])
        features = width * rows * columns
        super().__init__(encoder, build_heads(outputs, lambda n: nn.Linear(features, n)), task_norm)

    def reset_module(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        else:
            super().reset_module(module)

"""ResNet-18 with linear heads."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from mtl_bench.models.convolutional import ConvolutionalModel, check_widths
from mtl_bench.models.heads import build_heads
from mtl_bench.models.resnet_encoder import ResNetEncoder, Stem


class ResNet18(ConvolutionalModel):
    """ResNet-18 up to the global pooling, and one linear head per task (He et al., CVPR 2016).

    The shared representation is `[batch, 512]`. `stem="imagenet"` is the paper's 7×7 convolution of stride 2 and
    max-pool (§3.3), `"cifar"` a 3×3 convolution of stride 1 without pooling (§4.2), for images below about 64 pixels;
    either takes the channels of `input_shape`. `embedding` puts one more shared layer there, linear with ReLU and of
    that width (None: none). Starts untrained: convolutions Kaiming normal with fan-out, linear layers as torch draws
    them. `task_norm` gives every task encoder norms of its own.

    Raises `BenchError` for another stem, and an embedding below 1.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        stem: Stem = "imagenet",
        task_norm: bool = False,
        embedding: int | None = None,
    ) -> None:
        check_widths("embedding", embedding)
        encoder = PooledResNet(input_shape[0], stem, embedding)
        features = embedding or encoder.features
        super().__init__(encoder, build_heads(outputs, lambda n: nn.Linear(features, n)), task_norm)


class PooledResNet(ResNetEncoder):
    """The mean over all positions of what the encoder gives, and a linear layer with ReLU where it is asked for."""

    def __init__(self, channels: int, stem: Stem, embedding: int | None = None) -> None:
        super().__init__(channels, stem=stem)
        self.fc = None if embedding is None else nn.Linear(self.features, embedding)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        pooled = adaptive_avg_pool2d(super().forward(x), 1).flatten(1)
        return pooled if self.fc is None else self.relu(self.fc(pooled))

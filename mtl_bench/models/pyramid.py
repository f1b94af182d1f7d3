"""Features of all scales in one fine map."""

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.models.dense_head import enlarge
from mtl_bench.models.resnet_encoder import ResNetEncoder


class PyramidEncoder(nn.Module):
    """A ResNet and a feature pyramid over all its stages, down to the stem (Lin et al., CVPR 2017, §3).

    Every stage is brought to `features` channels by a 1×1 convolution and added to the enlarged sum of the coarser ones
    (bilinear here, nearest in the paper); one 3×3 convolution reads the finest sum. Unlike the paper's, these
    convolutions have norms, so that every shared one can have them per task. The map has the resolution of the stem's
    convolution: half the image's with the ImageNet stem.
    """

    def __init__(self, backbone: ResNetEncoder, features: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.laterals = nn.ModuleList(_lateral(channels, features) for channels in backbone.widths)
        self.smooth = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(features)
        self.relu = nn.ReLU()
        self.features = features

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features h w"]:
        stages = self.backbone.stages(x)
        maps = [lateral(stage) for lateral, stage in zip(self.laterals, stages, strict=True)]
        total = maps[-1]
        for _, finer in pairwise(reversed(maps)):
            total = finer + enlarge(total, (finer.shape[-2], finer.shape[-1]))
        return self.relu(self.bn(self.smooth(total)))


def _lateral(channels: int, features: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, features, 1, bias=False), nn.BatchNorm2d(features))

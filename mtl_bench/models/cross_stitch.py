"""Cross-stitch networks: a network per task, and units that mix them."""

from collections.abc import Mapping, Sequence
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.models.convolutional import ConvolutionalModel, check_size
from mtl_bench.models.dense_head import dense_head
from mtl_bench.models.heads import build_heads
from mtl_bench.models.resnet_encoder import ResNetEncoder, load_timm_weights

STAGES = range(1, 5)
SAME = 0.9  # of a task's own map at the start, published; the other maps share the rest


class CrossStitch(ConvolutionalModel):
    """One ResNet per task (`depth`, `width`, dilated to `output_stride`); after each stage every task goes on with a
    mixture of all their maps (Misra et al., CVPR 2016, eq. 1).

    Shared tensors: K maps, one per task, behind the last unit; each head reads the one of its task. Every loss reaches
    every column through the units, so all columns and units are shared, also what is named by a task; heads alone are
    a task's own (`dense_head`, a quarter of the features). The shared part grows with the tasks, and a single-task run
    is one column. `pretrained` loads timm's ImageNet weights into every column; `task_norm` gives every task norms of
    its own in every column, K² of each.

    One number per pair of tasks, as in eq. 1; the release of Vandenhende et al. (`models/cross_stitch.py`), which has
    units behind a ResNet's stages as here, gives every channel its own. Start at 0.9 and 0.1 for two tasks, as there;
    inferred: 0.1 shared among more than one other task. From memory of the paper and not compared with it: its rate
    for units, 100 to 1000 times the network's, is the optimizer's.

    Cost: K encoders in memory and time. Raises `BenchError` for options that `ResNetEncoder` refuses, for images of a
    single position in the last map, and for pretrained weights at another width or that are not to be had.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        depth: Literal[18, 50] = 18,
        width: int = 64,
        output_stride: Literal[8, 16, 32] = 8,
        pretrained: bool = False,
        task_norm: bool = False,
    ) -> None:
        check_size("CrossStitch", input_shape, output_stride + 1)
        columns = {task: ResNetEncoder(input_shape[0], depth, width, output_stride) for task in outputs}
        if pretrained:
            for column in columns.values():
                load_timm_weights(column, input_shape[0], depth)
        size, features = (input_shape[1], input_shape[2]), width * (8 if depth == 18 else 32)
        heads = build_heads(outputs, lambda n: dense_head(features, features // 4, n, size))
        super().__init__(StitchedColumns(columns), heads, task_norm)

    @property
    def last_shared(self) -> None:
        """None: every column ends in a layer of its own, and the last one by name would be one task's."""
        return None

    def decode(self, features: list[Tensor], task: int) -> Float[Tensor, "batch n height width"]:
        found: Tensor = self.heads[self.tasks[task]](features[task])
        return found


class StitchedColumns(nn.Module):
    """Columns by task, and a `StitchUnit` after each of their stages."""

    def __init__(self, columns: Mapping[str, ResNetEncoder]) -> None:
        super().__init__()
        self.columns = nn.ModuleDict(columns)
        self.units = nn.ModuleList(StitchUnit(len(columns)) for _ in STAGES)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> list[Float[Tensor, "batch features h w"]]:
        columns = cast(Sequence[ResNetEncoder], list(self.columns.values()))
        maps = [column.maxpool(column.relu(column.bn1(column.conv1(x)))) for column in columns]
        for stage, unit in zip(STAGES, self.units, strict=True):
            layers = [column.get_submodule(f"layer{stage}") for column in columns]
            mixed = unit(torch.stack([layer(one) for layer, one in zip(layers, maps, strict=True)]))
            maps = list(mixed.unbind())
        return maps


class StitchUnit(nn.Module):
    """Every task's map becomes a weighted sum of all tasks' maps; a row of weights per task."""

    def __init__(self, tasks: int) -> None:
        super().__init__()
        self.tasks = tasks
        self.weight = nn.Parameter(torch.empty(tasks * tasks))  # flat: it is no layer's weight
        self.reset_parameters()

    def reset_parameters(self) -> None:
        other = (1 - SAME) / max(1, self.tasks - 1)
        start = torch.full((self.tasks, self.tasks), other).fill_diagonal_(SAME if self.tasks > 1 else 1.0)
        with torch.no_grad():
            self.weight.copy_(start.flatten())

    def forward(self, maps: Float[Tensor, "tasks batch features h w"]) -> Float[Tensor, "tasks batch features h w"]:
        return torch.einsum("ij,j...->i...", self.weight.view(self.tasks, self.tasks), maps)

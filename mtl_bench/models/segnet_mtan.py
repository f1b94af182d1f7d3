"""MTAN: one attention path per task along a shared SegNet."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from mtl_bench.models.heads import build_heads
from mtl_bench.models.mtan_attention import AttendedSegNet, TaskAttention
from mtl_bench.models.segnet import XavierModel, check_segnet, prediction
from mtl_bench.models.task_statistics import with_task_statistics


class SegNetMTAN(XavierModel):
    """Multi-task attention network on SegNet (Liu, Johns and Davison, CVPR 2019, §3; `model_segnet_mtan.py`).

    Every task looks at each stage of the shared `SegNetTrunk` through a mask of its own (`TaskAttention`); what it saw
    passes a 3×3 convolution that all tasks share on its way to the next stage (the paper's f, eq. 3). Masks belong to
    their task, trunk and passages are shared; the shared tensor of a task is its last masked map `[batch, width,
    height, width of the image]`, and its head is SegNet's.

    The passages come after masks, so that tasks have paths of their own: K forwards, and methods that need one shared
    representation refuse the model. Passages keep running statistics per task (`TaskStatistics`; the release keeps one
    set, which all tasks update in turn). With `task_norm` trunk and passages have all of the norm per task.

    Layer by layer those of the release, and its 44.2 million parameters for 13 classes, depth and normals (44,229,073
    with `biases`). Deviations: those of SegNet, and enlargement bilinear without aligned corners.

    Raises `BenchError` as SegNet.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        width: int = 64,
        task_norm: bool = False,
        biases: bool = False,
    ) -> None:
        check_segnet("SegNetMTAN", input_shape, width)
        encoder = AttendedSegNet(input_shape[0], width, biases)
        super().__init__(encoder, build_heads(outputs, lambda n: AttendingHead(width, n)), task_norm)
        self.per_task_path = True
        if not task_norm:
            for passages in (encoder.down, encoder.up):
                with_task_statistics(passages, self.tasks)

    def encode(
        self, image: Float[Tensor, "batch channels height width"], task: int | None = None
    ) -> list[Float[Tensor, "batch features height width"]]:
        self.choose(task)
        assert task is not None
        head = self.heads[self.tasks[task]]
        assert isinstance(head, AttendingHead)
        return [self.encoder(image, head.attention)]


class AttendingHead(nn.Module):
    """What belongs to one task: its masks, of which `encode` asks, and the layers behind the shared tensor."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.attention = TaskAttention(width)
        self.predict = prediction(width, outputs)

    def forward(self, seen: Float[Tensor, "batch features height width"]) -> Float[Tensor, "batch n height width"]:
        found: Tensor = self.predict(seen)
        return found

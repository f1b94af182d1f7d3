"""MTI-Net: tasks that help each other at every scale."""

from collections.abc import Mapping

from mtl_bench.models.convolutional import ConvolutionalModel
from mtl_bench.models.heads import build_heads
from mtl_bench.models.mtinet_head import DistillingHead
from mtl_bench.models.task_scales import TaskScales, backbone_of


class MTINet(ConvolutionalModel):
    """Multi-scale task interaction network (Vandenhende, Georgoulis and Van Gool, ECCV 2020, §3); CSO's model.

    A backbone gives maps at strides 4, 8, 16 and 32. From coarse to fine, every task has features of its own at each
    scale, which take in what all tasks knew one scale coarser (feature propagation, §3.3): `TaskScales`. They are the
    shared tensors, four per task, finest first: each of them feeds every task. The head of a task (`DistillingHead`)
    predicts from its features at every scale, distils the other tasks' features into them by spatial attention (§3.2),
    and aggregates the scales (§3.4). Outputs: the prediction, then the four initial ones for deep supervision.

    So everything but heads is shared, also layers that are named by a task: the shared part grows with the tasks, and
    single-task runs have another one. `backbone`: `hrnet_w18` (any `hrnet_…` of timm's) or `resnet18` of `width`.
    `pretrained` loads timm's ImageNet weights; `task_norm` gives every task norms of its own outside heads.

    Layer by layer those of the authors' release (`models/mti_net.py` of Multi-Task-Learning-PyTorch), every scale's
    prediction supervised at the image's size with the task's own weight. Deviations: the softmax of feature
    propagation is over the tasks, as the paper says, where the release's `view` groups neighbouring channels of one
    task; all tasks are scored and auxiliary at once, where the release trains edges through the initial predictions
    alone. Inferred: ResNet-18's four stages as scales. Images are padded to multiples of 32.

    Raises `BenchError` for another backbone, and for weights that are not to be had.
    """

    def __init__(
        self,
        outputs: Mapping[str, int],
        input_shape: tuple[int, int, int],
        backbone: str = "hrnet_w18",
        width: int = 64,
        pretrained: bool = False,
        task_norm: bool = False,
    ) -> None:
        channels, *image = input_shape
        trunk, widths = backbone_of(backbone, channels, width, pretrained)
        tasks, size = list(outputs), (image[0], image[1])
        places = iter(range(len(tasks)))  # heads are built in the order of the tasks
        heads = build_heads(outputs, lambda n: DistillingHead(next(places), len(tasks), widths, n, size))
        super().__init__(TaskScales(trunk, widths, tasks), heads, task_norm)

    @property
    def last_shared(self) -> None:
        """None: the last shared layers are named by tasks, and the last one by name would be one task's."""
        return None

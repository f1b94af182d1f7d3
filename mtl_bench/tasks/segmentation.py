"""One class per pixel."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from mtl_bench.errors import BenchError
from mtl_bench.tasks.base import Metric, Normalise, check_choice, check_classes
from mtl_bench.tasks.dense import Aggregation, DenseTask, tally


class Segmentation(DenseTask):
    """Softmax cross-entropy per pixel; metrics mean_iou and pixel_accuracy (%) from one confusion matrix.

    IoU of a class c is n_cc / (Σ_j n_cj + Σ_i n_ic - n_cc), with n_ij the pixels of class i predicted as j. A class
    that occurs neither in the targets nor in the predictions has no IoU: `absent="skip"` leaves it out of the mean
    (released MTAN code gives NaN there), `"zero"` counts it as 0 (the mean over all classes of the NYUD-MT and
    PASCAL-Context evaluations). A target of -1 is ignored. `aggregation="batch_mean"` has a confusion matrix per batch;
    with batches of one image that is the mean IoU of tables before the correction of the MTAN code in July 2020.

    Raises BenchError for fewer than two classes, and for targets that are one-hot, soft or of another shape.
    """

    likelihood: ClassVar[Literal["classification"]] = "classification"

    def __init__(
        self,
        classes: int,
        absent: Literal["skip", "zero"] = "skip",
        aggregation: Aggregation = "pooled",
        normalise: Normalise = "valid",
        loss_scale: float = 1.0,
    ) -> None:
        metrics = (Metric("mean_iou", True, "%"), Metric("pixel_accuracy", True, "%"))
        super().__init__(metrics, classes**2 + 1, aggregation, normalise, loss_scale)
        check_choice("absent", absent, ("skip", "zero"))
        if classes < 2:
            raise BenchError(f"A segmentation task needs at least 2 classes, got classes={classes}.")
        self.outputs = classes
        self.absent = absent

    def errors(
        self, output: Float[Tensor, "batch classes height width"], target: Int[Tensor, "batch height width"]
    ) -> tuple[Float[Tensor, "batch 1 height width"], Bool[Tensor, "batch 1 height width"]]:
        check_classes(output, target)
        # unreduced: the reducing kernel has no deterministic form on a GPU
        errors = F.cross_entropy(output, target, ignore_index=-1, reduction="none")
        return errors.unsqueeze(1), (target >= 0).unsqueeze(1)

    def sums(
        self, output: Float[Tensor, "batch classes height width"], target: Int[Tensor, "batch height width"]
    ) -> Float[Tensor, "size"]:
        check_classes(output, target)
        pair = target * self.outputs + output.argmax(dim=1)
        confusion = tally(pair, target >= 0, self.outputs**2)
        return torch.cat([confusion, confusion.sum(0, keepdim=True)]).double()

    def summary(self, sums: Float[Tensor, "size"]) -> Float[Tensor, "2"]:
        confusion = sums[:-1].view(self.outputs, self.outputs)
        hits = confusion.diagonal()
        union = confusion.sum(0) + confusion.sum(1) - hits
        present = (union > 0).sum() if self.absent == "skip" else self.outputs
        mean_iou = (hits / union.clamp(min=1)).sum() / present
        return 100 * torch.stack([mean_iou, hits.sum() / sums[-1]])

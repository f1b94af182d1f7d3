"""What is predicted, how wrong a prediction is (loss) and how good (metrics, with direction and unit)."""

from mtl_bench.tasks.base import Metric, Task
from mtl_bench.tasks.binary_classification import BinaryClassification
from mtl_bench.tasks.classification import Classification
from mtl_bench.tasks.dense_regression import DenseRegression
from mtl_bench.tasks.depth import Depth
from mtl_bench.tasks.edges import Edges
from mtl_bench.tasks.normals import Normals
from mtl_bench.tasks.regression import Regression
from mtl_bench.tasks.saliency import Saliency
from mtl_bench.tasks.segmentation import Segmentation

__all__ = [
    "BinaryClassification",
    "Classification",
    "DenseRegression",
    "Depth",
    "Edges",
    "Metric",
    "Normals",
    "Regression",
    "Saliency",
    "Segmentation",
    "Task",
]

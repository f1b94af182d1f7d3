"""What is predicted, how wrong a prediction is (loss) and how good (metrics, with direction and unit)."""

from mtl_bench.tasks.base import Metric, Task
from mtl_bench.tasks.classification import Classification
from mtl_bench.tasks.regression import Regression

__all__ = ["Classification", "Metric", "Regression", "Task"]

"""Methods: how the K task losses of one batch become parameter updates. Usable without the rest of the suite."""

from mtl_bench.methods.base import Method
from mtl_bench.methods.gradient import GradientAggregation, GramianWeighting
from mtl_bench.methods.weighting import LossWeighting

__all__ = ["GradientAggregation", "GramianWeighting", "LossWeighting", "Method"]

"""From a joint run or many small ones to task groups, or to layers that tasks should not share."""

from mtl_bench.pipeline.affinity import Affinity
from mtl_bench.pipeline.base import Choice, Grouping, Need
from mtl_bench.pipeline.random_partition import RandomPartition
from mtl_bench.pipeline.trained import Exhaustive, HigherOrder

__all__ = ["Affinity", "Choice", "Exhaustive", "Grouping", "HigherOrder", "Need", "RandomPartition"]

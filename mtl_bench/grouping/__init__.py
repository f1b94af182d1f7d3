"""Task grouping: affinity matrices in, exact choice of task groups out. Matrices only."""

from mtl_bench.grouping.best_groups import ChosenGroups, realised_value, select_groups
from mtl_bench.grouping.partitions import dealt, every_partition
from mtl_bench.grouping.scores import higher_order_approximation, pairwise_scores, random_partition

__all__ = [
    "ChosenGroups",
    "dealt",
    "every_partition",
    "higher_order_approximation",
    "pairwise_scores",
    "random_partition",
    "realised_value",
    "select_groups",
]

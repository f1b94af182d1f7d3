"""What a step of a method costs on a model, beside a plain step and beside K backward passes."""

from mtl_bench.cost.measure import StepCost, measure
from mtl_bench.cost.workload import Workload

__all__ = ["StepCost", "Workload", "measure"]

"""The step of one batch, for the trainer and for anyone's loop: forward, engines, and what is summed over processes."""

from mtl_bench.step.batch_step import BatchStep
from mtl_bench.step.check import StepReport, check_step
from mtl_bench.step.stepper import Stepper

__all__ = ["BatchStep", "StepReport", "Stepper", "check_step"]

"""A composed configuration becomes records, and a person sees what came out."""

from mtl_bench.job.compose import compose_job, compose_plan
from mtl_bench.job.job import Job

__all__ = ["Job", "compose_job", "compose_plan"]

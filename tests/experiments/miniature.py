"""An experiment as its YAML has it, for two batches and an evaluation, on a miniature of its official files."""

from pathlib import Path

from mtl_bench.job import compose_job
from mtl_bench.records import Record


def train_two_steps(experiment: str, data: Path, *overrides: str) -> Record:
    """Official files lie in `data/raw/<dataset>`; `overrides` make a model small or say what a miniature lacks."""
    record = compose_job(
        [
            f"experiment={experiment}",
            "protocol.training.budget.amount=2",
            "protocol.training.budget.unit=batches",
            "protocol.training.batch_size=2",
            f"paths.data={data}",
            f"paths.runs={data / 'runs'}",
            f"paths.reference={data / 'none'}",
            "device=cpu",
            "options.progress=false",
            *overrides,
        ]
    ).train()
    assert record["converged"]
    assert record["counts"]["batches"] == 2
    return record

"""Models of published tables: two steps of each kind of method on tiny rooms."""

from itertools import product
from pathlib import Path

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.job import compose_plan
from mtl_bench.training.assemble import Place
from mtl_bench.training.cell import run_cell
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.trainer import Options
from tests.runs import DENSE_ROOMS, PAPER_MODELS

SHORT = [
    "protocol.training.batch_size=4",
    "protocol.training.budget.amount=2",
    "protocol.training.budget.unit=batches",
    "dataset.height=33",  # of no stride a multiple
    "dataset.width=47",
]
METHODS = {
    "ls": ["method=ls"],
    "pcgrad": ["method=pcgrad"],
    "mgda at the features": ["method=mgda", "method.at=feature"],
    "cso": ["method=cso", "model.task_norm=true"],
}
NO_NORMS = ("vit",)  # models without norms that could be per task, which cso needs
OWN_PATHS = ("segnet_mtan",)  # models that have a path per task, whatever their norms


@pytest.mark.parametrize(
    ("model", "method"),
    [pair for pair in product(PAPER_MODELS, METHODS) if pair not in product(NO_NORMS, ["cso"])],
)
def test_trains(model: str, method: str, data: Path, tmp_path: Path) -> None:
    overrides = [f"model={model}", *PAPER_MODELS[model], *METHODS[method]]
    plan = compose_plan([*DENSE_ROOMS, *SHORT, *overrides], data)
    options = Place(tmp_path, device="cpu"), Options(progress=False), NoLogger()
    if "features" in method and model in OWN_PATHS:
        with pytest.raises(BenchError, match="one shared encoder pass"):
            run_cell(plan, *options)
        return
    record = run_cell(plan, *options).record
    assert record["converged"]
    assert record["counts"]["batches"] == 2
    assert list(record["test"]) == ["segmentation", "depth_zbuffer", "normal"]

"""A whole run with a classification and a regression task, L1 and squared error."""

from pathlib import Path

import pytest

from mtl_bench.job import compose_plan
from mtl_bench.training.assemble import Place
from mtl_bench.training.cell import run_cell
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.plan import Names, make_plan
from mtl_bench.training.trainer import Options


@pytest.mark.parametrize("error", ["l1", "mse"])
@pytest.mark.parametrize("method", ["uw", "mgda"])
def test_learns_the_level_from_partial_labels(error: str, method: str, data: Path, tmp_path: Path) -> None:
    overrides = ["experiment=multidigits", "model=mlp", f"method={method}", "protocol.training.batch_size=20"]
    nodes = compose_plan(overrides, data).setting.nodes
    nodes["dataset"] = {"_target_": "tests.brightness.Brightness"}
    nodes["tasks"] = {
        "bright": {"_target_": "mtl_bench.tasks.Classification", "classes": 2},
        "level": {"_target_": "mtl_bench.tasks.Regression", "error": error, "unit": "level"},
    }
    terms = {"bright": ["accuracy"], "level": ["mae"]}
    nodes["protocol"]["reporting"] = {
        **nodes["protocol"]["reporting"],
        "delta_m": {"definition": "one_per_task", "terms": terms},
    }
    plan = make_plan(Names("brightness", method), nodes, 0, None, tmp_path)
    record = run_cell(plan, Place(tmp_path, device="cpu"), Options(progress=False), NoLogger()).record
    assert record["test"]["level"]["mae"] < 0.1  # guessing the mean gives 0.25
    assert record["test"]["bright"]["accuracy"] > 90
    assert record["metrics"]["level"]["mse"] == {"higher_is_better": False, "unit": "level²"}

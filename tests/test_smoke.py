"""Every method on every model, full and partial labels, digits and rooms: a run leaves a valid record.

Generated from configs/.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
import torch

from mtl_bench.errors import BenchError
from mtl_bench.job import compose_plan
from mtl_bench.records.record import load_record
from mtl_bench.training.assemble import Place
from mtl_bench.training.cell import run_cell
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.trainer import Options
from tests.runs import PAPER_MODELS, ROOMS

CONFIGS = Path(__file__).parents[1] / "configs"
METHODS = sorted(path.stem for path in (CONFIGS / "method").glob("*.yaml"))
YAMLS = {path.stem: path.read_text() for path in sorted((CONFIGS / "model").glob("*.yaml"))}
DENSE = [  # outputs are maps; models of published tables have tests of their own, with a few methods
    model for model, text in YAMLS.items() if model not in PAPER_MODELS and ("DenseResNet" in text or "SegNet" in text)
]
MODELS = ["lenet", "mlp"]
# With a few methods: one of each family. Message passing takes molecules, and has tests of its own.
FURTHER = [model for model in YAMLS if model not in (*MODELS, *DENSE, *PAPER_MODELS, "message_passing")]
FEW = ["ls", "uw", "pcgrad", "graddrop"]
TASK_NORMS = ["segnet", "resnet18_rooms"]  # of each class one
ONE_PATH = [
    "graddrop",
    "gradnorm",
]  # methods at the features or the last layer, which a path per task has K of
REQUIRED = {
    "priority": ["method.priorities={left: 0.8, right: 0.2}"],
    "fixed": ["method.fixed={left: 1, right: 0.5}"],
    "cso": ["model.task_norm=true", "method.linear=true"],
}
REQUIRED_IN_ROOMS = {
    "cso": ["model.task_norm=true"],
    "priority": ["method.priorities={segmentation: 0.5, depth_zbuffer: 0.3, normal: 0.2}"],
    "fixed": ["method.fixed={segmentation: 1, depth_zbuffer: 0.5, normal: 2}"],
}
DIGITS = ["experiment=multidigits"]
TINY = [
    "protocol.training.batch_size=8",
    "protocol.training.budget.amount=2",
    "protocol.training.budget.unit=batches",
]


def train(overrides: list[str], data: Path, runs: Path, setting: Sequence[str] = DIGITS) -> dict:
    plan = compose_plan([*setting, *TINY, *overrides], data)
    outcome = run_cell(plan, Place(runs, device="cpu"), Options(progress=False), NoLogger())
    return dict(load_record(outcome.folder.record))


@pytest.mark.parametrize(("method", "model"), [*product(METHODS, MODELS), *product(FEW, FURTHER)])
def test_trains(method: str, model: str, data: Path, tmp_path: Path) -> None:
    record = train([f"method={method}", f"model={model}", *REQUIRED.get(method, [])], data, tmp_path)
    assert record["converged"]
    assert record["counts"]["batches"] == 2
    assert record["failures"] == {"nonfinite_steps": 0, "solver": 0}


@pytest.mark.parametrize(("method", "model"), list(product(METHODS, DENSE)))
def test_trains_on_maps(method: str, model: str, data: Path, tmp_path: Path) -> None:
    record = train([f"method={method}", f"model={model}", *REQUIRED_IN_ROOMS.get(method, [])], data, tmp_path, ROOMS)
    assert record["converged"]
    assert record["counts"]["batches"] == 2
    assert record["failures"] == {"nonfinite_steps": 0, "solver": 0}
    assert list(record["test"]) == ["segmentation", "depth_zbuffer", "normal"]


@pytest.mark.parametrize(("method", "model"), list(product(METHODS, TASK_NORMS)))
def test_trains_with_norms_per_task_or_says_why_not(method: str, model: str, data: Path, tmp_path: Path) -> None:
    overrides = [f"method={method}", f"model={model}", "model.task_norm=true", *REQUIRED_IN_ROOMS.get(method, [])]
    if method in ONE_PATH:
        with pytest.raises(BenchError, match=r"needs one shared encoder pass; .* a path per task: use at=shared\.$"):
            train(overrides, data, tmp_path, ROOMS)
        overrides.append("method.at=shared")  # as it was told
    record = train(overrides, data, tmp_path, ROOMS)
    assert record["converged"]
    assert record["counts"]["forwards"] >= 2 * 3


@pytest.mark.parametrize("method", METHODS)
def test_trains_with_partial_labels(method: str, data: Path, tmp_path: Path) -> None:
    record = train(
        [f"method={method}", "model=mlp", "dataset.labels=partial", *REQUIRED.get(method, [])], data, tmp_path
    )
    assert record["converged"]


@pytest.mark.parametrize("method", [name for name in METHODS if name in ("pcgrad", "mgda", "graddrop")])
@pytest.mark.parametrize("weighting", ["uw", "dwa", "rlw"])
def test_composes_with_a_weighting(method: str, weighting: str, data: Path, tmp_path: Path) -> None:
    plain = train([f"method={method}", "model=mlp"], data, tmp_path)
    record = train([f"method={method}", "model=mlp", f"+method@method.weighting={weighting}"], data, tmp_path)
    assert record["converged"]
    assert record["hash"] != plain["hash"]


@pytest.mark.parametrize("precision", ["fp64", "bf16"])
def test_trains_in_other_precisions(precision: str, data: Path, tmp_path: Path) -> None:
    record = train(["method=pcgrad", "model=mlp", f"+protocol.training.precision={precision}"], data, tmp_path)
    assert record["converged"]
    assert record["environment"]["precision"] == precision
    torch.set_num_threads(1)

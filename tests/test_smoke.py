"""Every method on every model family, full and partial labels: a run leaves a valid record. Generated from configs/."""

from itertools import product
from pathlib import Path

import pytest
import torch

from mtl_bench.compose import compose_plan
from mtl_bench.records.record import load_record
from mtl_bench.training.assemble import Place
from mtl_bench.training.cell import run_cell
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.trainer import Options

CONFIGS = Path(__file__).parents[1] / "configs"
METHODS = sorted(path.stem for path in (CONFIGS / "method").glob("*.yaml"))
MODELS = sorted(path.stem for path in (CONFIGS / "model").glob("*.yaml"))
REQUIRED = {
    "priority": ["method.priority={left: 0.8, right: 0.2}"],
    "fixed": ["method.fixed={left: 1, right: 0.5}"],
}
TINY = [
    "protocol.training.batch_size=8",
    "protocol.training.budget.amount=2",
    "protocol.training.budget.unit=batches",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def train(overrides: list[str], data: Path, runs: Path) -> dict:
    outcome = run_cell(
        compose_plan([*overrides, *TINY], data), Place(runs, device="cpu"), Options(progress=False), NoLogger()
    )
    return dict(load_record(outcome.folder.record))


@pytest.mark.parametrize(("method", "model"), list(product(METHODS, MODELS)))
def test_trains(method: str, model: str, data: Path, tmp_path: Path) -> None:
    record = train([f"method={method}", f"model={model}", *REQUIRED.get(method, [])], data, tmp_path)
    assert record["converged"]
    assert record["counts"]["batches"] == 2
    assert record["failures"] == {"nonfinite_steps": 0, "solver": 0}


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

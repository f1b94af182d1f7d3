"""A model that loads weights: the run starts from them, is named by their content, and its record lists them."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from mtl_bench.models import MLP
from mtl_bench.training.plan import Plan, make_plan
from tests.runs import Compose, begin, train


class Loading(MLP):
    """An MLP whose first layer comes from a file."""

    def __init__(self, outputs: Mapping[str, int], input_shape: tuple[int, int, int], path: str) -> None:
        super().__init__(outputs, input_shape, (6,))
        with torch.no_grad():
            self.encoder[1].weight.copy_(torch.load(path))  # type: ignore[index, union-attr, operator]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.save(torch.randn(6, 24 * 24, generator=torch.Generator().manual_seed(0)), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


def plan_of(plan: Plan, data: Path, path: Path) -> Plan:
    model = {"_target_": f"{__name__}.Loading", "path": str(path)}
    return make_plan(plan.names, {**plan.setting.nodes, "model": model}, plan.seed, list(plan.tasks), data)


def test_it_starts_from_the_file_and_says_so(compose: Compose, data: Path, path: Path, tmp_path: Path) -> None:
    plan = plan_of(compose(), data, path)
    stored = torch.load(path)
    started = begin(plan, tmp_path / "begun").machine.model
    assert torch.equal(started.get_parameter("encoder.1.weight"), stored)
    record = train(plan, tmp_path / "runs").record
    assert record["environment"]["loaded"] == ["encoder.1.weight"]
    assert set(record["identity"]["loaded"]) == {"shared"}
    baselines = plan.setting.baselines(list(plan.tasks))
    torch.save(stored + 1e-3, path)
    other = plan_of(compose(), data, path)
    assert other.hash != plan.hash
    assert all(other.setting.baselines(list(plan.tasks))[task] != digest for task, digest in baselines.items())
    assert other.setting.experiment_hash(list(plan.tasks)) != plan.setting.experiment_hash(list(plan.tasks))
    torch.save(stored, path)
    assert plan_of(compose(), data, path).hash == plan.hash


def test_a_model_that_loads_nothing_is_named_as_before(compose: Compose, tmp_path: Path) -> None:
    plan = compose()
    assert "loaded" not in plan.identity
    assert "loaded" not in begin(plan, tmp_path).environment


class Unsized(MLP):
    """Its first layer learns its width from the first forward, and its second is drawn in the constructor's own way."""

    def __init__(self, outputs: Mapping[str, int], input_shape: tuple[int, int, int]) -> None:
        super().__init__(outputs, input_shape, (6, 6))
        self.encoder[1] = nn.LazyLinear(6)  # type: ignore[index, operator]
        nn.init.orthogonal_(self.encoder[3].weight)  # type: ignore[index, union-attr, arg-type]


def test_every_draw_follows_the_seed(compose: Compose, data: Path, tmp_path: Path) -> None:
    found = []
    for seed, state in ((0, 1), (0, 2), (1, 1)):
        plan = compose()
        nodes = {**plan.setting.nodes, "model": {"_target_": f"{__name__}.Unsized"}}
        torch.manual_seed(state)
        model = begin(make_plan(plan.names, nodes, seed, list(plan.tasks), data), tmp_path).machine.model
        found.append({name: value.clone() for name, value in model.named_parameters() if value.ndim > 1})
    first, again, other = found
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not any(torch.equal(value, other[name]) for name, value in first.items())
    own = first["encoder.3.weight"]
    torch.testing.assert_close(own @ own.T, torch.eye(6))

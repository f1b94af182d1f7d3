"""Where gradients of a weight stay in factors, and what that saves."""

import copy

import pytest
import torch

from mtl_bench.cost import Workload, measure
from mtl_bench.methods import MGDA, Method, PCGrad
from mtl_bench.models import MLP, ResNet18
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.engines import factored
from mtl_bench.step.engines.factored import worthwhile


def test_where_it_is_worth_it() -> None:
    for k in (2, 3, 5, 11, 40):  # ResNet-18 on 4×3×96×128, from its last stage to its second
        assert worthwhile(k, 48, 512, 4608)
        assert worthwhile(k, 192, 256, 2304) == (k > 3)
        assert not worthwhile(k, 768, 128, 1152)
        assert not worthwhile(k, 2304, 256, 2304)  # more positions than inputs


def test_rows_of_large_weights_need_no_memory() -> None:
    work = Workload(MLP({"a": 2, "b": 3, "c": 1}, (1, 8, 8), [1024, 1024]), torch.randn(16, 1, 8, 8))
    costs, _ = measure(work, {"factors": MGDA}, rounds=1)
    row = 4 * 1024 * 1024  # bytes
    assert costs["factors"].memory < row / 2  # three rows would be three


class Remembering(Workload):
    """`trained` is the last copy of the model that a step works on."""

    trained: list[MultiTaskModel] = []  # noqa: RUF012

    def copied(self) -> tuple[MultiTaskModel, torch.optim.Optimizer]:
        model = copy.deepcopy(self.model)
        self.trained[:] = [model]
        return model, torch.optim.SGD(model.parameters(), lr=0.1)


@pytest.mark.parametrize("method", [MGDA, PCGrad])
def test_a_step_of_a_large_model_is_the_same(method: type[Method], monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    work = Remembering(ResNet18({"a": 2, "b": 3, "c": 1}, (3, 64, 64)), torch.randn(4, 3, 64, 64))
    moved = []
    for least in (factored.LEAST, 2**60):
        monkeypatch.setattr(factored, "LEAST", least)
        work.stepped(method())()
        moved.append([parameter.detach() for parameter in work.trained[0].parameters()])
    for factors, rows, start in zip(*moved, work.model.parameters(), strict=True):
        assert not torch.equal(rows, start)
        assert (factors - rows).norm() <= 1e-4 * (rows - start.detach()).norm()

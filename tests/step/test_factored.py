"""Large weights whose gradients stay in factors: the same numbers as their rows, or no factors."""

from typing import Any

import pytest
import torch

from mtl_bench.models.base import MultiTaskModel
from mtl_bench.step.batch_step import BatchStep
from mtl_bench.step.engines.flat import FlatRows
from tests.step.one_layer import in_factors
from tests.step.toys import MODELS, Attention, OneTensor, TaskNorms, gradients_of, make_batch, make_machine, make_step

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


pytestmark = pytest.mark.usefixtures("always_in_factors")


def both(step: BatchStep, **options: Any) -> tuple[FlatRows, FlatRows]:
    """In factors, and as rows of the same losses."""
    found = [step.gradients(step.losses(), rows=rows, **options) for rows in (False, True)]
    assert all(isinstance(one, FlatRows) for one in found)
    return found[0], found[1]  # type: ignore[return-value]


@pytest.mark.parametrize("weights", [None, [0.5, 3.0, -2.0]])
@pytest.mark.parametrize("model", MODELS)
def test_products_combinations_and_rows_are_those_of_rows(
    model: type[MultiTaskModel], weights: list[float] | None
) -> None:
    machine = make_machine(model)
    step = make_step(machine)
    found, rows = both(step, weights=None if weights is None else torch.tensor(weights, dtype=torch.float64))
    assert in_factors(found) == (model is not TaskNorms)  # whose weights are read once per task
    torch.testing.assert_close(found.gramian(), rows.gramian(), **CLOSE)
    torch.testing.assert_close(found.losses, rows.losses, **CLOSE)
    written = []
    for one in (found, rows):
        one.combine(torch.tensor([2.0, -1.0, 0.5]), heads=torch.tensor([1.0, 2.0, 3.0]))
        written.append(gradients_of(machine))
    assert written[0].keys() == written[1].keys()
    for name, gradient in written[0].items():
        torch.testing.assert_close(gradient, written[1][name], **CLOSE)
    torch.testing.assert_close(found.matrix(), rows.matrix(), **CLOSE)  # made now
    assert not found._factored
    for (name, ours), (other, theirs) in zip(found.layers(), rows.layers(), strict=True):
        assert name == other
        torch.testing.assert_close(ours, theirs, **CLOSE)
    torch.testing.assert_close(found.gramian(), rows.gramian(), **CLOSE)


def test_inner_products_with_another_forward() -> None:
    machine = make_machine(Attention)
    first, second = (make_step(machine, make_batch(seed)) for seed in (0, 1))
    ours, their_rows = both(second)
    found, rows = both(first)
    expected = rows.matrix() @ their_rows.matrix().T
    assert in_factors(found)
    assert in_factors(ours)
    torch.testing.assert_close(found.gramian(ours), expected, **CLOSE)
    torch.testing.assert_close(found.gramian(their_rows), expected, **CLOSE)  # of other kinds


def test_a_weight_that_no_task_of_the_batch_reaches_has_no_gradient() -> None:
    machine = make_machine(Attention)
    both(make_step(machine))  # compared with autograd's own
    step = make_step(machine, make_batch(unlabelled=["pose", "colour"]))
    step.gradients(step.losses(), rows=False).combine(torch.ones(1))
    assert machine.shared["second.weight"].grad is None
    step = make_step(machine, make_batch(unlabelled=["colour"]))
    found, rows = both(step)
    assert in_factors(found)
    torch.testing.assert_close(found.gramian(), rows.gramian(), **CLOSE)


def test_every_task_counts_passes_as_ever() -> None:
    machine = make_machine(OneTensor)
    both(make_step(machine))
    assert machine.ledger.counts.backwards == 6


def test_one_task_that_is_not_finite_leaves_the_rows_of_others() -> None:
    machine = make_machine(Attention)
    both(make_step(machine))
    step = make_step(machine)
    weights = torch.tensor([1.0, torch.nan, 1.0], dtype=torch.float64)
    found = step.gradients(step.losses(), weights=weights, rows=False)
    assert isinstance(found, FlatRows)
    assert in_factors(found)
    assert found.gramian().isfinite().tolist() == [[i != 1 and j != 1 for j in range(3)] for i in range(3)]
    assert found.matrix().isfinite().all(dim=1).tolist() == [True, False, True]


def test_a_gradient_whose_square_is_no_number_is_not_finite() -> None:
    machine = make_machine(Attention, dtype=torch.float32)
    both(make_step(machine))
    step = make_step(machine)
    found = step.gradients(step.losses(), weights=torch.tensor([1.0, 1e25, 1.0]), rows=False)
    assert isinstance(found, FlatRows)
    assert in_factors(found)
    assert not found.gramian()[1, 1].isfinite()
    told = []
    for n in range(16):  # the biases' part overflows later than the weights', which is in double precision
        found, rows = both(step, weights=torch.tensor([1.0, 10 ** (17 + n / 4), 1.0]))
        told.append(found.gramian()[1, 1].isfinite().item())
        assert told[-1] == rows.gramian()[1, 1].isfinite().item()
    assert (told[0], told[-1]) == (True, False)

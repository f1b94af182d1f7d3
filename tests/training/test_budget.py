from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl_bench.errors import BenchError
from mtl_bench.step.counts import StepCounts
from mtl_bench.training.budget import Budget

USED = StepCounts(batches=30, forwards=60, backwards=60, passes=120.0, optimizer_steps=90)


@pytest.mark.parametrize(
    ("unit", "amount", "progress"),
    [("epochs", 12, 0.25), ("batches", 40, 0.75), ("passes", 240, 0.5), ("optimizer_steps", 100, 0.9)],
)
def test_progress_in_every_unit(unit: str, amount: float, progress: float) -> None:
    assert Budget(amount, unit).progress(USED, steps_per_epoch=10) == pytest.approx(progress)  # type: ignore[arg-type]


def test_progress_starts_at_zero_and_ends_at_one() -> None:
    assert Budget(3).progress(StepCounts(), 10) == 0
    assert Budget(100, "passes").progress(USED, 10) == 1  # a batch may cost more than what was left


@given(twentieths=st.integers(1, 400), per_epoch=st.integers(1, 2000))
def test_epochs_end_with_the_batch_that_reaches_them(twentieths: int, per_epoch: int) -> None:
    """No rounding adds or drops a batch, for amounts as people write them (10, 0.5, 2.35)."""
    budget = Budget(twentieths / 20)
    exact = ceil(Fraction(twentieths, 20) * per_epoch)
    assert budget.progress(StepCounts(batches=exact), per_epoch) == 1
    assert budget.progress(StepCounts(batches=exact - 1), per_epoch) < 1


@given(amount=st.integers(1, 10**6))
def test_batches_end_exactly(amount: int) -> None:
    budget = Budget(amount, "batches")
    assert budget.progress(StepCounts(batches=amount), 7) == 1
    assert budget.progress(StepCounts(batches=amount - 1), 7) < 1


@pytest.mark.parametrize(
    ("unit", "amount", "epochs"), [("epochs", 12, 12), ("epochs", 0.2, 1), ("batches", 40, 4), ("passes", 61, 6)]
)
def test_nominal_epochs(unit: str, amount: float, epochs: int) -> None:
    assert Budget(amount, unit).epochs(steps_per_epoch=10) == epochs  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", [0, -1, float("nan")])
def test_nothing_to_spend_is_refused(amount: float) -> None:
    with pytest.raises(BenchError, match=r"must be positive, got .* batches"):
        Budget(amount, "batches")


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(BenchError, match=r"budget\.unit is one of epochs, .*, passes; got 'steps'"):
        Budget(3, "steps")  # type: ignore[arg-type]

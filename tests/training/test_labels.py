"""One meaning of "labelled": what the task says of the batch it is trained on."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mtl_bench.data.split import Batch
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.tasks import (
    BinaryClassification,
    Classification,
    Depth,
    Edges,
    Normals,
    Regression,
    Saliency,
    Segmentation,
    Task,
)
from mtl_bench.training.labels import ask
from mtl_bench.training.machine import Machine
from tests.methods.test_method_contract import COMPOSED, CONFIGS, PER_TASK, make
from tests.methods.toys import context

TASKS: dict[str, Task] = {"shape": Segmentation(3), "depth": Depth(), "colour": Normals()}
METHODS = [name for name in [*CONFIGS, *COMPOSED] if name not in PER_TASK]
SIZE = 4


class Net(MultiTaskModel):
    """A convolution, and a 1×1 convolution per task."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 5, 3, padding=1)
        self.heads = nn.ModuleDict({name: nn.Conv2d(5, task.outputs, 1) for name, task in TASKS.items()})
        self.double()

    def encode(self, image: Tensor, task: int | None = None) -> list[Tensor]:
        return [self.first(image).tanh()]


def batch(depth: float | None = None, samples: Sequence[int] = range(SIZE)) -> Batch:
    """With the depth of some samples set to one number."""
    draw = torch.Generator().manual_seed(0)
    targets = {
        "shape": torch.randint(3, (SIZE, 4, 6), generator=draw),
        "depth": 1 + torch.rand(SIZE, 1, 4, 6, generator=draw, dtype=torch.float64),
        "colour": torch.randn(SIZE, 3, 4, 6, generator=draw, dtype=torch.float64),
    }
    if depth is not None:
        targets["depth"][list(samples)] = depth
    return Batch(torch.randn(SIZE, 3, 4, 6, generator=draw, dtype=torch.float64), targets, None)


def trained(name: str, batches: Sequence[Batch]) -> tuple[Tensor, Tensor, dict]:
    """Parameters, losses of each batch and the method's state."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net()
    machine = Machine(
        model=net,
        tasks=TASKS,
        optimizer=torch.optim.Adam(net.parameters(), lr=0.01),
        generator=torch.Generator().manual_seed(2),
        device_generator=torch.Generator().manual_seed(3),
        device=torch.device("cpu"),
        held_out=lambda number: batch(),
    )
    method = make(name)
    shapes = {n: p.shape for n, p in machine.shared.items()}
    method.setup(context(tuple(TASKS), last_shared=machine.last_shared, shared=shapes))
    losses = []
    for n, one in enumerate(batches):
        method.update(machine.step(one, epoch=0, progress=n / len(batches)))
        losses.append(machine.ledger.batch_losses())
    return torch.cat([p.detach().flatten() for p in net.parameters()]), torch.stack(losses), method.state_dict()


@pytest.mark.parametrize("name", METHODS)
def test_a_depth_of_zero_is_that_of_no_depth(name: str) -> None:
    """NYUv2 marks missing depth as 0. Batches with it, without it, and with it again: no trace of the second."""
    runs = [trained(name, [batch(), batch(value), batch(), batch(value)]) for value in (0.0, torch.nan)]
    (zero, losses, state), (marked, expected, other) = runs
    assert torch.equal(zero, marked)
    torch.testing.assert_close(losses, expected, rtol=0, atol=0, equal_nan=True)
    assert losses[:, 1].isnan().tolist() == [False, True, False, True]
    assert str(state) == str(other)


def test_the_task_is_asked() -> None:
    one = ask(batch(0.0, [1, 3]), TASKS).answer()
    assert one.labelled is not None
    assert one.labelled.tolist() == [[True, n % 2 == 0, True] for n in range(SIZE)]
    assert ask(batch(), TASKS).answer().labelled is None
    assert ask(one, TASKS).answer() == one  # once


def test_what_the_data_know_stays_for_targets_that_are_no_maps() -> None:
    """Labels of whole samples are on the host already; a map says more than the table."""
    table = np.ones((SIZE, 2), dtype=bool)
    table[0] = False
    targets = {"label": torch.zeros(SIZE, dtype=torch.long), "depth": batch(0.0, [2]).targets["depth"]}
    found = ask(
        Batch(torch.zeros(SIZE, 1, 4, 6), targets, table), {"label": Classification(2), "depth": Depth()}
    ).answer()
    assert found.labelled is not None
    assert found.labelled.tolist() == [[n > 0, n != 2] for n in range(SIZE)]


@pytest.mark.parametrize(
    ("task", "target", "labelled"),
    [
        (Classification(3), torch.tensor([0, -1, 2]), [True, False, True]),
        (Regression(2), torch.tensor([[0.0, torch.nan], [torch.nan, torch.nan]]), [True, False]),
        (Segmentation(3), torch.tensor([[[0, -1]], [[-1, -1]]]), [True, False]),
        (Edges(), torch.tensor([[[0, 1]], [[-1, -1]]]), [True, False]),
        (Depth(), torch.tensor([[[[0.0, 2.0]]], [[[0.0, torch.nan]]], [[[0.0, 0.0]]]]), [True, False, False]),
        (Normals(), torch.tensor([[[[0.0]], [[1.0]], [[0.0]]], [[[0.0]], [[0.0]], [[0.0]]]]), [True, False]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_labelled_is_what_the_loss_divides_by(task: Task, target: Tensor, labelled: list[bool]) -> None:
    assert task.labelled(target).tolist() == labelled
    shape = (1, task.outputs, *target.shape[2:]) if target.ndim > 3 else (1, task.outputs, *target.shape[1:])
    output = torch.zeros(shape if target.ndim != 2 else (1, task.outputs))
    for sample, known in enumerate(labelled):
        _, count = task.loss(output, target[sample : sample + 1])
        assert (int(count) > 0) == known


class Age(Regression):
    """0 means that nobody said."""

    def valid(self, target: Tensor) -> Tensor:
        return target > 0


def test_a_task_of_single_numbers_may_have_a_meaning_of_its_own() -> None:
    """Asked where it says so itself, and its loss counts what it calls valid."""
    task, target = Age(1, "mse"), torch.tensor([0.0, 0.0, 3.0, 0.0])
    total, count = task.loss(torch.ones(4, 1), target)
    assert (float(total), int(count)) == (4.0, 1)
    given = Batch(torch.zeros(4, 1), {"age": target, "other": target}, None)
    answered = ask(given, {"age": task, "other": Regression(1, "mse")}).answer()
    assert answered.labelled is not None
    assert answered.labelled.tolist() == [[False, True], [False, True], [True, True], [False, True]]


@pytest.mark.parametrize("missing", [-1.0, torch.nan])
def test_numbers_of_a_yes_or_no_are_asked_about(missing: float) -> None:
    """The packed data take -1 for a number; of classes they know, and nobody asks."""
    task = BinaryClassification()
    answered = ask(Batch(torch.zeros(2, 1), {"sold": torch.tensor([1.0, missing])}, None), {"sold": task}).answer()
    assert answered.labelled is not None
    assert answered.labelled.tolist() == [[True], [False]]
    assert ask(Batch(torch.zeros(2, 1), {"sold": torch.tensor([1, -1])}, None), {"sold": task}).flags is None


@pytest.mark.parametrize("task", [Edges(), Saliency()])
@pytest.mark.parametrize("missing", [-1.0, torch.nan])
def test_numbers_below_zero_are_no_label_of_a_binary_task(task: Task, missing: float) -> None:
    target = torch.full((2, 1, 3, 3), missing)
    target[0, 0, 0, 0] = 1.0
    assert task.labelled(target).tolist() == [True, False]
    assert int(task.loss(torch.zeros(2, 1, 3, 3), target)[1]) == 1

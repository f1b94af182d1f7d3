"""One buffer per live owner."""

import pytest
import torch
from torch import Tensor

from mtl_bench.step.buffers import RowBuffers
from tests.step.toys import make_batch, make_machine, make_step


class Owner:
    pass


@pytest.fixture
def buffers() -> RowBuffers:
    return RowBuffers([torch.zeros(2, 2, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)])


def take(buffers: RowBuffers, rows: int, owner: object) -> Tensor:
    buffer = buffers.free(rows)
    buffers.give(buffer, owner)
    return buffer.matrix


def test_shape_and_type(buffers: RowBuffers) -> None:
    buffer = buffers.free(3)
    assert buffer.matrix.shape == (3, 5)
    assert buffer.matrix.dtype == torch.float64
    assert [[piece.shape for piece in row] for row in buffer.pieces] == 3 * [[(2, 2), (1,)]]


def test_pieces_are_the_rows_and_are_made_once(buffers: RowBuffers) -> None:
    owner = Owner()
    first = buffers.free(2)
    buffers.give(first, owner)
    first.matrix.copy_(torch.arange(10).view(2, 5))
    assert [piece.tolist() for piece in first.pieces[1]] == [[[5, 6], [7, 8]], [9]]
    del owner
    assert buffers.free(2) is first
    other = buffers.free(2, (torch.Size([1]),))
    assert (other.memory is first.memory, other.matrix.shape) == (True, (2, 1))
    assert [piece.tolist() for piece in buffers.pieces(torch.arange(5))] == [[[0, 1], [2, 3]], [4]]
    shapes = [torch.Size(shape) for shape in ((2, 2), (), (0, 3), (1,))]
    odd = RowBuffers([torch.zeros(shape) for shape in shapes])
    assert [piece.shape for piece in odd.pieces(torch.zeros(6))] == shapes
    assert [piece.shape for piece in odd.free(1).pieces[0]] == shapes


def test_two_live_owners_never_share_memory(buffers: RowBuffers) -> None:
    owners = [Owner() for _ in range(4)]
    taken = [take(buffers, rows, owner) for rows, owner in zip((3, 2, 3, 1), owners, strict=True)]
    assert len({buffer.untyped_storage().data_ptr() for buffer in taken}) == 4


def test_memory_of_a_dead_owner_is_reused_whole(buffers: RowBuffers) -> None:
    owner = Owner()
    first = take(buffers, 3, owner).data_ptr()
    owner = Owner()  # the first is gone
    assert take(buffers, 2, owner).data_ptr() == first  # fewer rows fit
    owner = Owner()
    whole = take(buffers, 3, owner)
    assert whole.data_ptr() == first
    assert whole.shape == (3, 5)
    owner = Owner()
    assert take(buffers, 4, owner).shape == (4, 5)  # more do not


def test_no_more_buffers_are_kept_than_were_alive_at_once(buffers: RowBuffers) -> None:
    for _ in range(5):
        owners = [Owner(), Owner()]
        for owner in owners:
            take(buffers, 3, owner)
        del owner
    assert len(buffers._taken) == 2


def test_gradients_that_are_alive_together_do_not_alias() -> None:
    machine = make_machine()
    step = make_step(machine)
    alive = []
    kept = []
    for part in step.split(3):
        gradients = part.gradients(part.losses())
        alive.append(gradients)
        kept.append(gradients.matrix().clone())
    for gradients, rows in zip(alive, kept, strict=True):
        assert torch.equal(gradients.matrix(), rows)
    assert len({gradients.matrix().data_ptr() for gradients in alive}) == 3


def test_steps_of_one_run_reuse_one_buffer() -> None:
    machine = make_machine()
    pointers = set()
    for seed, absent in enumerate(([], ["pose"], [])):
        step = make_step(machine, make_batch(seed=seed, unlabelled=absent))
        gradients = step.gradients(step.losses())
        pointers.add(gradients.matrix().data_ptr())
        gradients.combine(torch.ones(len(step.tasks)))
        step.apply()
        del gradients
    assert len(pointers) == 1


def test_directions_of_one_run_take_one_place() -> None:
    machine = make_machine()
    places, directions = set(), []
    for seed in range(2):
        step = make_step(machine, make_batch(seed=seed))
        gradients = step.gradients(step.losses())
        gradients.combine(torch.ones(len(step.tasks)))
        written = [parameter.grad for parameter in machine.shared.values() if parameter.grad is not None]
        places.add(written[0].untyped_storage().data_ptr())
        directions.append(torch.cat([gradient.flatten() for gradient in written]))
        assert torch.equal(directions[-1], torch.ones(len(step.tasks)).to(directions[-1]) @ gradients.matrix())
        step.apply()
    assert len(places) == 1
    assert not torch.equal(*directions)

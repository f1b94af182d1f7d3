"""Disjoint parts of a batch."""

import numpy as np
import pytest
import torch

from mtl_bench.data.split import Batch
from mtl_bench.errors import BenchError
from mtl_bench.step.parts import parts_by_label
from tests.step.toys import make_batch, make_machine, make_step, mask_labels


@pytest.mark.parametrize("size", [3, 10, 12])
def test_parts_are_disjoint_complete_and_of_nearly_equal_size(size: int) -> None:
    labelled = np.random.default_rng(0).random((size, 2)) < 0.5
    for table in (None, labelled):
        parts = parts_by_label(table, size, 3)
        assert sorted(np.concatenate(parts).tolist()) == list(range(size))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_labels_are_shared_out_evenly() -> None:
    labelled = np.zeros((12, 2), dtype=bool)
    labelled[:6, 0] = True  # in order: cutting the batch in blocks would leave a part without one
    labelled[6:9, 1] = True
    for part in parts_by_label(labelled, 12, 3):
        assert labelled[part].sum(axis=0).tolist() == [2, 1]


def test_random_labels_reach_every_part() -> None:
    draw = np.random.default_rng(1)
    for _ in range(20):
        labelled = draw.random((64, 4)) < [0.9, 0.5, 0.3, 0.7]
        parts = parts_by_label(labelled, 64, 3)
        assert all(labelled[part].any(axis=0).all() for part in parts)


def test_few_labels_of_many_tasks_reach_every_part() -> None:
    labelled = np.array([[1, 0, 0]] * 2 + [[1, 1, 0]] * 2 + [[0, 1, 1]] * 4 + [[0, 0, 1]] * 4, dtype=bool)
    assert all(labelled[part].any(axis=0).all() for part in parts_by_label(labelled, 12, 3))
    draw, missed, asked = np.random.default_rng(0), 0, 0
    for _ in range(100):
        labelled = draw.random((24, 7)) < 0.3
        present = np.array([labelled[part].any(axis=0) for part in parts_by_label(labelled, 24, 3)]).all(axis=0)
        enough = labelled.sum(axis=0) >= 3
        missed, asked = missed + (enough & ~present).sum(), asked + enough.sum()
    assert missed < 0.01 * asked  # dealt out by pattern: 0.08


def test_more_parts_than_samples_are_refused() -> None:
    with pytest.raises(BenchError, match="2 samples cannot be split into 3 parts; raise batch_size"):
        parts_by_label(None, 2, 3)


def test_parts_of_a_step_carry_their_samples_labels_and_share() -> None:
    batch = make_batch(size=12)
    labelled = np.tile([[True, True, False], [True, True, True]], (6, 1))
    machine = make_machine()
    step = make_step(machine, mask_labels(batch, labelled))
    read: list[Batch] = []
    forward = machine.forward.on
    machine.forward.on = lambda batch: read.append(batch) or forward(batch)  # type: ignore
    parts = step.split(3)
    assert [part.share for part in parts] == [1 / 3] * 3  # type: ignore[attr-defined]
    assert all(part.tasks == (0, 1, 2) for part in parts)
    seen = torch.cat([part.image for part in read])
    assert seen.shape == batch.image.shape
    assert {tuple(image.flatten().tolist()) for image in seen} == {tuple(i.flatten().tolist()) for i in batch.image}
    for part in read:
        assert part.labelled is not None
        assert ((part.targets["colour"] >= 0).numpy() == part.labelled[:, 2]).all()


def test_all_parts_share_one_set_of_tasks() -> None:
    """A task with fewer labels than parts is in none of them: rows of independent parts must align."""
    labelled = np.ones((12, 3), dtype=bool)
    labelled[1:, 1] = False
    step = make_step(make_machine(), mask_labels(make_batch(size=12), labelled))
    assert step.tasks == (0, 1, 2)
    parts = step.split(3)
    assert [part.tasks for part in parts] == [(0, 2)] * 3
    gradients = [part.gradients(part.losses()) for part in parts]
    assert gradients[0].gramian(gradients[1]).shape == (2, 2)


def test_parts_of_a_full_batch_add_up_to_it() -> None:
    machine = make_machine()
    machine.model.eval()  # batch statistics and dropout would differ between parts
    step = make_step(machine)
    whole = step.gradients(step.losses()).matrix().clone()
    parts = [part.gradients(part.losses()).matrix().clone() for part in step.split(3)]
    torch.testing.assert_close(sum(parts) / 3, whole)

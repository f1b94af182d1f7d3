"""Vectors that a checkpoint brings back: on the rows' device, and nobody else's."""

import torch

from mtl_bench.methods.task_vectors import TaskVectors


def test_what_is_loaded_goes_where_the_rows_are() -> None:
    vectors = TaskVectors(2)
    vectors.load_state_dict({"vectors": torch.ones(2, 3)})  # a checkpoint is read onto the host
    assert vectors.matrix(torch.empty(2, 3, device="meta")).device.type == "meta"


def test_what_is_loaded_is_a_copy() -> None:
    saved, vectors = torch.ones(1, 3), TaskVectors(1)
    vectors.load_state_dict({"vectors": saved})
    vectors.average(torch.zeros(1, 3), (0,), torch.zeros(1), torch.tensor(True))
    assert saved.tolist() == [[1, 1, 1]]
    assert vectors.vectors is not None
    assert not vectors.vectors.any()

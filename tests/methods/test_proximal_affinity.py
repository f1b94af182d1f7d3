"""STGU's bookkeeping without a network: who is credited with which change, and the groups that follow."""

import numpy as np
import pytest
import torch
from sklearn.cluster import AffinityPropagation

from mtl_bench.errors import BenchError
from mtl_bench.methods.clustering import affinity_groups, similarity_groups
from mtl_bench.methods.stgu import ProximalAffinity

BLOCKS = [[1, 0.55, 0.1, 0.025], [0.55, 1, 0.1, 0.1], [0.1, 0.1, 1, 0.65], [0.025, 0.1, 0.65, 1]]


def loss(*changes: float) -> np.ndarray:
    """Losses that changed by this much from 1."""
    return 1 - np.array(changes)


@pytest.mark.parametrize("attribution", ["released", "previous", "full"])
def test_members_that_moved_apart_are_charged(attribution: str) -> None:
    """+0.2 and −0.1 in a group of two: c = 0.1 and −0.05."""
    tracker = ProximalAffinity(2, 0.5, attribution)  # type: ignore[arg-type]
    tracker.visit((0, 1), np.ones(2))
    tracker.visit((0, 1), loss(0.2, -0.1))
    np.testing.assert_allclose(tracker.matrix, 0.5 * np.array([[0.1, -0.1], [-0.1, 0.0]]))


def test_members_that_moved_alike_are_credited_with_the_targets_change() -> None:
    tracker = ProximalAffinity(3, 1.0, "previous")
    tracker.visit((0, 1), np.ones(3))
    tracker.visit((2,), loss(0.2, 0.4, -0.3))
    np.testing.assert_allclose(tracker.matrix, [[0.1, 0.2, -0.15], [0.1, 0.2, -0.15], [0, 0, 0]])


def test_the_release_credits_the_group_that_comes_after() -> None:
    tracker = ProximalAffinity(2, 1.0, "released")
    tracker.visit((0,), np.ones(2))
    tracker.visit((1,), loss(0.3, 0.1))  # what the step on task 0 did
    np.testing.assert_allclose(tracker.matrix, [[0, 0], [0.3, 0.1]])
    causal = ProximalAffinity(2, 1.0, "previous")
    causal.visit((0,), np.ones(2))
    causal.visit((1,), loss(0.3, 0.1))
    np.testing.assert_allclose(causal.matrix, [[0.3, 0.1], [0, 0]])


def test_full_measures_the_last_step_too() -> None:
    tracker = ProximalAffinity(2, 1.0, "full")
    tracker.visit((0,), np.ones(2))
    tracker.visit((1,), loss(0.3, 0.1))
    tracker.end_batch(np.array([0.35, 0.9 * 0.8]))
    np.testing.assert_allclose(tracker.matrix, [[0.3, 0.1], [0.5, 0.2]])


def test_batches_are_not_compared_with_each_other() -> None:
    tracker = ProximalAffinity(2, 1.0, "previous")
    for _ in range(3):
        tracker.visit((0, 1), np.array([3.0, 4.0]) * (1 + _))
        tracker.end_batch()
    assert not tracker.matrix.any()


def test_a_constant_change_fills_up_by_the_decay() -> None:
    tracker = ProximalAffinity(2, 0.1, "previous")
    for _ in range(25):
        tracker.visit((0,), np.ones(2))
        tracker.visit((1,), loss(0.3, -0.2))
        tracker.end_batch()
    np.testing.assert_allclose(tracker.matrix[0], np.array([0.3, -0.2]) * (1 - 0.9**25))


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_losses_that_are_no_ratio_change_nothing(bad: float) -> None:
    tracker = ProximalAffinity(2, 1.0, "previous")
    tracker.visit((0,), np.array([1.0, bad]))
    tracker.visit((1,), np.array([0.5, 1.0]))
    np.testing.assert_allclose(tracker.matrix, [[0.5, 0], [0, 0]])


def test_it_is_saved_and_restored() -> None:
    tracker, other = ProximalAffinity(2, 0.3, "previous"), ProximalAffinity(2, 0.3, "previous")
    tracker.visit((0,), np.ones(2))
    tracker.visit((1,), loss(0.3, 0.1))
    other.load_state_dict(tracker.state_dict())
    tracker.visit((0,), loss(0.5, 0.5))
    assert np.array_equal(other.matrix[0], tracker.matrix[0])
    assert tracker.matrix[1].any()
    assert not other.matrix[1].any()  # a copy, not the same memory
    assert isinstance(tracker.state_dict()["matrix"], torch.Tensor)


def test_groups_of_block_similarities() -> None:
    assert similarity_groups(np.array(BLOCKS)) == [[0, 1], [2, 3]]
    assert similarity_groups(np.array([[1, 0.8, 0.1], [0.8, 1, 0.1], [0.1, 0.1, 1]])) == [[0, 1], [2]]
    assert similarity_groups(np.array([[1, 0.25], [0.25, 1]])) == [[0], [1]]
    assert similarity_groups(np.array([[1, 1.5], [1.5, 1]])) == [[0, 1]]
    assert similarity_groups(np.ones((1, 1))) == [[0]]


def test_affinities_are_normalised_by_the_target_and_made_symmetric() -> None:
    """Columns of any scale give the same groups."""
    scaled = np.array(BLOCKS) * np.array([1e-4, 3.0, 50.0, 0.2])
    assert affinity_groups(scaled) == [[0, 1], [2, 3]]
    assert affinity_groups(scaled, preference=-10.0) == [[0, 1, 2, 3]]


def test_an_affinity_counts_in_both_directions() -> None:
    """Either direction alone would make other groups than their mean does."""
    one_way = np.array([[1, 0.3, 0, 0], [0.8, 1, 0.6, 0.7], [0.5, 0.9, 1, 0], [0.9, 0, 0.7, 1]])
    assert affinity_groups(one_way) == similarity_groups((one_way + one_way.T) / 2) == [[0, 1, 2], [3]]
    assert similarity_groups(one_way) == similarity_groups(one_way.T) == [[0, 3], [1, 2]]


def test_without_an_exemplar_it_tries_longer_windows_and_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    windows: list[int] = []

    class NeverConverges(AffinityPropagation):
        def fit(self, X: np.ndarray, y: None = None) -> "NeverConverges":
            windows.append(self.convergence_iter)
            self.labels_ = np.full(len(X), -1)
            return self

    monkeypatch.setattr("sklearn.cluster.AffinityPropagation", NeverConverges)
    assert affinity_groups(np.array(BLOCKS)) is None
    assert windows == list(range(50, 1050, 100))


@pytest.mark.parametrize("self_affinity", [0.0, -1e-9, np.nan])
def test_a_self_affinity_that_is_not_positive_groups_nothing(self_affinity: float) -> None:
    matrix = np.array(BLOCKS)
    matrix[2, 2] = self_affinity
    assert affinity_groups(matrix) is None


def test_what_it_refuses() -> None:
    with pytest.raises(BenchError, match="decay"):
        ProximalAffinity(2, 0.0)
    with pytest.raises(BenchError, match="attribution"):
        ProximalAffinity(2, 0.1, "next")  # type: ignore[arg-type]


def test_a_state_from_before_pairs_were_told_apart_goes_on() -> None:
    one, other = ProximalAffinity(2, 0.5), ProximalAffinity(2, 0.5)
    one.visit([0], [1.0, 1.0])
    one.visit([0], [0.9, 0.8])
    state = one.state_dict()
    del state["seen"]
    other.load_state_dict(state)
    assert (other.seen == one.seen).all()
    assert other.seen.tolist() == [[True, True], [False, False]]

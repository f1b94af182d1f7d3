"""Thinning, against the conditions of the paper applied pixel by pixel, and scikit-image where it is installed."""

import numpy as np
import pytest

from mtl_bench.data.maps.thinning import thin

AROUND = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))  # x1 to x8


def by_hand(mask: np.ndarray) -> np.ndarray:
    """Lam, Lee & Suen (1992), p. 879, as MATLAB's page of `bwmorph` writes the conditions."""
    kept = np.pad(mask, 1)
    while True:
        before = kept.copy()
        for second in (False, True):
            kept &= ~removed(kept, second)
        if (kept == before).all():
            return kept[1:-1, 1:-1]


def removed(mask: np.ndarray, second: bool) -> np.ndarray:
    gone = np.zeros_like(mask)
    for row, col in zip(*np.nonzero(mask), strict=True):
        x = [None, *(bool(mask[row + down, col + right]) for down, right in AROUND)]
        x.append(x[1])
        crossings = sum(not x[2 * i - 1] and (x[2 * i] or x[2 * i + 1]) for i in range(1, 5))
        n1 = sum(x[2 * k - 1] or x[2 * k] for k in range(1, 5))
        n2 = sum(x[2 * k] or x[2 * k + 1] for k in range(1, 5))
        third = (x[6] or x[7] or not x[4]) and x[5] if second else (x[2] or x[3] or not x[8]) and x[1]
        gone[row, col] = crossings == 1 and 2 <= min(n1, n2) <= 3 and not third
    return gone


def drawn(seed: int, share: float) -> np.ndarray:
    mask = np.random.RandomState(seed).rand(24, 31) < share
    return np.repeat(mask, 2, axis=1) if seed % 2 else mask  # thick lines as well as dots


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_a_pixel_goes_when_the_paper_says_so(seed: int, share: float) -> None:
    mask = drawn(seed, share)
    np.testing.assert_array_equal(thin(mask), by_hand(mask))


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_thinning_of_the_released_loaders(seed: int) -> None:
    morphology = pytest.importorskip("skimage.morphology", reason="scikit-image, an oracle, is not installed")
    mask = drawn(seed, 0.1 + 0.15 * seed)
    np.testing.assert_array_equal(thin(mask), morphology.thin(mask))


def test_a_bar_becomes_a_line_and_stays_as_it_was_given() -> None:
    mask = np.zeros((9, 20), bool)
    mask[3:6, 2:18] = True
    before = mask.copy()
    assert thin(mask).sum(axis=0).max() == 1
    assert thin(mask)[4, 4:16].all()
    np.testing.assert_array_equal(mask, before)

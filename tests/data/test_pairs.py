"""Multi-MNIST and its relatives."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats.idx import read_official
from mtl_bench.data.packed import Packed
from mtl_bench.data.pairs import LAYOUT, Pairs, overlay, resize
from mtl_bench.errors import BenchError


def random_images(count: int, side: int, seed: int) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, (count, side, side)).astype(np.uint8)


def slow_overlay(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    canvas = np.zeros((36, 36), np.uint8)
    for row in range(36):
        for column in range(36):
            here = [0]
            if row < 28 and column < 28:
                here.append(left[row, column])
            if 6 <= row < 34 and 6 <= column < 34:
                here.append(right[row - 6, column - 6])
            canvas[row, column] = max(here)
    return canvas


def exact_weights(old: int, new: int) -> list[list[Fraction]]:
    """The triangle filter of a bilinear resize, widened when it shrinks, in exact arithmetic."""
    scale = Fraction(old, new)
    rows = []
    for i in range(new):
        centre = scale * (i + Fraction(1, 2))
        distances = [abs(j + Fraction(1, 2) - centre) / max(scale, Fraction(1)) for j in range(old)]
        triangle = [max(1 - distance, Fraction(0)) for distance in distances]
        rows.append([weight / sum(triangle) for weight in triangle])
    return rows


def exact_resize(image: np.ndarray, new: int) -> np.ndarray:
    weights = np.array(exact_weights(len(image), new), dtype=object)
    exact = weights @ (image.astype(object) @ weights.T)
    return np.vectorize(lambda value: math.floor(value + Fraction(1, 2)))(exact)


def test_overlay_agrees_with_a_pixel_loop() -> None:
    left, right = random_images(3, 28, 0), random_images(3, 28, 1)
    canvas = overlay(torch.from_numpy(left), torch.from_numpy(right), LAYOUT).numpy()
    np.testing.assert_array_equal(canvas, [slow_overlay(*pair) for pair in zip(left, right, strict=True)])


@pytest.mark.parametrize(("old", "new"), [(36, 28), (10, 24)])
def test_resizing_agrees_with_exact_fractions(old: int, new: int) -> None:
    """Every pixel: no machine's rounding can differ, so the digest is the same everywhere."""
    images = random_images(5, old, 2)
    resized = resize(torch.from_numpy(images), new).numpy()
    np.testing.assert_array_equal(resized[:, 0], [exact_resize(image, new) for image in images])
    largest = max(weight.denominator for row in exact_weights(old, new) for weight in row)
    assert 1 / (2 * largest**2) > 2**-12


def pack(official: Path, root: Path, **arguments: int | str) -> Packed:
    defaults: dict[str, int | str] = {"name": "pairs", "left": "mnist", "right": "fashion", "val": 12}
    return prepare(Pairs(**{**defaults, **arguments}), root, official)  # type: ignore[arg-type]


def test_fields_are_what_the_pairs_say(official: Path, tmp_path: Path) -> None:
    packed = pack(official, tmp_path)
    mnist, fashion = (read_official(name, [official]) for name in ("mnist", "fashion"))
    assert packed.manifest.splits == {"train": 48, "val": 12, "test": 20}
    for split in packed.manifest.splits:
        part, stored = "test" if split == "test" else "train", packed.arrays(split)
        left, right = stored["pair"].T
        np.testing.assert_array_equal(stored["left"], mnist[part][1][left])
        np.testing.assert_array_equal(stored["right"], fashion[part][1][right])
        canvas = slow_overlay(mnist[part][0][left[3]], fashion[part][0][right[3]])
        np.testing.assert_array_equal(stored["image"][3, 0], exact_resize(canvas, 28))


@pytest.mark.parametrize("right", ["mnist", "fashion"])
def test_no_source_image_serves_two_splits(official: Path, tmp_path: Path, right: str) -> None:
    packed = pack(official, tmp_path, right=right)
    train, val = (packed.arrays(split)["pair"] for split in ("train", "val"))
    sides = [(0, 0), (1, 1)] + ([(0, 1), (1, 0)] if right == "mnist" else [])
    for side, other in sides:
        assert not set(train[:, side]) & set(val[:, other])
    assert sorted([*train[:, 0], *val[:, 0]]) == list(range(60))
    assert packed.arrays("test")["pair"][:, 0].tolist() == list(range(20))


def test_the_data_seed_fixes_the_digest(official: Path, tmp_path: Path) -> None:
    digests = [pack(official, tmp_path / str(n), data_seed=seed).digest for n, seed in enumerate([0, 0, 1])]
    assert digests[0] == digests[1] != digests[2]
    assert pack(official, tmp_path / "0", data_seed=1).digest == digests[2]


def test_nothing_need_be_held_out(official: Path, tmp_path: Path) -> None:
    assert pack(official, tmp_path, val=0).manifest.splits == {"train": 60, "test": 20}
    for val in (60, -1):
        with pytest.raises(BenchError, match=f"val={val} cannot be held out"):
            pack(official, tmp_path, val=val)


def test_an_unknown_source_lists_the_known_ones() -> None:
    with pytest.raises(BenchError, match="cannot pair `kmnist`; choose among mnist, fashion"):
        Pairs("pairs", left="kmnist", right="mnist")


def test_real_multimnist(shared_data: Path, tmp_path: Path) -> None:
    packed = prepare(Pairs("multimnist", "mnist", "mnist"), tmp_path, shared_data)
    assert packed.manifest.splits == {"train": 54000, "val": 6000, "test": 10000}
    # Another digest is another dataset: raise `Pairs.revision` with it.
    assert packed.digest == "d6f09a87e08b4ba3dc293f9e019638b34c31a27bced7ccf8c0ee3a2034006c0f"
    train = packed.arrays("train")
    assert 0.1 < train["image"].mean() / 255 < 0.25
    assert np.bincount(train["right"]).min() > 4500

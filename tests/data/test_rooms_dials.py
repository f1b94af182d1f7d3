"""Dials of rooms whose right answer is known."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtl_bench.data.dataset import prepare
from mtl_bench.data.rooms import Rooms
from mtl_bench.data.rooms.dials import distractor
from mtl_bench.data.rooms.render_rooms import draw_room, render
from mtl_bench.tasks import Depth, Edges, Task
from tests.data.rooms_by_hand import CPU

TINY = {"train": 6, "val": 2, "test": 2, "shift": 2, "height": 24, "width": 32}
Pack = Callable[..., dict[str, dict[str, np.ndarray]]]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Arrays of tiny rooms with the given dials, by split."""
    root: Path = tmp_path_factory.mktemp("dials")

    def packed(**dials: Any) -> dict[str, dict[str, np.ndarray]]:
        made = prepare(Rooms(**TINY, **dials), root)
        return {split: made.arrays(split) for split in made.manifest.splits}

    return packed


def differing(one: dict[str, dict], other: dict[str, dict]) -> set[tuple[str, str]]:
    """Split and field of arrays that are not equal, of the fields that both have."""
    return {
        (split, name)
        for split, arrays in one.items()
        for name, array in arrays.items()
        if name in other[split] and not np.array_equal(array, other[split][name], equal_nan=array.dtype.kind == "f")
    }


@pytest.mark.parametrize("task", ["depth_zbuffer", "principal_curvature", "edge_texture"])
def test_noise_of_the_asked_size_on_one_training_target(pack: Pack, task: str) -> None:
    clean, noisy = pack(), pack(label_noise={task: 0.2})
    assert differing(clean, noisy) == {("train", task)}
    noise = noisy["train"][task].astype(float) - clean["train"][task].astype(float)
    assert np.nanstd(noise) == pytest.approx(0.2, rel=0.06)
    assert abs(np.nanmean(noise)) < 0.02
    assert (np.isnan(noise) == np.isnan(clean["train"][task])).all()


@pytest.mark.parametrize(("name", "task"), [("depth_zbuffer", Depth()), ("edge_occlusion", Edges())])
def test_noise_takes_no_label_away(pack: Pack, name: str, task: Task) -> None:
    clean, noisy = (torch.tensor(arrays["train"][name]) for arrays in (pack(), pack(label_noise={name: 2.0})))
    assert noisy.nan_to_num(nan=9.0).min() < 0.02
    assert torch.equal(task.valid(noisy), task.valid(clean))


def test_noisy_normals_are_unit_and_off_by_about_sigma(pack: Pack) -> None:
    clean, noisy = pack(), pack(label_noise={"normal": 0.1})
    assert differing(clean, noisy) == {("train", "normal")}
    before, after = (part["train"]["normal"] / 127 for part in (clean, noisy))
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1, atol=0.01)
    across = np.linalg.norm(after - before, axis=1)  # two components of σ each lie across the normal
    assert (across**2).mean() ** 0.5 == pytest.approx(0.1 * 2**0.5, rel=0.06)


def test_a_share_of_labelled_pixels_gets_a_random_class(pack: Pack) -> None:
    clean, noisy = pack(), pack(label_noise={"segmentation": 0.3})
    assert differing(clean, noisy) == {("train", "segmentation")}
    before, after = clean["train"]["segmentation"], noisy["train"]["segmentation"]
    assert (after[before < 0] < 0).all()
    changed = (after != before)[before >= 0]
    assert changed.mean() == pytest.approx(0.3 * 12 / 13, abs=0.03)
    drawn = after[(after != before) & (before >= 0)]
    assert np.bincount(drawn, minlength=13).min() > 0.4 * len(drawn) / 13


def test_noise_on_two_targets_is_drawn_for_each(pack: Pack) -> None:
    one, both = pack(label_noise={"reshading": 0.1}), pack(label_noise={"edge_texture": 0.1, "reshading": 0.1})
    assert differing(one, both) == {("train", "edge_texture")}
    clean = pack()["train"]
    noise = [both["train"][name].astype(float) - clean[name].astype(float) for name in ("reshading", "edge_texture")]
    assert abs(np.corrcoef(*map(np.ravel, noise))[0, 1]) < 0.06


@pytest.mark.parametrize("task", ["segmentation", "normal", "depth_euclidean"])
def test_a_duplicate_is_its_target_a_second_time(pack: Pack, task: str) -> None:
    clean, doubled = pack(), pack(duplicate=task)
    assert differing(clean, doubled) == set()
    for arrays in doubled.values():
        np.testing.assert_array_equal(arrays[task], arrays[f"{task}_copy"])
    fields = Rooms(**TINY, duplicate=task).fields
    assert fields[f"{task}_copy"] == fields[task]


def test_noise_of_a_target_leaves_its_duplicate_outside_training(pack: Pack) -> None:
    noisy = pack(duplicate="normal", label_noise={"normal": 0.1})
    alike = {split for split, arrays in noisy.items() if np.array_equal(arrays["normal"], arrays["normal_copy"])}
    assert alike == {"val", "test", "test_shift"}


def test_a_duplicate_gets_noise_of_its_own(pack: Pack) -> None:
    clean, noisy = pack()["train"], pack(duplicate="reshading", label_noise={"reshading": 0.1})["train"]
    noise = [noisy[name].astype(float) - clean["reshading"] for name in ("reshading", "reshading_copy")]
    assert np.std(noise[1]) == pytest.approx(0.1, rel=0.06)
    assert abs(np.corrcoef(*map(np.ravel, noise))[0, 1]) < 0.06


def test_the_distractor_follows_from_the_clean_image_alone(pack: Pack) -> None:
    room = draw_room(0, "train", 0, 24, 32)
    quiet = replace(room, noise=0 * room.noise)
    loud, clean = (render([one], 24, 32, CPU, {"distractor": distractor}) for one in (room, quiet))
    assert not loud["image"].equal(clean["image"])
    assert loud["distractor"].equal(clean["distractor"])
    torch.testing.assert_close(clean["distractor"], distractor(clean["image"]))
    stored = pack(distractor=True)
    np.testing.assert_allclose(stored["train"]["distractor"][0], clean["distractor"][0], atol=1e-3)
    assert differing(pack(), stored) == set()


def test_the_distractor_fills_its_range_and_is_related_to_no_target(pack: Pack) -> None:
    arrays = pack(distractor=True)["train"]
    wave = arrays["distractor"].astype(float)
    assert 0 <= wave.min() < 0.01
    assert 0.99 < wave.max() <= 1
    assert wave.std() > 0.25
    for name in ("depth_zbuffer", "edge_occlusion", "edge_texture", "reshading", "keypoints2d", "keypoints3d"):
        other = arrays[name].astype(float)
        known = ~np.isnan(other)
        assert abs(np.corrcoef(wave[known], other[known])[0, 1]) < 0.15, name

"""rooms as a packed dataset: what is stored, what it depends on, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_bench.data.dataset import prepare
from mtl_bench.data.packed import Packed
from mtl_bench.data.rooms import Rooms, render_rooms
from mtl_bench.data.rooms.furniture import CLASSES
from mtl_bench.data.rooms.render_rooms import draw_room, render_split
from mtl_bench.data.split import Split
from mtl_bench.errors import BenchError
from mtl_bench.job import compose_plan
from tests.data.rooms_by_hand import CPU

TINY = {"train": 5, "val": 3, "test": 3, "shift": 2, "height": 16, "width": 24}
SPLITS = {"train": 5, "val": 3, "test": 3, "test_shift": 2}
OF_GEOMETRY = ("segmentation", "depth_euclidean", "normal", "edge_occlusion", "principal_curvature", "keypoints3d")
UNITS = {"depth_euclidean": "m", "depth_zbuffer": "m", "principal_curvature": "1/m"}
KINDS = {"depth_euclidean": "depth", "depth_zbuffer": "depth", "normal": "normal"}
CHANNELS = {"image": 3, "normal": 3, "principal_curvature": 2, "segment_unsup2d": 3, "segment_unsup25d": 3}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return prepare(Rooms(**TINY), tmp_path_factory.mktemp("rooms"))


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def test_fields_units_and_kinds(packed: Packed) -> None:
    fields = packed.manifest.fields
    assert packed.manifest.splits == SPLITS
    assert ("image", *packed.manifest.targets) == tuple(fields)
    assert len(fields) == 13
    for name, field in fields.items():
        assert field.unit == UNITS.get(name, "")
        assert field.kind == KINDS.get(name, "map")
        assert field.shape == ((16, 24) if name == "segmentation" else (CHANNELS.get(name, 1), 16, 24))
    encodings = {name: field.written["encoding"] for name, field in fields.items()}
    assert {name: word for name, word in encodings.items() if word != "float"} == {
        "image": "uint8/255",
        "segmentation": "class",
        "normal": "int8/127",
    }


def test_the_arrays_are_the_rendered_rooms(packed: Packed) -> None:
    for split, count in SPLITS.items():
        expected = render_split(0, split, count, 16, 24, CPU)
        assert all(same(array, expected[name]) for name, array in packed.arrays(split).items())


def test_a_batch_has_what_was_rendered(packed: Packed) -> None:
    """Through storage and decoding, to the precision of the stored types; NaN and -1 where there is no target."""
    batch = Split(packed, ["train"], packed.manifest.targets, "cpu").batch(torch.arange(5))
    rooms = render_rooms.render([draw_room(0, "train", index, 16, 24) for index in range(5)], 16, 24, CPU)
    torch.testing.assert_close(batch.image, rooms.pop("image"), atol=0.6 / 255, rtol=0)
    assert batch.targets["segmentation"].dtype == torch.int64
    assert set(batch.targets["segmentation"].unique().tolist()) <= set(range(-1, len(CLASSES)))
    assert batch.targets["segmentation"].min() == -1
    for name, expected in rooms.items():
        found = batch.targets[name]
        rough = 0.6 / 127 if name == "normal" else 1e-3
        torch.testing.assert_close(found, expected.to(found.dtype), atol=rough, rtol=1e-3, equal_nan=True)
        assert found.isnan().any() == name.startswith("depth")
    assert (batch.targets["normal"].norm(dim=1) - 1).abs().max() < 0.01


def test_equal_arguments_give_equal_bits(packed: Packed, tmp_path: Path) -> None:
    assert prepare(Rooms(**TINY), tmp_path).digest == packed.digest
    assert prepare(Rooms(**{**TINY, "data_seed": 1}), tmp_path).digest != packed.digest


def test_another_data_seed_changes_every_array(packed: Packed) -> None:
    for split, count in SPLITS.items():
        other = render_split(1, split, count, 16, 24, CPU)
        for name, array in packed.arrays(split).items():
            assert all(not same(*pair) for pair in zip(array, other[name], strict=True)), name


def test_no_two_rooms_share_a_scene() -> None:
    rooms = [draw_room(seed, split, index, 16, 16) for seed in (0, 1) for split in SPLITS for index in range(40)]
    assert len({room.scene.camera.position.tobytes() for room in rooms}) == len(rooms)
    assert len({room.materials.tobytes() for room in rooms}) == len(rooms)
    assert len({room.noise.tobytes() for room in rooms}) == len(rooms)


def test_a_smaller_split_has_the_geometry_of_the_beginning_of_a_larger_one() -> None:
    small, large = (render_split(0, "test", count, 16, 24, CPU) for count in (8, 16))
    for name in OF_GEOMETRY:
        assert same(small[name], large[name][:8]), name


@pytest.mark.parametrize("rays", [1, 5 * 16 * 24])
def test_geometry_does_not_depend_on_how_many_rooms_are_rendered_at_a_time(
    rays: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = render_split(0, "test", 12, 16, 24, CPU)
    monkeypatch.setattr(render_rooms, "RAYS", {"cpu": rays})
    found = render_split(0, "test", 12, 16, 24, CPU)
    for name in OF_GEOMETRY:
        assert same(found[name], expected[name]), name


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"height": 15}, "height and width start at 16 pixels, got 15×64"),
        ({"width": 8}, "start at 16 pixels, got 48×8"),
        ({"val": 0}, "each need at least one image"),
        ({"shift": -1}, "each need at least one image"),
        ({"label_noise": {"depth": 0.1}}, "no target 'depth'; choose among segmentation"),
        ({"label_noise": {"image": 0.1}}, "no target 'image'"),
        ({"duplicate": "normals"}, "no target 'normals'"),
        ({"label_noise": {"normal": -0.1}}, "a standard deviation from 0 on"),
        ({"label_noise": {"normal": float("nan")}}, "a standard deviation from 0 on"),
        ({"label_noise": {"segmentation": 1.5}}, "at most 1"),
    ],
)
def test_impossible_rooms_are_refused(wrong: dict, says: str) -> None:
    with pytest.raises(BenchError, match=says):
        Rooms(**wrong)


def test_another_content_is_another_experiment_with_other_baselines(tmp_path: Path) -> None:
    """Boards refuse records of different experiment hashes, and find baselines by hash."""
    sizes = [f"dataset.{name}={value}" for name, value in TINY.items()]
    dials = ([], ["dataset.data_seed=1"], ["+dataset.label_noise.normal=0.1"], ["dataset.distractor=true"])
    plans = [compose_plan(["experiment=rooms_quick", *sizes, *dial], tmp_path) for dial in (*dials, [])]
    *different, again = [plan.setting.experiment_hash(list(plan.tasks)) for plan in plans]
    assert len(set(different)) == len(dials)
    assert again == different[0]
    baselines = [tuple(plan.setting.baselines(list(plan.tasks)).values()) for plan in plans]
    assert len({one for some in baselines[:-1] for one in some}) == len(dials) * len(plans[0].tasks)
    assert baselines[0] == baselines[-1]

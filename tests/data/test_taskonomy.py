"""Taskonomy: official files in miniature are read back exactly, matched by point and view; what is wrong is said."""

import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mtl_bench.data.benchmarks.taskonomy import Taskonomy
from mtl_bench.data.benchmarks.taskonomy_views import Views
from mtl_bench.data.dataset import prepare
from mtl_bench.data.formats.taskonomy_files import COUNTS
from mtl_bench.data.formats.taskonomy_maps import MAPS, RGB
from mtl_bench.data.packed import Packed
from mtl_bench.data.split import decoder
from mtl_bench.errors import BenchError
from tests.data.taskonomy_files import (
    BUILDINGS,
    PATTERNS,
    VIEWS,
    drawn_map,
    write_list,
    write_taskonomy,
    write_views,
)

BY_NAME = [(10, 0), (1, 0), (1, 2)]  # point_10 before point_1_
EVERYTHING = tuple(MAPS)
MASKED = ("depth_euclidean", "depth_zbuffer", "edge_occlusion", "normal", "principal_curvature", "reshading")
FEW = ("depth_zbuffer", "normal")


@pytest.fixture(autouse=True)
def _four_buildings(monkeypatch: pytest.MonkeyPatch) -> None:
    for split in COUNTS:
        monkeypatch.setitem(COUNTS, split, (2, 1, 1))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_taskonomy(tmp_path_factory.mktemp("taskonomy"))


@cache
def by_pillow(task: str, seed: int, side: int) -> np.ndarray:
    how = Image.Resampling.BILINEAR if task == RGB else Image.Resampling.NEAREST
    shown = np.asarray(Image.fromarray(drawn_map(task, seed)).resize((side, side), how))
    shown = shown.astype(np.int64)
    return shown.transpose(2, 0, 1) if shown.ndim == 3 else shown[None]


def decoded(packed: Packed, split: str, name: str) -> np.ndarray:
    return decoder(packed.manifest.fields[name])(torch.from_numpy(np.array(packed.arrays(split)[name]))).numpy()


def expected(task: str, seed: int, side: int) -> np.ndarray:
    """Stored numbers as the table of encodings says."""
    shown, missing = by_pillow(task, seed, side), by_pillow("depth_zbuffer", seed, side)[0] == 65535
    match task:
        case "depth_euclidean" | "depth_zbuffer":
            values = shown / 512
        case "edge_occlusion" | "edge_texture" | "keypoints2d" | "keypoints3d":
            values = shown / 65535
        case "normal":
            values = (shown - 127.5) / 127.5
        case "principal_curvature":
            values = shown[:2] - 127.0
        case "segment_semantic":
            return np.where(shown[0] == 0, -1, shown[0])
        case _:
            values = shown[:1] / 255
    return np.where(missing & (task in MASKED), np.nan, values)


@pytest.mark.parametrize(
    ("pattern", "side", "tasks"), [(PATTERNS[0], 512, FEW), (PATTERNS[1], 256, EVERYTHING), (PATTERNS[2], 128, FEW)]
)
def test_every_field_is_the_files(tmp_path: Path, pattern: str, side: int, tasks: tuple[str, ...]) -> None:
    write_taskonomy(tmp_path / "source", pattern, tasks=(RGB, *tasks))
    dataset = Taskonomy(tasks=tasks, size=side, views={"train": 1, "val": 2, "test": 3} if side > 128 else {})
    packed = prepare(dataset, tmp_path, tmp_path / "source")
    assert packed.manifest.label == ""
    for split, seeds in (("train", [0, 1]), ("val", [2]), ("test", [3])):
        views = [(seed, *view) for seed in seeds for view in BY_NAME[: dataset.views.get(split)]]
        assert packed.arrays(split)["view"].tolist() == [list(view) for view in views]
        images = packed.arrays(split)["image"]
        for row, (seed, *_) in enumerate(views):
            np.testing.assert_array_equal(images[row], by_pillow(RGB, seed, side))
        for task in tasks:
            found = decoded(packed, split, task)
            for row, (seed, *_) in enumerate(views):
                np.testing.assert_allclose(found[row], expected(task, seed, side), rtol=1e-6, err_msg=task)


def test_a_mask_reaches_as_far_as_asked_or_is_none(tmp_path: Path, source: Path) -> None:
    near = prepare(Taskonomy(tasks=EVERYTHING, far=10, limit=1, mask="depth_euclidean"), tmp_path, source)
    beyond = by_pillow("depth_euclidean", 0, 256)[0] >= 5120
    for task in EVERYTHING:
        unknown = decoded(near, "train", task)[0]
        unknown = np.isnan(unknown) if unknown.dtype.kind == "f" else np.zeros_like(unknown, bool)
        assert np.array_equal(np.broadcast_to(beyond, unknown.shape), unknown) == (task in MASKED), task
    bare = prepare(Taskonomy(tasks=MASKED, mask="none", limit=1), tmp_path, source)
    for task in MASKED:
        found = bare.arrays("train")[task][0]
        np.testing.assert_array_equal(found, by_pillow(task, 0, 256)[: len(found)])
        assert not np.isnan(decoded(bare, "train", task)).any()
    assert decoded(bare, "train", "depth_zbuffer").max() == 65535 / 512
    assert list(next(iter(Taskonomy(tasks=("normal",), mask="none").find(source).splits["val"])).files) == [
        RGB,
        "normal",
    ]


def test_views_are_matched_by_point_and_view(tmp_path: Path, source: Path) -> None:
    """Also where as many files of another task are missing, so that positions would still pair up."""
    write_taskonomy(tmp_path, tasks=(RGB, *FEW))
    (tmp_path / "merom" / "normal" / "point_1_view_2_domain_normal.png").unlink()
    write_views(tmp_path, PATTERNS[0], "merom", [(5, 5)], 1, ["normal"])
    dataset = Taskonomy(tasks=FEW)
    inventory = dataset.find(tmp_path)
    tallies = {(tally.split, tally.files): (tally.found, tally.missing) for tally in inventory.tallies}
    assert tallies["train", "buildings"] == (2, 0)
    assert tallies["train", "normal"] == (6, 1)
    assert tallies["train", RGB] == (6, 1)
    with pytest.raises(
        BenchError, match=r"merom/normal/point_1_view_2_domain_normal\.png is missing; download the nor"
    ):
        prepare(dataset, tmp_path / "data", tmp_path)
    assert [sentence.rpartition("; ")[0].rpartition("/")[2] for sentence in inventory.lost["train"]] == [
        "point_1_view_2_domain_normal.png is missing",
        "point_5_view_5_domain_rgb.png is missing",
    ]
    assert [sample.name for sample in inventory.splits["train"]][3:] == [
        "merom/point_10_view_0",
        "merom/point_1_view_0",
    ]


def test_lists_and_limits(source: Path) -> None:
    dataset = Taskonomy(tasks=FEW, skip=["merom"], views={"train": 2, "val": 1}, test_share=0.67)
    splits = dataset.find(source).splits
    assert {part: [sample.name for sample in views] for part, views in splits.items()} == {
        "train": ["hanson/point_10_view_0", "hanson/point_1_view_0"],
        "val": ["corozal/point_10_view_0"],
        "test": ["ihlen/point_10_view_0", "ihlen/point_1_view_0"],
    }
    assert [sample.row for sample in splits["test"]] == [3, 3]


@pytest.mark.parametrize("bound", [{"views": {"test": 2}}, {"test_share": 0.67}])
def test_a_view_beyond_what_is_asked_for_is_not_missed(tmp_path: Path, bound: dict[str, Any]) -> None:
    write_taskonomy(tmp_path, tasks=(RGB, *FEW))
    dataset = Taskonomy(tasks=FEW, **bound)
    views = [sample.name for sample in dataset.find(tmp_path).splits["test"]]
    assert views == ["ihlen/point_10_view_0", "ihlen/point_1_view_0"]
    normals = tmp_path / "ihlen" / "normal"
    (normals / "point_1_view_2_domain_normal.png").unlink()
    found = dataset.find(tmp_path)
    assert [sample.name for sample in found.splits["test"]] == views
    assert found.lost == {}
    (normals / "point_10_view_0_domain_normal.png").unlink()
    assert len(dataset.find(tmp_path).lost["test"]) == (2 if "views" in bound else 1)


def test_a_sample_is_made_when_it_is_asked_for(source: Path) -> None:
    views = Taskonomy(tasks=FEW).find(source).splits["train"]
    assert isinstance(views, Views)
    assert views.rows.nbytes == 12 * len(views)
    assert views[1:3][0] == views[1] == pickle.loads(pickle.dumps(views))[1]
    assert views[-1].files["normal"] == source / "merom" / "normal" / "point_1_view_2_domain_normal.png"


@pytest.mark.parametrize("pattern", [PATTERNS[0], PATTERNS[3]])
def test_one_building_is_parted_by_points(tmp_path: Path, pattern: str) -> None:
    views = [(point, view) for point in range(10) for view in range(2)]
    write_views(tmp_path, pattern, "hanson", views, 0, (RGB, *FEW))
    packed = prepare(Taskonomy(tasks=FEW, size=8, building="hanson"), tmp_path, tmp_path)
    assert packed.manifest.splits == {"train": 16, "val": 2, "test": 2}
    assert packed.manifest.label == "building hanson of Taskonomy"
    points = {split: set(packed.arrays(split)["view"][:, 1].tolist()) for split in packed.manifest.splits}
    assert [len(one) for one in points.values()] == [8, 1, 1]
    assert set.union(*points.values()) == set(range(10))


def remove(path: str) -> Callable[[Path], None]:
    return lambda folder: (folder / path).unlink()


def shorten(folder: Path) -> None:
    path = folder / "hanson" / "normal" / "point_10_view_0_domain_normal.png"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])


def put(path: str, array: np.ndarray) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / path).unlink()
        Image.fromarray(array).save(folder / path)

    return write


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (remove("splits_taskonomy/train_val_test_tiny.csv"), r"tiny\.csv is missing; download splits_taskonomy\.zip"),
        (
            lambda folder: write_list(folder, "tiny", {"a": "train"}),
            "tiny.csv lists 1 / 0 / 0 buildings instead of 2 /",
        ),
        (lambda folder: (folder / "train_val_test_tiny.csv").write_text("id\nhanson"), "tiny.csv is no list of build"),
        (
            lambda folder: write_list(folder, "tiny", {"a": "train", **dict(list(BUILDINGS.items())[1:])}),
            r"a/rgb holds no views; download .*skip=\[cosmos,a\]",
        ),
        (
            shorten,
            r"Sample hanson/point_10_view_0: .*normal\.png is truncated, damaged or no PNG .*download the normal",
        ),
        (
            put("merom/depth_zbuffer/point_1_view_0_domain_depth_zbuffer.png", np.zeros((256, 256), np.uint16)),
            r"zbuffer\.png holds uint16 \[256, 256\] instead of uint16 \[512, 512\]",
        ),
        (
            put("merom/depth_zbuffer/point_1_view_0_domain_depth_zbuffer.png", np.zeros((512, 512), np.uint8)),
            "holds uint8 .* instead of uint16",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, damage: Callable[[Path], object], said: str) -> None:
    write_taskonomy(tmp_path, tasks=(RGB, *FEW))
    damage(tmp_path)
    with pytest.raises(BenchError, match=said):
        prepare(Taskonomy(tasks=FEW, size=8, skip=["cosmos"]), tmp_path, tmp_path)


def test_folders_without_views_or_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"holds no views of Taskonomy.*download them from github"):
        Taskonomy().find(tmp_path)
    write_views(tmp_path, PATTERNS[3], "", VIEWS, 0, [RGB, "normal"])
    with pytest.raises(BenchError, match=r"holds views of one building; say which one with dataset\.building=NAME"):
        Taskonomy().find(tmp_path)
    with pytest.raises(BenchError, match=r"depth_zbuffer holds no views; .*\(dataset\.tasks, dataset\.mask\)\.$"):
        prepare(Taskonomy(tasks=["normal"], building="hanson"), tmp_path / "data", tmp_path)


def test_class_18_is_none(tmp_path: Path) -> None:
    write_views(tmp_path, PATTERNS[3], "", VIEWS[:1], 0, [RGB])
    path = tmp_path / "segment_semantic" / "point_1_view_0_domain_segmentsemantic.png"
    path.parent.mkdir()
    Image.fromarray(np.full((512, 512), 18, np.uint8)).save(path)
    with pytest.raises(BenchError, match=r"semantic\.png holds class 18 of 18; download"):
        prepare(Taskonomy(tasks=["segment_semantic"], mask="none", building="a"), tmp_path / "data", tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"split": "huge"},
        {"tasks": ["rgb"]},
        {"tasks": ["normal", "normal"]},
        {"size": 513},
        {"mask": "normal"},
        {"far": 3, "mask": "none"},
        {"views": {"all": 3}},
        {"test_share": 0},
        {"building": "hanson", "skip": ["hanson"]},
        {"building": "hanson", "views": {"val": 9}},
        {"building": "hanson", "test_share": 0.1},
    ],
)
def test_other_arguments_are_refused(wrong: dict) -> None:
    with pytest.raises(BenchError, match=next(iter(wrong))):
        Taskonomy(**wrong)

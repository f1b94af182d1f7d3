"""Whose predictions are shown, how a task is coloured, and that the page is written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib import colormaps

from mtl_bench.errors import BenchError
from mtl_bench.pictures import Dense, Kind, Pictures
from mtl_bench.pictures.colours import PALETTE, STRIPES, look, photo, strips
from mtl_bench.records import Record
from mtl_bench.records.record import save_record
from mtl_bench.results import leaderboards
from mtl_bench.results.predictions import draw_predictions
from mtl_bench.results.run_pictures import RunPictures, choose_run_pictures, find_run_pictures, name_files

Runs = Callable[..., list[Record]]
SHAPES: dict[str, tuple[Kind, tuple[int, ...]]] = {
    "region": ("classes", ()),
    "far": ("depth", (1,)),
    "facing": ("normal", (3,)),
    "curved": ("map", (2,)),
    "colour": ("map", (3,)),
    "edge": ("map", (1,)),
}


def make_pictures(samples: int = 2, height: int = 6, width: int = 8) -> Pictures:
    draw = np.random.RandomState(0)
    tasks = {}
    for name, (kind, channels) in SHAPES.items():
        shape = (samples, *channels, height, width)
        if kind == "classes":
            target, prediction = draw.randint(-1, 60, shape).astype(np.int8), draw.randint(0, 60, shape).astype(np.int8)
        else:
            target, prediction = draw.randn(2, *shape).astype(np.float16)
            target[..., 0, 0] = np.nan
        tasks[name] = Dense(kind, "m" if kind == "depth" else "", target, prediction)
    return Pictures(draw.randint(0, 256, (samples, 3, height, width)).astype(np.uint8), tasks)


def dense(kind: Kind, target: list, prediction: list | None = None, dtype: type = np.float16) -> Dense:
    """One sample from one row of pixels per channel (`target[channel][pixel]`), or of classes."""
    values = [np.array(v, dtype)[..., None, :] for v in (target, prediction or target)]
    return Dense(kind, "", values[0][None], values[1][None])


def is_hatched(pixel: np.ndarray) -> bool:
    return pixel.tolist() in STRIPES.tolist()


def test_classes_have_fixed_colours_and_none_looks_like_another_or_like_no_label() -> None:
    painted = look(dense("classes", [0, 7, 53, -1], dtype=np.int8)).target(0)[0]
    np.testing.assert_array_equal(painted[:3], PALETTE[[0, 7, 53]])
    assert is_hatched(painted[3])
    assert len({tuple(colour) for colour in PALETTE.tolist()}) == len(PALETTE) == 54
    assert min(np.ptp(PALETTE.astype(int), axis=1)) > 15  # none is grey


def test_depth_of_target_and_prediction_shares_the_scale_of_the_target() -> None:
    shown = look(dense("depth", [[1.0, 2.0, 3.0, np.nan]], [[3.0, 9.0, -9.0, 2.0]]))
    assert (shown.low, shown.high) == pytest.approx((1.02, 2.98))
    viridis = colormaps["viridis"]([0.0, 0.5, 1.0], bytes=True)[:, :3]
    np.testing.assert_array_equal(shown.target(0)[0, :3], viridis)
    assert is_hatched(shown.target(0)[0, 3])
    np.testing.assert_array_equal(shown.prediction(0)[0], viridis[[2, 2, 0, 1]])


def test_normals_are_shown_as_others_do_whatever_their_length() -> None:
    """Right is red, up is green, towards the camera is blue: a wall ahead is light blue, a floor light green."""
    shown = look(dense("normal", [[0, 0, 1], [0, -1, 0], [-1, 0, 0]], [[0, 0, 0.1], [0, -9, 0], [-2, 0, 0]]))
    expected = [[128, 128, 255], [128, 255, 128], [255, 128, 128]]
    np.testing.assert_array_equal(shown.target(0)[0], expected)
    np.testing.assert_array_equal(shown.prediction(0)[0], expected)


def test_curvature_is_their_mean_around_white() -> None:
    shown = look(dense("map", [[-4.0, 2.0, 3.0], [0.0, -2.0, 3.0]]))
    assert shown.low == -shown.high
    negative, zero, positive = shown.target(0)[0].astype(int)
    assert np.ptp(zero) < 5
    assert negative[2] > negative[0]
    assert positive[0] > positive[2]


@pytest.mark.parametrize(
    ("target", "colours"),
    [([[0, 0, 0, 1.0]], "inferno"), ([[0, 0.6, 0.7, 1.0]], "gray"), ([[0, 1.0]] * 3, "rgb"), ([[np.nan]], "inferno")],
)
def test_maps_are_inferno_where_sparse_else_grey_or_colours(target: list, colours: str) -> None:
    assert look(dense("map", target)).colours == colours


def test_a_constant_or_infinite_map_has_a_picture() -> None:
    for values in ([[2.0, 2.0]], [[np.inf, 1.0]], [[np.nan, np.nan]]):
        assert look(dense("map", values, [[np.nan, np.inf]])).prediction(0).shape == (1, 2, 3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_image_has_a_photo(channels: int) -> None:
    image = np.full((channels, 2, 3), 9, np.uint8)
    np.testing.assert_array_equal(photo(image), np.full((2, 3, 3), 9))


def test_a_strip_holds_the_input_and_two_cells_per_task() -> None:
    pictures = make_pictures()
    first, _ = strips(pictures)
    assert first.shape == (6, 8 + len(SHAPES) * (6 + 8 + 2 + 8), 3)
    np.testing.assert_array_equal(first[:, :8], photo(pictures.image[0]))
    np.testing.assert_array_equal(first[:, 14:22], look(pictures.tasks["region"]).target(0))


def test_targets_of_half_the_size_fit_into_a_strip() -> None:
    small = make_pictures(height=3, width=4)
    (first, _) = strips(Pictures(make_pictures().image, small.tasks))
    np.testing.assert_array_equal(first[::2, 14:22:2], look(small.tasks["region"]).target(0))


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., list[RunPictures]]:
    """Run folders of these records, with pictures unless `without` names their method."""

    def keep(records: list[Record], without: str = "") -> list[RunPictures]:
        for record in records:
            folder = tmp_path / "runs" / record["experiment"]["name"] / record["hash"] / str(record["seed"])
            folder.mkdir(parents=True)
            save_record(folder / "record.json", record)
            if record["method"]["name"] != without:
                (folder / "predictions.npz").write_bytes(make_pictures().to_bytes())
        return find_run_pictures([tmp_path / "runs", tmp_path])  # the same file twice

    return keep


def names(kept: list[RunPictures], records: list[Record], **wanted: str) -> list[str]:
    return [one.name for one in choose_run_pictures(kept, leaderboards(records), records, **wanted)]


def test_the_best_delta_m_is_shown_by_its_first_converged_seed(runs: Runs, single: Runs, keep: Callable) -> None:
    best = runs("uw", [90, 91, 92], [0.40, 0.39, 0.38])
    lost = runs("mgda", [99, 99, 99], [0.1, 0.1, 0.1])
    lost[0]["converged"] = False
    records = [*runs("ls", [85, 86, 87], [0.45, 0.44, 0.43]), *best, *lost, *single()]
    kept = keep(records)
    assert len(kept) == len(records)
    assert names(kept, records) == ["digits · UW · seed 0"]
    assert names(kept, records, method="LS") == names(kept, records, method="ls") == ["digits · LS · seed 0"]
    assert names(kept, records, method="mgda") == ["digits · MGDA · seed 1"]
    assert names(kept, records, method="single") == ["digits · left alone · seed 0"]  # one setting: the newest of all


def test_a_method_without_pictures_is_passed_over(runs: Runs, single: Runs, keep: Callable) -> None:
    records = [*runs("ls", [85, 86], [0.45, 0.44]), *runs("uw", [90, 91], [0.40, 0.39]), *single()]
    kept = keep(records, without="uw")
    assert names(kept, records) == ["digits · LS · seed 0"]
    with pytest.raises(BenchError, match="No run of uw kept predictions; choose --method among ls, single"):
        names(kept, records, method="uw")


def test_what_is_not_among_the_records_is_not_shown(runs: Runs, single: Runs, keep: Callable) -> None:
    """As a trial of a search, whatever its seed."""
    records = [*runs("ls", [85, 99], [0.45, 0.1]), *single()]
    records[1]["measured"]["finished"] = "2025-01-01T00:00:09"
    kept = keep(records)
    assert names(kept, records[:1]) == ["digits · LS · seed 0"]


def test_without_delta_m_the_newest_is_shown(runs: Runs, keep: Callable) -> None:
    records = [*runs("ls", [85, 86], [0.45, 0.44]), *runs("uw", [90, 91], [0.40, 0.39])]
    records[1]["measured"]["finished"] = "2025-01-01T00:00:09"
    assert names(keep(records), records) == ["digits · LS · seed 1"]


def test_every_experiment_has_a_picture_of_its_own(runs: Runs, keep: Callable) -> None:
    rooms = runs("ls", [85], [0.45], experiment={"name": "a/rooms", "hash": "e2" * 32}, hash="other")
    again = runs("ls", [85], [0.45], experiment={"name": "a/rooms", "hash": "e3" * 32}, hash="third")
    records = [*runs("ls", [85], [0.45]), *rooms, *again]
    chosen = choose_run_pictures(keep(records), leaderboards(records), records)
    files = sorted(path.name for path in name_files(chosen, Path("p.png")))
    assert files == ["p-a-rooms-e2e2e2.png", "p-a-rooms-e3e3e3.png", "p-digits.png"]
    assert name_files(chosen[:1], Path("p.png")) == [Path("p.png")]
    assert names(keep([]), records, experiment="digits") == ["digits · LS · seed 0"]


def test_runs_without_pictures_or_record_are_none(runs: Runs, keep: Callable, tmp_path: Path) -> None:
    records = runs("ls", [85], [0.45])
    kept = keep(records, without="ls")
    (tmp_path / "predictions.npz").touch()  # of a run that was killed before its record was written
    assert find_run_pictures([tmp_path]) == kept == []
    with pytest.raises(BenchError, match=r"No run here kept predictions: .* `options\.pictures`"):
        choose_run_pictures(kept, leaderboards(records), records)


@pytest.fixture
def kept(record: Callable[..., Record], tmp_path: Path) -> RunPictures:
    """A run with all kinds of tasks, in two bands."""
    path = tmp_path / "predictions.npz"
    path.write_bytes(make_pictures().to_bytes())
    metrics = {name: {"mean_iou": {"higher_is_better": True, "unit": "%"}} for name in SHAPES}
    made = record("pcgrad", 1.0, 1.0, metrics=metrics, test={name: {"mean_iou": 43.2} for name in SHAPES})
    made["delta_m"]["terms"] = {name: ["mean_iou"] for name in SHAPES}
    return RunPictures(made, path)


def test_the_page_names_run_tasks_samples_and_metrics(
    kept: RunPictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("matplotlib").rcParams, "svg.fonttype", "none")  # letters instead of outlines
    draw_predictions(kept, tmp_path / "new" / "page.svg")
    drawn = (tmp_path / "new" / "page.svg").read_text()
    assert "digits · PCGRAD · seed 0" in drawn
    for name in SHAPES:
        assert f">{name}</text>" in drawn
    assert drawn.count(">mean iou 43.2 % ↑</text>") == len(SHAPES)
    assert drawn.count(">input</text>") == 2  # once per band
    assert drawn.count(">test 1</text>") == 2
    assert drawn.count("<image") >= 2 * (2 + 2 * len(SHAPES))


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".PNG", b"\x89PNG"), (".pdf", b"%PDF")])
def test_formats(suffix: str, magic: bytes, kept: RunPictures, tmp_path: Path) -> None:
    draw_predictions(kept, tmp_path / f"page{suffix}")
    assert (tmp_path / f"page{suffix}").read_bytes().startswith(magic)


@pytest.mark.parametrize("name", ["page", "page.xyz", "page.npz"])
def test_another_suffix_is_refused(name: str, kept: RunPictures, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"its name must end in \.pdf, \.png, \.svg"):
        draw_predictions(kept, tmp_path / name)


def test_a_place_that_cannot_be_written_is_refused(kept: RunPictures, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BenchError, match="cannot be written"):
        draw_predictions(kept, tmp_path / "file" / "page.png")

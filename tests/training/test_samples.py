"""Pictures are kept of the weights that the record reports, in physical units, and keeping them changes no number."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mtl_bench.data.dataset import prepare
from mtl_bench.data.packed import Packed
from mtl_bench.data.split import Split
from mtl_bench.errors import BenchError
from mtl_bench.job import compose_plan
from mtl_bench.models.base import MultiTaskModel
from mtl_bench.pictures import Pictures
from mtl_bench.pictures.colours import strips
from mtl_bench.results.predictions import draw_predictions
from mtl_bench.results.run_pictures import find_run_pictures
from mtl_bench.step.snapshot import global_random_state
from mtl_bench.tasks import Classification, Depth, Edges, Normals, Segmentation, Task
from mtl_bench.tasks.encodings import Affine
from mtl_bench.training.assemble import Place
from mtl_bench.training.cell import Outcome, run_cell
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.loggers.base import Draw
from mtl_bench.training.model_forward import ModelForward
from mtl_bench.training.plan import Names, Plan, make_plan
from mtl_bench.training.samples import SIDE, _thin, take_pictures
from mtl_bench.training.trainer import Options
from tests.runs import as_json, differing
from tests.shapes import METRICS, NODES, TEST, Convolutions, Shapes

TASKS: dict[str, Task] = {
    "region": Segmentation(3),
    "far": Depth(encoding=Affine(shift=5.0, scale=4.0)),
    "facing": Normals(),
    "edge": Edges(),
    "bright": Classification(2),
}
OUTPUTS = {name: task.outputs for name, task in TASKS.items()}


class PathPerTask(Convolutions):
    """A norm per task, as far apart as can be: task k sees its features k times."""

    per_task_path = True

    def encode(self, image: torch.Tensor, task: int | None = None) -> list[torch.Tensor]:
        assert task is not None
        return [(1 + task) * self.encoder(image)]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return prepare(Shapes(), tmp_path_factory.mktemp("shapes"))


def split_of(packed: Packed) -> Split:
    normalise = ([0.1, 0.2, 0.3], [0.5, 0.25, 0.125])
    return Split(packed, ["test"], list(TASKS), "cpu", normalise)


def make_model(kind: type[Convolutions] = Convolutions) -> MultiTaskModel:
    torch.manual_seed(0)
    return kind(OUTPUTS, (3, 6, 8))


def take(packed: Packed, count: int = 4, model: MultiTaskModel | None = None) -> Pictures:
    return take_pictures(ModelForward(model or make_model(), TASKS), split_of(packed), packed.manifest.fields, count)


def test_what_is_stored_comes_back(packed: Packed) -> None:
    found, stored = take(packed), packed.arrays("test")
    assert list(found.tasks) == ["region", "far", "facing", "edge"]  # `bright` is no map
    assert [dense.kind for dense in found.tasks.values()] == ["classes", "depth", "normal", "map"]
    assert found.tasks["far"].unit == "m"
    np.testing.assert_array_equal(found.image, stored["image"][:4])  # as before normalisation
    np.testing.assert_array_equal(found.tasks["region"].target, stored["region"][:4])
    np.testing.assert_array_equal(found.tasks["far"].target, stored["far"][:4].astype(np.float16))
    edge = stored["edge"][:4, None]
    np.testing.assert_array_equal(found.tasks["edge"].target, np.where(edge < 0, np.nan, edge))
    assert np.isnan(found.tasks["facing"].target[:, :, 0, -1]).all()
    assert (found.tasks["facing"].target[:, 2, 1:] == -1).all()


@pytest.mark.parametrize("kind", [Convolutions, PathPerTask])
def test_predictions_are_those_of_evaluation_mode_in_units_of_the_target(
    kind: type[Convolutions], packed: Packed
) -> None:
    model = make_model(kind)
    found = take(packed, model=model).tasks
    model.eval()
    image = split_of(packed).batch(torch.arange(4)).image
    with torch.no_grad():
        hidden = [(1 + k if model.per_task_path else 1) * model.get_submodule("encoder")(image) for k in range(4)]
        region, far, facing, edge = (model.heads[name](hidden[k]) for k, name in enumerate(found))
    np.testing.assert_array_equal(found["region"].prediction, region.argmax(1))
    np.testing.assert_allclose(found["far"].prediction, 5 + 4 * far, rtol=1e-3)
    np.testing.assert_allclose(found["facing"].prediction, facing, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found["edge"].prediction, edge.sigmoid(), rtol=1e-3)


@pytest.mark.parametrize("training", [True, False])
def test_nothing_moves(training: bool, packed: Packed) -> None:
    model = make_model().train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random = global_random_state(torch.device("cpu"))
    take(packed, model=model)
    assert differing(dict(model.state_dict()), before) == []
    assert differing(global_random_state(torch.device("cpu")), random) == []
    assert model.training == model.get_submodule("encoder").training == training


def test_a_split_with_fewer_samples_gives_those(packed: Packed) -> None:
    assert len(take(packed, 100)) == TEST


def test_wide_maps_are_thinned_alike() -> None:
    wide = torch.arange(2 * SIDE + 2).expand(1, 3, -1)
    assert _thin(wide).tolist() == [[list(range(0, 2 * SIDE + 2, 3))]]


def test_the_file_holds_all_of_it(packed: Packed, tmp_path: Path) -> None:
    pictures, path = take(packed), tmp_path / "predictions.npz"
    path.write_bytes(pictures.to_bytes())
    read = Pictures.read(path)
    np.testing.assert_array_equal(read.image, pictures.image)
    assert list(read.tasks) == list(pictures.tasks)
    for name, dense in pictures.tasks.items():
        assert (read.tasks[name].kind, read.tasks[name].unit) == (dense.kind, dense.unit)
        for part in ("target", "prediction"):
            np.testing.assert_array_equal(getattr(read.tasks[name], part), getattr(dense, part))


@pytest.mark.parametrize(
    "damage", [lambda data: data[:100], lambda data: b"", lambda data: data.replace(b"far", b"fax")]
)
def test_a_damaged_file_is_named(damage: Any, packed: Packed, tmp_path: Path) -> None:
    path = tmp_path / "predictions.npz"
    path.write_bytes(damage(take(packed).to_bytes()))
    with pytest.raises(BenchError, match=r"predictions\.npz is damaged"):
        Pictures.read(path)


class Watching(NoLogger):
    def __init__(self) -> None:
        self.seen: list[tuple[Mapping[str, np.ndarray], str, int]] = []

    def images(self, draw: Draw, caption: str, batch: int) -> None:
        self.seen.append((draw(), caption, batch))


def make(data: Path, selection: Mapping[str, Any], only: list[str] | None = None) -> Plan:
    """Adam at a rate that overshoots, so that the best evaluation is not the last."""
    overrides = ["model=mlp", "protocol.training.batch_size=6", "protocol.training.optimizer.lr=0.3"]
    nodes = dict(compose_plan(["experiment=multidigits", *overrides], data).setting.nodes) | NODES
    terms = METRICS | {"bright": ["accuracy"]}
    nodes["protocol"]["reporting"] |= {
        "selection": {"_target_": f"mtl_bench.training.selection.{selection['name']}", **selection["given"]},
        "delta_m": {"definition": "one_per_task", "terms": terms},
    }
    return make_plan(Names("shapes", "ls"), nodes, 0, only or ["region", "far", "facing", "bright"], data)


def run(plan: Plan, runs: Path, logger: NoLogger | None = None, pictures: int = 100) -> Outcome:
    options = Options(progress=False, pictures=pictures)
    return run_cell(plan, Place(runs, device="cpu"), options, logger or NoLogger())


LAST = {"name": "Last", "given": {}}
BEST = {"name": "BestVal", "given": {"metric": "abs_err", "higher_is_better": False}}


@pytest.mark.parametrize(("selection", "only"), [(LAST, None), (BEST, ["far"])], ids=["last", "best_val"])
def test_pictures_show_the_weights_that_the_record_reports(
    selection: dict[str, Any], only: list[str] | None, data: Path, tmp_path: Path
) -> None:
    outcome = run(make(data, selection, only), tmp_path)
    far = Pictures.read(outcome.folder.predictions).tasks["far"]
    error = np.nanmean(np.abs(far.prediction.astype(float) - far.target.astype(float)))
    assert outcome.record["test"]["far"]["abs_err"] == pytest.approx(error, rel=2e-3)
    if selection is BEST:  # else the test could not tell one from the other
        assert outcome.record["evaluations"][-1]["test"] is None


def test_keeping_them_changes_no_number_and_no_identity(data: Path, tmp_path: Path) -> None:
    plan = make(data, LAST)
    outcomes = [run(plan, tmp_path / str(count), pictures=count) for count in (0, 3)]
    assert [outcome.folder.predictions.exists() for outcome in outcomes] == [False, True]
    assert as_json(outcomes[0].record) == as_json(outcomes[1].record)
    assert len(Pictures.read(outcomes[1].folder.predictions)) == 3


def test_a_logger_gets_one_picture_per_sample(data: Path, tmp_path: Path) -> None:
    watching = Watching()
    outcome = run(make(data, LAST), tmp_path, watching, pictures=2)
    ((drawn, caption, batch),) = watching.seen
    assert batch == outcome.record["counts"]["batches"]
    assert caption.startswith("input | region: target, prediction | far:")
    expected = strips(Pictures.read(outcome.folder.predictions))
    assert list(drawn) == ["predictions/0", "predictions/1"]
    for strip, other in zip(drawn.values(), expected, strict=True):
        np.testing.assert_array_equal(strip, other)


def test_the_page_of_a_trained_run(data: Path, tmp_path: Path) -> None:
    run(make(data, LAST), tmp_path / "runs")
    (kept,) = find_run_pictures([tmp_path / "runs"])
    draw_predictions(kept, tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_dense_task_nothing_is_kept(data: Path, tmp_path: Path) -> None:
    watching = Watching()
    outcome = run(make(data, LAST, ["bright"]), tmp_path, watching)
    assert not outcome.folder.predictions.exists()
    assert watching.seen == []


def test_a_map_for_a_head_of_vectors_is_no_picture(packed: Packed) -> None:
    model = make_model()
    model.heads["far"] = nn.Sequential(nn.Conv2d(8, 1, 1), nn.Flatten())
    assert "far" not in take(packed, model=model).tasks


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(BenchError, match=r"options\.pictures must be at least 0, got -1"):
        Options(pictures=-1)

"""The NYUD-MT and PASCAL-Context experiments on miniatures of their official files."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mtl_bench.data.benchmarks import nyud, pascal_context
from mtl_bench.job import compose_plan
from tests.data.nyud_files import write_nyud
from tests.data.pascal_files import write_drawn
from tests.experiments.miniature import train_two_steps

MTINET = ["model.backbone=resnet18", "model.width=4", "model.pretrained=false"]
SINGLE = [
    "protocol.reporting.single_model.backbone=resnet18",
    "+protocol.reporting.single_model.width=4",
    "protocol.reporting.single_model.pretrained=false",
]
VIT = ["model.pretrained=false"]
NYUD, PASCAL = (
    ["segmentation", *rest, "edge"] for rest in (["depth", "normal"], ["human_parts", "saliency", "normal"])
)
EXPERIMENTS = {
    "nyud_mtinet": (NYUD, [*MTINET, *SINGLE]),
    "nyud_mtinet_val": (NYUD, [*MTINET, *SINGLE, "dataset.val=1"]),
    "nyud_vit": (NYUD, VIT),
    "nyud_vit_val": (NYUD, [*VIT, "dataset.val=1"]),
    "pascal_mtinet": (PASCAL, [*MTINET, *SINGLE]),
    "pascal_mtinet_val": (PASCAL, [*MTINET, *SINGLE, "dataset.val=1"]),
    "pascal_vit": (PASCAL, VIT),
    "pascal_vit_val": (PASCAL, [*VIT, "dataset.val=1"]),
}


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    """Frames and photos a tenth as large: MTI-Net takes 16 s for a step of two full ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nyud, "FRAMES", {"full": (48, 64), "cropped": (42, 56)})
        patch.setattr(nyud, "BOX", (4, 4))
        patch.setattr(nyud, "CANVAS", {"full": (48, 64), "cropped": (44, 58)})
        patch.setattr(pascal_context, "SIZE", (50, 50))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_nyud(folder / "raw" / "nyud", "invpt", ["1", "2", "3"], ["4"], small=(42, 56))
    write_drawn(folder / "raw" / "pascal_context", train=3, test=2, sizes=((33, 50), (50, 38)))
    return folder


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_experiment(experiment: str, data: Path) -> None:
    tasks, overrides = EXPERIMENTS[experiment]
    record = train_two_steps(experiment, data, *overrides)
    assert list(record["test"]) == tasks
    assert bool(record["val"]) == experiment.endswith("_val")
    scored = record["config"]["protocol"]["reporting"]["delta_m"]["terms"]
    assert [task for task in scored if scored[task]] == tasks[:-1]  # edges train along
    assert list(record["baselines"]) == list(record["delta_m"]["terms"]) == tasks[:-1]


def test_single_task_is_the_backbone_with_one_head_and_its_own_recipe(data: Path) -> None:
    record = train_two_steps(
        "pascal_mtinet", data, "only=[saliency]", *MTINET, *SINGLE, "protocol.reporting.single_training.budget.amount=2"
    )
    protocol = record["config"]["protocol"]
    assert protocol["reporting"]["single_model"]["_target_"] == "mtl_bench.models.MultiScaleNet"
    plan = compose_plan(["experiment=pascal_mtinet", "only=[saliency]", *MTINET, *SINGLE], data)
    assert plan.setting.identity(["saliency"])["training"]["optimizer"]["_target_"] == "torch.optim.SGD"

"""The Taskonomy experiments on miniatures of the official files, and the grouping that TAG does with them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.data.formats.taskonomy_files import COUNTS
from tests.data.taskonomy_files import BUILDINGS, write_list, write_taskonomy
from tests.experiments.miniature import train_two_steps
from tests.runs import PAPER_MODELS

ROOT = Path(__file__).parents[2]
VIT = ["model.pretrained=false", "dataset.size=32", "dataset.test_share=1"]
SMALL = {
    "taskonomy_vit": VIT,
    "taskonomy_vit_val": VIT,
    "taskonomy_xception": [*PAPER_MODELS["xception"], "dataset.size=32"],
    "taskonomy_xception_val": [*PAPER_MODELS["xception"], "dataset.size=32"],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    source = write_taskonomy(folder / "raw" / "taskonomy")
    write_list(source, "medium", BUILDINGS)
    with pytest.MonkeyPatch.context() as patch:
        for split in COUNTS:
            patch.setitem(COUNTS, split, (2, 1, 1))
        yield folder


@pytest.mark.parametrize("experiment", SMALL)
def test_experiment(experiment: str, data: Path) -> None:
    record = train_two_steps(experiment, data, *SMALL[experiment])
    tasks = yaml.safe_load((ROOT / "configs" / "tasks" / f"{experiment_tasks(experiment)}.yaml").read_text())
    assert list(record["test"]) == list(tasks)
    assert all("loss" in metrics for metrics in record["test"].values())
    assert bool(record["val"]) == (experiment != "taskonomy_vit")


def experiment_tasks(experiment: str) -> str:
    return "taskonomy11" if "vit" in experiment else "taskonomy5"


def test_normals_as_released_and_one_task_alone(data: Path) -> None:
    record = train_two_steps("taskonomy_vit", data, *VIT, "tasks.normal.axis=width", "only=[normal]")
    assert record["config"]["tasks"]["normal"]["axis"] == "width"


@pytest.mark.parametrize("budget", [2, 3, 4])
def test_tags_groups_compose(budget: int) -> None:
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        job = compose("group", overrides=["experiment=taskonomy_xception", f"budget={budget}"])
    assert (job.budget, job.grouping.measure.measure) == (budget, "lookahead")
    assert set(job.tasks) == set(job.dataset.tasks)

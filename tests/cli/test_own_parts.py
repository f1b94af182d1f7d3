"""A user's own method, model, dataset, task and YAMLs, in the user's directory: nothing of ours edited or shadowed."""

from pathlib import Path
from textwrap import dedent

import pytest

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.records.record import Record, find_records
from tests.cli.conftest import DIGITS, FAST, Type

MY_FILE = '''
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from mtl_bench.data.dataset import Dataset
from mtl_bench.data.packed import Field, write_packed
from mtl_bench.methods.loss_weighting import LossWeighting
from mtl_bench.models import MultiTaskModel
from mtl_bench.tasks import Metric, Task


@dataclass(kw_only=True, eq=False)
class MyMethod(LossWeighting):
    """The first task counts `factor` times."""

    natural_sum = None
    separable = True
    factor: float = 2.0

    def weights(self, values, *, tasks, generator=None):
        return torch.tensor([self.factor if task == 0 else 1.0 for task in tasks])


class MyModel(MultiTaskModel):
    def __init__(self, outputs, input_shape, width: int = 4):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.LazyLinear(width), nn.Tanh())
        self.encoder(torch.zeros(1, *input_shape))
        self.heads = nn.ModuleDict({name: nn.Linear(width, n) for name, n in outputs.items()})

    def encode(self, image, task=None):
        return [self.encoder(image)]


@dataclass(frozen=True)
class Stripes(Dataset):
    """Horizontal or vertical stripes of some brightness."""

    name: str = "stripes"
    samples: int = 40

    @property
    def fields(self):
        return {
            "image": Field("uint8", (1, 4, 4), "uint8/255"),
            "way": Field("int8", (), "class"),
            "bright": Field("float32", (), "float"),
        }

    def pack(self, folder: Path, raw: Path, source: Path | None):
        return write_packed(folder, self.name, self._arrays(), self.fields, "drawn", self.parameters)

    def _arrays(self):
        draw = np.random.RandomState(0)
        arrays = {}
        for split in ("train", "val", "test"):
            way, bright = draw.randint(2, size=self.samples), draw.rand(self.samples)
            lines = np.arange(4) % 2 * bright[:, None] * 255
            image = np.where(way[:, None, None] == 0, lines[:, None, :], lines[:, :, None]) + np.zeros((1, 4, 4))
            arrays[split] = {
                "image": image[:, None].astype(np.uint8),
                "way": way.astype(np.int8),
                "bright": bright.astype(np.float32),
            }
        return arrays


class Brightness(Task):
    """Squared error."""

    likelihood = "regression"
    metrics = (Metric("rmse", False, "level"),)
    outputs = 1
    totals = 2

    def loss(self, output, target):
        return (output[:, 0] - target).square().sum(), target.new_tensor(len(target))

    def measure(self, output, target):
        return torch.stack([(output[:, 0] - target).square().sum(), target.new_tensor(len(target))]).double()

    def values(self, totals):
        return {"rmse": (totals[0] / totals[1]) ** 0.5}
'''

YAMLS = {
    "method/mine.yaml": """
        # The first task counts more: mtl-bench train --config-dir yamls method=mine
        _target_: my_file.MyMethod
        factor: 3.0
    """,
    "model/mine.yaml": """
        # One layer: mtl-bench train --config-dir yamls model=mine
        _target_: my_file.MyModel
    """,
    "dataset/stripes.yaml": """
        # Stripes: mtl-bench prepare --config-dir yamls dataset=stripes
        _target_: my_file.Stripes
    """,
    "tasks/stripes.yaml": """
        # Direction and brightness: mtl-bench train --config-dir yamls experiment=stripes
        way:
          _target_: mtl_bench.tasks.Classification
          classes: 2
        bright:
          _target_: my_file.Brightness
    """,
    "protocol/stripes.yaml": """
        # A moment: mtl-bench train --config-dir yamls experiment=stripes
        training:
          _target_: mtl_bench.training.protocol.Training
          batch_size: 8
          budget:
            _target_: mtl_bench.training.budget.Budget
            amount: 2
          optimizer:
            _target_: torch.optim.SGD
            _partial_: true
            lr: 0.1
        reporting:
          _target_: mtl_bench.training.protocol.Reporting
          delta_m:
            definition: task_mean
            terms: {way: [accuracy], bright: [rmse]}
    """,
    "experiment/stripes.yaml": """
        # @package _global_
        # Stripes: mtl-bench train --config-dir yamls experiment=stripes
        defaults:
          - /dataset: stripes
          - /tasks: stripes
          - /model: mine
          - /protocol: stripes
    """,
}


@pytest.fixture(autouse=True)
def mine(folder: Path) -> Path:
    """The user's directory with `my_file.py` and `yamls/`."""
    (folder / "my_file.py").write_text(MY_FILE)
    for name, text in YAMLS.items():
        path = folder / "yamls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip())
    return folder


def by_method(folder: Path) -> dict[str, Record]:
    return {record["method"]["name"]: record for record in find_records([folder / "runs"])}


def test_a_method_needs_no_yaml(train: Type, mtl_bench: Type, folder: Path) -> None:
    typed = train("method._target_=my_file.MyMethod")
    assert typed.status == 0, typed.err
    record = by_method(folder)["MyMethod"]
    assert record["identity"]["method"]["_target_"] == "my_file.MyMethod"
    assert len(record["identity"]["method"]["_source_"]) == 64
    assert "MyMethod" in mtl_bench("report").out


def test_an_edit_of_the_source_is_another_run(train: Type, folder: Path) -> None:
    first, again = train("method._target_=my_file.MyMethod"), train("method._target_=my_file.MyMethod")
    assert "finished already" in again.out
    (folder / "my_file.py").write_text(MY_FILE.replace("factor: float = 2.0", "factor: float = 2.5"))
    edited = train("method._target_=my_file.MyMethod")
    assert first.status == edited.status == 0
    assert "finished already" not in edited.out
    assert len({record["hash"] for record in find_records([folder / "runs"])}) == 3  # the fixture's and these two


def test_a_yaml_of_ones_own(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("train", "--config-dir", "yamls", *FAST, "method=mine")
    assert typed.status == 0, typed.err
    record = by_method(folder)["mine"]
    assert record["method"]["label"] == "mine (factor=3)"
    assert record["evaluations"][-1]["train"].keys() == {"left", "right"}


def test_a_class_beside_the_yamls(mtl_bench: Type, folder: Path) -> None:
    (folder / "my_file.py").rename(folder / "yamls" / "my_file.py")
    typed = mtl_bench("train", "--config-dir=yamls", *FAST, "method=mine")
    assert typed.status == 0, typed.err


def test_a_model_of_ones_own(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("train", "--config-dir", "yamls", *DIGITS, "model=mine", "+model.width=7", "method=pcgrad")
    assert typed.status == 0, typed.err
    assert by_method(folder)["pcgrad"]["config"]["model"] == {"_target_": "my_file.MyModel", "width": 7}


def test_everything_of_ones_own(mtl_bench: Type, folder: Path) -> None:
    """Dataset, tasks, protocol, model and method; the printed command finds them, and so does the report."""
    stripes = ["--config-dir", "yamls", "experiment=stripes"]
    assert mtl_bench("prepare", *stripes[:2], "dataset=stripes", "paths.data=data").status == 0
    typed = mtl_bench("train", *stripes, "method=mine", "seed=0", "paths.data=data")
    assert typed.status == 0, typed.err
    assert "stripes · mine (factor=3) · seed 0" in typed.out
    assert "bright rmse ↓ level" in typed.words
    assert f"mtl-bench train -m --config-dir {folder / 'yamls'} experiment=stripes paths.data=data" in typed.out
    typed = mtl_bench("train", *stripes, "method=ls", "single_task=true", "paths.data=data")
    assert "(task_mean, higher is better) against single-task" in typed.out
    typed = mtl_bench("report", "--experiment", "stripes", "--markdown", "-")
    assert typed.status == 0, typed.err
    for row in ("| single-task |", "| mine (factor=3) |", "| ls |"):
        assert row in typed.out
    assert "bright<br>rmse<br>level ↓" in typed.out


def test_help_shows_ones_own(mtl_bench: Type) -> None:
    typed = mtl_bench("train", "--config-dir", "yamls", "--help")
    assert typed.status == 0
    ours = {path.stem for path in (configs_folder() / "experiment").glob("*.yaml")}
    assert f"experiment: {', '.join(sorted(ours | {'stripes'}))}\n" in typed.out


@pytest.mark.parametrize(
    ("dtype", "written", "mark", "says"),
    [
        ("int16", "class", -100, "field `way` of split `train` holds the label -100; classes count from 0"),
        ("uint8", "class", 255, "Task way has 2 classes, but split `train` holds labels from 0 to 255; classes count"),
        ("int16", {"name": "class", "ignore": [-100]}, -100, ""),
        ("uint8", {"name": "class", "ignore": [255]}, 255, ""),
        ("float32", "class", "np.nan", ""),
    ],
)
def test_marks_of_what_is_no_label(
    mtl_bench: Type, folder: Path, dtype: str, written: str | dict, mark: object, says: str
) -> None:
    text = MY_FILE.replace('Field("int8", (), "class")', f'Field("{dtype}", (), {written!r})')
    marked = f"np.where(np.arange(self.samples) % 3 == 0, {mark}, way).astype(np.{dtype})"
    (folder / "my_file.py").write_text(text.replace("way.astype(np.int8)", marked))
    typed = mtl_bench("train", "--config-dir", "yamls", "experiment=stripes", "method=ls", "seed=0", "paths.data=data")
    assert (typed.status == 0) == (not says), typed.err
    if says:
        assert says in typed.err
        assert "`ignore`" in typed.err
        assert "Traceback" not in typed.err


@pytest.mark.parametrize(("kind", "plain"), [("experiment", "multidigits"), ("method", "ls")])
def test_yamls_that_lie_deeper_name_no_folder_of_runs(kind: str, plain: str, mtl_bench: Type, folder: Path) -> None:
    own = folder / "yamls" / kind / "mine" / "deep.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(f"# @package {'_global_' if kind == 'experiment' else kind}\ndefaults: [/{kind}/{plain}, _self_]\n")
    before = sorted(folder.glob("runs/**/*"))
    typed = mtl_bench("train", "--config-dir", "yamls", *FAST, f"{kind}=mine/deep")
    assert typed.status == 1
    assert f"{kind}=mine/deep would name a folder of runs one level too deep" in typed.sentence
    assert f"put deep.yaml directly below {kind}/" in typed.sentence
    assert sorted(folder.glob("runs/**/*")) == before

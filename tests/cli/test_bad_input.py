"""Bad input: one sentence that a stranger can act on, a non-zero exit, no traceback, and nothing finished is lost."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mtl_bench.data.digits import MultiDigits
from mtl_bench.records.record import load_record, reproducible
from tests.cli.conftest import FAST, SMALL_ROOMS, Type
from tests.cli.console import Typed

LONGEST = 420  # characters; most sentences have half of that
BEST_VAL = "protocol.reporting.selection._target_=mtl_bench.training.selection.BestVal"
NO_SPACE = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"
NO_NETWORK = "import urllib.request as u\ndef none(*a, **k): raise OSError('no network')\nu.urlopen = none"


def refused(typed: Typed, *says: str) -> None:
    """Everything a refusal promises; `says` are parts of its sentence. Data may have been packed before."""
    assert typed.status == 1, typed
    lines = [line for line in typed.err.splitlines() if not line.startswith("Packing dataset ")]
    assert len(lines) == 1, typed.err
    assert lines[0].startswith("mtl-bench: ")
    assert len(lines[0]) < LONGEST
    for part in says:
        assert part in lines[0]
    assert typed.out == ""


@pytest.fixture(autouse=True)
def _nothing_finished_is_lost(folder: Path, cell: Path) -> Iterator[None]:
    """Whatever a test does to other files, the finished record stays, and no other one appears."""
    finished = (cell / "record.json").read_bytes()
    yield
    records = list(folder.glob("runs/**/record.json")) if (folder / "runs").is_dir() else []
    assert [record.read_bytes() for record in records if record.parent == cell] in ([finished], [])
    assert len(records) <= 1


CONFIGURATION = {  # what is typed after `mtl-bench train`, and what the sentence says
    "unknown method": (["method=nothing"], "There is no method 'nothing'; choose among adatask, aligned_mtl,"),
    "unknown experiment": (["experiment=nothing"], "There is no experiment 'nothing'; choose among celeba40,"),
    "misspelt experiment": (["experiment=room"], "There is no experiment 'room'; did you mean rooms, rooms5,"),
    "unknown model": (["model=nothing"], "There is no model 'nothing'; choose among cross_stitch,"),
    "unknown logger": (["logger=nothing"], "There is no logger 'nothing'; choose among none,"),
    "misspelt key": (["modle=mlp"], "Could not override 'modle': did you mean model?"),
    "misspelt option": (["model.hiden=[9]"], "model.hiden is no argument of MLP; did you mean hidden?"),
    "misspelt task": (["tasks.lefft.classes=9"], "Could not override 'tasks.lefft.classes': did you mean left?"),
    "misspelt path": (["paths.run=there"], "Could not override 'paths.run': did you mean runs?"),
    "key like no other": (["xyz=1"], "`mtl-bench train --cfg job` prints every key."),
    "sweeper of nobody": (["hydra/sweeper=ax"], "choose among basic, or install the Hydra plugin that brings it."),
    "unreadable override": (["method.fixed={left: 1"], "cannot be read", "quote it for the shell"),
    "key of another place": (["batch_size=9"], "'batch_size': did you mean protocol.training.batch_size?"),
    "key that nothing reads": (["+lr=9"], "Nothing reads the key lr; did you mean protocol.training.optimizer.lr?"),
    "part that nothing reads": (
        ["+protocol.trainin.batch_size=9"],
        "protocol.trainin; did you mean protocol.training?",
    ),
    "key with dashes": (["--method=uw"], "--method=uw: keys have no dashes here; write method=uw."),
    "two values, no sweep": (["seed=1,2"], "add -m for a sweep over them, or write a list as seed=[1,2]."),
    "method as optimizer": (["optimizer=pcgrad"], "a method is chosen with method=pcgrad"),
    "missing value": (["method=priority"], "method.priorities has no value yet (???)"),
    "unknown argument": (["+method.lr=1"], "method.lr is no argument of LinearScalarization; it takes fixed,"),
    "argument of another method": (["method.at=feature"], "method.at is no argument of LinearScalarization; it takes"),
    "misspelt argument of a task": (["tasks.left.clases=9"], "is no argument of Classification; did you mean classes?"),
    "misspelt argument of the dataset": (["dataset.labls=full"], "of MultiDigits; did you mean labels?"),
    "misspelt protocol": (["protocol.trainin.batch_size=9"], "did you mean training?"),
    "misspelt argument of a protocol": (["protocol.training.bach_size=9"], "of Training; did you mean batch_size?"),
    "misspelt argument of the optimizer": (["protocol.training.optimizer.betos=1"], "of Adam; did you mean betas?"),
    "misspelt argument of a weighting": (
        ["method=pcgrad", "+method@method.weighting=uw", "method.weighting.intial=1"],
        "method.weighting.intial is no argument of UncertaintyWeighting; did you mean initial?",
    ),
    "misspelt argument of the options": (["options.picture=1"], "is no argument of Options; did you mean pictures?"),
    "argument of another logger": (["logger.project=mine"], "logger.project is no argument of NoLogger; it takes none"),
    "misspelt part of Δm": (["protocol.reporting.delta_m.term=1"], "delta_m has a definition and terms, and no 'term'"),
    "missing argument": (["~tasks.left.classes"], "Classification needs tasks.left.classes"),
    "text for a number": (["protocol.training.batch_size=abc"], "must be a whole number, got 'abc'"),
    "fraction for a count": (["protocol.training.batch_size=9.5"], "must be a whole number, got 9.5"),
    "text in a partial": (["protocol.training.optimizer.lr=abc"], "optimizer.lr must be a number, got 'abc'"),
    "text for a list": (["model.hidden=abc"], "model.hidden must be a list [a whole number, …], got 'abc'"),
    "value for a node": (["protocol.training.budget=5"], "must be a node with a _target_ (Budget), got 5"),
    "value for a map": (["protocol.reporting.delta_m=null"], "delta_m must be a map"),
    "unknown choice": (["dataset.labels=some"], "dataset.labels must be one of full, partial, got 'some'"),
    "no dataset": (["~dataset"], "The configuration has no dataset; choose one with dataset=NAME"),
    "no protocol": (["~protocol.reporting"], "protocol.reporting is missing"),
    "batch larger than the dataset": (
        ["protocol.training.batch_size=9999"],
        "A batch of 9999 is larger than the 4788 training samples",
    ),
    "empty batch": (["protocol.training.batch_size=0"], "batch_size must be at least 1, got 0"),
    "no budget": (["protocol.training.budget.amount=0"], "The budget must be positive, got 0 batches"),
    "endless budget": (["protocol.training.budget.amount=inf"], "budget.amount is inf; use a finite number"),
    "unknown unit": (["protocol.training.budget.unit=years"], "one of epochs, batches, optimizer_steps, passes"),
    "negative learning rate": (["protocol.training.optimizer.lr=-1"], "Invalid learning rate: -1"),
    "no learning rate": (["~protocol.training.optimizer.lr"], "needs an explicit lr"),
    "no such optimizer": (["protocol.training.optimizer._target_=torch.optim.Adamm"], "Adamm cannot be imported"),
    "negative clip": (["+protocol.training.clip_norm=-1"], "clip_norm must be positive, or null"),
    "unknown precision": (["+protocol.training.precision=fp16"], "must be one of fp64, fp32, tf32, bf16"),
    "half a normalisation": (["+protocol.training.normalise={mean: [0.1]}"], "needs a mean and a std above 0"),
    "normalisation of other images": (
        ["+protocol.training.normalise={mean: [0, 0, 0], std: [1, 1, 1]}"],
        "Input normalisation needs 1 means and 1 stds",
    ),
    "negative priority": (
        ["method=priority", "method.priorities={left: 0.8, right: -0.4}"],
        "priorities are finite, not negative, and not all 0",
    ),
    "priority of an unknown task": (
        ["method=priority", "method.priorities={left: 0.8, depth: 0.2}"],
        "priorities name depth, but the tasks are left, right",
    ),
    "static weight of an unknown task": (
        ["+protocol.training.static_weights={left: 1, depth: 2}"],
        "static_weights names left, depth, but the tasks are left, right",
    ),
    "unknown task": (["only=[depth]"], "must name some of the tasks left, right"),
    "one task that is no list": (["only=5"], "only is a list of tasks, as in only=[left]; got 5"),
    "a metric that counts twice": (
        ["protocol.reporting.delta_m.terms.left=[accuracy,accuracy]"],
        "Δm counts a metric once, and task left names ['accuracy', 'accuracy']; name each once",
    ),
    "heads that learn backwards": (["++protocol.training.head_lr_factor=-1"], "must be above 0 and finite, got -1"),
    "no task": (["only=[]"], "must name some of the tasks left, right"),
    "task that the dataset lacks": (
        ["+tasks.depth=${tasks.left}", "+protocol.reporting.delta_m.terms.depth=[accuracy]"],
        "Dataset multidigits has no target `depth`; choose among left, right",
    ),
    "labels out of range": (["tasks.left.classes=5"], "Task left has 5 classes", "labels from 0 to 9"),
    "one class": (["tasks.left.classes=1"], "at least 2 classes"),
    "Δm of an unknown metric": (["protocol.reporting.delta_m.terms.left=[miou]"], "no metric 'miou' for Δm"),
    "Δm of another task": (
        ["+protocol.reporting.delta_m.terms.depth=[accuracy]"],
        "right, depth, but the tasks are left, right; name each",
    ),
    "Δm of two metrics per task": (
        ["protocol.reporting.delta_m.terms.left=[accuracy, cross_entropy]"],
        "takes one metric of task left",
    ),
    "unknown Δm": (["protocol.reporting.delta_m.definition=mean"], "is one of metric_mean, task_mean, one_per_task"),
    "selection without validation": ([BEST_VAL, "+protocol.training.val=none"], "needs a validation split"),
    "selection by an unknown metric": ([BEST_VAL, "+protocol.reporting.selection.metric=miou"], "the metric 'miou'"),
    "mean of no evaluation": (
        [BEST_VAL.replace("BestVal", "MeanLastK"), "+protocol.reporting.selection.k=0"],
        "k must be at least 1, got 0",
    ),
    "single-task model with a misspelt key": (
        ["+protocol.reporting.single_model={_target_: mtl_bench.models.MLP, hiden: [8]}"],
        "protocol.reporting.single_model.hiden is no argument of MLP; did you mean hidden?",
    ),
    "single-task training with a misspelt key": (
        ["+protocol.reporting.single_training={batch_sise: 8}"],
        "protocol.reporting.single_training.batch_sise is no argument of Training; did you mean batch_size?",
    ),
    "images too small for the model": (
        ["model=lenet", "model.channels=[4, 4, 4, 4]"],
        "needs images of at least",
        "use larger images, fewer `model.channels`, or model=mlp",
    ),
    "nothing to share": (["model.hidden=[]"], "give `model.hidden` at least one width"),
    "no threads": (["threads=0"], "threads must be at least 1, got 0"),
    "text for threads": (["threads=two"], "threads must be a whole number, got 'two'"),
    "unknown resume": (["resume=maybe"], "resume must be one of exact, any, got 'maybe'"),
    "unknown residency": (["residency=abroad"], "residency must be one of auto, device, memmap, got 'abroad'"),
    "neither true nor false": (["deterministic=maybe"], "deterministic must be true or false, got 'maybe'"),
    "neither, for single_task": (["single_task=no"], "single_task must be true or false, got 'no'"),
    "GPU that is not here": (["device=cuda:7"], "Device 'cuda:7' is not available here; use device=cpu"),
    "unknown device": (["device=quantum"], "Device 'quantum' is not available here"),
    "negative seed": (["seed=-1"], "seed must be a whole number from 0 on, got -1"),
    "text for the seed": (["seed=abc"], "seed must be a whole number from 0 on, got 'abc'"),
    "no run folder": (["paths.runs=null"], "paths.runs must name a folder, got None"),
    "unknown launcher": (["-m", "hydra/launcher=nothing"], "no hydra/launcher 'nothing'; choose among"),
    "YAMLs that are nowhere": (["--config-dir", "nowhere"], "nowhere' not found"),
}


@pytest.mark.parametrize(("typed", "says"), [(case[0], case[1:]) for case in CONFIGURATION.values()], ids=CONFIGURATION)
def test_configuration(typed: list[str], says: tuple[str, ...], train: Type) -> None:
    refused(train("seed=1", *typed), *says)


WITHOUT_PLUGINS = """
import sys
from hydra.core.config_store import ConfigStore
sys.modules["hydra_plugins"] = None
options = ConfigStore.instance().repo["hydra"]
for group in ("launcher", "sweeper"):
    options[group] = {"basic.yaml": options[group]["basic.yaml"]}
"""


@pytest.mark.parametrize(
    ("chosen", "extra"),
    [
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], "launchers"),
        (["hydra/launcher=submitit_local"], "launchers"),
        (["hydra/launcher=submitit_slurm"], "launchers"),
        (["hydra/sweeper=optuna", "hydra/sweeper/sampler=tpe"], "sweepers"),
    ],
)
def test_plugin_that_is_not_installed(chosen: list[str], extra: str, train: Type) -> None:
    refused(
        train("-m", *chosen, before=WITHOUT_PLUGINS),
        f"{chosen[0]} comes with a package that is missing: pip install 'mtl-bench[{extra}]'.",
    )


FLIP = "{_target_: mtl_bench.data.augmentation.HorizontalFlip%s}"
AUGMENTED = "++protocol.training.augmentation=[%s]"
ROOMS = {  # what is typed after `mtl-bench train` with small rooms, and what the sentence says
    "images of a few pixels": (["dataset.width=8"], "height and width start at 16 pixels, got 32×8"),
    "no image": (["dataset.test=0"], "train, val, test and shift each need at least one image"),
    "noise on an unknown task": (
        ["+dataset.label_noise.depth=0.1"],
        "Dataset rooms has no target 'depth'; choose among segmentation, depth_euclidean,",
    ),
    "duplicate of an unknown task": (["dataset.duplicate=image"], "Dataset rooms has no target 'image'; choose among"),
    "more than every label wrong": (
        ["+dataset.label_noise.segmentation=1.5"],
        "label_noise.segmentation is a standard deviation from 0 on (for classes the share of pixels",
        "at most 1), got 1.5",
    ),
    "fewer classes than labels": (["tasks.segmentation.classes=12"], "Task segmentation has 12 classes", "to 12; "),
    "unknown encoding": (
        ["tasks.depth_zbuffer.encoding._target_=mtl_bench.tasks.encodings.Square"],
        "mtl_bench.tasks.encodings.Square cannot be imported",
    ),
    "encoding with a misspelt key": (["+tasks.depth_zbuffer.encoding.shfit=1"], "shfit is no argument of Affine"),
    "unknown aggregation": (["+tasks.normal.aggregation=mean"], "aggregation", "pooled", "batch_mean", "'mean'"),
    "model without maps": (
        ["model=lenet"],
        "Model LeNet gives [4, 13] for task segmentation, whose target is a map of 32×40 pixels; choose a model for",
    ),
    "model for larger images": (
        ["model=segnet", "dataset.height=16"],
        "SegNet needs images of at least 32×32 pixels here and one side has 16",
    ),
    "output stride that cuts off all": (
        ["model.output_stride=32"],
        "DenseResNet needs images of at least 33×33 pixels here and one side has 32",
    ),
    "unknown output stride": (["model.output_stride=5"], "model.output_stride must be one of 8, 16, 32, got 5"),
    "unknown depth": (["model.depth=34"], "model.depth must be one of 18, 50, got 34"),
    "unknown augmentation": (
        [AUGMENTED % "{_target_: mtl_bench.data.augmentation.Flip}"],
        "mtl_bench.data.augmentation.Flip cannot be imported",
    ),
    "augmentation with a misspelt key": ([AUGMENTED % FLIP % ", q: 1"], "q is no argument of HorizontalFlip"),
    "augmentation that is none": (
        [AUGMENTED % "{_target_: mtl_bench.tasks.Edges}"],
        "augmentation.0 (Edges) is no Augmentation; derive it from",
    ),
    "features of a path per task": (
        ["model.task_norm=true", "method=graddrop"],
        "this model has a path per task: use at=shared",
    ),
}


@pytest.mark.parametrize(("typed", "says"), [(case[0], case[1:]) for case in ROOMS.values()], ids=ROOMS)
def test_dense_prediction(typed: list[str], says: tuple[str, ...], mtl_bench: Type) -> None:
    refused(mtl_bench("train", *SMALL_ROOMS, *typed), *says)


def test_augmentation_that_would_turn_digits(train: Type) -> None:
    says = "HorizontalFlip moves pixels, and `left` is a label of the whole image", "keeps_labels: true"
    refused(train("seed=1", AUGMENTED % FLIP % ""), *says)


BARE = ("~model.norm", "~model.task_norm")  # the MLP's arguments that a model of one's own need not have
OWN_PARTS = {
    "module that is not there": (["method._target_=nowhere.M"], "No module named 'nowhere'", "check the spelling"),
    "class that is not there": (["method._target_=parts.M"], "method._target_=parts.M cannot be imported"),
    "module with a syntax error": (["method._target_=broken.M"], "SyntaxError", "broken.py, line 1"),
    "module that fails": (["method._target_=failing.M"], "cannot be imported (ZeroDivisionError", "failing.py, line 1"),
    "module for a class": (["method._target_=parts"], "is a module; name a class in it, as in parts.MyClass"),
    "number for a class": (["method._target_=5"], "method._target_ must name a class"),
    "class without update": (["method._target_=parts.NoUpdate"], "parts.NoUpdate (method) lacks `update`; write it"),
    "no method": (["method._target_=parts.NoMethod"], "is no Method; derive it from mtl_bench.methods.base.Method"),
    "mistake in update": (
        ["method._target_=parts.Mistaken"],
        "mtl-bench: KeyError: 'left' (parts.py, line ",
        ", in update); --debug shows the traceback.",
    ),
    "update that takes no step": (["method._target_=parts.Idle"], "learned nothing", "`update` of Idle"),
    "losses used twice": (["method._target_=parts.Twice"], "take `step.losses()` again"),
    "state that cannot be saved": (["method._target_=parts.Unsaved"], "does not survive a checkpoint", "frozenset"),
    "output without axes": (["model._target_=parts.ScalarOutput"], "gives [] for task left, expected [3, 10, …]"),
    "output of other classes": (["model._target_=parts.ThreeClasses"], "gives [3, 3] for task left"),
    "features not in a list": (["model._target_=parts.NoList"], "must return a list of tensors"),
    "model for other images": (
        ["model._target_=parts.OtherImages", *BARE],
        "Model OtherImages cannot encode images of shape [1, 24, 24]: RuntimeError: mat1 and mat2",
    ),
    "task without a head": (
        ["model._target_=parts.OneHead", *BARE],
        "has heads for left, but the tasks are left, right",
    ),
    "nothing shared": (["model._target_=parts.NothingShared", *BARE], "shares no parameter"),
    "model that takes no shape": (["model._target_=parts.NoInputShape"], "must take an argument `input_shape`"),
    "loss per sample": (["tasks.left._target_=parts.VectorLoss"], "loss of task left must return two tensors"),
    "loss without a count": (["tasks.left._target_=parts.MeanLoss"], "loss of task left must return two tensors"),
    "dataset that forgets an argument": (["dataset._target_=parts.Forgetful"], "must keep its argument `size`"),
}


@pytest.mark.parametrize(("typed", "says"), [(case[0], case[1:]) for case in OWN_PARTS.values()], ids=OWN_PARTS)
def test_own_parts(typed: list[str], says: tuple[str, ...], train: Type, folder: Path) -> None:
    shutil.copy(Path(__file__).with_name("parts.py"), folder)
    (folder / "broken.py").write_text("class M(:\n")
    (folder / "failing.py").write_text("M = 1 / 0\n")
    refused(train("seed=1", *typed, before="import warnings; warnings.simplefilter('ignore')"), *says)


def test_debug_shows_the_traceback(train: Type, folder: Path) -> None:
    shutil.copy(Path(__file__).with_name("parts.py"), folder)
    typed = train("--debug", "seed=1", "method._target_=parts.Mistaken")
    assert typed.status == 1
    assert typed.err.startswith("Traceback")
    assert typed.err.splitlines()[-1].startswith("mtl-bench: KeyError: 'left'")


@pytest.mark.parametrize("part", ["tasks.left._target_=parts.NaN", "method._target_=parts.Infinite"])
def test_divergence_is_recorded_and_not_repeated(part: str, mtl_bench: Type, folder: Path, cell: Path) -> None:
    shutil.copy(Path(__file__).with_name("parts.py"), folder)
    shutil.rmtree(cell)
    command = ["train", *FAST, "protocol.training.budget.amount=9", "options.max_nonfinite=3", part]
    refused(mtl_bench(*command), "had a non-finite loss or gradient", "lower the learning rate")
    (record,) = [load_record(path) for path in folder.glob("runs/**/record.json")]
    assert not record["converged"]
    assert record["failures"]["nonfinite_steps"] >= 3
    assert "finished already" in mtl_bench(*command).out


@pytest.fixture
def packed(folder: Path, data: Path, train: Type) -> Path:
    """The packed data, copied to be damaged; use it with paths.data=copy."""
    name = MultiDigits().folder_name
    return Path(shutil.copytree(data / "packed" / name, folder / "copy" / "packed" / name))


def test_truncated_packed_file(packed: Path, train: Type) -> None:
    with (packed / "train.image.npy").open("r+b") as file:
        file.truncate(1000)
    says = "train.image.npy is truncated or changed", "run `mtl-bench prepare dataset=multidigits`"
    refused(train("seed=1", "paths.data=copy"), *says)


def test_missing_packed_file(packed: Path, train: Type) -> None:
    (packed / "val.left.npy").unlink()
    refused(train("seed=1", "paths.data=copy"), "val.left.npy is missing; delete the folder and run")


def test_packed_file_of_another_type(packed: Path, train: Type) -> None:
    path = packed / "test.right.npy"
    np.save(path, np.load(path).astype(np.float64))
    manifest = json.loads((packed / "manifest.json").read_text())
    manifest["files"][path.name]["bytes"] = path.stat().st_size
    (packed / "manifest.json").write_text(json.dumps(manifest))
    refused(train("seed=1", "paths.data=copy"), "field `right` of split `test` is float64", "instead of int8")


def test_damaged_manifest(packed: Path, train: Type) -> None:
    (packed / "manifest.json").write_text("{")
    refused(train("seed=1", "paths.data=copy"), "manifest.json is missing or damaged; delete the folder")


def test_data_folder_that_is_a_file(folder: Path, train: Type) -> None:
    (folder / "data").touch()
    refused(train("seed=1", "paths.data=data"), "could not be written", "choose a data folder you may write to")


def test_disk_full_while_packing(folder: Path, train: Type) -> None:
    refused(train("seed=1", "paths.data=new", before=NO_SPACE), "could not be written", "free disk space")
    assert not list(folder.glob("new/packed/*"))


def test_official_files_that_are_nowhere(mtl_bench: Type) -> None:
    typed = mtl_bench("train", "experiment=multimnist", "paths.data=new", before=NO_NETWORK)
    refused(typed, "MNIST is not here", "put train-images-idx3-ubyte.gz,", "into new/raw/mnist")


def test_official_files_of_garbage(folder: Path, mtl_bench: Type) -> None:
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte").write_text("not found")
    typed = mtl_bench("prepare", "dataset=multimnist", "source=.", "paths.data=new")
    refused(typed, "train-images-idx3-ubyte is not an IDX file", "download it again")


def test_source_that_is_nowhere(mtl_bench: Type) -> None:
    refused(mtl_bench("prepare", "dataset=multimnist", "source=nowhere"), "There is no folder nowhere")


def test_dataset_that_is_nowhere(mtl_bench: Type) -> None:
    refused(mtl_bench("prepare", "dataset=nothing"), "There is no dataset 'nothing'; choose among celeba,")


def test_damaged_record(cell: Path, train: Type) -> None:
    (cell / "record.json").write_text('{"schema": 1,')
    refused(train(), "record.json is damaged", "delete it and run its cell again")
    (cell / "record.json").unlink()
    assert train().status == 0
    (cell / "record.json").unlink()


def test_record_of_another_schema(cell: Path, train: Type) -> None:
    changed = (cell / "record.json").read_text().replace('"schema": 1', '"schema": 99')
    (cell / "record.json").write_text(changed)
    refused(train(), "does not follow record schema 1; read it with the version that wrote it")
    assert (cell / "record.json").read_text() == changed
    (cell / "record.json").unlink()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a file"])
def test_corrupted_checkpoint(content: bytes, cell: Path, train: Type) -> None:
    (cell / "record.json").unlink()
    (cell / "checkpoint.pt").write_bytes(content)
    refused(train(), "checkpoint.pt is damaged", "delete it to start this cell again")


def test_checkpoint_of_another_program(cell: Path, train: Type) -> None:
    (cell / "record.json").unlink()
    torch.save({"epoch": 3}, cell / "checkpoint.pt")
    refused(train(), "checkpoint.pt is damaged", "delete it to start this cell again")


def test_checkpoint_of_another_cell(cell: Path, train: Type) -> None:
    other = cell.with_name("seed-1")
    cell.rename(other)
    (other / "record.json").unlink()
    refused(train("seed=1"), "checkpoint.pt belongs to another cell; delete it")


def test_checkpoint_of_another_model(cell: Path, train: Type) -> None:
    (cell / "record.json").unlink()
    saved = torch.load(cell / "checkpoint.pt", weights_only=True)
    saved["model"]["encoder.1.weight"] = torch.zeros(2, 2)
    torch.save(saved, cell / "checkpoint.pt")
    refused(train(), "does not fit this version of model, method or optimizer", "delete it to start")


def test_history_shorter_than_its_checkpoint(cell: Path, train: Type) -> None:
    (cell / "record.json").unlink()
    (cell / "history.jsonl").write_text("")
    refused(train(), "history.jsonl has 0 bytes, its checkpoint was written at", "to start this run again")


def test_another_environment_on_resume(cell: Path, train: Type) -> None:
    (cell / "record.json").unlink()
    refused(train("threads=2"), "written in another environment (threads differ)", "go on with resume=any")
    assert train("threads=2", "resume=any").status == 0
    assert load_record(cell / "record.json")["resumed_elsewhere"]
    (cell / "record.json").unlink()


def test_second_process_on_the_same_cell(cell: Path, train: Type) -> None:
    (cell / "record.json").unlink()
    with (cell / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused(train(), "is in use by another process; wait for it or stop it")


@pytest.mark.parametrize("runs", ["file/runs", "/proc/runs", "/dev/null/runs"])
def test_run_folder_that_cannot_be_made(runs: str, folder: Path, train: Type) -> None:
    (folder / "file").touch()
    refused(train("seed=1", f"paths.runs={runs}"), f"{runs}/multidigits/ls", "cannot be created", "another folder")


def test_disk_full_while_training(cell: Path, train: Type) -> None:
    whole = reproducible(load_record(cell / "record.json"))
    shutil.rmtree(cell)
    refused(train(before=NO_SPACE), "checkpoint.pt cannot be written (File too large); free some space")
    assert train().status == 0
    assert reproducible(load_record(cell / "record.json")) == whole
    (cell / "record.json").unlink()


@pytest.mark.parametrize("reporting", [BEST_VAL, "protocol.reporting.delta_m.definition=task_mean"])
def test_finished_under_another_reporting_part(reporting: str, train: Type) -> None:
    refused(train(reporting), "is finished under another reporting part", "(selection 'last', Δm 'one_per_task')")


@pytest.mark.parametrize(("logger", "package"), [("tensorboard", "torch.utils.tensorboard"), ("wandb", "wandb")])
def test_logger_that_is_not_installed(logger: str, package: str, train: Type) -> None:
    typed = train("seed=1", f"logger={logger}", before=f"import sys; sys.modules['{package}'] = None")
    refused(typed, f"logger={logger} needs a package that is missing: pip install {logger}")


def test_mode_that_a_logger_does_not_know(train: Type) -> None:
    refused(
        train("seed=1", "logger=wandb", "logger.mode=often"), "logger.mode must be one of offline, online, disabled"
    )


def test_a_refused_cell_does_not_trouble_its_logger(train: Type) -> None:
    refused(train("seed=1", "logger=tensorboard", "protocol.training.batch_size=9999"), "larger than the 4788")


def test_a_run_with_most_steps_skipped_says_so_last(mtl_bench: Type, folder: Path, cell: Path) -> None:
    """Its budget is spent and its record is there, so that it is no error; boards rank it last."""
    length = ["protocol.training.budget.amount=20", "protocol.training.optimizer.lr=1e20"]
    typed = mtl_bench("train", *FAST[:1], "model=mlp", "protocol.training.budget.unit=batches", *length)
    assert typed.status == 0, typed.err
    last = typed.out.splitlines()[-1]
    assert last.startswith("This run did not converge: 19 of 20 steps had a non-finite loss or gradient")
    again = mtl_bench("train", *FAST[:1], "model=mlp", "protocol.training.budget.unit=batches", *length)
    assert "finished already" in again.out
    assert again.out.strip().endswith(last)
    (record,) = set(folder.glob("runs/multidigits/ls/*/seed-0/record.json")) - {cell / "record.json"}
    assert not load_record(record)["converged"]
    report = mtl_bench("report", str(record.parent))
    assert "Ranked last: not every seed of ls converged" in report.words
    record.unlink()


REPORTS = {
    "folder that is nowhere": (["nowhere"], "There is no folder nowhere; run `mtl-bench train` first"),
    "folder without a record": (["empty"], "No record of a multi-task method was found"),
    "unknown experiment": (["--experiment", "nothing"], "No record of a method on nothing lies in runs"),
    "no baselines to plot": (["--plot", "plot.png"], "No board has a Δm to plot; train the single-task runs first"),
    "nowhere to write": (["--markdown", "/proc/board.md"], "/proc/board.md cannot be written"),
}


@pytest.mark.parametrize(("typed", "says"), REPORTS.values(), ids=REPORTS)
def test_report(typed: list[str], says: str, mtl_bench: Type, folder: Path) -> None:
    (folder / "empty").mkdir()
    refused(mtl_bench("report", *typed), says)


@pytest.mark.parametrize(
    ("found", "made", "says"),
    [
        ('"seed": 0', '"seed": "zero"', "is damaged (record.seed is 'zero' where int is expected)"),
        ('"schema": 1', '"schema": 2', "does not follow record schema 1"),
        ("}", "", "is damaged"),
    ],
)
def test_report_on_a_strange_record(found: str, made: str, says: str, mtl_bench: Type, cell: Path) -> None:
    """It is named once, everything else is reported, and the exit status tells."""
    other = Path(shutil.copytree(cell, cell.parents[4] / "more" / "seed-7"))
    (other / "record.json").write_text((other / "record.json").read_text().replace(found, made))
    well = mtl_bench("report")
    typed = mtl_bench("report", "runs", "more")
    assert (typed.status, typed.out) == (1, well.out)
    (line,) = typed.err.splitlines()
    assert line.startswith("mtl-bench: ")
    assert "more/seed-7/record.json" in line
    assert says in line
    assert mtl_bench("report", "runs", "more", "--markdown", "-").out == mtl_bench("report", "--markdown", "-").out


def test_report_on_nothing_but_a_strange_record(mtl_bench: Type, folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "record.json").write_bytes(b"\xff")
    typed = mtl_bench("report", "more")
    assert (typed.status, typed.out) == (1, "")
    damaged, nothing = typed.err.splitlines()
    assert "more/record.json is damaged" in damaged
    assert "No record of a multi-task method was found" in nothing


def test_a_strange_record_elsewhere_does_not_fail_a_run(train: Type, cell: Path, folder: Path) -> None:
    other = Path(shutil.copytree(cell, folder / "results" / "reference"))
    (other / "record.json").write_text("{")
    typed = train("seed=1")
    assert typed.status == 0, typed.err
    assert "For Δm, train the single-task baselines:" in typed.words
    assert "results/reference/record.json is damaged" in typed.words
    shutil.rmtree(cell.with_name("seed-1"))


def test_list_of_an_unknown_group(mtl_bench: Type) -> None:
    refused(mtl_bench("list", "nonsense"), "There is no group 'nonsense'; choose among dataset, experiment,")
    refused(mtl_bench("list", "methodz"), "There is no group 'methodz'; did you mean method?")


@pytest.mark.parametrize(
    "typed", [["frobnicate"], ["report", "--frob"], ["train", "--frob"], ["train", "--config-dir"], ["list", "a", "b"]]
)
def test_wrong_usage_exits_with_2(typed: list[str], mtl_bench: Type) -> None:
    found = mtl_bench(*typed)
    assert found.status == 2
    assert "usage: mtl-bench" in found.err
    assert "Traceback" not in found.err

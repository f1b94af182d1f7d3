"""Each verb as a user types it, and what it prints."""

import ast
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mtl_bench.cli.listing import describe
from mtl_bench.cli.method_facts import facts
from mtl_bench.cli.verbs import VERBS
from mtl_bench.configuration.configs_folder import configs_folder, option_groups
from mtl_bench.pictures import Dense, Pictures
from mtl_bench.records.record import find_records, load_record
from tests.cli.conftest import FAST, SMALL_ROOMS, Type
from tests.cli.console import Console, Typed
from tests.data.nyuv2_files import drawn_frames, write_nyuv2

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("mtl-bench")
NO_TIMM = """
import importlib.metadata, os
os.environ["MTL_BENCH_DATA"] = "copy"
version = importlib.metadata.version
def without_timm(name):
    if name == "timm":
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)
importlib.metadata.version = without_timm
"""
HEAVY = {"torch", "numpy", "pandas", "scipy", "matplotlib", "sklearn", "wandb", "PIL", "rich"}


def installed(*arguments: str, folder: Path, python: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """The console script itself, in a fresh interpreter; `python` are options of the interpreter."""
    assert SCRIPT.is_file(), "install the package: pip install -e ."
    command = [sys.executable, *python, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def processor_time(work: Callable[[], object]) -> float:
    """Seconds that the processes started by `work` computed, so that other processes on the machine do not matter."""
    before = os.times()
    work()
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


@pytest.mark.parametrize("argument", ["--help", "--cfg"])
def test_questions_are_answered_at_once(argument: str, tmp_path: Path) -> None:
    """Nothing heavy is imported, and the whole answer costs less than half of `import torch` (about a quarter).

    A ratio, taken in turns, the best of three: machines differ by more than any slack in seconds would allow.
    """
    ask = partial(installed, "train", argument, *(["job"] if argument == "--cfg" else []), folder=tmp_path)
    import_torch = partial(subprocess.run, [sys.executable, "-c", "import torch"], check=True)
    asked, imported = zip(*((processor_time(ask), processor_time(import_torch)) for _ in range(3)), strict=True)
    assert min(asked) < 0.5 * min(imported)
    typed = ask(python=["-X", "importtime"])
    assert typed.returncode == 0, typed.stderr
    assert ("method: adatask," if argument == "--help" else "_target_: torch.optim.Adam") in typed.stdout
    modules = {line.rpartition("|")[2].strip() for line in typed.stderr.splitlines()}
    assert "hydra" in modules
    assert not modules & HEAVY
    assert not list(tmp_path.iterdir())


def test_the_installed_script_explains_itself(tmp_path: Path) -> None:
    typed = installed(folder=tmp_path)
    assert typed.returncode == 0
    for verb, purpose in VERBS.items():
        assert verb in typed.stdout
        assert purpose.split()[0] in typed.stdout


def test_a_closed_pipe_is_no_error(folder: Path) -> None:
    """`mtl-bench report | head -1`: no traceback, nothing on stderr."""
    command = f"{shlex.quote(str(SCRIPT))} report --markdown - | head -1"
    typed = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, timeout=120)
    assert typed.stdout.startswith("### multidigits")
    assert typed.stderr == ""


def test_list_describes_every_yaml(mtl_bench: Type) -> None:
    typed = mtl_bench("list")
    assert typed.status == 0
    for group in option_groups():
        assert f"{group}=…" in typed.out
        for path in (configs_folder() / group).glob("*.yaml"):
            assert re.search(rf"^ {path.stem} ", typed.out, re.MULTILINE)
            assert describe(path).split()[0] in typed.out


def test_list_of_one_group_folds_nothing_away(mtl_bench: Type) -> None:
    typed = mtl_bench("list", "method")
    for path in (configs_folder() / "method").glob("*.yaml"):
        assert re.search(rf"^ {path.stem} ", typed.out, re.MULTILINE)
        assert set(describe(path).split()) <= set(typed.words.split())
    assert "model=…" not in typed.out


def test_list_says_what_a_method_belongs_to_and_costs() -> None:
    method = configs_folder() / "method"
    passes = "1 forward, 1 backward"
    assert facts(method / "uw.yaml") == (
        "loss weighting", ("state",), passes, "K scalars", False, "Kendall, Gal & Cipolla, CVPR 2018"
    )  # fmt: skip
    nash = facts(method / "nash_mtl.yaml")
    assert nash[:3] == ("Gramian", ("host copy",), "1 forward, k encoder backwards")
    assert (nash.memory, nash.priorities, nash.source) == ("k × P memory", True, "Navon et al., ICML 2022")
    assert facts(method / "graddrop.yaml")[:2] == ("direction", ("features",))
    assert facts(method / "famo.yaml").needs == ("several forwards", "state")
    assert facts(method / "imtl.yaml").needs == ("host copy", "state")  # the latter of the weighting inside
    assert facts(method / "cso.yaml").needs[0] == "model.task_norm=true"
    every = [facts(path) for path in method.glob("*.yaml")]
    assert all(found.family and found.passes and found.memory for found in every)


def test_prepare_says_what_it_wrote_and_where(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("prepare", "dataset=multidigits", "paths.data=new")
    assert typed.status == 0, typed.err
    found = re.fullmatch(r"multidigits: train 4788, val 800, test 1600 in (\S+) \(digest [0-9a-f]{12}\)", typed.words)
    assert found
    assert (folder / found[1] / "manifest.json").is_file()
    assert typed.err == f"Packing dataset multidigits into {found[1]}, once …\n"
    again = mtl_bench("prepare", "dataset=multidigits", "paths.data=new")
    assert (again.words, again.err) == (typed.words, "")


def test_prepare_from_official_files(mtl_bench: Type, folder: Path) -> None:
    write_nyuv2(folder / "official", drawn_frames(2), [2], [1])
    asked = ("prepare", "dataset=nyuv2", "source=official", "paths.data=new", "verify=true", "workers=1", "limit=1")
    typed = mtl_bench(*asked)
    assert typed.status == 0, typed.err
    assert "train nyu_depth_v2_labeled.mat 1 – –" in typed.words
    assert "nyuv2 needs 3.1 MB in new/packed;" in typed.words
    assert "will say of these data: the first 1 of every split. Checksums of 10 files are right." in typed.words
    assert max(map(len, typed.out.splitlines())) <= 100
    assert re.search(r"Look at (\S+)/contact\.png\.", typed.words)
    assert len(list((folder / "new" / "packed").glob("nyuv2-*/contact.png"))) == 1
    (folder / "official" / "splits.mat").unlink()
    assert mtl_bench(*asked).status == 0  # it lies packed
    missing = mtl_bench(*asked[:-1])
    assert missing.status == 1
    assert "all splits.mat – 1 –" in missing.words
    assert "splits.mat is missing; download splits.mat from the NYU Depth V2 page" in missing.err
    refused = mtl_bench("prepare", "dataset=multidigits", "limit=3")
    assert "Dataset multidigits takes no limit; leave limit=3 out." in refused.err


def test_doctor_finds_everything_well(mtl_bench: Type) -> None:
    typed = mtl_bench("doctor")
    assert typed.status == 0, typed.out
    assert "✗" not in typed.out
    assert re.search(r"✓ +torch +2\.", typed.out)
    assert "✓ data multidigits-" in typed.words


def test_doctor_finds_what_is_damaged(mtl_bench: Type, folder: Path, data: Path) -> None:
    copy = shutil.copytree(data / "packed", folder / "copy" / "packed")
    next(copy.glob("*/train.left.npy")).write_bytes(b"")
    typed = mtl_bench("doctor", before=NO_TIMM)
    assert typed.status == 1
    assert "✗ timm missing; run `pip install 'timm" in typed.words
    assert "train.left.npy is truncated" in typed.words
    assert "Traceback" not in typed.err


def test_the_default_is_rooms_and_needs_nothing(mtl_bench: Type, folder: Path) -> None:
    """From an empty folder: it says what it makes and where, trains, and keeps pictures for the report."""
    typed = mtl_bench("train", *SMALL_ROOMS, "paths.data=new")
    assert typed.status == 0, typed.err
    assert re.fullmatch(r"Packing dataset rooms into new/packed/rooms-[0-9a-f]{8}, once …\n", typed.err)
    (cell,) = folder.glob("runs/rooms_quick/ls/*/seed-0")
    assert list(load_record(cell / "record.json")["test"]) == ["segmentation", "depth_zbuffer", "normal"]
    assert "depth_zbuffer abs_err ↓ m " in typed.words
    typed = mtl_bench("report", "--predictions", "page.png")
    assert typed.status == 0, typed.err
    assert (folder / "page.png").read_bytes().startswith(b"\x89PNG")


def test_train_prints_every_metric_with_unit_and_direction(train: Type, folder: Path) -> None:
    typed = train("seed=1")
    assert typed.status == 0, typed.err
    assert typed.err == ""
    (path,) = folder.glob("runs/multidigits/ls/*/seed-1/record.json")
    assert str(path.relative_to(folder)) in typed.out
    assert "multidigits · ls · seed 1" in typed.out
    for task, metrics in load_record(path)["test"].items():
        for name, arrow, unit in (("accuracy", "↑", "%"), ("cross_entropy", "↓", "nats")):
            assert f"{task} {name} {arrow} {unit} {metrics[name]:.4g}" in typed.words


def test_the_printed_command_trains_the_baselines_of_delta_m(train: Type, mtl_bench: Type, folder: Path) -> None:
    """It repeats what was overridden: the baselines of the default model would belong to another setting."""
    (line,) = [line for line in train("seed=1").out.splitlines() if "mtl-bench train -m" in line]
    assert line.startswith("For Δm, train the single-task baselines: ")
    program, *words = shlex.split(line.partition(": ")[2])
    assert program == "mtl-bench"
    assert words[-2:] == ["only=[left],[right]", "seed=0,1,2,3,4"]
    typed = mtl_bench(*words[:-1], "seed=0,1")
    assert typed.status == 0, typed.err
    assert typed.out.count("alone · seed") == 4
    typed = train("method=uw")
    assert re.search(
        r"^Δm [+-]\d+\.\d\d % \(one_per_task, higher is better\) against single-task, 2 seeds$", typed.out, re.MULTILINE
    )
    assert "Single-task" in typed.out
    assert "train the single-task baselines" not in typed.out


def test_the_printed_command_keeps_what_a_suite_changed(train: Type, mtl_bench: Type, folder: Path) -> None:
    (folder / "own/suite").mkdir(parents=True)
    grid = "protocol: {training: {batch_size: 50}}\nhydra: {sweeper: {params: {method: 'ls,uw', seed: 1}}}\n"
    (folder / "own/suite/mine.yaml").write_text(f"# @package _global_\n# Mine\n{grid}")
    suite = ("-m", "--config-dir", "own", "suite=mine")
    lines = [line for line in train(*suite).out.splitlines() if line.startswith("For Δm, train")]
    first, second = (shlex.split(line.partition(": ")[2])[1:] for line in lines)
    assert first == second
    typed = mtl_bench(*first[:-1], "seed=0")
    assert typed.status == 0, typed.err
    assert typed.out.count("alone · seed 0") == 2
    assert "Δm " in train(*suite, "seed=2", "method=ls").out


def test_a_single_task_model_of_its_own(train: Type, folder: Path) -> None:
    node = "+protocol.reporting.single_model={_target_: mtl_bench.models.MLP, hidden: [8]}"
    assert "Δm " in train(node, "method=uw", "single_task=true").out
    models = {record["method"]["name"]: record["identity"]["model"] for record in find_records([folder / "runs"])}
    assert {name: model.get("hidden") for name, model in models.items()} == {"ls": None, "uw": None, "single": [8]}


def test_a_changed_protocol_keeps_the_baselines_of_another(train: Type, folder: Path) -> None:
    """Three times the rate, and Δm against single-task runs at the old one."""
    train("single_task=true")
    old = "+protocol.reporting.single_training={optimizer: {lr: 0.003}}"
    typed = train("protocol.training.optimizer.lr=0.009", old)
    assert "Δm " in typed.out, typed.err
    rates = [record["identity"]["training"]["optimizer"]["lr"] for record in find_records([folder / "runs"])]
    assert sorted(rates) == [0.003, 0.003, 0.003, 0.009]


def test_baselines_are_found_under_another_experiment(mtl_bench: Type, folder: Path) -> None:
    assert mtl_bench("train", *FAST, "only=[left]").status == 0
    (folder / "runs/multidigits").rename(folder / "runs/of_another_name")
    typed = mtl_bench("train", *FAST, "only=[left]")
    assert "finished already (runs/of_another_name/single/" in typed.words
    assert not (folder / "runs/multidigits").exists()
    joint = mtl_bench("train", *FAST)
    assert "finished already" not in joint.words, "a joint run's record says how its experiment reports"


def test_a_finished_cell_is_skipped(train: Type, cell: Path) -> None:
    written = {path: path.stat().st_mtime_ns for path in cell.iterdir()}
    typed = train()
    assert typed.status == 0
    assert typed.words == f"multidigits · ls · seed 0: finished already ({cell.relative_to(cell.parents[4])})"
    assert {path: path.stat().st_mtime_ns for path in cell.iterdir()} == written


def test_flags_may_stand_anywhere(mtl_bench: Type) -> None:
    typed = mtl_bench("train", "-m", *FAST[:1], "--config-dir", ".", *FAST[1:], "seed=0")
    assert typed.status == 0, typed.err
    assert "finished already" in typed.out


def test_a_sweep_goes_on_after_a_failing_cell(mtl_bench: Type, folder: Path) -> None:
    sweep = ["train", "-m", *FAST, "method=uw,priority,rlw"]
    typed = mtl_bench(*sweep)
    assert typed.status == 1
    assert {record["method"]["name"] for record in find_records([folder / "runs"])} == {"ls", "uw", "rlw"}
    first, *_, last = typed.err.splitlines()
    assert first.startswith(f"mtl-bench: {' '.join(FAST)} method=priority: method.priorities has no value yet (???)")
    assert last.startswith("mtl-bench: Not every cell of this sweep finished, see above")
    assert "Traceback" not in typed.err
    again = mtl_bench(*sweep)
    assert again.status == 1
    assert again.out.count(": finished already") == 2


def test_a_sweep_leaves_a_locked_cell_alone(mtl_bench: Type, cell: Path) -> None:
    (cell / "record.json").unlink()
    with (cell / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        typed = mtl_bench("train", "-m", *FAST, "seed=0,1")
    assert typed.status == 0, typed.err
    assert "is in use by another process; wait for it or stop it. Left alone." in typed.words
    assert typed.words.endswith("2 cells: 1 left to another process, 1 finished")
    assert cell.with_name("seed-1").joinpath("record.json").is_file()


@pytest.fixture(scope="module")
def suite(console: Console, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quickstart suite, shortened: single-task and three methods, two seeds; not to be changed."""
    folder = tmp_path_factory.mktemp("suite")
    command = ["train", "-m", "+suite=quickstart", *FAST, "seed=0,1"]
    typed = console.type(command, folder, {"MTL_BENCH_DATA": str(data)})
    assert typed.status == 0, typed.err
    assert typed.out.count("Δm ") == 6
    return folder


def test_a_suite_trains_baselines_once(suite: Path) -> None:
    found = [(record["method"]["name"], record["seed"], *record["tasks"]) for record in find_records([suite / "runs"])]
    methods = [(method, seed, "left", "right") for method in ("ls", "pcgrad", "uw") for seed in (0, 1)]
    assert sorted(found) == sorted(methods + [("single", seed, task) for task in ("left", "right") for seed in (0, 1)])


@pytest.fixture
def report(suite: Path, mtl_bench: Type) -> Type:
    def typed(*arguments: str, before: str = "") -> Typed:
        return mtl_bench("report", str(suite / "runs"), *arguments, before=before)

    return typed


def test_report_in_the_terminal(report: Type) -> None:
    typed = report()
    assert typed.status == 0, typed.err
    assert typed.err == ""
    for shown in ("multidigits · ", "single-task", "reference", "pcgrad", "Δm % ↑", "Passes", "2/2", "95 % interval"):
        assert shown in typed.words
    assert "accuracy" not in typed.out
    assert "`mtl-bench report --wide` shows every metric" in typed.words


def test_report_with_every_column(report: Type) -> None:
    typed = report("--wide")
    assert typed.status == 0, typed.err
    for shown in ("single-task", "Δm % ↑", "accuracy", "Seconds", "95 % interval"):
        assert shown in typed.words
    assert "--wide" not in typed.out
    assert max(map(len, typed.out.splitlines())) <= 80


def test_report_as_markdown(report: Type, folder: Path) -> None:
    assert report("--markdown", "board.md").status == 0
    text = (folder / "board.md").read_text()
    assert text.startswith("### multidigits · ")
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {14}
    assert report("--markdown", "-").out.strip() == text.strip()


def test_report_writes_through_a_link(report: Type, folder: Path) -> None:
    """As /dev/stdout is one: root could replace it, for every process of the machine."""
    (folder / "board.md").touch()
    (folder / "link").symlink_to("board.md")
    assert report("--markdown", "link").status == 0
    assert (folder / "link").is_symlink()
    assert (folder / "board.md").read_text().startswith("### multidigits")


def test_report_of_one_experiment(report: Type) -> None:
    assert report("--experiment", "multidigits").out == report().out


@pytest.mark.parametrize(("name", "magic"), [("plot.png", b"\x89PNG"), ("plot.svg", b"<?xml"), ("plot.pdf", b"%PDF")])
def test_report_as_a_plot(name: str, magic: bytes, report: Type, folder: Path) -> None:
    assert report("--plot", name).status == 0
    assert (folder / name).read_bytes().startswith(magic)


def test_report_without_baselines_names_the_command(mtl_bench: Type) -> None:
    typed = mtl_bench("report")
    assert typed.status == 0
    assert "Δm is left out: single-task runs of left, right are missing" in typed.words
    assert "`mtl-bench train -m experiment=multidigits 'only=[left],[right]' seed=0,1,2,3,4`" in typed.out


def test_a_plot_of_an_unknown_kind(report: Type) -> None:
    typed = report("--plot", "plot.xyz")
    assert typed.status == 1
    assert typed.err.startswith("mtl-bench: The picture cannot be written to plot.xyz: Format 'xyz' is not supported")
    assert len(typed.err.splitlines()) == 1


@pytest.fixture
def pictured(cell: Path) -> None:
    """The finished cell, as if its tasks were maps."""
    values = np.zeros((2, 1, 4, 4), np.float16)
    tasks = {task: Dense("depth", "m", values, values) for task in ("left", "right")}
    (cell / "predictions.npz").write_bytes(Pictures(np.zeros((2, 1, 4, 4), np.uint8), tasks).to_bytes())


@pytest.mark.usefixtures("pictured")
@pytest.mark.parametrize("chosen", [[], ["--method", "LS"], ["--experiment", "multidigits"]])
def test_report_draws_predictions_and_says_whose(chosen: list[str], mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("report", "--predictions", "new/page.png", *chosen)
    assert typed.status == 0, typed.err
    assert "new/page.png: multidigits · ls · seed 0" in typed.out.splitlines()
    assert "Test values under the selection rule" in typed.out
    assert (folder / "new" / "page.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("pictured")
def test_markdown_stays_markdown_beside_a_picture(mtl_bench: Type) -> None:
    typed = mtl_bench("report", "--markdown", "-", "--predictions", "page.png")
    assert typed.out.startswith("### multidigits")
    assert typed.err == "page.png: multidigits · ls · seed 0\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--predictions", "page.png"], "No run here kept predictions: an experiment with a dense task keeps"),
        (["--predictions", "page.xyz"], "cannot be written to page.xyz: its name must end in .pdf, .png, .svg."),
        (["--trade-off", "left", "page.png"], "No run here was given priorities for left alone; train some of a few"),
        (["--trade-off", "left", "page.xyz"], "cannot be written to page.xyz: its name must end in .pdf, .png, .svg."),
        (["--method", "ls"], "--method chooses whose pictures are drawn; add --predictions FILE or --findings FILE."),
    ],
)
def test_pictures_that_cannot_be_drawn(arguments: list[str], said: str, mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("report", *arguments)
    assert typed.status == 1
    assert said in typed.sentence
    assert len(typed.err.splitlines()) == 1
    assert not list(folder.glob("page*"))


@pytest.mark.slow
def test_the_quickstart_command(tmp_path: Path, data: Path) -> None:
    """The commands of scripts/quickstart.sh, on few images and for two steps: what a newcomer is promised."""
    lines = (Path(__file__).parents[2] / "scripts" / "quickstart.sh").read_text().splitlines()
    train, report = (shlex.split(line)[1:] for line in lines if line.startswith(".venv/bin/mtl-bench"))
    assert train.pop() == "$@"
    typed = installed(*train, *SMALL_ROOMS, f"paths.data={data}", folder=tmp_path)
    assert typed.returncode == 0, typed.stderr
    typed = installed(*report, folder=tmp_path)
    assert typed.returncode == 0, typed.stderr
    for shown in ("Δm % ↑", "single-task", "ls", "uw", "pcgrad", "3/3"):
        assert shown in typed.stdout
    for name in ("quickstart.png", "predictions.png"):
        assert f"runs/{name}" in lines[-1]
        assert (tmp_path / "runs" / name).stat().st_size > 1000


def test_no_help_text_breaks_argparse() -> None:
    """Which formats it: a bare % raises TypeError, of scripts too."""
    for path in [*(ROOT / "mtl_bench").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]:
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        helps = [word.value for call in calls for word in call.keywords if word.arg == "help"]
        texts = [part.value for text in helps for part in ast.walk(text) if isinstance(part, ast.Constant)]
        assert not [text for text in texts if re.search(r"%(?![%(])", str(text).replace("%%", ""))], path

"""Files of README and documentation, written as printed, and their commands, typed as printed with tiny budgets."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.console import Console
from tests.docs.pages import DOCS, ROOT, Block, blocks

PAGES = [ROOT / "README.md", *sorted((DOCS / "tutorials").glob("*.md")), *sorted(DOCS.glob("*.md"))]
QUICK = ("own_loss", "protocols", "methods", "index", "architecture", "experiments")
OWN = (
    "equalised.py",
    "yamls/method/equalised.yaml",
    "plots.py",
    "experiment/plots.yaml",
    "inked.py",
    "experiment/inked.yaml",
    "losses.py",
    "counts.py",
    "small.py",
    "backbone.py",
    "yamls/model/backbone.yaml",
)
MOMENT = ["protocol.training.budget.amount=2", "protocol.training.budget.unit=batches"]
ROOMS = ["train=16", "val=8", "test=8", "shift=1", "height=32", "width=40"]
EXTRAS = {"with_lightning.py": "lightning", "with_accelerate.py": "accelerate"}
FIRST = re.compile(r"=([\w.]+|\[[^]]*\]),.*")  # of a sweep
# Both import torchvision, which beside a CPU-only torch is repaired first, as the page says.
REPAIRED = "import runpy, sys; from mtl_bench.vision import torchvision; torchvision(); runpy.run_path(sys.argv[1])"


@pytest.fixture(scope="module")
def console() -> Iterator[Console]:
    with Console() as console:
        yield console


ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def words(command: str) -> list[str]:
    """As the shell of a reader splits them, {a,b} written out."""
    split = subprocess.run(["bash", "-fc", f"printf '%s\\0' {command}"], check=True, capture_output=True, text=True)
    return split.stdout.split("\0")[:-1]


def hurried(command: str) -> list[str]:
    """The arguments of `mtl-bench …`, a training cut to a moment and a sweep to its first cell."""
    arguments = words(command)[1:]
    planned = arguments[0] == "status" and "-m" in arguments
    if not (planned or arguments[0] in ("train", "group", "recon", "tune")) or "--cfg" in arguments:
        return arguments
    short = [FIRST.sub(r"=\1", argument) for argument in arguments]
    chosen = [argument for argument in arguments if argument.startswith("experiment=")]
    if chosen in ([], ["experiment=rooms_quick"]):
        short += [f"dataset.{option}" for option in ROOMS]
    if any(argument.startswith("+suite=") for argument in arguments):
        short += ["seed=0", "method=ls"]
    if arguments[0] in ("group", "recon", "tune"):
        short += ["seeds=[0]"]
    if arguments[0] == "tune":
        short += ["trials=2"]
    if arguments[0] == "recon":
        short += ["share=1"]  # a moment has no whole epoch to spare
    return [*short, *MOMENT]


def type_in(folder: Path, console: Console, command: str) -> None:
    if command.startswith("mtl-bench "):
        typed = console.type(hurried(command), folder, ENVIRONMENT)
        assert typed.status == 0, f"{command}\n{typed.err}"
    elif command.startswith("python "):
        run(folder, command.split()[1])
    else:
        pytest.fail(f"`{command}` is neither `mtl-bench …` nor `python …`: say <!-- not run: why --> before its block")


def run(folder: Path, script: str, *start: str) -> None:
    command = [sys.executable, *start, script]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True)
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    (folder / f"{script}.out").write_text(done.stdout)


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.stem, marks=() if page.stem in QUICK else pytest.mark.slow) for page in PAGES]
)
def test_it_works_as_printed(page: Path, tmp_path: Path, console: Console) -> None:
    (tmp_path / "results").symlink_to(ROOT / "results")
    for block in blocks(page):
        if block.why:
            continue
        if block.kind in ("python", "yaml"):
            assert block.title, f"a block of {page.name} has no title= with the name of its file:\n{block.body[:200]}"
            (tmp_path / block.title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.title).write_text(block.body)
        elif block.kind == "bash":
            for command in block.commands:
                if command.removeprefix("python ") not in EXTRAS:  # they have a test of their own
                    type_in(tmp_path, console, command)
        elif block.title.startswith("output of "):
            assert (tmp_path / f"{block.title.removeprefix('output of ')}.out").read_text() == block.body


@pytest.mark.slow
@pytest.mark.parametrize("script", EXTRAS)
def test_recipes_for_others_loops(script: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(EXTRAS[script]) is None:
        pytest.skip(f"{script} needs `pip install {EXTRAS[script]}`")
    (tmp_path / script).write_text(titled()[script].body)
    run(tmp_path, script, "-c", REPAIRED)
    assert (tmp_path / f"{script}.out").read_text()


def titled() -> dict[str, Block]:
    return {block.title: block for page in PAGES for block in blocks(page) if block.title}


def test_every_script_is_run() -> None:
    """A file that is printed and never used is not tested."""
    scripts = {block.title for block in titled().values() if block.kind == "python"}
    typed = " ".join(command for page in PAGES for block in blocks(page) for command in block.commands)
    imported = " ".join(block.body for block in titled().values() if block.kind == "yaml")
    for script in scripts:
        name = script.removesuffix(".py")
        assert f"python {script}" in typed or f"={name}." in typed or f"_target_: {name}." in imported, script


@pytest.mark.parametrize("name", OWN)
def test_ones_own_is_under_forty_lines(name: str) -> None:
    assert len(titled()[name].body.splitlines()) < 40


def test_no_two_blocks_write_one_file() -> None:
    names = [block.title for page in PAGES for block in blocks(page) if block.title]
    assert len(names) == len(set(names))

"""`mtl-bench conflict`: what committed runs measured, as a table and a picture."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Type

ROOT = Path(__file__).parents[2]
FOLDERS = [str(ROOT / "results" / name) for name in ("grouping", "reference")]


def test_committed_runs_that_measured_their_gradients(mtl_bench: Type, folder: Path) -> None:
    """Both tables stand in docs/boards/index.md."""
    typed = mtl_bench("conflict", *FOLDERS, "--plot", "conflict.png")
    assert typed.status == 0, typed.err
    table = [line.rstrip() for line in typed.out.partition("Cosines are")[0].splitlines()]
    assert "all, ranked within boards" in table[-1]
    (gains,) = re.findall(r"^Board +Cosine, mean +Methods.*?(?=^Gains are)", typed.out, re.M | re.S)
    page = (ROOT / "docs/boards/index.md").read_text()
    assert "\n".join([*table, "", *(line.rstrip() for line in gains.splitlines())]) in page
    assert (folder / "conflict.png").read_bytes().startswith(b"\x89PNG")


def test_runs_without_measurements_say_how_to_make_them(mtl_bench: Type) -> None:
    typed = mtl_bench("conflict")
    assert typed.status == 1
    assert "train with diagnostics.every=10 and single_task=true." in typed.sentence


@pytest.fixture
def two_machines(folder: Path) -> Path:
    """`few` holds one run of `many` with another value, and with it nothing else."""
    for seed in ("seed-0", "seed-1"):
        for name in ("ls", "si", "single"):
            source = ROOT / "results/reference/multimnist" / name
            for path in source.glob(f"*/{seed}/record.json"):
                target = folder / "many/multimnist" / path.relative_to(source.parent)
                target.parent.mkdir(parents=True)
                shutil.copy(path, target)
    (path, *_) = sorted((folder / "many").glob("*/ls/*/seed-0/record.json"))
    copy = folder / "few" / path.relative_to(folder / "many")
    copy.parent.mkdir(parents=True)
    record = json.loads(path.read_text())
    record["test"]["left"]["accuracy"] -= 1
    copy.write_text(json.dumps(record))
    return copy


def test_of_a_run_of_two_machines_the_copy_among_most_runs_counts(mtl_bench: Type, two_machines: Path) -> None:
    alone = mtl_bench("conflict", "many")
    assert alone.status == 0, alone.err
    assert re.search(r"^multimnist · \w+ +0\.\d\d +1 +[+−]\d\.\d\d +[+−]\d\.\d\d$", alone.out, re.M)
    assert alone.words.endswith("ρ over boards asks for 5 of them, and here are 1.")
    both = mtl_bench("conflict", "few", "many")
    assert both.status == 0, both.err
    assert both.out.startswith(alone.out)
    assert "1 runs lie here more than once with other values" in both.words


def test_both_folders_are_named_where_a_run_must_be_one(mtl_bench: Type, two_machines: Path) -> None:
    place = two_machines.parent.relative_to(two_machines.parents[5])
    for verb in (["report"], ["compare", "ls", "si"]):
        typed = mtl_bench(*verb, "few", "many")
        assert typed.status == 1
        assert f"They lie in {place} and many/{place.relative_to('few')}." in typed.sentence

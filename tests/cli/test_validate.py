"""`mtl-bench validate`: records of a sweep are looked through, and a faulty one ends in status 1."""

import json
from pathlib import Path

from tests.cli.conftest import FAST, Type

EVENLY = """
from mtl_bench.methods import LinearScalarization


class Evenly(LinearScalarization):
    \"\"\"Equal weights under another name.\"\"\"
"""


def test_what_a_sweep_left_is_in_order(mtl_bench: Type, folder: Path) -> None:
    trained = mtl_bench("train", "-m", *FAST, "seed=0,1,2", "single_task=true")
    assert trained.status == 0, trained.err
    typed = mtl_bench("validate", "runs")
    assert typed.status == 0, typed.out + typed.err
    assert typed.out == "9 records: 0 errors, 0 warnings\n"


def test_what_a_reader_has_to_know_leaves_the_status_0(mtl_bench: Type) -> None:
    typed = mtl_bench("validate", "runs")
    assert typed.status == 0, typed.err
    assert "warning: runs/multidigits/ls/" in typed.out
    assert "has 1 seed, and a row needs 3.\n" in typed.out
    assert typed.out.endswith("1 records: 0 errors, 2 warnings\n")


def test_an_edited_record_is_an_error(mtl_bench: Type, cell: Path) -> None:
    record = json.loads((cell / "record.json").read_text())
    record["experiment"]["hash"] = "0" * 64
    (cell / "record.json").write_text(json.dumps(record))
    typed = mtl_bench("validate", "runs")
    assert typed.status == 1
    first = typed.out.splitlines()[0]
    assert first.startswith(f"error: {cell.relative_to(cell.parents[4])}/record.json: its experiment's hash is not")
    assert typed.sentence == "mtl-bench: 1 finding keeps these records off a board; see above."


def test_no_folder_and_no_record_are_one_sentence(mtl_bench: Type, folder: Path) -> None:
    typed = mtl_bench("validate", "nowhere")
    assert (typed.status, typed.sentence) == (1, "mtl-bench: There is no folder nowhere; name where records lie.")
    (folder / "empty").mkdir()
    typed = mtl_bench("validate", "empty")
    assert (typed.status, typed.sentence) == (1, "mtl-bench: No record lies in empty.")


def test_the_class_of_a_submission_is_found_by_config_dir(mtl_bench: Type, folder: Path) -> None:
    """As the five lines of docs/tutorials/submit.md."""
    own = folder / "results/submissions/own"
    own.mkdir(parents=True)
    (own / "evenly.py").write_text(EVENLY)
    words = ["method._target_=evenly.Evenly", "seed=0,1,2", "single_task=true", f"paths.runs={own}"]
    trained = mtl_bench("train", "-m", "--config-dir", str(own), *FAST, *words)
    assert trained.status == 0, trained.err
    (own / "multirun.yaml").unlink(missing_ok=True)
    (own / "submission.yaml").write_text(
        "author: A\nlink: https://example.org/a\ncode: https://example.org/b\ntuning: none\n"
    )
    typed = mtl_bench("validate", "--config-dir", str(own), str(own))
    assert typed.status == 0, typed.out
    assert typed.out == "9 records: 0 errors, 0 warnings\n"
    assert "cannot be composed here" in mtl_bench("validate", str(own)).out

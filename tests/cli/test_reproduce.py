"""`mtl-bench reproduce` as a user types it, on a made-up table that a moment of training fills."""

import re
from pathlib import Path
from typing import Any

import pytest

from mtl_bench.cli.departures import departures
from mtl_bench.cli.preset_label import preset_label
from mtl_bench.records import Shared
from mtl_bench.records.entry import save_entry
from mtl_bench.records.record import load_record, save_record
from mtl_bench.results.published import audit_markdown, known_exceptions, published_folder, published_tables
from mtl_bench.results.published.catalogue import COLUMNS
from tests.cli.conftest import MOMENT, Type

CELLS = """\
Mini,Digits,MLP,STL,acc1,higher,30.0,,3,made up
Mini,Digits,MLP,STL,acc2,higher,25.0,,3,made up
Mini,Digits,MLP,LS,acc1,higher,20.00,0.50,3,made up
Mini,Digits,MLP,LS,acc2,higher,18.0,,3,made up
Mini,Digits,MLP,LS,Delta,lower,30.67,,3,made up
Mini,Digits,MLP,UW,acc1,higher,21.0,,3,made up
Mini,Digits,MLP,UW,acc2,higher,17.0,,3,made up
Mini,Digits,MLP,UW,Delta,lower,35.00,,3,made up
Mini,Digits,MLP,Cross-Stitch,acc1,higher,21.0,,3,made up
"""
CATALOGUE = """\
experiments:
  multidigits: {needs: nothing, page: docs/x.md, hours: 0.5}
tables:
  mini:
    title: Mini, Table 1
    rows: {file: digits, source: Mini}
    baseline: STL
    judged: {left: {acc1: accuracy}, right: {acc2: accuracy}}
    deltas: {Delta: one_per_task}
    spread: standard_error
    experiment: multidigits
    overrides: [model=mlp]
  alone:
    title: Mini, Table 2
    rows: {file: digits, source: Mini, method: Cross-Stitch}
"""
NAMES = "{single_task: [STL], methods: {ls: [LS], uw: [UW]}, tables: {}}"
LISTED = "table,method,metric,printed,low,high,reason\nmini,UW,Delta,35.00,30.690,31.309,made up\n"


@pytest.fixture
def reproduce(mtl_bench: Type, folder: Path) -> Type:
    """Types `mtl-bench reproduce --published pub ARGUMENTS`; ls has two moments of seed 0 in `runs` already."""
    published = folder / "pub"
    published.mkdir()
    (published / "digits.csv").write_text(",".join(COLUMNS) + "\n" + CELLS)
    (published / "tables.yaml").write_text(CATALOGUE)
    (published / "names.yaml").write_text(NAMES)
    (published / "not_derivable.csv").write_text(LISTED)

    def typed(*arguments: str, before: str = "") -> object:
        return mtl_bench("reproduce", "--published", "pub", *arguments, before=before)

    return typed  # type: ignore[return-value]


def test_tables_are_listed_with_their_place_on_the_ladder(reproduce: Type) -> None:
    typed = reproduce()
    assert typed.status == 0, typed.err
    assert re.search(r"^mini +Mini, Table 1 +1 of 2 +exactly +no: nothing *$", typed.out, re.M)
    assert re.search(r"^alone +Mini, Table 2 +prints none +– +no experiment here *$", typed.out, re.M)


def test_without_records_the_cells_of_the_paper_are_printed(reproduce: Type, folder: Path) -> None:
    (folder / "empty").mkdir()
    typed = reproduce("mini", "--records", "empty")
    assert typed.status == 0, typed.err
    assert "Not run at the full protocol: needs nothing (docs/x.md), its hours were not measured." in typed.words
    assert re.search(r"^LS +20\.00 +18\.0 +30\.67$", typed.out, re.M)


def test_run_trains_what_is_missing_and_goes_on_where_it_was_stopped(reproduce: Type) -> None:
    """The command is printed first; typed again it trains nothing."""
    sweep = ("mini", "--run", *MOMENT, "--seeds", "0,1")
    typed = reproduce(*sweep)
    assert typed.status == 0, typed.err
    command = "mtl-bench train -m experiment=multidigits method=ls,uw seed=0,1 single_task=true model=mlp"
    assert typed.out.startswith(f"{command} {' '.join(MOMENT)}\n")
    assert "multidigits · ls · seed 0: finished already" in typed.words
    assert typed.words.count("Δm ") >= 3  # of the three other cells
    assert "3 of 4 rows, not at the full protocol: protocol.training.budget.amount is 2, not 20;" in typed.words
    assert re.search(r"^LS +acc1 +20\.00 +\d+\.\d{3} ±\d+\.\d{3} +2 +[+-]\d+\.\d{3} +[+-]\d+\.\d$", typed.out, re.M)
    assert re.search(r"^ +Delta +-30\.67 ", typed.out, re.M)  # higher is better here
    assert "Without records here: Cross-Stitch." in typed.words
    again = reproduce(*sweep)
    assert again.out.count(": finished already (") == 4
    assert again.out.endswith(typed.out[typed.out.index("Mini, Table 1") :])


def test_the_audit_of_one_table_names_every_row(reproduce: Type) -> None:
    typed = reproduce("mini", "--audit")
    assert typed.status == 0, typed.err
    assert re.search(r"^LS +Delta +30\.67 +30\.\d{3} to 30\.\d{3} +yes *$", typed.out, re.M)
    assert re.search(r"^UW +Delta +35\.00 +30\.690 to 31\.309 +no: made up *$", typed.out, re.M)


@pytest.mark.parametrize("arguments", [["--audit"], ["mini", "--audit"]], ids=" ".join)
def test_reasons_of_the_audit_can_be_read_in_a_narrow_terminal(
    arguments: list[str], reproduce: Type, folder: Path
) -> None:
    reason = "many words that no column of a few characters holds in a way that can be read"
    (folder / "pub/not_derivable.csv").write_text(LISTED.replace("made up", reason))
    typed = reproduce(*arguments, before="import os; os.environ['COLUMNS'] = '60'")
    assert typed.status == 0, typed.err
    assert re.search(rf"- (mini · )?UW · Delta: (no: )?{reason}", typed.words)
    assert max(len(line.rstrip()) for line in typed.out.splitlines()) <= 60


def test_the_audit_of_all_tables_is_written_as_markdown(reproduce: Type, folder: Path) -> None:
    written = reproduce("--audit", "--markdown", "audit.md")
    assert written.status == 0, written.err
    assert "| `mini` | UW | Delta | 35.00 | 30.690 to 31.309 | made up |" in (folder / "audit.md").read_text()
    assert reproduce("--audit", "--markdown", "-").out.strip() == (folder / "audit.md").read_text().strip()


def test_the_packages_own_tables_are_the_default(mtl_bench: Type) -> None:
    typed = mtl_bench("reproduce", "--audit", "--markdown", "-")
    folder = published_folder()
    assert typed.out.strip() == audit_markdown(published_tables(folder), known_exceptions(folder)).strip()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["minni"], "There is no published table 'minni'; did you mean mini?"),
        (["--run"], "--run trains one table; name it first: `mtl-bench reproduce TABLE --run`."),
        (["mini", "--run", "--audit"], "ask for one of them."),
        (["mini", "--markdown", "x.md"], "--markdown writes the audit; add --audit."),
        (["mini", "--seeds", "3"], "--seeds are those that --run trains"),
        (["mini", "--records", "nowhere"], "There is no folder nowhere; name where records lie with --records."),
        (["alone", "--run"], "No experiment here has the protocol of alone, so nothing can be trained for it."),
        (["mini", "--run", "--seeds", "0-2"], "--seeds takes whole numbers with commas between them, as in 0,1,2"),
    ],
)
def test_bad_input_gets_one_sentence(reproduce: Type, arguments: list[str], sentence: str) -> None:
    typed = reproduce(*arguments)
    assert typed.status == 1
    assert sentence in typed.sentence
    assert "Traceback" not in typed.err


def test_a_damaged_record_is_named_and_the_others_are_used(reproduce: Type, cell: Path) -> None:
    (cell.parent / "seed-1").mkdir()
    (cell.parent / "seed-1" / "record.json").write_text("{")
    typed = reproduce("mini")
    assert typed.status == 1
    assert "seed-1/record.json" in typed.sentence
    assert "Trained, 1 of 4 rows" in typed.words


def test_a_default_that_the_yaml_names_since_is_no_departure(cell: Path) -> None:
    record = load_record(cell / "record.json")
    budget = ["protocol.training.budget.amount is 2, not 20", "protocol.training.budget.unit is batches, not epochs"]
    del record["config"]["model"]["norm"]
    assert departures(record, ["model=mlp"]) == budget
    record["config"]["model"]["norm"] = True
    assert departures(record, ["model=mlp"]) == ["model.norm is True, not False", *budget]


@pytest.mark.parametrize(
    ("method", "options", "label"),
    [
        ("ls", {}, "ls"),
        ("imtl", {}, "imtl (weighting=IMTLL)"),
        ("round_robin", {}, "round_robin (phase=1)"),
        ("round_robin", {"phase": 2, "order": "random"}, "round_robin (phase=2, order=random)"),
        ("stgu", {"decay": 0.0001}, "stgu (decay=0.0001)"),
        ("priority", {}, "priority"),  # of no row: its priorities are still to be given
        ("of_nobody", {}, "of_nobody"),
    ],
)
def test_a_preset_has_the_label_of_its_row(method: str, options: dict[str, Any], label: str) -> None:
    assert preset_label(method, options) == label


def test_a_trial_of_a_search_is_no_row(reproduce: Type, cell: Path) -> None:
    """Its score was looked at, so the moment of ls in `runs` is nothing to print once it is one."""
    assert "Trained, 1 of 4 rows" in reproduce("mini").out
    record = load_record(cell / "record.json")
    study = {"tasks": record["tasks"], "space": {}, "trials": [{"values": {}, "hash": record["hash"], "score": 0.0}]}
    tuning = {"trials": 1, "epochs": None, "rates": [0.1, 10.0], "sampler": "random", "sampler_seed": 0, "seed": 0}
    shared = {key: record[key] for key in Shared.__required_keys__}
    entry = {"schema": 1, "id": "tuned-ls-01234567", "label": "ls, tuned (1 trials)", "budget": 1, "grouping": {}}
    entry |= {"tuning": {**tuning, "score": "", "studies": [{**study, "winner": 0}]}, "seeds": [], "groups": []}
    folder = cell.parents[2] / "entries"
    folder.mkdir()
    save_entry(folder / "x.json", {**shared, **entry, "measured_by": [], "value": None})
    assert "Trained" not in reproduce("mini").out


def test_a_run_on_some_of_the_tasks_is_no_row(reproduce: Type, cell: Path) -> None:
    """As `only=` and `mtl-bench group` train them, under the experiment's own name."""
    record = load_record(cell / "record.json")
    record["config"]["tasks"]["middle"] = record["config"]["tasks"]["left"]
    save_record(cell / "record.json", record)
    assert "Trained" not in reproduce("mini").out

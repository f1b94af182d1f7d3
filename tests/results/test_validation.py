"""What `mtl-bench validate` finds in records: real ones pass, and one edit of each kind is named."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from mtl_bench.job.recomposed import check_meaning
from mtl_bench.records import Record
from mtl_bench.records.identity import canonical_text
from mtl_bench.records.record import find_records, locate_records
from mtl_bench.results import leaderboard
from mtl_bench.results.validation import Fault, Remarks, credited, faults_below, submitted_runs
from mtl_bench.results.validation.fault import Located
from mtl_bench.results.validation.one_entry import check_entry
from mtl_bench.results.validation.one_record import check_record
from mtl_bench.results.validation.plausible import check_plausible

ROOT = Path(__file__).parents[2]
ROW = "multimnist/ls/*/seed-*"
WHO = {"author": "A. Author", "link": "https://example.org/paper", "code": "https://example.org/code", "tuning": "none"}
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A row of five seeds and its single-task runs, as they are committed."""
    for method in ("ls", "single"):
        shutil.copytree(ROOT / "results/reference/multimnist" / method, tmp_path / "reference/multimnist" / method)
    return tmp_path


@pytest.fixture
def submission(results: Path) -> Path:
    """Three seeds of a method of somebody's own, as if `uw` were one."""
    folder = results / "submissions/own"
    shutil.copytree(ROOT / "results/reference/multimnist/uw", folder / "multimnist/uw")
    for seed in (3, 4):
        (found,) = folder.glob(f"multimnist/uw/*/seed-{seed}")
        shutil.rmtree(found)
    (folder / "submission.yaml").write_text("".join(f"{key}: {text}\n" for key, text in WHO.items()))
    return folder


def found_in(results: Path, *folders: str) -> list[Fault]:
    return faults_below([results / folder for folder in folders] or [results], results / "reference")[1]


def edit(results: Path, change: Edit, pattern: str = ROW.replace("seed-*", "seed-0")) -> Path:
    (path,) = results.rglob(f"{pattern}/record.json")
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    return path.resolve()


def test_every_committed_record_can_stand_on_a_board() -> None:
    count, faults = faults_below([ROOT / "results"], ROOT / "results/reference", check_meaning)
    assert count > 1000
    assert [fault for fault in faults if fault.wrong] == []


def test_a_clean_row_gives_no_word(results: Path) -> None:
    assert found_in(results) == []


def put(place: str, value: object) -> Edit:
    """Replaces one value, by its dotted place."""

    def change(record: dict[str, Any]) -> None:
        *way, last = place.split("|")
        node: Any = record
        for key in way:
            node = node[int(key)] if isinstance(node, list) else node[key]
        node[int(last) if isinstance(node, list) else last] = value

    return change


def measured(name: str, unit: str, better: bool, value: float) -> Edit:
    """One more metric of the left task, with this value wherever one stands."""

    def change(record: dict[str, Any]) -> None:
        record["metrics"]["left"][name] = {"higher_is_better": better, "unit": unit}
        for one in (record, record["evaluations"][-1]):
            for split in ("test", "val"):
                one[split]["left"][name] = value

    return change


def both(place: str, value: object) -> Edit:
    """The reported value, and that of the last evaluation."""

    def change(record: dict[str, Any]) -> None:
        put(place, value)(record)
        put(f"evaluations|-1|{place}", value)(record)

    return change


def as_val(record: dict[str, Any]) -> None:
    record["test"] = record["evaluations"][-1]["test"] = record["val"]


EDITS: dict[str, tuple[Edit, str]] = {
    "no key": (lambda record: record.pop("counts"), "is damaged (record.counts is missing); delete it and run"),
    "another schema": (put("schema", 9), "does not follow record schema 1"),
    "an edited identity": (put("identity|training|batch_size", 1), "its hash is not that of its identity"),
    "another seed": (put("seed", 7), "belongs into multimnist/ls/"),
    "another seed inside": (put("config|seed", 7), "its configuration has another seed or other tasks"),
    "another experiment": (put("experiment|name", "rooms"), "belongs into rooms/ls/"),
    "a missing value": (lambda record: record["test"]["left"].popitem(), "test values are not those of its metrics"),
    "Δm over nothing": (put("delta_m|terms|left", ["speed"]), "Δm counts speed of left, which was not measured"),
    "a better value": (put("test|left|accuracy", 99.0), "its values are not those of the last evaluation"),
    "an impossible value": (both("test|left|accuracy", 101.0), "test accuracy of left is 101 %, outside 0 to 100"),
    "less than none": (measured("error", "%", False, -1.0), "test error of left is -1 %, outside 0 to inf"),
    "an area above one": (measured("auc", "", True, 1.5), "test auc of left is 1.5, outside 0 to 1"),
    "no number": (both("test|left|accuracy", float("nan")), "test accuracy of left is nan, though the run converged"),
    "test is val": (as_val, "its test values are its validation values, to the last digit"),
    "many looks at test": (put("test_evaluations", 4), "says that test was evaluated 4 times and holds 1 such"),
    "chosen on test": (
        lambda record: (put("evaluations|0|test", record["test"])(record), put("test_evaluations", 2)(record)),
        "test was evaluated 2 times, where 'last' needs 1",
    ),
    "trained for longer": (put("evaluations|-1|epoch", 30.0), "trained for 30 epochs, and its budget is 10"),
    "a batch less": (put("counts|batches", 9), "its evaluations do not lead up to the last batch"),
    "too cheap": (put("counts|passes", 10.0), "its passes are not between one per batch and one per forward"),
    "too dear": (put("counts|passes", 1e9), "its passes are not between one per batch and one per forward"),
    "quick": (put("measured|seconds", 0.5), "its seconds are not those per step times its batches"),
    "no version": (lambda record: record["environment"]["versions"].pop("torch"), "which version of torch"),
    "another term": (put("delta_m|definition", "metric_mean"), "delta_m are not those of"),
    "no such unit": (put("identity|training|budget|unit", "minutes"), "its budget is none: 10 minutes"),
    "no number of epochs": (put("identity|training|budget|amount", "12"), "its budget is none: '12'"),
    "no batch": (put("counts|batches", 0), "counts no batch"),
    "a metric that nobody described": (lambda record: record["metrics"]["left"].popitem(), "values are not those of"),
    "no content": (lambda record: record["identity"].pop("content"), "does not hold identity.content"),
}


@pytest.mark.parametrize(("change", "says"), EDITS.values(), ids=EDITS)
def test_an_edit_is_named(change: Edit, says: str, results: Path) -> None:
    path = edit(results, change)
    faults = [fault for fault in found_in(results) if fault.wrong and says in fault.text]
    assert faults
    assert path.is_relative_to(faults[0].path) or faults[0].path.is_relative_to(path.parents[2])


def selected(record: dict[str, Any], rule: str, tested: Sequence[int], reported: Sequence[int], best: int = 1) -> None:
    """Three evaluations of which the `tested` have test values; the mean of the `reported` is the run's."""
    last = record["evaluations"][-1]
    every = []
    for n in range(3):
        one = json.loads(json.dumps(last)) | {
            "batch": last["batch"] * (n + 1) // 3,
            "epoch": last["epoch"] * (n + 1) / 3,
        }
        for split in ("test", "val"):
            for metrics in one[split].values():
                metrics["accuracy"] = 60.0 + n + (10 if n == best else 0)
        every.append(one | ({} if n in tested else {"test": None}))
    record |= {"evaluations": every, "selection": rule, "test_evaluations": max(1, len(tested))}
    for split in ("test", "val"):
        for metrics in record[split].values():
            metrics["accuracy"] = sum(60.0 + n + (10 if n == best else 0) for n in reported) / len(reported)


@pytest.mark.parametrize(
    ("rule", "tested", "reported", "says"),
    [
        ("best_val(accuracy)", [1], [1], None),
        ("best_val(accuracy)", [2], [2], "its evaluation is not the one with the best validation accuracy"),
        ("best_val(accuracy)", [0], [1], "its values are those of no evaluation"),
        ("mean_last_2", [1, 2], [1, 2], None),
        ("mean_last_2", [0, 1, 2], [1, 2], "test was evaluated 3 times, where 'mean_last_2' needs 2"),
        ("mean_last_2", [2], [2], "test was evaluated 1 times, where 'mean_last_2' needs 2"),
        ("mean_last_2", [0, 1], [0, 1], "test was not evaluated at its last evaluations"),
        ("mean_last_2", [0, 2], [2], "test was evaluated 2 times, where 'mean_last_2' needs 2"),
        ("mean_last_2", [1, 2], [1], "its test values are not the mean of the last 2 evaluations"),
    ],
)
def test_what_is_reported_is_what_the_rule_selects(
    rule: str, tested: list[int], reported: list[int], says: str | None, results: Path
) -> None:
    path = edit(results, lambda record: selected(record, rule, tested, reported))
    record = json.loads(path.read_text())
    found = [text for _, text in check_record(record, path)]
    told = [text for text in found if "evaluat" in text]
    assert told == [] if says is None else any(says in text for text in told)


@pytest.mark.parametrize(
    ("rule", "unit", "tested", "wrong"),
    [
        ("mean_last_2", "epochs", [0, 1, 2], True),
        ("mean_last_2", "optimizer_steps", [0, 1, 2], None),  # training looks early where it has to guess
        ("mean_last_1", "optimizer_steps", [1, 2], None),
        ("mean_last_1", "optimizer_steps", [0, 1, 2], False),
    ],
)
def test_how_often_a_mean_over_evaluations_may_look(
    rule: str, unit: str, tested: list[int], wrong: bool | None, results: Path
) -> None:
    def change(record: dict[str, Any]) -> None:
        k = int(rule.removeprefix("mean_last_"))
        selected(record, rule, tested, tested[-k:])
        if unit != "epochs":
            record["identity"]["training"]["budget"] = {"amount": record["counts"][unit], "unit": unit}

    path = edit(results, change)
    found = [(is_wrong, text) for is_wrong, text in check_record(json.loads(path.read_text()), path)]
    assert [is_wrong for is_wrong, text in found if "test was evaluated" in text] == [wrong] * (wrong is not None)


def test_a_rule_whose_metric_has_a_dot(results: Path) -> None:
    """As that of surface normals."""
    path = edit(results, lambda record: selected(record, "best_val(within_11.25)", [2], [2]))
    record = json.loads(path.read_text().replace('"accuracy"', '"within_11.25"'))
    told = [text for _, text in check_record(record, path)]
    assert any("not the one with the best validation within_11.25" in text for text in told)


def test_validation_values_are_means_as_well(results: Path) -> None:
    def change(record: dict[str, Any]) -> None:
        selected(record, "mean_last_2", [1, 2], [1, 2])
        record["val"]["left"]["accuracy"] += 1

    path = edit(results, change)
    found = [text for _, text in check_record(json.loads(path.read_text()), path)]
    assert "its val values are not the mean of the last 2 evaluations" in found


def test_a_budget_in_passes_may_end_with_the_dearest_batch(results: Path) -> None:
    """One that looks ahead from each of two paths takes eight passes, where others take two."""

    def budget(amount: float) -> Edit:
        def change(record: dict[str, Any]) -> None:
            record["identity"]["training"]["budget"] = {"amount": amount, "unit": "passes"}
            record["counts"]["passes"] = 1000.0
            record["counts"]["batches"] = 499

        return change

    for amount, fine in ((992.5, True), (991.5, False)):
        path = edit(results, budget(amount))
        found = [text for _, text in check_record(json.loads(path.read_text()), path)]
        assert (f"trained for 1000 passes, and its budget is {amount:g}" not in found) is fine


def given_up(record: dict[str, Any]) -> None:
    record |= {"converged": False, "evaluations": []}


WORDS: dict[str, tuple[Edit, str]] = {
    "an unreleased version": (put("created_by", "0.1.0+dirty"), "version 0.1.0+dirty, which nobody can install"),
    "resumed elsewhere": (put("resumed_elsewhere", True), "went on from a checkpoint of another environment"),
    "diverged": (put("converged", False), "did not converge; boards rank its row last"),
    "given up at once": (given_up, "did not converge; boards rank its row last"),
    "other bytes": (put("environment|data", "0" * 64), "its seeds read packed data of different bytes"),
}


@pytest.mark.parametrize(("change", "says"), WORDS.values(), ids=WORDS)
def test_what_a_reader_has_to_know_is_no_error(change: Edit, says: str, results: Path) -> None:
    edit(results, change)
    faults = found_in(results)
    assert any(says in fault.text for fault in faults)
    assert not any(fault.wrong for fault in faults)


def test_a_record_that_lies_anywhere_is_told_where_it_belongs(results: Path) -> None:
    path = next(results.rglob(f"{ROW}/record.json"))
    with TemporaryDirectory() as short:  # the path has no five folders
        shutil.copy(path, short)
        count, faults = faults_below([Path(short)], results / "reference")
    assert count == 1
    assert "belongs into multimnist/ls/" in faults[0].text


def test_seeds_of_a_row_train_one_network_at_one_cost(results: Path) -> None:
    for seed, size in enumerate((100, 101)):
        edit(results, put("parameters", size), ROW.replace("seed-*", f"seed-{seed}"))
    edit(results, lambda record: record["counts"].update(passes=1.4 * record["counts"]["batches"]))
    texts = {fault.text for fault in found_in(results) if fault.wrong}
    assert "its seeds trained networks of different sizes" in texts
    assert "its seeds differ by more than a quarter in passes per batch" in texts


def test_a_seed_that_was_given_up_is_no_measure_of_costs(results: Path) -> None:
    def change(record: dict[str, Any]) -> None:
        record["converged"] = False
        record["counts"]["passes"] *= 0.6

    edit(results, change)
    assert not [fault for fault in found_in(results) if fault.wrong]


def test_one_run_under_two_seeds(results: Path) -> None:
    (first,) = results.rglob("ls/*/seed-0/record.json")
    copy = json.loads(first.read_text())
    copy["seed"] = copy["config"]["seed"] = 9
    target = first.parents[1] / "seed-9"
    target.mkdir()
    (target / "record.json").write_text(json.dumps(copy))
    (fault,) = found_in(results)
    assert fault.wrong
    assert fault.path == (target / "record.json").resolve()
    assert "every number is that of" in fault.text
    assert fault.text.endswith("the same run twice")


def test_two_runs_of_equal_numbers_are_told(results: Path) -> None:
    """Under another hash: an option may do nothing."""
    (row,) = (results / "reference/multimnist/ls").iterdir()
    for path in sorted(row.rglob("record.json")):
        record = json.loads(path.read_text())
        record["identity"]["method"]["idle"] = 1
        record["hash"] = hashlib.sha256(canonical_text(record["identity"]).encode()).hexdigest()
        target = row.parent / record["hash"][:12] / path.parent.name
        target.mkdir(parents=True)
        (target / "record.json").write_text(json.dumps(record))
    faults = found_in(results)
    assert len(faults) == 5
    assert all("a method or option that does the same" in fault.text and not fault.wrong for fault in faults)


def test_few_seeds_and_no_baselines_are_words_on_ours_and_errors_in_a_submission(
    results: Path, submission: Path
) -> None:
    for row in (results / "reference/multimnist/ls", submission / "multimnist/uw"):
        for seed in (1, 2, 3, 4):
            for path in row.glob(f"*/seed-{seed}"):
                shutil.rmtree(path)
    (gone, _) = sorted((results / "reference/multimnist/single").iterdir())
    shutil.rmtree(gone)
    faults = found_in(results)
    for method, wrong in (("ls", False), ("uw", True)):
        own = {fault.text: fault.wrong for fault in faults if f"/{method}/" in str(fault.path)}
        assert own.pop("has 1 seed, and a row needs 3") is wrong
        ((text, is_wrong),) = own.items()
        assert text.startswith("has no Δm: the single-task runs of")
        assert is_wrong is wrong


def test_a_clean_submission_gives_no_word(results: Path, submission: Path) -> None:
    assert found_in(results, "submissions/own") == []
    (submission / "multimnist/multirun.yaml").write_text("git ignores it")
    assert found_in(results) == []


def test_a_seed_that_is_there_already(results: Path, submission: Path) -> None:
    shutil.copytree(results / "reference/multimnist/ls", submission / "multimnist/ls")
    faults = found_in(results, "submissions/own")
    assert len(faults) == 5
    assert all("this seed is on the board already" in fault.text and fault.wrong for fault in faults)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("author: [", "cannot be read"),
        ("author: me\n", "must hold author, link, code, tuning, and nothing else"),
        ("author: 3\nlink: https://a.b\ncode: https://a.b\ntuning: none\n", "author must be text, got 3"),
        ("author: me\nlink: a.b\ncode: https://a.b\ntuning: none\n", "link must be an address"),
    ],
)
def test_its_file_says_who(text: str, says: str, results: Path, submission: Path) -> None:
    (submission / "submission.yaml").write_text(text)
    (fault,) = found_in(results, "submissions/own")
    assert fault.wrong
    assert says in fault.text


def test_nothing_lies_beside_its_records(results: Path, submission: Path) -> None:
    (submission / "weights.pt").write_bytes(b"")
    (fault,) = found_in(results, "submissions/own")
    assert (fault.path.name, fault.text) == ("weights.pt", "does not belong into a submission; delete it")


def test_a_class_of_ones_own_lies_beside_them(results: Path, submission: Path) -> None:
    source = submission / "own.py"
    source.write_text("class Own: ...\n")

    def own(record: dict[str, Any]) -> None:
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        record["identity"]["method"] |= {"_target_": "own.Own", "_source_": digest}
        record["hash"] = hashlib.sha256(canonical_text(record["identity"]).encode()).hexdigest()

    (row,) = (submission / "multimnist/uw").iterdir()
    for seed in range(3):
        path = edit(submission, own, f"uw/{row.name}/seed-{seed}")
    row.rename(row.with_name(json.loads(path.read_text())["hash"][:12]))
    assert found_in(results, "submissions/own") == []
    source.write_text("class Own: changed = True\n")
    (fault,) = found_in(results, "submissions/own")
    assert fault.text == "cannot be repeated: put the file of own.Own, as it was, beside submission.yaml"


def test_boards_say_who_sent_a_row_in(results: Path, submission: Path) -> None:
    text = (submission / "submission.yaml").read_text().replace("tuning: none", "tuning: |\n  20 trials\n  by hand")
    (submission / "submission.yaml").write_text(text)
    sent = submitted_runs([results])
    board = credited(leaderboard(find_records([results])), sent)
    assert "uw: submitted by A. Author (https://example.org/paper); tuning: 20 trials by hand." in board.notes
    assert not any(note.startswith("ls:") for note in board.notes)


def test_what_holds_for_all_seeds_is_said_once(results: Path) -> None:
    def further(record: Record) -> Remarks:
        if record["method"]["name"] == "ls":
            yield False, "is plain"
            if record["seed"] == 3:
                yield False, "is odd"

    _, faults = faults_below([results], results / "reference", further)
    assert [(fault.path.name, fault.text) for fault in faults] == [
        (next((results / "reference/multimnist/ls").iterdir()).name, "is plain"),
        ("record.json", "is odd"),
    ]


def test_an_entry_needs_its_runs(results: Path) -> None:
    source = next((ROOT / "results/reference/rooms11/entries").glob("*.json"))
    target = results / "reference/multimnist/entries" / source.name
    target.parent.mkdir()
    shutil.copy(source, target)
    (fault,) = found_in(results)
    assert fault.wrong
    assert fault.path == target.resolve()
    assert "whose record is not in these folders" in fault.text


@pytest.fixture
def grouped(tmp_path: Path) -> Path:
    """A committed entry of groups beside its runs."""
    source = ROOT / "results/reference/rooms11"
    path = min((source / "entries").glob("*.json"))
    entry = json.loads(path.read_text())
    for digest in {*entry["measured_by"], *(group["hash"] for group in entry["groups"])}:
        for run in (ROOT / "results/reference").glob(f"rooms11*/*/{digest[:12]}"):
            shutil.copytree(run, tmp_path / "reference" / run.relative_to(ROOT / "results/reference"))
    (tmp_path / "reference/rooms11/entries").mkdir()
    shutil.copy(path, tmp_path / "reference/rooms11/entries")
    return tmp_path


def serve_twice(entry: dict[str, Any]) -> None:
    entry["groups"][1]["serves"] = entry["groups"][0]["serves"][:1]


def swap_runs(entry: dict[str, Any]) -> None:
    first, second, *_ = entry["groups"]
    first["hash"], second["hash"] = second["hash"], first["hash"]


ENTRIES: dict[str, tuple[Edit, str]] = {
    "as committed": (lambda entry: None, ""),
    "a task twice": (serve_twice, "its networks serve"),
    "other tasks": (lambda entry: entry["groups"][0]["tasks"].pop(), "serves"),
    "other runs": (swap_runs, " trained "),
    "another rule": (put("selection", "mean_last_10"), "has the selection rule 'last', and not 'mean_last_10'"),
    "other terms": (lambda entry: entry["delta_m"]["terms"].popitem(), "the terms of Δm of run"),
    "other baselines": (lambda entry: entry["baselines"].clear(), "the single-task runs of run"),
    "other units": (lambda entry: [m.clear() for m in entry["metrics"].values()], "the metrics of run"),
}


@pytest.mark.parametrize(("change", "says"), ENTRIES.values(), ids=ENTRIES)
def test_an_entry_says_what_its_runs_say(change: Edit, says: str, grouped: Path) -> None:
    (path,) = grouped.rglob("entries/*.json")
    entry = json.loads(path.read_text())
    change(entry)
    path.write_text(json.dumps(entry))
    told = [fault.text for fault in found_in(grouped) if fault.path == path.resolve() and fault.wrong]
    assert any(says in text for text in told) if says else told == []


def searched(submission: Path) -> dict[str, Any]:
    """The submitted row as a search of two trials that the second one won, of seed 2."""
    runs = [json.loads(path.read_text()) for path in submission.rglob("uw/*/seed-*/record.json")]
    like = runs[0]
    trials = [{"values": {}, "hash": "0" * 64, "score": 0.5}, {"values": {}, "hash": like["hash"], "score": 1.0}]
    study = {"tasks": like["tasks"], "space": {}, "trials": trials, "winner": 1}
    tuning = {"trials": 2, "epochs": None, "rates": [0.1, 10], "sampler": "random", "sampler_seed": 0, "seed": 2}
    return {
        **{key: like[key] for key in ("experiment", "tasks", "metrics", "selection", "delta_m", "baselines")},
        **{"schema": 1, "id": "tuned-uw-01234567", "label": "uw, tuned (2 trials)", "budget": 1, "grouping": {}},
        **{"tuning": {**tuning, "score": "score", "studies": [study]}, "seeds": [0, 1], "measured_by": []},
        **{"groups": [{"tasks": like["tasks"], "serves": like["tasks"], "hash": like["hash"]}], "value": 1.0},
    }


SEARCHES: dict[str, tuple[Edit, str]] = {
    "the second best": (put("tuning|studies|0|winner", 0), "is not its best trial, the first of several"),
    "equal scores": (put("tuning|studies|0|trials|0|score", 1.0), "is not its best trial, the first of several"),
    "none that converged": (
        lambda entry: [trial.update(score=None) for trial in entry["tuning"]["studies"][0]["trials"]],
        "is not its best trial, the first of several",
    ),
    "another run": (put("tuning|studies|0|trials|1|hash", "1" * 64), "is not that of its best trial"),
    "other networks": (put("tuning|studies|0|tasks", ["left"]), "its networks are not those of its searches"),
    "no winner": (put("tuning|studies|0|winner", None), "has no winner, and the entry names its run"),
}


@pytest.mark.parametrize(("change", "says"), SEARCHES.values(), ids=SEARCHES)
def test_a_search_ends_as_its_scores_do(change: Edit, says: str, submission: Path) -> None:
    entry = searched(submission)
    runs = {entry["groups"][0]["hash"]: {}}
    assert list(check_entry(entry, runs)) == []  # type: ignore[arg-type]
    change(entry)
    (text,) = check_entry(entry, runs)  # type: ignore[arg-type]
    assert says in text


def test_a_search_can_be_sent_in(results: Path, submission: Path) -> None:
    """Its trials have one seed and no single-task runs of their own; its row needs seeds beside theirs."""
    for path in submission.rglob("uw/*/seed-*/record.json"):
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {"baselines": dict.fromkeys(record["baselines"], "f" * 64)}))
    assert any("has no Δm" in fault.text for fault in found_in(results, "submissions/own"))
    (submission / "multimnist/entries").mkdir()
    (submission / "multimnist/entries/tuned-uw-01234567.json").write_text(json.dumps(searched(submission)))
    found = {fault.text for fault in found_in(results, "submissions/own") if fault.wrong}
    told = {text for text in found if "has no Δm" in text or "a row needs" in text}
    assert told == {"has 2 seeds beside that of its trials, and a row needs 3"}


def test_a_trial_exempts_no_other_seed_of_its_configuration(results: Path, submission: Path) -> None:
    """The first trial is the configuration as it stands, which here is sent in as a row of one seed."""
    entry = searched(submission)
    plain, won = entry["groups"][0]["hash"], "1" * 64
    study = entry["tuning"]["studies"][0]
    study["trials"] = [{**trial, "hash": digest} for trial, digest in zip(study["trials"], (plain, won), strict=True)]
    entry["groups"][0]["hash"] = won
    for path in submission.rglob("uw/*/seed-*/record.json"):
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {"baselines": dict.fromkeys(record["baselines"], "f" * 64)}))
    (gone,) = submission.rglob("uw/*/seed-1")
    shutil.rmtree(gone)
    (submission / "multimnist/entries").mkdir()
    (submission / "multimnist/entries/tuned-uw-01234567.json").write_text(json.dumps(entry))

    def told() -> list[str]:
        row = gone.parent.resolve()
        return [fault.text for fault in found_in(results, "submissions/own") if fault.path == row and fault.wrong]

    few, lacking = sorted(told(), key=len)
    assert few == "has 1 seed, and a row needs 3"
    assert lacking.startswith("has no Δm: the single-task runs of")
    shutil.rmtree(gone.with_name("seed-0"))
    assert told() == []  # the trial alone is no row


def board_of(*methods: str) -> list[Located]:
    return [
        Located(path, record)
        for method in methods
        for path, record in locate_records([ROOT / "results/reference/multimnist" / method])
    ]


def far(records: list[Located], split: str, value: float) -> list[Fault]:
    """With the accuracy of the first record set to a value."""
    records[0].record[split]["left"]["accuracy"] = value  # type: ignore[literal-required]
    faults = list(check_plausible(records, []))
    assert all(fault.path == records[0].path and not fault.wrong for fault in faults)
    return faults


def test_a_value_far_from_validation_is_a_warning() -> None:
    assert list(check_plausible(board_of("ls", "uw"), [])) == []
    (fault,) = far(board_of("ls", "uw"), "val", 70.0)
    assert "and validation's 70, further apart than in the other 9 records of its experiment" in fault.text
    assert far(board_of("ls"), "val", 70.0) == []  # four others say too little


def test_a_value_far_from_the_other_seeds_is_a_warning() -> None:
    (fault,) = far(board_of("ls"), "test", 70.0)
    assert re.match(r"test accuracy of left is 70, that of the row's other seeds 9[\d.]+ to 9[\d.]+, and", fault.text)
    single = [one for one in board_of("single") if one.record["tasks"] == ["left"]]
    assert len(far(single[:3], "test", 70.0)) == 1
    lost = board_of("ls")
    lost[0].record["evaluations"][-1]["train"]["left"] *= 10  # a run that went another way
    assert far(lost, "test", 70.0) == []


def test_a_submission_is_held_against_the_rows_beside_it() -> None:
    sent, *rest = board_of("ls", "uw")
    sent.record["val"]["left"]["accuracy"] = 70.0
    (fault,) = check_plausible([sent], rest)
    assert fault.path == sent.path
    assert list(check_plausible(rest, [sent])) == []


def test_no_committed_board_has_values_that_are_far_out() -> None:
    boards: dict[str, list[Located]] = {}
    for path, record in locate_records([ROOT / "results/reference"]):
        boards.setdefault(record["experiment"]["hash"], []).append(Located(path, record))
    assert [fault for board in boards.values() for fault in check_plausible(board, [])] == []

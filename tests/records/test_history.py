from pathlib import Path

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.records.history import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.jsonl")


def test_an_absent_history_is_empty(history: History) -> None:
    history.truncate(0)
    assert history.offset == 0
    assert history.rows() == []
    assert not history.path.exists()


def test_each_row_is_on_disk_at_once(history: History) -> None:
    for batch in range(3):
        history.append({"batch": batch, "note": "zwei\nZeilen"})
        assert history.offset == history.path.stat().st_size
        assert [row["batch"] for row in History(history.path).rows()] == list(range(batch + 1))


def test_truncate_returns_to_the_checkpoint(history: History) -> None:
    history.append({"batch": 0})
    checkpoint = history.offset
    history.append({"batch": 1})
    history.truncate(checkpoint)
    assert history.offset == checkpoint
    history.append({"batch": "again"})
    assert history.rows() == [{"batch": 0}, {"batch": "again"}]


def test_half_a_line_of_a_killed_run_is_no_row(history: History) -> None:
    history.append({"batch": 0})
    checkpoint = history.offset
    with history.path.open("a") as file:
        file.write('{"batch": 1')
    assert history.rows() == [{"batch": 0}]
    history.truncate(checkpoint)
    history.append({"batch": 1})
    assert history.rows() == [{"batch": 0}, {"batch": 1}]


def test_a_history_shorter_than_its_checkpoint_is_refused(history: History) -> None:
    history.append({"batch": 0})
    size = history.offset
    with pytest.raises(BenchError, match=f"has {size} bytes, its checkpoint was written at {size + 1}"):
        history.truncate(size + 1)
    assert history.rows() == [{"batch": 0}]


def test_a_damaged_row_is_refused(history: History) -> None:
    history.path.write_text('{"batch": \n{"batch": 1}\n')
    with pytest.raises(BenchError, match=r"history\.jsonl is damaged"):
        history.rows()


def test_an_unwritable_history(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"cannot be written \(No such file"):
        History(tmp_path / "missing" / "history.jsonl").append({})

"""Published orders: the turned sign, files that are refused, and every number against the table it was taken from."""

import csv
import re
from pathlib import Path

import pytest

from mtl_bench.errors import BenchError
from mtl_bench.results.published import published_order, published_orders

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results" / "published"
FILES = sorted(PUBLISHED.glob("*.csv"))
ORIGINS = {"nyuv2.csv": "nyuv2_mtan.csv", "cityscapes.csv": "cityscapes_mtan.csv"}
HEAD = "method,printed_as,source,dataset,metric,direction,value\n"


def write(path: Path, *rows: str) -> Path:
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def test_lower_is_better_is_turned_and_higher_is_kept(tmp_path: Path) -> None:
    lower = write(tmp_path / "l.csv", "one,One,P,D,DeltaM%,lower,-4.10", "two,Two,P,D,DeltaM%,lower,5.59")
    higher = write(tmp_path / "h.csv", "one,One,P,D,Gain,higher,-4.10", "two,Two,P,D,Gain,higher,5.59")
    assert published_order(lower).delta_m == {"one": 4.10, "two": -5.59}
    assert published_order(higher).delta_m == {"one": -4.10, "two": 5.59}
    assert published_order(lower).name == "D (published)"
    assert published_order(lower).per_seed == {}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ((), "has no rows"),
        (("one,,P,D,DeltaM%,lower,1",), "has no column 'printed_as'"),
        (("one,One,P,D,DeltaM%,lower,1", "two,Two,Q,D,DeltaM%,lower,2"), "mixes several values of 'source'"),
        (("one,One,P,D,DeltaM%,lower,1", "two,Two,P,D,DeltaM%,higher,2"), "mixes several values of 'direction'"),
        (("one,One,P,D,DeltaM%,lower,1", "one,One*,P,D,DeltaM%,lower,2"), "names a method twice"),
        (("one,One,P,D,DeltaM%,lower,n/a",), "One: 'lower' 'n/a' is not"),
        (("one,One,P,D,DeltaM%,up,1",), "One: 'up' '1' is not"),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, rows: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(BenchError, match=re.escape(sentence)):
        published_order(write(tmp_path / "t.csv", *rows))


def test_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="holds no published table"):
        published_orders(tmp_path)
    with pytest.raises(BenchError, match="cannot be read"):
        published_order(tmp_path / "absent.csv")


def test_the_boards_we_quote() -> None:
    orders = {order.name: order.delta_m for order in published_orders(PUBLISHED)}
    assert list(orders) == ["Cityscapes-2task (published)", "NYUv2-3task (published)"]
    assert [len(methods) for methods in orders.values()] == [17, 21]
    for methods in orders.values():
        assert methods["famo"] > methods["pcgrad"] > methods["rlw"]  # as the papers rank them


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_methods_carry_the_names_of_our_configs(path: Path) -> None:
    ours = {plain(config.stem): config.stem for config in (ROOT / "configs" / "method").glob("*.yaml")}
    rows = read(path)
    assert any(row["method"] in ours for row in rows)
    for row in rows:
        name = plain(row["printed_as"])
        assert row["method"] == ours.get(name, name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_readme_names_every_file(path: Path) -> None:
    line = next(line for line in (PUBLISHED / "README.md").read_text().splitlines() if f"`{path.name}`" in line)
    assert read(path)[0]["source"] in line


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_number_is_the_one_in_the_collection(path: Path, shared_data: Path) -> None:
    rows = read(path)
    table = {
        row["method"]: row
        for row in read(shared_data.parent / "published" / ORIGINS[path.name])
        if (row["source"], row["metric"]) == (rows[0]["source"], rows[0]["metric"])
    }
    for row in rows:
        origin = table.pop(row["printed_as"])
        assert {key: row[key] for key in origin if key != "method"} == {
            k: v for k, v in origin.items() if k != "method"
        }
    assert not table  # the whole table, no choice of rows

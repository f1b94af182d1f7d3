"""The catalogue of published tables: what it says of them, of our experiments and of our methods, is so."""

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from mtl_bench.configuration.configs_folder import configs_folder
from mtl_bench.errors import BenchError
from mtl_bench.results.change import term_weights
from mtl_bench.results.published import (
    PaperTable,
    methods_to_train,
    printed_names,
    printed_rows,
    published_folder,
    published_orders,
    published_table,
    published_tables,
)
from mtl_bench.results.published.catalogue import COLUMNS

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results" / "published"
FILES = sorted(path for path in PUBLISHED.glob("*.csv") if path.stem != "not_derivable")
TABLES = published_tables(PUBLISHED)
NAMES = printed_names(PUBLISHED)
TRAINED = [table for table in TABLES.values() if table.experiment]
LINE = "Paper,Data,Net,{method},{metric},{direction},{value},,3,Table 1\n"
ENTRY = {"title": "Paper, Table 1", "rows": {"file": "paper", "source": "Paper"}}


def write(folder: Path, lines: str, **entry: object) -> Path:
    (folder / "paper.csv").write_text(",".join(COLUMNS) + "\n" + lines)
    (folder / "tables.yaml").write_text(yaml.safe_dump({"experiments": {}, "tables": {"paper": {**ENTRY, **entry}}}))
    return folder


def line(method: str = "LS", metric: str = "acc", direction: str = "higher", value: str = "1.0") -> str:
    return LINE.format(method=method, metric=metric, direction=direction, value=value)


def composed(table: PaperTable) -> Mapping:
    with initialize_config_dir(str(configs_folder()), version_base="1.3"):
        config = compose("train", overrides=[f"experiment={table.experiment}", *table.protocols[0]])
    return OmegaConf.to_container(config, resolve=True)  # type: ignore[return-value]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_are_the_collection_as_it_is(path: Path, shared_data: Path) -> None:
    assert path.read_bytes() == (shared_data.parent / "published" / path.name).read_bytes()


def test_every_file_is_imported(shared_data: Path) -> None:
    assert [path.name for path in FILES] == sorted(p.name for p in (shared_data.parent / "published").glob("*.csv"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_readme_names_every_file_and_column(path: Path) -> None:
    text = (PUBLISHED / "README.md").read_text()
    assert f"| `{path.name}` |" in text
    with path.open(newline="", encoding="utf-8") as file:
        assert set(re.findall(r"^- `(\w+)`", text, re.M)) == set(csv.DictReader(file).fieldnames or ())


@pytest.mark.parametrize("table", TRAINED, ids=lambda table: table.name)
def test_options_are_of_methods_in_the_table_and_not_their_own(table: PaperTable) -> None:
    for method, options in table.options.items():
        assert method in methods_to_train(table, NAMES)
        own = yaml.safe_load((configs_folder() / "method" / f"{method}.yaml").read_text())
        assert all(own[key] != value for key, value in options.items())


def test_tables_of_preprocessed_data_are_trained_on_it() -> None:
    for name, data in (("nyuv2_famo", "nyuv2"), ("nyuv2_deeplab_dbmtl", "nyuv2"), ("cityscapes_cso", "cityscapes")):
        table = TABLES[name]
        assert [one[0] for one in table.protocols] == [f"dataset={data}_npy", f"dataset={data}_parquet"]
        assert composed(table)["dataset"]["name"] == f"{data}_npy"


@pytest.mark.parametrize("table", TRAINED, ids=lambda table: table.name)
def test_experiments_take_their_delta_over_the_same_metrics(table: PaperTable) -> None:
    """Or it is said that they do not."""
    config = composed(table)
    reporting = config["protocol"]["reporting"]["delta_m"]
    terms = {task: metrics for task, metrics in reporting["terms"].items() if metrics}
    ours = term_weights(reporting["definition"], terms)
    for definition in set(table.deltas.values()) - set(table.judged):
        if table.judged and definition == reporting["definition"]:
            theirs = term_weights(definition, table.terms)
            assert {table.ours(metric): weight for (_, metric), weight in theirs.items()} == ours
    if table.deltas:
        assert reporting["definition"] in table.deltas.values()
    for task, names in table.beside.items():
        assert task in config["tasks"]
        assert names


@pytest.mark.parametrize("table", TRAINED, ids=lambda table: table.name)
def test_hours_are_those_that_were_measured_and_the_page_is_there(table: PaperTable) -> None:
    assert table.demand is not None
    measured = re.search(
        rf"^\| `{table.experiment}` \|.* ([\d,.]+) \|$", (ROOT / "results/experiments/README.md").read_text(), re.M
    )
    assert table.demand.hours == (float(measured[1].replace(",", "")) if measured else None)
    assert (ROOT / table.demand.page).is_file()


def test_names_lead_to_our_methods_and_come_from_print() -> None:
    ours = {path.stem for path in (ROOT / "configs" / "method").glob("*.yaml")}
    assert set(NAMES.everywhere.values()) <= ours
    printed = {name for table in TABLES.values() for name in printed_rows(table)}
    assert set(NAMES.everywhere) | NAMES.single_task <= printed
    for table, names in NAMES.within.items():
        assert set(names) <= set(printed_rows(TABLES[table]))
        assert set(names.values()) <= {*ours, None}


def test_no_spelling_of_one_of_our_methods_is_overlooked() -> None:
    plain = {re.sub("[^a-z0-9]", "", name.lower()): name for name in (*NAMES.everywhere.values(), "config", "upgrad")}
    for table in TABLES.values():
        for printed in table.rows:
            if (ours := plain.get(re.sub("[^a-z0-9]", "", printed.lower()))) is not None:
                assert NAMES.method(table.name, printed) in {ours, "imtl_g"}


def test_the_orders_we_compare_with() -> None:
    orders = {order.name: order.delta_m for order in published_orders(PUBLISHED)}
    assert list(orders) == ["Cityscapes-2task (published)", "NYUv2-3task (published)"]
    assert [len(methods) for methods in orders.values()] == [17, 21]
    for methods in orders.values():
        assert methods["famo"] > methods["pcgrad"] > methods["rlw"]  # as the papers rank them
    assert orders["NYUv2-3task (published)"]["famo"] == 4.10  # printed −4.10, lower is better there


def test_the_folder_is_found_beside_the_package() -> None:
    assert published_folder() == PUBLISHED


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (line(value="n/a"), "LS, acc: 'higher' 'n/a' ± '' is not 'higher' or 'lower' with a number"),
        (line(value="inf"), "LS, acc: 'higher' 'inf' ± '' is not"),
        (line(direction="up"), "LS, acc: 'up' '1.0' ± '' is not"),
        (line() + line(), "names acc of LS twice"),
        ("", "has no row with {'source': 'Paper'}"),
    ],
)
def test_damaged_tables_are_refused(tmp_path: Path, lines: str, sentence: str) -> None:
    with pytest.raises(BenchError, match=re.escape(sentence)):
        published_tables(write(tmp_path, lines))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="name the folder that holds the published tables with --published"):
        published_tables(tmp_path)
    write(tmp_path, line())
    (tmp_path / "paper.csv").write_text("method,value\nLS,1\n")
    with pytest.raises(BenchError, match=re.escape("has the columns ['method', 'value']; a published table has")):
        published_tables(tmp_path)


@pytest.mark.parametrize(("entry", "key"), [({"baseline": "STL"}, "STL"), ({"spreads": "unknown"}, "spreads")])
def test_entries_that_cannot_be_read_are_named(tmp_path: Path, entry: dict[str, str], key: str) -> None:
    with pytest.raises(BenchError, match=f"the entry paper has a key too few, or one that none reads: .*{key}"):
        published_tables(write(tmp_path, line(), **entry))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "has no dict 'experiments'; name the folder that holds the published tables with --published"),
        (b"experiments: {}\ntables:\n", "has no dict 'tables'"),
        (b"title: \xfc\n", "cannot be read ('utf-8' codec"),
        (b"experiments: {digits: {need: none}}\ntables: {}\n", "the entry digits has a key too few, or one that none"),
        (b"experiments: {digits: none}\ntables: {}\n", "the entry digits has a key too few, or one that none"),
        (b"experiments: {}\ntables: {paper: text}\n", "the entry paper has a key too few, or one that none"),
        (b"experiments: {}\ntables: {paper: {rows: text}}\n", "the entry paper has a key too few, or one that none"),
    ],
)
def test_a_catalogue_that_is_none_gets_one_sentence(text: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "tables.yaml").write_bytes(text)
    with pytest.raises(BenchError, match=re.escape(says)):
        published_tables(tmp_path)


@pytest.mark.parametrize("lines", [line() + "Paper,Data,Net,UW,acc,higher,2.0\n", line() + line().strip() + ",more\n"])
def test_rows_of_other_lengths_are_refused(lines: str, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="row 2 has not 10 cells"):
        published_tables(write(tmp_path, lines))


def test_names_that_are_none_get_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text("")
    with pytest.raises(BenchError, match="has no list 'single_task'; take it from the repository"):
        printed_names(tmp_path)
    (tmp_path / "names.yaml").write_text("{single_task: [], methods: {ls: LS}, tables: {}}")
    with pytest.raises(BenchError, match="gives no list of names to ls, but 'LS'"):
        printed_names(tmp_path)


def test_an_unknown_table_gets_the_nearest_name() -> None:
    with pytest.raises(BenchError, match="did you mean nyuv2_famo"):
        published_table(TABLES, "nyuv2_fam")


def test_one_name_in_print_is_one_method(tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text("{single_task: [], methods: {ls: [LS], uw: [LS]}, tables: {}}")
    with pytest.raises(BenchError, match="gives 'LS' to ls and to uw"):
        printed_names(tmp_path)

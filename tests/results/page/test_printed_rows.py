"""Printed Δm on a page of their own: every number, turned, with what its cells allow; found by words and verdict."""

from collections.abc import Mapping
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from mtl_bench.results import Board, leaderboards
from mtl_bench.results.page import Material, printed_deltas, site_pages, write_site
from mtl_bench.results.page.printed_rows import PrintedRow
from mtl_bench.results.published import printed_names, published_folder, published_tables, recompute
from tests.results.page.browser import CHROMIUM, visit


@pytest.fixture(scope="module")
def printed() -> list[PrintedRow]:
    return printed_deltas(published_tables(published_folder()), printed_names(published_folder()))


def one(printed: list[PrintedRow], table: str, method: str) -> PrintedRow:
    return next(row for row in printed if (row.table.name, row.printed_as) == (table, method))


def test_signs_are_turned_and_verdicts_are_the_audits(printed: list[PrintedRow]) -> None:
    row = one(printed, "nyuv2_famo", "IMTL-G")  # printed −0.76, lower is better
    assert (row.text, row.turned, row.ours, row.definition) == ("+0.76", 0.76, "imtl_g", "metric_mean")
    assert (row.cells, row.follows) == ("+0.572 to +0.627", False)
    assert one(printed, "nyuv2_famo", "FAMO").text == "+4.10 ±0.39"
    for table in published_tables(published_folder()).values():
        deltas = [found for found in recompute(table)[0] if found.metric in table.deltas]
        told = [row for row in printed if row.table.name == table.name and row.follows is not None]
        assert [row.follows for row in told] == [found.derivable for found in deltas]


def test_a_board_leads_to_the_tables_that_its_experiment_trains(
    printed: list[PrintedRow], toys: Board, material: Material
) -> None:
    pages = pages_with(printed, [replace(toys, experiment="qm9")], material)
    assert 'href="published.html#qm9_famo"' in pages["qm9.html"]
    assert 'id="nyuv2_famo"' in pages["published.html"]
    official = pages_with(printed, [replace(toys, experiment="nyuv2_mtan")], material)
    assert "published.html#" not in official["nyuv2_mtan.html"]  # other data than those that are printed of
    assert "published.html#" not in pages_with(printed, [toys], material)["toys.html"]
    assert f"{len(printed)} numbers of" in unescape(pages["index.html"])


def test_without_printed_numbers_there_is_no_such_page(toys: Board, material: Material) -> None:
    pages = site_pages([toys], material)
    assert "published.html" not in pages
    assert not any("published.html" in page for page in pages.values())


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium or Chrome is installed here")
def test_printed_rows_are_found_and_sorted(printed: list[PrintedRow], material: Material, tmp_path: Path) -> None:
    write_site(tmp_path, dict(pages_with(printed, leaderboards(material.records), material)))
    steps = """
    const told = () => document.getElementById("count").textContent;
    const [search, show] = ["search", "show"].map((name) => document.getElementById(name));
    const found = [told()];
    search.value = "segnet-mtan imtl"; search.dispatchEvent(new Event("input")); found.push(told());
    search.value = "nyuv2_famo"; search.dispatchEvent(new Event("input")); found.push(told());
    show.value = "no"; show.dispatchEvent(new Event("change")); found.push(told());
    search.value = ""; show.value = ""; show.dispatchEvent(new Event("change"));
    [...document.querySelectorAll("thead button")].find((one) => one.textContent.startsWith("Δm %")).click();
    return [...found, document.querySelector("tbody th").textContent.trim()];
    """
    best = max(printed, key=lambda row: row.turned)
    every, famo = len(printed), sum(row.table.name == "nyuv2_famo" for row in printed)
    *counts, first = visit(tmp_path / "published.html", steps)
    assert counts == [
        f"{every} numbers",
        f"0 of {every} numbers",
        f"{famo} of {every} numbers",
        f"1 of {every} numbers",
    ]
    assert first.split()[0] == best.printed_as.split()[0]


def pages_with(printed: list[PrintedRow], boards: list[Board], material: Material) -> Mapping[str, str]:
    return site_pages(boards, replace(material, printed=printed))

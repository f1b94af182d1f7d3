"""The pages in a browser, as a reader uses them: sort, filter, unfold, follow links. No word on the console."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from mtl_bench.results import Board
from mtl_bench.results.page import write_site
from mtl_bench.results.render import signed
from tests.results.page.browser import CHROMIUM, visit
from tests.results.page.conftest import NASTY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium or Chrome is installed here"),
]

TOOLS = """
const all = (selector) => [...document.querySelectorAll(selector)];
const rows = () => all("#board tbody tr:not(.details)").filter((row) => !row.hidden).map((row) => row.dataset.label);
const head = (text) => all("#board thead th").find((one) => one.textContent.includes(text));
const press = (text) => head(text).querySelector("button").click();
const line = (label) => all("#board tbody tr").find((row) => row.dataset.label === label);
const type = (name, text) => {
  const field = document.getElementById(name);
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
};
"""


@pytest.fixture
def site(pages: Mapping[str, str], tmp_path: Path) -> Path:
    write_site(tmp_path / "site", dict(pages))
    return tmp_path / "site"


def test_a_click_sorts_and_the_heading_says_so(site: Path, toys: Board) -> None:
    steps = """
    const found = { start: rows() };
    for (const text of ["Δm %", "right abs_err"]) {
      press(text); found[text] = [head(text).getAttribute("aria-sort"), rows()];
      press(text); found[`${text} again`] = [head(text).getAttribute("aria-sort"), rows()];
    }
    press("Method"); found.names = rows();
    found.sorted = document.querySelectorAll("[aria-sort]").length;
    return found;
    """
    found = visit(site / "toys.html", TOOLS + steps)
    assert found["start"] == [row.label for row in toys.rows]

    sound = [row for row in toys.rows if not row.diverged]
    by_delta = [row.label for row in sorted(sound, key=lambda row: row.delta_m.mean, reverse=True)]  # type: ignore[union-attr]
    assert found["Δm %"] == ["descending", [*by_delta, "lost"]]
    assert found["Δm % again"] == ["ascending", [*by_delta[::-1], "lost"]]
    by_error = [row.label for row in sorted(sound, key=lambda row: row.metrics["right", "abs_err"].mean)]
    assert found["right abs_err"] == ["ascending", [*by_error, "lost"]]
    assert found["right abs_err again"] == ["descending", [*by_error[::-1], "lost"]]
    assert found["names"][0] == NASTY
    assert found["sorted"] == 1


def test_filters_leave_rows_and_pictures_that_fit(site: Path, toys: Board) -> None:
    steps = """
    const found = {}, count = () => document.getElementById("count").textContent;
    const drawn = () => document.querySelectorAll("#cost circle").length;
    found.all = [count(), drawn()];
    type("search", "EVEN"); found.search = [rows(), count(), drawn()];
    type("search", ""); type("show", "above"); found.above = rows();
    type("show", "unhurt"); found.unhurt = rows();
    type("show", ""); type("origin", "tuned"); found.tuned = [rows(), count()];
    type("origin", "ours"); found.ours = count();
    return found;
    """
    found = visit(site / "toys.html", TOOLS + steps)
    assert found["all"] == ["6 rows", 6]
    assert found["search"] == [["even"], "1 of 6 rows", 1]
    clear = [row.label for row in toys.rows if row.delta_m and row.delta_m.interval and row.delta_m.interval.low > 0]
    assert found["above"] == clear != []
    assert found["unhurt"] == [row.label for row in toys.rows if row.tasks_hurt == ()]
    assert found["tuned"] == [[], "0 of 6 rows"]
    assert found["ours"] == "6 rows"


def test_what_survives_of_a_diverged_row_is_on_no_front(site: Path) -> None:
    steps = """
    byLabel.get("lost").delta.mean = 99;
    const found = front(shown()).map((row) => row.label);
    type("search", "lost");
    return [found, document.querySelectorAll("#cost circle").length];
    """
    found, drawn = visit(site / "toys.html", TOOLS + steps)
    assert "lost" not in found
    assert found != []
    assert drawn == 1


def test_the_picture_of_costs_has_the_tones_of_the_table(site: Path) -> None:
    steps = """
    byLabel.get("even").tone = "worse"; repaint();
    const marks = all("#cost g[data-tip]").map((one) => [one.dataset.tip.split("\\n")[0], one.getAttribute("class")]);
    const listed = all("tr[data-tone]").map((one) => [one.dataset.label, one.dataset.tone]);
    return [marks, listed].map(Object.fromEntries);
    """
    drawn, listed = visit(site / "toys.html", TOOLS + steps)
    assert drawn == {**listed, "even": "worse"}
    assert listed["even"] == "better"


def test_columns_come_and_go(site: Path) -> None:
    steps = """
    const seen = (text) => head(text).offsetWidth > 0;
    const found = [seen("right abs_err"), seen("Forwards"), seen("metric_mean"), seen("Δm %")];
    document.querySelectorAll(".toggles button").forEach((button) => button.click());
    return [found, [seen("right abs_err"), seen("Forwards"), seen("metric_mean"), seen("Δm %")]];
    """
    assert visit(site / "toys.html", TOOLS + steps) == [[False, False, True, True], [True, True, False, True]]


def test_a_row_unfolds_what_made_it(site: Path, toys: Board) -> None:
    steps = """
    const button = line("even").querySelector("button"), texts = [];
    button.click();
    const below = line("even").nextElementSibling;
    const found = { open: button.getAttribute("aria-expanded"), text: below.textContent };
    found.commands = all("tr.details pre code").map((one) => one.textContent);
    press("Δm %");
    found.follows = line("even").nextElementSibling === below;
    button.click();
    found.gone = !document.querySelector("tr.details");
    return found;
    """
    found = visit(site / "toys.html", TOOLS + steps)
    assert found["open"] == "true"
    assert found["commands"] == ["mtl-bench train 1 & 'more'", "_target_: a.Method"]
    row = next(row for row in toys.rows if row.label == "even")
    assert all(f"{task}{signed(change)}" in found["text"] for task, change in row.changes.items())
    assert "ours · not tuned · default options" in found["text"]
    assert found["follows"]
    assert found["gone"]


def test_every_picture_is_drawn_and_a_label_stays_text(site: Path) -> None:
    steps = """
    const found = {};
    for (const name of ["cost", "definitions", "tasks", "curves"]) found[name] = all(`#${name} svg`).length;
    document.querySelectorAll(".switch button, .chips button").forEach((button) => button.click());
    found.nasty = document.getElementById("nasty") === null;
    found.told = document.querySelectorAll("[data-tip]").length > 20;
    found.hidden = document.getElementById("gradients-figure").hidden;
    line("lost").querySelector("button").click();
    return found;
    """
    found = visit(site / "toys.html", TOOLS + steps)
    assert found == {"cost": 1, "definitions": 1, "tasks": 1, "curves": 3, "nasty": True, "told": True, "hidden": True}


def test_the_index_leads_to_rows(site: Path) -> None:
    steps = """
    const found = [...document.querySelectorAll("#boards a")].map((link) => link.getAttribute("href"));
    document.querySelector("#boards thead button").click();
    const field = document.getElementById("search");
    field.value = "skew"; field.dispatchEvent(new Event("input"));
    const one = document.getElementById("count").textContent;
    field.value = "no such thing"; field.dispatchEvent(new Event("input"));
    return [found, one, document.getElementById("count").textContent];
    """
    links, one, none = visit(site / "index.html", steps)
    assert links == ["toys.html", "toys.html#row-even"]
    assert (one, none) == ("1 board", "0 of 1 board")
    unfolded = 'return document.querySelector("tr.details").previousElementSibling.id'
    assert visit(site / "toys.html", unfolded, anchor="#row-even") == "row-even"


def test_on_a_phone_nothing_but_tables_and_pictures_scrolls(site: Path) -> None:
    """390 pixels are less than a window can have: the page is laid out in them, by the rules of a narrow one."""
    steps = """
    document.body.style.width = "390px";
    repaint();
    line("even").querySelector("button").click();
    const outside = (one) => one.getBoundingClientRect().right > 391 && !one.closest(".scroll, .chart, pre");
    const wide = all("main *").filter(outside);
    return [innerWidth < 760, wide.map((one) => one.outerHTML.slice(0, 80))];
    """
    assert visit(site / "toys.html", TOOLS + steps, width=500) == [True, []]


def test_a_word_on_the_console_is_a_failure(site: Path) -> None:
    """Or the tests above would see none."""
    page = site / "toys.html"
    for broken in ("nothing.there()", "fetch('https://example.org/x.css')"):
        other = page.with_name("broken.html")
        other.write_text(page.read_text().replace("repaint();\nvisit();", f"repaint();\nvisit();\n{broken};"))
        with pytest.raises(AssertionError, match="CONSOLE"):
            visit(other, "return 1")

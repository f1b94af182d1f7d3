"""Every page about a dataset says how long a step of its experiments takes, as it was measured."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT

LINK = "](../../results/experiments/README.md)"
PAGES = [page for page in sorted((DOCS / "datasets").glob("*.md")) if "| experiment |" in page.read_text()]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("| \n").split("|")]


def measured() -> dict[str, str]:
    """What pages say of an experiment."""
    lines = (ROOT / "results" / "experiments" / "README.md").read_text().splitlines()
    rows = [cells(line) for line in lines if line.startswith("| `")]
    return {row[0].strip("`"): f"{row[4]} s, {row[5]} hours" for row in rows}


def table(page: Path) -> list[list[str]]:
    rows = page.read_text().partition("| experiment |")[2].partition("\n\n")[0].splitlines()
    return [cells(row) for row in rows[2:]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_step_times_are_those_that_were_measured(page: Path) -> None:
    times, rows = measured(), table(page)
    assert rows
    for first, *_, told in rows:
        names = [name for name in re.findall(r"`([^`]+)`", first) if name != "…_val"]
        twin = names[0].endswith("_val")
        assert told == ("as above" if twin else f"[{'; '.join(times[name] for name in names)}{LINK}"), first


def test_every_experiment_on_official_files_stands_on_a_page() -> None:
    told = {name for page in PAGES for row in table(page) for name in re.findall(r"`([^`]+)`", row[0])}
    assert {name for name in measured() if " " not in name} <= told

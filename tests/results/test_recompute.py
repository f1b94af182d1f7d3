"""The audit of published tables: exact ranges, and the list of all numbers that do not follow from their cells."""

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from mtl_bench.results.published import (
    Recomputed,
    audit,
    exceptions,
    known_exceptions,
    published_tables,
    recompute,
)
from mtl_bench.results.published.exceptions import facts_of
from mtl_bench.results.published.printed import Printed
from mtl_bench.results.published.recompute import change_range, rank_range

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
TABLES = published_tables(PUBLISHED)
AUDIT = audit(TABLES)
CHECKED = [one for checked, _ in AUDIT.values() for one in checked]
KNOWN = known_exceptions(PUBLISHED)
WHOLE = {  # tables with every cell and a single-task row → printed Δm
    "nyuv2_famo": 12, "nyuv2_ntkmtl": 21, "nyuv2_go4align": 16, "nyuv2_aligned": 28, "nyuv2_pspnet_aligned": 28,
    "nyuv2_deeplab_dbmtl": 21, "nyuv2_recon": 11, "cityscapes_famo": 12, "cityscapes_ntkmtl": 17,
    "cityscapes_go4align": 12, "cityscapes_aligned": 13, "cityscapes3_aligned": 15, "cityscapes_deeplab_dbmtl": 21,
    "cityscapes_recon": 12, "qm9_famo": 11, "qm9_quoted": 10, "qm9_ntkmtl": 14, "qm9_dbmtl": 21, "nyud_cso": 6,
    "pascal_cso": 6, "cityscapes_cso": 13, "taskonomy_stgu": 11,
}  # fmt: skip
cells = st.builds(
    lambda digits, places, higher: Printed(f"{digits / 10**places:.{places}f}", higher),
    st.integers(10, 9999),
    st.integers(0, 4),
    st.booleans(),
)


def deltas(name: str) -> list[Recomputed]:
    return [one for one in recompute(TABLES[name])[0] if one.metric in TABLES[name].deltas]


def row(table: str, method: str, metric: str) -> Recomputed:
    (found,) = (one for one in recompute(TABLES[table])[0] if (one.method, one.metric) == (method, metric))
    return found


def test_the_exceptions_are_those_of_the_list_no_more_and_no_fewer() -> None:
    assert exceptions(CHECKED) == list(KNOWN)


def test_several_hundred_numbers_are_recomputed() -> None:
    assert len(CHECKED) == 626
    assert sum(one.derivable for one in CHECKED) == 626 - len(KNOWN) == 578


@pytest.mark.parametrize("name", WHOLE)
def test_every_row_of_a_whole_table_is_checked(name: str) -> None:
    table = TABLES[name]
    printed = sum(metric in table.deltas for cells in table.rows.values() for metric in cells)
    assert len(deltas(name)) == printed == WHOLE[name]


def test_the_examples_that_are_known() -> None:
    three = {f"{one.low} {one.high}" for one in CHECKED if one.method == "IMTL-G" and one.printed.text == "-0.76"}
    assert three == {"-0.627 -0.572"}
    middles = [float(sum(one.range) / 2 - one.printed.value) for one in deltas("nyuv2_recon")]
    assert len(middles) == 11
    assert min(middles) == pytest.approx(0.38, abs=0.005)
    assert max(middles) == pytest.approx(0.58, abs=0.005)
    assert all(one.derivable for one in deltas("pascal_recon"))  # of the same paper, under the same definition


@given(cells, cells)
def test_a_change_range_holds_every_change_and_its_ends_are_reached(value: Printed, baseline: Printed) -> None:
    low, high = change_range(value, baseline)
    sign = 1 if value.higher_is_better else -1
    steps = [Fraction(n, 4) for n in range(5)]
    changes = []
    for a, b in product(steps, steps):
        m, s = (cell.range[0] + x * (cell.range[1] - cell.range[0]) for cell, x in ((value, a), (baseline, b)))
        changes.append(100 * sign * (m - s) / s)
    assert min(changes) == low
    assert max(changes) == high


@given(st.lists(st.integers(0, 30), min_size=2, max_size=6), st.booleans(), st.randoms(use_true_random=False))
def test_a_rank_range_holds_every_rank_and_its_ends_are_reached(
    values: Sequence[int], higher: bool, draw: random.Random
) -> None:
    column = [Printed(f"{value / 10:.{value % 2}f}", higher) for value in values]  # 3, 3.1: of two precisions
    low, high = rank_range(column[0], column[1:])

    def rank(numbers: Sequence[float]) -> float:
        return float(rankdata([-x if higher else x for x in numbers])[0])

    ends = [tuple(map(float, cell.range)) for cell in column]
    for _ in range(20):
        assert low <= rank([draw.uniform(*end) for end in ends]) <= high
    sign = 1 if higher else -1
    best = [end[::sign][1] if n == 0 else end[::sign][0] - 1e-9 * sign for n, end in enumerate(ends)]
    worst = [end[::sign][0] if n == 0 else end[::sign][1] + 1e-9 * sign for n, end in enumerate(ends)]
    assert (rank(best), rank(worst)) == (low, high)


def test_both_signs_are_read() -> None:
    """The same row printed either way: lower is better in one paper, higher in another."""
    lower = row("cityscapes_ntkmtl", "LS", "DeltaM%")
    assert lower.range[0] < lower.printed.value < lower.range[1]
    assert lower.printed.value == Fraction("22.60")
    assert row("cityscapes_cso", "GD", "delta_m_percent").printed.value < 0


def test_what_cannot_be_recomputed_says_why() -> None:
    left = [one for _, unchecked in AUDIT.values() for one in unchecked]
    assert {one.why for one in left if one.table == "nyuv2_extra"} == {
        "PixAcc is not printed",
        "it counts rows that are not here",
    }
    assert {one.why for one in left if one.table.startswith("celeba")} == {"its cells are not printed"}


def test_reason_for_famo_on_qm9_ranks_are_counted_from_zero() -> None:
    ranks = [one for one in recompute(TABLES["qm9_famo"])[0] if one.metric == "MeanRank"]
    assert len(ranks) == 11
    for one in ranks:
        assert replace(one, range=(one.range[0] - 1, one.range[1] - 1)).derivable


def test_reason_for_famo_on_cityscapes_ranks_fit_the_row_it_does_not_print() -> None:
    table = TABLES["cityscapes_famo"]
    judged = [metric for names in table.judged.values() for metric in names]
    theirs = TABLES["cityscapes_ntkmtl"].rows["LS"]
    rows = {
        name: {**found, **({metric: theirs[metric] for metric in judged} if name.startswith("LS") else {})}
        for name, found in table.rows.items()
    }
    ranks = [one for one in recompute(replace(table, rows=rows))[0] if one.metric == "MeanRank"]
    assert all(one.derivable for one in ranks)


def test_reason_for_ntkmtl_two_ranks_are_exchanged() -> None:
    one, other = (row("nyuv2_ntkmtl", method, "MeanRank") for method in ("SI", "DWA"))
    assert replace(one, printed=other.printed).derivable
    assert replace(other, printed=one.printed).derivable


def test_reason_for_dbmtl_on_cityscapes_a_digit_too_many() -> None:
    table = TABLES["cityscapes_deeplab_dbmtl"]
    listed = {facts[1] for facts in KNOWN if facts[0] == table.name}
    error = "depth_abs_err"
    assert all(table.rows[method][error].text.endswith("0") for method in listed)
    rows = {
        method: {**found, error: replace(found[error], text=found[error].text.removesuffix("0"))}
        for method, found in table.rows.items()
    }
    assert all(one.derivable for one in recompute(replace(table, rows=rows))[0])


def test_reason_for_cso_the_cell_that_recon_prints() -> None:
    copied, origin = (
        TABLES["cityscapes_cso"].rows["GD w/ Recon"],
        TABLES["cityscapes_recon"].rows["Joint-train w/ Recon"],
    )
    unlike = {metric for metric in origin if metric in copied and copied[metric].text != origin[metric].text}
    assert unlike == {"semseg_mIoU"}
    assert row("cityscapes_recon", "Joint-train w/ Recon", "delta_m_percent").derivable


def test_reasons_stand_beside_what_they_explain() -> None:
    assert sum(not reason for reason in KNOWN.values()) == 4  # of which nothing is known
    for facts, reason in KNOWN.items():
        if "misprint" in reason:  # said only where a paper contradicts itself
            assert facts_of(row(*facts[:3]))[:3] == ("nyud_cso_phases", "Phase 1+2 mixed", "delta_m_percent")

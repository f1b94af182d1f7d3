"""What stands on the page of one board."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mtl_bench.errors import Damaged
from mtl_bench.results.axis_scale import Scale, delta_scale
from mtl_bench.results.board import Board
from mtl_bench.results.board_csv import delta_m_places
from mtl_bench.results.page.behind import methods_of, plain_row, runs_behind, time_ratio
from mtl_bench.results.page.definitions import Ranking, rankings
from mtl_bench.results.page.drawn_row import DrawnRow, as_yaml, drawn_row, row_data
from mtl_bench.results.page.material import Material
from mtl_bench.results.page.table_columns import PageColumn, page_columns
from mtl_bench.results.published import PaperTable
from mtl_bench.results.render import lines
from mtl_bench.results.row import Column, Row

PROTOCOL = ("dataset", "tasks", "model", "protocol")  # nodes of a configuration that all rows share


@dataclass(frozen=True)
class BoardPage:
    """`name` is its file's."""

    name: str
    board: Board
    material: Material

    @cached_property
    def ranking(self) -> list[Ranking]:
        return rankings(self.board)

    @cached_property
    def scale(self) -> Scale:
        return delta_scale(self.board.rows)

    @cached_property
    def rows(self) -> list[DrawnRow]:
        anchors, ranks = _anchors([row.label for row in self.board.rows]), delta_m_places(self.board)
        return [
            drawn_row(row, anchor, self.board, self.ranking[0], ranks.get(row.label), self.scale, self.material)
            for row, anchor in zip(self.board.rows, anchors, strict=True)
        ]

    @cached_property
    def plain(self) -> dict[str, Row]:
        """Label of a row → the row of the plain sum that it is compared with, where there is one."""
        found = {row.label: plain_row(self.board, row) for row in self.board.rows}
        return {label: plain for label, plain in found.items() if plain}

    @property
    def plain_labels(self) -> list[str]:
        return list(dict.fromkeys(row.label for row in self.plain.values()))

    @cached_property
    def ratios(self) -> dict[str, float | None]:
        return {
            row.label: time_ratio(*(runs_behind(self.board, one) for one in (row, self.plain[row.label])))
            for row in self.board.rows
            if row.label in self.plain
        }

    @cached_property
    def columns(self) -> list[PageColumn]:
        return page_columns(self.board, self.ranking, self.ratios)

    @property
    def tasks(self) -> list[str]:
        return list(dict.fromkeys(column.task for column in self.board.columns))

    @property
    def methods(self) -> list[Row]:
        return [row for row in self.board.rows if row.is_method]

    @property
    def best(self) -> DrawnRow | None:
        """The method with the best Δm, the first of several."""
        ranked = [one for one in self.rows if one.place]
        return min(ranked, key=lambda one: one.place or 0, default=None)

    @property
    def above(self) -> list[Row]:
        """Methods that are told from single-task training as better."""
        return [row for row in self.methods if row.verdict and row.verdict.low > 0]

    @property
    def below(self) -> list[Row]:
        return [row for row in self.methods if row.verdict and row.verdict.high < 0]

    @property
    def moved(self) -> int:
        """Rows that stand elsewhere under another definition."""
        own, *others = (ranking.places for ranking in self.ranking)
        return sum(any(other.get(label, place) != place for other in others) for label, place in own.items())

    @property
    def turned(self) -> int:
        """Rows of which Δm has another sign under another definition."""
        own, *others = (ranking.delta_m for ranking in self.ranking)
        pairs = [(own.get(row.label), other.get(row.label)) for row in self.methods for other in others]
        labels = [row.label for row in self.methods for _ in others]
        return len({label for label, (a, b) in zip(labels, pairs, strict=True) if a and b and a.mean * b.mean < 0})

    @property
    def printed_in(self) -> list[PaperTable]:
        """Published tables that this experiment trains."""
        tables = {row.table.name: row.table for row in self.material.printed}
        mine = [one for one in tables.values() if one.experiment == self.board.experiment and not one.overrides]
        dataset = self._config.get("dataset", {}).get("name")
        return [one for one in mine if not (one.demand and one.demand.data) or dataset in one.demand.data]

    @property
    def origins(self) -> list[str]:
        return sorted({one.provenance.origin for one in self.rows})

    @cached_property
    def refused(self) -> Mapping[str, str]:
        """Methods that cannot run on this board → why."""
        return self.material.refused(self.board)

    @property
    def notes(self) -> list[str]:
        return lines(self.board)

    @property
    def seeds(self) -> str:
        counts = sorted({len(row.seeds) for row in self.methods})
        return f"{counts[0]}–{counts[-1]}" if len(counts) > 1 else str(counts[0])

    @property
    def single_seeds(self) -> int | None:
        return next((len(row.seeds) for row in self.board.rows if row.is_single_task), None)

    @property
    def protocol(self) -> str:
        """The configuration that all rows share, as YAML."""
        config = self._config
        shared = {name: config[name] for name in PROTOCOL if name in config}
        return as_yaml(shared) if shared else ""

    def data(self, damaged: list[Damaged] | None) -> dict[str, Any]:
        """For the page's script."""
        return {
            "definition": self.board.definition,
            "definitions": [{"name": one.definition, "judged": one.judged, "tau": one.tau} for one in self.ranking],
            "plain": self.plain_labels,
            "scale": [self.scale.low, self.scale.high],
            "tasks": [
                {"name": one.task, "metric": one.metric, "unit": one.unit, "up": one.higher_is_better}
                for one in self._first_columns
            ],
            "rows": [row_data(one, self.board, self.ranking, self.material, damaged) for one in self.rows],
        }

    @property
    def _first_columns(self) -> list[Column]:
        first = {column.task: column for column in reversed(self.board.columns)}
        return [first[task] for task in self.tasks]

    @property
    def _config(self) -> Mapping[str, Any]:
        own = methods_of(self.board, self.material)
        return own[0]["config"] if own else {}


def page_names(boards: Sequence[Board]) -> list[str]:
    """`<experiment>.html`, with the head of its hash where two boards share an experiment's name."""
    names = [_slug(board.experiment) for board in boards]
    taken = {name for name in names if names.count(name) > 1} | {"index", "published"}
    return [
        f"{name}-{board.hash[:6]}.html" if name in taken else f"{name}.html"
        for name, board in zip(names, boards, strict=True)
    ]


def _anchors(labels: Sequence[str]) -> list[str]:
    found: list[str] = []
    for label in labels:
        slug = f"row-{_slug(label)}"  # a name that nothing else of the page has
        found.append(slug if slug not in found else f"{slug}-{len(found)}")
    return found


def _slug(name: str) -> str:
    return re.sub(r"[^\w.=]+", "-", name).strip("-.") or "board"

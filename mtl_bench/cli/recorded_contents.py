"""What data hold that are not packed here, as far as records tell: runs are named by it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtl_bench.data.dataset import Dataset, packed_folder
from mtl_bench.job.job import Job
from mtl_bench.records.identity import canonical_text
from mtl_bench.records.record import find_records
from mtl_bench.training.build import build


class Contents:
    """The digest of a job's data, looked up once per folder of runs and dataset."""

    def __init__(self) -> None:
        self._known: dict[Path, dict[str, str]] = {}
        self._unknown: dict[str, None] = {}

    def of(self, job: Job) -> str:
        """That of a record with the same dataset; empty where the data are packed, which tell it themselves, and where
        there is no record, so that no run of them is finished."""
        node, runs = job.plain.get("dataset"), job.paths["runs"]
        if not node:
            return ""
        folder = packed_folder(build(node, "dataset", Dataset), job.paths["data"])
        if folder.is_dir():
            return ""
        if runs not in self._known:
            self._known[runs] = {_text(r["config"].get("dataset")): _content(r) for r in find_records([runs], [])}
        digest = self._known[runs].get(_text(node), "")
        if not digest:
            self._unknown[f"{folder} is not there and no record below {runs} has its data"] = None
        return digest

    def tell(self) -> None:
        """Which cells are taken as not begun, though another process may be at their first."""
        for why in self._unknown:
            print(f"{why}, so all its cells count as not begun.", file=sys.stderr)


def _text(node: Any) -> str:
    return canonical_text(node)


def _content(record: Mapping[str, Any]) -> str:
    return str(record["identity"].get("content", ""))

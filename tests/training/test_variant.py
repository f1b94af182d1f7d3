"""Runs on a copy or a part of a dataset say so in their records; all others are as they were."""

from dataclasses import replace
from pathlib import Path

from mtl_bench.data.packed import Packed
from mtl_bench.job import compose_plan
from mtl_bench.training.assemble import Place
from mtl_bench.training.cell import run_cell
from mtl_bench.training.loggers import NoLogger
from mtl_bench.training.trainer import Options

MOMENT = ["protocol.training.budget.amount=2", "protocol.training.budget.unit=batches"]


def test_a_record_names_the_copy(data: Path, tmp_path: Path) -> None:
    plan = compose_plan(["experiment=multidigits", "model=mlp", *MOMENT], data)
    manifest = replace(plan.packed.manifest, variant="somebody's copy", skipped={"train": ["0.png is missing."]})
    copy = replace(plan, packed=Packed(plan.packed.folder, manifest))
    expected = "somebody's copy, 1 sample left out as missing or unreadable"
    for one, folder, said in ((plan, "whole", None), (copy, "copy", expected)):
        record = run_cell(one, Place(tmp_path / folder, device="cpu"), Options(progress=False), NoLogger()).record
        assert record.get("variant") == said

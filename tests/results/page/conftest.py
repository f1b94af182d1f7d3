"""A small leaderboard made up for the tests: three tasks, of which one has two metrics, so that definitions differ."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mtl_bench.records import Record
from mtl_bench.records.record import save_record
from mtl_bench.results import Board, leaderboards
from mtl_bench.results.page import Material, site_pages
from tests.results.conftest import Make
from tests.results.test_tuned_rows import tuned

TERMS = {"left": ["accuracy", "recall"], "right": ["abs_err"], "up": ["mae"]}
UP = {"accuracy", "recall"}
METRICS = {
    task: {name: {"higher_is_better": name in UP, "unit": "%" if name in UP else "m"} for name in names}
    for task, names in TERMS.items()
}
SINGLE = {"left": (80.0, 60.0), "right": (0.5,), "up": (0.3,)}
PLAIN = {"_target_": "mtl_bench.methods.linear_scalarization.LinearScalarization"}
NASTY = '</script><b id="nasty">'

Values = Mapping[str, Sequence[float]]
Located = list[tuple[Path, Record]]


@pytest.fixture
def located(record: Make, tmp_path: Path) -> Located:
    """Records and their files: single-task runs, a plain sum and four methods, one of which lost a seed."""

    def run(label: str, values: Values, seed: int, **changes: Any) -> tuple[Path, Record]:
        noise = 1 + 0.004 * (seed - 1) * (1 if seed % 2 else -1) + 0.001 * len(label)
        test = {
            task: dict(zip(TERMS[task], (one * noise for one in given), strict=True)) for task, given in values.items()
        }
        evaluation = {"train": dict.fromkeys(test, 1.0 + seed), "val": test, "test": None}
        made = record(label, None, None, seed=seed)
        made |= {  # type: ignore[assignment]
            "method": {"name": label.partition(" ")[0], "label": label},
            "tasks": list(test),
            "metrics": METRICS,
            "test": test,
            "val": test,
            "evaluations": [{"batch": 10 * n, "epoch": float(n), **evaluation} for n in (1, 2, 3)],
            "delta_m": {"definition": "task_mean", "terms": TERMS},
            "baselines": {task: f"{task}-alone" for task in TERMS},
            "config": {"only": list(test), "method": {"_target_": "a.Method"}, "model": {"_target_": "a.Model"}},
            **changes,
        }
        path = tmp_path / "runs" / made["experiment"]["name"] / made["hash"] / f"seed-{seed}" / "record.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_record(path, made)
        return path, made

    found: Located = []
    for seed in range(3):
        for task, values in SINGLE.items():
            alone = {"experiment": {"name": "toys", "hash": "e0" * 32}, "hash": f"{task}-alone"}
            found.append(run("single", {task: values}, seed, method={"name": "single", "label": "single"}, **alone))
        cheap = {"batches": 100, "forwards": 100, "backwards": 100, "passes": 200, "optimizer_steps": 100}
        dear = {**cheap, "passes": 800}
        toys = {"experiment": {"name": "toys", "hash": "e1" * 32}}
        found += [
            run("ls", {"left": (82, 60), "right": (0.49,), "up": (0.31,)}, seed, identity={"method": PLAIN}, **toys),
            run("even", {"left": (84, 63), "right": (0.47,), "up": (0.29,)}, seed, counts=dear, **toys),
            run("skew (a=1)", {"left": (84, 84), "right": (0.55,), "up": (0.30,)}, seed, **toys),
            run(NASTY, {"left": (79, 59), "right": (0.52,), "up": (0.33,)}, seed, counts=cheap, **toys),
            run("lost", {"left": (80, 60), "right": (0.5,), "up": (0.3,)}, seed, converged=seed != 2, **toys),
        ]
    return found


@pytest.fixture
def material(located: Located) -> Material:
    return Material(located, (), lambda runs: [f"mtl-bench train {len(runs)} & 'more'"])


@pytest.fixture
def toys(material: Material) -> Board:
    return next(board for board in leaderboards(material.records) if board.experiment == "toys")


@pytest.fixture
def pages(material: Material) -> Mapping[str, str]:
    return site_pages(leaderboards(material.records), material)


@pytest.fixture
def searched(located: Located) -> Material:
    """Also `even` and the plain sum, tuned, against tuned single-task runs; the same searches from another seed."""
    records = [record for _, record in located]
    found = list(located)
    won = {"ls": "ls", "even": "even", **{f"{task}-alone": task for task in TERMS}}
    for path, record in located:
        if record["method"]["name"] in ("ls", "even", "single"):
            name = record["hash"].removesuffix("-hash")
            winner = {**record, "hash": f"{won[name]}-won", "experiment": {"name": "toys", "hash": "f2" * 32}}
            found.append((path.parents[2] / winner["hash"] / path.parent.name / path.name, winner))  # type: ignore[arg-type]
    like = next(record for record in records if record["hash"] == "even-hash")
    joint = ",".join(TERMS)
    hashes = {"ls": {joint: "ls-won"}, "even": {joint: "even-won"}, "single-task": {t: f"{t}-won" for t in TERMS}}
    files = [tuned(like, label, of, sampler_seed=seed) for label, of in hashes.items() for seed in (0, 1)]
    return Material(found, files)

"""What rooms are, measured: `python scripts/datasheet.py` writes results/rooms/README.md and its contact sheet.

It needs the records of the boards (results/reference), those of narrower models (results/rooms/widths) and the
histories of runs with diagnostics; the page names the command that makes each.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from transfer import table

from mtl_bench.data.packed import Field
from mtl_bench.data.rooms.furniture import CLASSES
from mtl_bench.data.split import Split
from mtl_bench.errors import BenchError
from mtl_bench.job import compose_plan
from mtl_bench.pictures import Dense, Kind
from mtl_bench.pictures.colours import look, photo
from mtl_bench.records.record import Record, find_records
from mtl_bench.results.published import published_orders
from mtl_bench.results.transfer import board_orders
from mtl_bench.tasks import Metric, Segmentation, Task
from mtl_bench.tasks.binary import BinaryTask
from mtl_bench.training.plan import Plan
from mtl_bench.training.samples import KINDS

ROOT = Path(__file__).parents[1]
SAMPLES = 4  # rooms on the contact sheet
BATCH = 100
TERMS = (("segmentation", "mean_iou"), ("depth_zbuffer", "abs_err"), ("normal", "mean"))
DIAGNOSTICS = (
    "mtl-bench train -m experiment=rooms11 method=ls seed=0,1,2 diagnostics.every=32 paths.runs=runs/diagnostics"
)
WIDTHS = (
    "mtl-bench train -m experiment=rooms model.width=8 model.pyramid=8 single_task=true method=ls seed=0,1,2,3,4 "
    "paths.runs=results/rooms/widths"
)


def main() -> None:
    try:
        _main()
    except BenchError as error:
        raise SystemExit(str(error)) from None


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    parser.add_argument("--records", type=Path, default=ROOT / "results/reference")
    parser.add_argument("--widths", type=Path, default=ROOT / "results/rooms/widths")
    parser.add_argument("--diagnostics", type=Path, default=ROOT / "runs/diagnostics")
    parser.add_argument("--out", type=Path, default=ROOT / "results/rooms")
    parsed = parser.parse_args()
    plans = {name: compose_plan([f"experiment={name}"], parsed.data) for name in ("rooms", "rooms11")}
    records = find_records([parsed.records])
    parsed.out.mkdir(parents=True, exist_ok=True)
    histories = sorted(parsed.diagnostics.rglob("history.jsonl"))
    probes = [probe for path in histories for probe in _probes(path)]
    if not probes:
        raise BenchError(f"There is no history with diagnostics below {parsed.diagnostics}; run `{DIAGNOSTICS}` first.")
    contact_sheet(plans["rooms11"], parsed.out / "contact.png")
    sections = [
        INTRODUCTION.format(digest=plans["rooms"].packed.digest[:12]),
        content(plans["rooms"]),
        against_the_mean(plans, records),
        gradients(probes, len(histories)),
        outcome(records, find_records([parsed.widths])),
        unseen(records),
        order(records),
    ]
    (parsed.out / "README.md").write_text("\n".join(sections))
    print(f"{parsed.out / 'README.md'} and {parsed.out / 'contact.png'}")


INTRODUCTION = """# rooms: the datasheet

Written by `python scripts/datasheet.py`; every number below is measured, by that command unless another stands beside
it. rooms is a controlled experiment: it says how methods behave on a problem whose structure is known, and nothing
about NYUv2. Images are rendered from a seed by batched ray casting (`mtl_bench/data/rooms`); content digest of the
board's data: `{digest}`. It is part of every run's identity, so rows of different digests never share a table.

The digest is that of the rooms as they were drawn. Another processor renders other last bits, and a record's
environment names the bytes it was trained on; `pytest tests/data/test_rooms_processors.py` renders as an old processor
would: fewer than one stored value in a thousand (in a hundred for mean colours of segments) moves by more than its last
step or 0.2 %.

![Four rooms of the test split and one with unseen surfaces, with all targets](contact.png)

Hatched: no label. The last row is from `test_shift`, whose patterns appear in no other split.
"""


def content(plan: Plan) -> str:
    """Requirement 1: how often each class occurs, how much is unknown, and that colour does not give edges away."""
    arrays = plan.packed.arrays("train")
    label, depth = arrays["segmentation"], np.isnan(arrays["depth_zbuffer"]).mean()
    texture, occlusion = (np.asarray(arrays[name], np.float64).ravel() for name in ("edge_texture", "edge_occlusion"))
    _, height, width = plan.dataset.image_shape
    shares = sorted(((np.mean(label == index), name) for index, name in enumerate(CLASSES)), reverse=True)
    rows = ", ".join(f"{name} {100 * share:.1f}" for share, name in shares)
    sizes = ", ".join(f"{split} {size:,}" for split, size in plan.packed.manifest.splits.items())
    return f"""## Content

- Images of {height}×{width} pixels: {sizes}. Splits share no room, camera or light.
- Classes, % of the training pixels: {rows}; without a label {100 * np.mean(label < 0):.1f}.
- Pixels without a depth (windows, mirrors): {100 * depth:.1f} %.
- Correlation of texture edges with occlusion edges: {np.corrcoef(texture, occlusion)[0, 1]:.2f} (wanted: below 0.3).
"""


def against_the_mean(plans: Mapping[str, Plan], records: Sequence[Record]) -> str:
    """Requirement 2: the per-pixel mean of the training targets, judged by the same metrics as single-task training."""
    rows, missed = [], []
    for name, plan in plans.items():
        singles = [record for record in records if record["method"]["name"] == "single" and _of(record, name)]
        for task, metrics in plan.reporting.delta_m["terms"].items():
            found = [record["test"][task][metrics[0]] for record in singles if record["tasks"] == [task]]
            if not found:
                continue
            mean, metric = mean_prediction(plan, task)[metrics[0]], _metric(plan.tasks[task], metrics[0])
            single = statistics.fmean(found)
            factor = single / mean if metric.higher_is_better else mean / single
            arrow = "↑" if metric.higher_is_better else "↓"
            title = f"{metrics[0]} {arrow}" + (f" ({metric.unit})" if metric.unit else "")
            if factor < 2:
                missed.append(f"{task} of {name}")
            rows.append(f"| {name} | {task} | {title} | {mean:.4g} | {single:.4g} | {len(found)} | {factor:.2f} |")
    return "\n".join(
        [
            "## Cameras vary: the mean picture is a bad prediction",
            "",
            "Wanted: single-task training at least twice as good as the per-pixel mean of the training targets.",
            "",
            "| board | task | metric | mean | single-task | seeds | times better |",
            "| --- | --- | --- | ---: | ---: | ---: | ---: |",
            *rows,
            "",
            f"Not met: {', '.join(missed)}." if missed else "Met.",
            "",
        ]
    )


def mean_prediction(plan: Plan, task: str) -> dict[str, float]:
    """Metrics of one prediction for every test image: the mean of the training targets in the head's units."""
    judge = plan.tasks[task]
    train, test = (Split(plan.packed, [split], [task], "cpu") for split in ("train", "test"))
    total, count = torch.zeros(()), torch.zeros(())
    for batch in _batches(train, task):
        values = _as_output(judge, batch)
        total, count = total + values.nan_to_num().sum(dim=0), count + (~values.isnan()).sum(dim=0)
    mean = total / count.clamp(min=1)
    if isinstance(judge, BinaryTask):
        mean = mean.clamp(1e-4, 1 - 1e-4).logit()
    totals = torch.zeros(judge.totals, dtype=torch.float64)
    for batch in _batches(test, task):
        totals += judge.measure(mean.expand(len(batch), *mean.shape), batch)
    return judge.values(totals.tolist())


def _as_output(judge: Task, target: Tensor) -> Tensor:
    """Targets in the form of the head's output: class shares, edge strength or encoded values."""
    if isinstance(judge, Segmentation):
        shares = torch.nn.functional.one_hot(target.clamp(min=0), judge.outputs).permute(0, 3, 1, 2).float()
        return shares.masked_fill((target < 0)[:, None], torch.nan)
    encoding = getattr(judge, "encoding", None)
    return target if encoding is None else encoding.encode(target)


def _batches(split: Split, task: str) -> list[Tensor]:
    return [split.batch(part).targets[task] for part in torch.arange(split.size).split(BATCH)]


def gradients(probes: Sequence[Mapping[str, float]], seeds: int) -> str:
    """Requirements 3 and 4: natural scales differ, and tasks help, hurt and ignore each other."""
    names = [key.rsplit("/", 1)[1] for key in probes[0] if "/share/" in key]
    shares = {name: statistics.fmean(probe[f"diagnostics/share/{name}"] for probe in probes) for name in names}
    pairs = [key for key in probes[0] if "/cosine/" in key]
    cosines = {key.rsplit("/", 1)[1]: [probe[key] for probe in probes] for key in pairs}
    means = sorted((statistics.fmean(found), pair) for pair, found in cosines.items())
    negative = {pair: sum(value < 0 for value in found) / len(found) for pair, found in cosines.items()}
    mixed = sum(0.2 <= share <= 0.6 for share in negative.values())
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    shown = [*means[:4], *means[-4:]]
    rows = [
        f"| {pair} | {mean:+.2f} ± {_error(cosines[pair]):.2f} | {100 * negative[pair]:.0f} |" for mean, pair in shown
    ]
    return "\n".join(
        [
            "## Tasks differ in scale, and in whether they agree",
            "",
            f"Gradients on the shared parameters in the middle third of training, {len(probes)} batches of {seeds} "
            "seeds (equal weights):",
            f"`{DIAGNOSTICS}`",
            "",
            f"- Largest over smallest mean gradient norm: {ranked[0][1] / ranked[-1][1]:.0f} ({ranked[0][0]} over "
            f"{ranked[-1][0]}; wanted: at least 10).",
            f"- Pairs with a negative cosine in 20–60 % of the batches: {mixed} of {len(pairs)} (wanted: 3 or more).",
            "",
            "| pair, four lowest and four highest | mean cosine ± standard error over batches | negative, % |",
            "| --- | ---: | ---: |",
            *rows,
            "",
        ]
    )


def outcome(records: Sequence[Record], narrow: Sequence[Record]) -> str:
    """Requirement 5: equal weights make some tasks better and some worse than single-task, and width moves it."""
    rows, errors = [], []
    boards = [("rooms", "×1", records), *(("rooms", f"×{w / 16:g}", _of_width(narrow, w)) for w in (8, 4))]
    for name, width, found in [*boards, ("rooms11", "×1", records)]:
        board = [record for record in found if _of(record, name)]
        joint = [record for record in board if record["method"]["label"] == "ls"]
        for task, metrics in joint[0]["delta_m"]["terms"].items() if joint else ():
            alone = [record["test"][task][metrics[0]] for record in board if record["tasks"] == [task]]
            shared = [record["test"][task][metrics[0]] for record in joint]
            if min(len(alone), len(shared)) < 2:
                continue
            better = 1 if joint[0]["metrics"][task][metrics[0]]["higher_is_better"] else -1
            single, both = statistics.fmean(alone), statistics.fmean(shared)
            errors.append(better * (both - single) / (_error(alone) ** 2 + _error(shared) ** 2) ** 0.5)
            rows.append(
                f"| {name} {width} | {task} | {metrics[0]} | {single:.4g} ({len(alone)}) | {both:.4g} ({len(shared)}) "
                f"| {100 * better * (both - single) / abs(single):+.1f} | {errors[-1]:+.1f} |"
            )
    met = max(errors) > 3 and min(errors) < -3
    return "\n".join(
        [
            "## Equal weights against single-task",
            "",
            "Wanted: one task better and one worse by more than three standard errors, and a width that moves it. "
            f"Narrower models: `{WIDTHS}`, and the same with 4.",
            "",
            "| board, width | task | metric | single-task (seeds) | equal weights (seeds) | change, % | in SE |",
            "| --- | --- | --- | ---: | ---: | ---: | ---: |",
            *rows,
            "",
            "Met." if met else f"Not met: the largest gain is {max(errors):+.1f} standard errors.",
            "",
        ]
    )


def unseen(records: Sequence[Record]) -> str:
    """How much a test split with surface patterns that training never showed costs."""
    rows = []
    for label, task, metric in ((label, *term) for label in ("single", "ls") for term in TERMS):
        found = [r for r in records if _of(r, "rooms") and r["method"]["name"] == label and task in r["tasks"]]
        if not found:
            continue
        usual = statistics.fmean(r["test"][task][metric] for r in found)
        shifted = statistics.fmean(r["other_tests"]["test_shift"][task][metric] for r in found)
        rows.append(f"| {label} | {task} | {metric} | {usual:.4g} | {shifted:.4g} |")
    head = ["| method | task | metric | test | test_shift |", "| --- | --- | --- | ---: | ---: |"]
    return "\n".join(["## Surfaces that training never showed", "", *head, *rows, ""])


def order(records: Sequence[Record]) -> str:
    """Requirement 8: whether the order of methods here is theirs elsewhere, whatever it is."""
    boards = [one for one in board_orders(records) if one.name in ("rooms", "rooms11", "multifashion_mnist")]
    found = table([*boards, *published_orders(ROOT / "results/published")])
    return f"""## Does the order of methods transfer?

From `python scripts/transfer.py`, which also explains the columns.

{found}"""


def contact_sheet(plan: Plan, path: Path) -> None:
    """Rooms of the test split and one of `test_shift`, with every target."""
    fields = plan.packed.manifest.fields
    targets = list(plan.packed.manifest.targets)
    splits = [(name, Split(plan.packed, [name], targets, "cpu")) for name in ("test", "test_shift")]
    batches = [split.batch(torch.arange(SAMPLES if name == "test" else 1)) for name, split in splits]
    images = (255 * torch.cat([batch.image for batch in batches])).round().byte().numpy()
    figure = Figure(figsize=(20, 6.2), layout="constrained")
    axes = figure.subplots(SAMPLES + 1, len(targets) + 1)
    for row, image in enumerate(images):
        _show(axes[row, 0], photo(image), "image" if row == 0 else "")
    for column, name in enumerate(targets, start=1):
        values = torch.cat([batch.targets[name] for batch in batches]).numpy()
        dense = Dense(_kind(fields[name]), fields[name].unit, values, values)
        for row in range(len(images)):
            _show(axes[row, column], look(dense).target(row), name if row == 0 else "")
    figure.savefig(path, dpi=80)


def _kind(field: Field) -> Kind:
    return "classes" if field.encoding.categorical else KINDS.get(field.kind, "map")


def _show(axis: Axes, picture: np.ndarray, title: str) -> None:
    axis.imshow(picture, interpolation="nearest")
    axis.set_title(title, fontsize=9)
    axis.axis("off")


def _probes(path: Path) -> list[dict[str, float]]:
    """Diagnostics of the middle third of a run."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    found = [row["diagnostics"] for row in rows if "diagnostics" in row]
    return [probe for probe in found if "diagnostics/conflicts" in probe][len(found) // 3 : 2 * len(found) // 3]


def _of(record: Record, experiment: str) -> bool:
    return record["experiment"]["name"] == experiment


def _of_width(records: Sequence[Record], width: int) -> list[Record]:
    return [record for record in records if record["config"]["model"]["width"] == width]


def _metric(task: Task, name: str) -> Metric:
    return next(metric for metric in task.metrics if metric.name == name)


def _error(values: Sequence[float]) -> float:
    return statistics.stdev(values) / len(values) ** 0.5


if __name__ == "__main__":
    main()

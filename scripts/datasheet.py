"""What rooms are, measured: `python scripts/datasheet.py` writes results/rooms/README.md and its contact sheet.

It needs the records of the boards (results/reference), those of narrower models (results/rooms/widths) and the
histories of runs with diagnostics; the page names the command that makes each.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from mtl_bench.cli.preset_label import preset_label
from mtl_bench.data.contact_sheet import draw_contact_sheet
from mtl_bench.data.contents import class_shares, correlation, labelled_share
from mtl_bench.data.mean_prediction import mean_prediction
from mtl_bench.data.rooms.furniture import CLASSES
from mtl_bench.errors import BenchError
from mtl_bench.job import compose_plan
from mtl_bench.records.history import History
from mtl_bench.records.record import Record, find_records
from mtl_bench.results.joint_changes import joint_changes
from mtl_bench.results.probes import Probe, mean_shares, middle_probes, pair_cosines
from mtl_bench.results.published import published_orders
from mtl_bench.results.table_text import markdown_table
from mtl_bench.results.transfer import board_orders
from mtl_bench.results.transfer_table import transfer_table
from mtl_bench.training.plan import Plan

ROOT = Path(__file__).parents[1]
SAMPLES = {"test": 4, "test_shift": 1}  # rooms on the contact sheet
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
    probes = [probe for path in histories for probe in middle_probes(History(path).rows())]
    if not probes:
        raise BenchError(f"There is no history with diagnostics below {parsed.diagnostics}; run `{DIAGNOSTICS}` first.")
    draw_contact_sheet(plans["rooms11"].packed, SAMPLES, parsed.out / "contact.png")
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
    packed = plan.packed
    label, depth = (labelled_share(packed, "train", name) for name in ("segmentation", "depth_zbuffer"))
    _, height, width = plan.dataset.image_shape
    found = class_shares(packed, "train", "segmentation", len(CLASSES)).tolist()
    rows = ", ".join(
        f"{name} {100 * share:.1f}" for share, name in sorted(zip(found, CLASSES, strict=True), reverse=True)
    )
    sizes = ", ".join(f"{split} {size:,}" for split, size in packed.manifest.splits.items())
    edges = correlation(packed, "train", "edge_texture", "edge_occlusion")
    return f"""## Content

- Images of {height}×{width} pixels: {sizes}. Splits share no room, camera or light.
- Classes, % of the training pixels: {rows}; without a label {100 * (1 - label):.1f}.
- Pixels without a depth (windows, mirrors): {100 * (1 - depth):.1f} %.
- Correlation of texture edges with occlusion edges: {edges:.2f} (wanted: below 0.3).
"""


def against_the_mean(plans: Mapping[str, Plan], records: Sequence[Record]) -> str:
    """Requirement 2: the per-pixel mean of the training targets, judged by the same metrics as single-task training."""
    rows, missed = [], []
    for name, plan in plans.items():
        singles = [record for record in records if record["method"]["name"] == "single" and _of(record, name)]
        for task, terms in plan.reporting.delta_m["terms"].items():
            found = [record["test"][task][terms[0]] for record in singles if record["tasks"] == [task]]
            if not found:
                continue
            metric = next(metric for metric in plan.tasks[task].metrics if metric.name == terms[0])
            mean, single = mean_prediction(plan.packed, task, plan.tasks[task])[metric.name], fmean(found)
            factor = single / mean if metric.higher_is_better else mean / single
            title = f"{metric.name} {'↑' if metric.higher_is_better else '↓'}"
            title += f" ({metric.unit})" if metric.unit else ""
            if factor < 2:
                missed.append(f"{task} of {name}")
            rows.append((name, task, title, f"{mean:.4g}", f"{single:.4g}", str(len(found)), f"{factor:.2f}"))
    head = ("board", "task", "metric", "mean", "single-task", "seeds", "times better")
    return f"""## Cameras vary: the mean picture is a bad prediction

Wanted: single-task training at least twice as good as the per-pixel mean of the training targets.

{markdown_table(head, rows, text=range(3))}

{f"Not met: {', '.join(missed)}." if missed else "Met."}
"""


def gradients(probes: Sequence[Probe], seeds: int) -> str:
    """Requirements 3 and 4: natural scales differ, and tasks help, hurt and ignore each other."""
    ranked = sorted(mean_shares(probes).items(), key=lambda item: -item[1])
    cosines = sorted(pair_cosines(probes).items(), key=lambda item: (item[1].mean, item[0]))
    mixed = sum(0.2 <= cosine.negative <= 0.6 for _, cosine in cosines)
    rows = [
        (pair, f"{cosine.mean:+.2f} ± {cosine.error:.2f}", f"{100 * cosine.negative:.0f}")
        for pair, cosine in (*cosines[:4], *cosines[-4:])
    ]
    head = ("pair, four lowest and four highest", "mean cosine ± standard error over batches", "negative, %")
    ratio = f"{ranked[0][1] / ranked[-1][1]:.0f} ({ranked[0][0]} over {ranked[-1][0]}; wanted: at least 10)"
    return f"""## Tasks differ in scale, and in whether they agree

Gradients on the shared parameters in the middle third of training, {len(probes)} batches of {seeds} \
seeds (equal weights):
`{DIAGNOSTICS}`

- Largest over smallest mean gradient norm: {ratio}.
- Pairs with a negative cosine in 20–60 % of the batches: {mixed} of {len(cosines)} (wanted: 3 or more).

{markdown_table(head, rows)}
"""


def outcome(records: Sequence[Record], narrow: Sequence[Record]) -> str:
    """Requirement 5: equal weights make some tasks better and some worse than single-task, and width moves it."""
    rows, errors = [], []
    boards = [("rooms", "×1", records), *(("rooms", f"×{w / 16:g}", _of_width(narrow, w)) for w in (8, 4))]
    for name, width, found in [*boards, ("rooms11", "×1", records)]:
        for one in joint_changes([record for record in found if _of(record, name)], "ls"):
            values = (f"{fmean(runs):.4g} ({len(runs)})" for runs in (one.alone, one.together))
            rows.append((f"{name} {width}", one.task, one.metric, *values, f"{one.percent:+.1f}", f"{one.errors:+.1f}"))
            errors.append(one.errors)
    met = max(errors) > 3 and min(errors) < -3
    head = ("board, width", "task", "metric", "single-task (seeds)", "equal weights (seeds)", "change, %", "in SE")
    return f"""## Equal weights against single-task

Wanted: one task better and one worse by more than three standard errors, and a width that moves it. \
Narrower models: `{WIDTHS}`, and the same with 4.

{markdown_table(head, rows, text=range(3))}

{"Met." if met else f"Not met: the largest gain is {max(errors):+.1f} standard errors."}
"""


def unseen(records: Sequence[Record]) -> str:
    """How much a test split with surface patterns that training never showed costs."""
    rows = []
    for label, task, metric in ((label, *term) for label in ("single", "ls") for term in TERMS):
        found = [r for r in records if _of(r, "rooms") and r["method"]["name"] == label and task in r["tasks"]]
        if not found:
            continue
        usual = fmean(r["test"][task][metric] for r in found)
        shifted = fmean(r["other_tests"]["test_shift"][task][metric] for r in found)
        rows.append((label, task, metric, f"{usual:.4g}", f"{shifted:.4g}"))
    head = ("method", "task", "metric", "test", "test_shift")
    return f"## Surfaces that training never showed\n\n{markdown_table(head, rows, text=range(3))}\n"


def order(records: Sequence[Record]) -> str:
    """Requirement 8: whether the order of methods here is theirs elsewhere, whatever it is."""
    chosen = [one for one in records if one["experiment"]["name"] in ("rooms", "rooms11", "multifashion_mnist")]
    boards = board_orders(_whole(chosen), preset_label)
    table = transfer_table([*boards, *published_orders(ROOT / "results/published")])
    return f"""## Does the order of methods transfer?

From `python scripts/transfer.py`, which also explains the columns.

{table}"""


def _of(record: Record, experiment: str) -> bool:
    return record["experiment"]["name"] == experiment


def _whole(records: Sequence[Record]) -> list[Record]:
    """Without runs on some of an experiment's tasks, which have boards of their own under its name."""
    most: dict[str, int] = {}
    for record in records:
        name = record["experiment"]["name"]
        most[name] = max(most.get(name, 0), len(record["tasks"]))
    return [record for record in records if len(record["tasks"]) in (1, most[record["experiment"]["name"]])]


def _of_width(records: Sequence[Record], width: int) -> list[Record]:
    return [record for record in records if record["config"]["model"]["width"] == width]


if __name__ == "__main__":
    main()

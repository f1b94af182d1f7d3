"""The answer key for task grouping: `python scripts/answer_key.py` writes results/grouping/README.md.

Where every group of tasks has been trained, it is known which groups a budget should have bought. The page says how far
each way of choosing stays behind that, and how well its matrix predicts what pairs really gain.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from mtl_bench.errors import BenchError
from mtl_bench.grouping import ChosenGroups, higher_order_approximation, pairwise_scores, select_groups
from mtl_bench.pipeline.affinity import finding_matrix
from mtl_bench.pipeline.grid import Grid
from mtl_bench.pipeline.prediction import correlation_with_groups, correlation_with_pairs
from mtl_bench.pipeline.regret import BEST, RANDOM, Judged, judge_choices
from mtl_bench.pipeline.trained import pair_gains
from mtl_bench.records.record import Record, find_records
from mtl_bench.results import mean_interval
from mtl_bench.results.grouping_pictures import draw_matrix
from mtl_bench.results.table_text import markdown_table, signed_interval, signed_number

ROOT = Path(__file__).parents[1]
EXPERIMENTS = ("rooms5", "sarcos")
BUDGETS = (1, 2, 3, 4)
NAMES = {BEST: "best on test"}  # of ways to choose, where the page has another
TRAINERS = ("single", "ls")  # what trained the groups
MATRICES = {  # way to choose → the method that measured and the name of its finding
    "TAG": ("tag", "affinity"),
    "TAG, first order": ("tag", "first_order"),
    "gradient cosine (CS)": ("tag", "cosine"),
    "STGU's matrix": ("stgu", "affinity"),
    "STGU's matrix, causal": ("stgu_causal", "affinity"),
}
HEAD = """# The answer key for task grouping

Written by `python scripts/answer_key.py` from the records beside it, which these commands made (single-task training
is the group of one; a group's gain is the mean relative change of its tasks' judged metric against single-task
training, in percent, higher better):

```bash
mtl-bench train -m experiment=rooms5 method=ls only=GROUPS seed=0,1,2 paths.runs=results/grouping    # all 31 groups
mtl-bench train -m experiment=sarcos method=ls only=GROUPS seed=0,1,2 paths.runs=results/grouping    # all 127 groups
mtl-bench train -m experiment=rooms5,sarcos method=tag method.measure=all seed=0,1,2 paths.runs=results/grouping
mtl-bench train -m experiment=rooms5,sarcos method=stgu,stgu_causal seed=0,1,2 paths.runs=results/grouping
mtl-bench train -m experiment=rooms5 method=tag method.measure=all method.lookahead=sgd seed=0,1,2 \\
    protocol.training.optimizer._target_=torch.optim.SGD protocol.training.optimizer.lr=0.1,0.01,0.001 \\
    protocol.training.optimizer.weight_decay=0 paths.runs=results/grouping/sgd
```

and the last with `lr=0.001,0.0001 +protocol.training.precision=fp64`.

GROUPS is the list of all groups, `[a],[b],[a,b],…`; sarcos is a sample of 4,449 rows and needs the reader's own file
(`mtl-bench prepare dataset=sarcos source=FOLDER`). Both are test benches: small networks, short training.

*Gain* is the mean over tasks of what the network that serves a task gained on test. *Regret* is how much the best
choice for that budget gains more (the best on these very test values, so it is a bound that no honest choice can beat),
± half a 95 % interval over the three seeds. The second table is the paired difference to random groups: one star where
its interval leaves 0 out, two where it still does by Holm's correction for the whole table. Three seeds are few: the
intervals are wide, and they cover neither the sampling of the test set nor the choice of hyper-parameters.

Matrices are means over seeds. HOA and *all groups* choose on validation. Cosines were taken every tenth batch, like
affinities (the paper: every batch). STGU's matrices are raw affinities, which its authors never used to choose
networks. Random is the mean over all ways to deal the tasks to exactly that many groups.
"""

FIRST_ORDER = """## The first-order estimate against the exact lookahead

Spearman's rank correlation of the two matrices, means over each run, and whether they choose the same groups. The
lookahead is the optimizer's own direction under Adam and AdamW, and one plain step under SGD. The two agree as the
step becomes small, until fp32 rounds away the changes of weak pairs; in fp64 they rank pairs alike.
"""
RUNS = ("rooms5", "sarcos", "sgd/rooms5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=Path, default=ROOT / "results/grouping")
    parser.add_argument("--out", type=Path, default=ROOT / "results/grouping")
    arguments = parser.parse_args()
    try:
        page = [HEAD, *(_section(name, arguments.records, arguments.out) for name in EXPERIMENTS)]
        page.append(_first_order(arguments.records))
    except BenchError as error:
        raise SystemExit(str(error)) from None
    (arguments.out / "README.md").write_text("\n".join(page))
    print(arguments.out / "README.md")


def _section(experiment: str, root: Path, out: Path) -> str:
    records = find_records([root / experiment])
    grid = Grid.of([record for record in records if record["method"]["name"] in TRAINERS])
    matrices = {
        name: np.mean([finding_matrix(r, key) for r in records if r["method"]["name"] == method], axis=0)
        for name, (method, key) in MATRICES.items()
    }
    K = len(grid.tasks)
    transfer = pair_gains(grid.test, K)
    title = f"{experiment}: gain of a target (column) trained with a source, %"
    draw_matrix(transfer, grid.tasks, title, out / f"{experiment}.png")
    scores: dict[str, Any] = {
        "all groups, on validation": grid.val,
        "HOA": higher_order_approximation(np.zeros(K), -pair_gains(grid.val, K).T),
        **{name: pairwise_scores(matrix) for name, matrix in matrices.items()},
    }
    judged = judge_choices(scores, grid.test, grid.by_seed, BUDGETS)
    rows = [
        (
            name,
            _correlation(correlation_with_pairs(matrix, transfer)),
            _correlation(correlation_with_groups(matrix, grid.test)),
        )
        for name, matrix in matrices.items()
    ]
    lines = [f"## {experiment}: {', '.join(grid.tasks)}", "", f"![Gains of pairs]({experiment}.png)", ""]
    lines += [_regrets(judged, [BEST, *scores, RANDOM]), "", _against_random(judged, list(scores)), ""]
    lines += ["Groups chosen (a group in brackets serves only the named tasks):", ""]
    lines += [_chosen(name, judged, grid.tasks) for name in (BEST, *scores)]
    lines += [
        "",
        markdown_table(("matrix", "rank correlation with gains of pairs", "of all groups of two or more"), rows),
    ]
    return "\n".join(lines) + "\n"


def _regrets(judged: Mapping[tuple[str, int], Judged], names: Sequence[str]) -> str:
    head = ["chosen by", *(cell for b in BUDGETS for cell in (f"b = {b}: gain", "regret"))]
    rows = [[NAMES.get(name, name), *(cell for b in BUDGETS for cell in _cells(judged[name, b]))] for name in names]
    return markdown_table(head, rows)


def _cells(found: Judged) -> tuple[str, str]:
    regret = found.regret.tolist()
    span = mean_interval(regret)
    half = f" ±{span.half:.2f}" if span else ""
    return signed_number(found.gain), f"{fmean(regret):.2f}{half}"


def _against_random(judged: Mapping[tuple[str, int], Judged], names: Sequence[str]) -> str:
    """Paired differences; the best on test is left out, since these values chose it."""
    rows = [[name, *(_difference(judged[name, b]) for b in BUDGETS[1:])] for name in names]
    return markdown_table(["gain − random", *(f"b = {b}" for b in BUDGETS[1:])], rows)


def _difference(found: Judged) -> str:
    span, adjusted = found.over_random, found.adjusted
    if span is None or adjusted is None:
        return "–"
    stars = "" if 0 in span else " \\*\\*" if adjusted < 0.05 else " \\*"
    return signed_interval(span) + stars


def _chosen(name: str, judged: Mapping[tuple[str, int], Judged], tasks: Sequence[str]) -> str:
    told = "; ".join(f"b = {b}: {_named(judged[name, b].choices[0], tasks)}" for b in BUDGETS[1:])
    return f"- {NAMES.get(name, name)}: {told}."


def _named(choice: ChosenGroups, tasks: Sequence[str]) -> str:
    told = []
    for number, members in enumerate(choice.groups):
        names, serves = (
            ", ".join(tasks[t] for t in some) for some in (members, [t for t in members if choice.serving[t] == number])
        )
        told.append(f"{{{names}}}" if names == serves else f"({names} → {serves})")
    return " ".join(told)


def _correlation(value: float | None) -> str:
    return "–" if value is None else signed_number(value)


def _first_order(root: Path) -> str:
    """How well the first-order estimate stands for the lookahead."""
    rows = []
    for folder in RUNS:
        runs = [record for record in find_records([root / folder]) if record["method"]["name"] == "tag"]
        for record in sorted(runs, key=lambda record: (_precision(record), -_optimizer(record)["lr"], record["seed"])):
            exact, estimate = (finding_matrix(record, key) for key in ("affinity", "first_order"))
            same = [select_groups(exact, b)[:2] == select_groups(estimate, b)[:2] for b in BUDGETS[1:]]
            found = (record.get("findings") or [{}])[-1]["rank_correlation"]
            rule = _optimizer(record)["_target_"].rpartition(".")[2]
            told = f"{record['experiment']['name']}, {rule}, rate {_optimizer(record)['lr']:g}, {_precision(record)}"
            rows.append((told, str(record["seed"]), f"{found:.3f}", ", ".join("yes" if s else "no" for s in same)))
    head = ("run", "seed", "rank correlation", "same at b = 2, 3, 4")
    return f"{FIRST_ORDER}\n{markdown_table(head, rows, text=(0, 3))}\n"


def _optimizer(record: Record) -> dict[str, Any]:
    optimizer: dict[str, Any] = record["config"]["protocol"]["training"]["optimizer"]
    return optimizer


def _precision(record: Record) -> str:
    return str(record["config"]["protocol"]["training"].get("precision", "fp32"))


if __name__ == "__main__":
    main()

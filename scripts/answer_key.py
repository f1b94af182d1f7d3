"""The answer key for task grouping: `python scripts/answer_key.py` writes results/grouping/README.md.

Where every group of tasks has been trained, it is known which groups a budget should have bought. The page says how far
each way of choosing stays behind that, and how well its matrix predicts what pairs really gain.
"""

import argparse
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

from mtl_bench.errors import BenchError
from mtl_bench.grouping import ChosenGroups, higher_order_approximation, pairwise_scores, realised_value, select_groups
from mtl_bench.pipeline import Need
from mtl_bench.pipeline.affinity import finding_matrix
from mtl_bench.pipeline.trained import Gains, gains_of, pair_gains
from mtl_bench.records.record import Record, find_records
from mtl_bench.results import Interval, holm, mean_interval
from mtl_bench.results.grouping_pictures import draw_matrix

ROOT = Path(__file__).parents[1]
EXPERIMENTS = ("rooms5", "sarcos")
BUDGETS = (1, 2, 3, 4)
BEST = "best on test"
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

| run | seed | rank correlation | same at b = 2, 3, 4 |
| --- | ---: | ---: | --- |"""
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
    groups = [record for record in records if record["method"]["name"] in TRAINERS]
    tasks = max((record["tasks"] for record in groups), key=len, default=[])
    seeds = sorted({record["seed"] for record in groups})
    if not tasks or len(groups) != len(seeds) * (2 ** len(tasks) - 1):
        raise BenchError(f"{root / experiment} does not hold every group of every seed; run the command of the page.")
    every = _found(groups, seeds)
    test, val = (gains_of(tasks, every, split) for split in ("test", "val"))
    # one seed of the groups, single-task networks too, against single-task means over all: only these are common to all
    by_seed = [gains_of(tasks, _found(groups, [seed]), "test", every) for seed in seeds]
    matrices = {
        name: np.mean([finding_matrix(r, key) for r in records if r["method"]["name"] == method], axis=0)
        for name, (method, key) in MATRICES.items()
    }
    transfer = pair_gains(test, len(tasks))
    draw_matrix(
        transfer, tasks, f"{experiment}: gain of a target (column) trained with a source, %", out / f"{experiment}.png"
    )
    zero = np.zeros(len(tasks))
    scores = {
        BEST: test,
        "all groups, on validation": val,
        "HOA": higher_order_approximation(zero, -pair_gains(val, len(tasks)).T),
        **{name: pairwise_scores(matrix) for name, matrix in matrices.items()},
    }
    lines = [f"## {experiment}: {', '.join(tasks)}", "", f"![Gains of pairs]({experiment}.png)", ""]
    lines += [_regret_table(tasks, scores, test, by_seed), "", _correlations(matrices, transfer, test)]
    return "\n".join(lines) + "\n"


def _found(records: Sequence[Record], seeds: Sequence[int]) -> dict[Need, list[Record]]:
    found: dict[Need, list[Record]] = {}
    for record in records:
        if record["seed"] in seeds:
            found.setdefault(Need(tuple(record["tasks"])), []).append(record)
    return found


def _regret_table(tasks: Sequence[str], scores: Mapping[str, object], test: Gains, by_seed: Sequence[Gains]) -> str:
    heads = [f"b = {b}: gain | regret" for b in BUDGETS]
    lines = [f"| chosen by | {' | '.join(heads)} |", "| --- |" + " ---: |" * 2 * len(BUDGETS)]
    choices = {name: {b: [select_groups(given, b)] for b in BUDGETS} for name, given in scores.items()}
    choices["random"] = {b: _partitions(len(tasks), b) for b in BUDGETS}
    for name, chosen in choices.items():
        cells = []
        for b in BUDGETS:
            best = _gains(choices[BEST][b], by_seed)
            cells += _cells(fmean(_gains(chosen[b], [test])), best - _gains(chosen[b], by_seed))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", _against_random(choices, by_seed), ""]
    lines += ["Groups chosen (a group in brackets serves only the named tasks):", ""]
    for name, given in scores.items():
        told = "; ".join(f"b = {b}: {_named(select_groups(given, b), tasks)}" for b in BUDGETS[1:])
        lines.append(f"- {name}: {told}.")
    return "\n".join(lines)


def _gains(choices: Sequence[ChosenGroups], by_seed: Sequence[Gains]) -> Float[np.ndarray, "seeds"]:
    """What choices, or the mean over several, gained in each seed."""
    return np.array([fmean(realised_value(one, gains) for one in choices) for gains in by_seed])


def _against_random(choices: Mapping[str, Mapping[int, Sequence[ChosenGroups]]], by_seed: Sequence[Gains]) -> str:
    """Paired differences; the best on test is left out, since these values chose it."""
    budgets = BUDGETS[1:]
    names = [name for name in choices if name not in (BEST, "random")]
    spans = {
        (name, b): mean_interval(_gains(choices[name][b], by_seed) - _gains(choices["random"][b], by_seed))
        for name in names
        for b in budgets
    }
    adjusted = dict(zip(spans, holm([span.p_value if span else 1.0 for span in spans.values()]), strict=True))
    lines = [f"| gain − random | {' | '.join(f'b = {b}' for b in budgets)} |", "| --- |" + " ---: |" * len(budgets)]
    for name in names:
        cells = [_difference(spans[name, b], adjusted[name, b]) for b in budgets]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _difference(span: Interval | None, adjusted: float) -> str:
    if span is None:
        return "–"
    stars = "" if 0 in span else " \\*\\*" if adjusted < 0.05 else " \\*"
    return f"{(span.low + span.high) / 2:+.2f} ±{span.half:.2f}{stars}".replace("-", "−")


def _cells(gain: float, gaps: Sequence[float]) -> list[str]:
    span = mean_interval(gaps)
    half = f" ±{span.half:.2f}" if span else ""
    return [f"{gain:+.2f}".replace("-", "−"), f"{fmean(gaps):.2f}{half}"]


def _partitions(tasks: int, groups: int) -> list[ChosenGroups]:
    """Every assignment without an empty group; a partition counts as often as its groups can be numbered: always b!."""
    found = {}
    for owners in product(range(groups), repeat=tasks):
        if len(set(owners)) == groups:
            parts = tuple(sorted(tuple(t for t in range(tasks) if owners[t] == g) for g in range(groups)))
            serving = tuple(next(g for g, part in enumerate(parts) if task in part) for task in range(tasks))
            found[parts] = ChosenGroups(parts, serving, float("nan"))
    return list(found.values())


def _named(choice: ChosenGroups, tasks: Sequence[str]) -> str:
    told = []
    for number, members in enumerate(choice.groups):
        serves = [t for t in members if choice.serving[t] == number]
        names = ", ".join(tasks[t] for t in members)
        told.append(
            f"{{{names}}}" if len(serves) == len(members) else f"({names} → {', '.join(tasks[t] for t in serves)})"
        )
    return " ".join(told)


def _correlations(matrices: Mapping[str, np.ndarray], transfer: np.ndarray, test: Gains) -> str:
    """Spearman's rank correlation of what a matrix predicts and what was gained."""
    others = ~np.eye(len(transfer), dtype=bool)
    lines = [
        "| matrix | rank correlation with gains of pairs | of all groups of two or more |",
        "| --- | ---: | ---: |",
    ]
    for name, matrix in matrices.items():
        pairs = stats.spearmanr(matrix[others], transfer[others]).statistic
        scores = pairwise_scores(matrix)
        rows = {tuple(np.flatnonzero(m).tolist()): s for m, s in zip(scores.members, scores.scores, strict=True)}
        groups = [group for group in test if len(group) > 1]
        predicted = [rows[group][task] for group in groups for task in group]
        gained = [gain for group in groups for gain in test[group]]
        lines.append(f"| {name} | {pairs:+.2f} | {stats.spearmanr(predicted, gained).statistic:+.2f} |")
    return "\n".join(lines).replace("| -", "| −").replace("| −--", "| ---")


def _first_order(root: Path) -> str:
    """How well the first-order estimate stands for the lookahead."""
    lines = [FIRST_ORDER]
    for folder in RUNS:
        runs = [record for record in find_records([root / folder]) if record["method"]["name"] == "tag"]
        for record in sorted(runs, key=lambda record: (_precision(record), -_optimizer(record)["lr"], record["seed"])):
            exact, estimate = (finding_matrix(record, key) for key in ("affinity", "first_order"))
            same = [select_groups(exact, b)[:2] == select_groups(estimate, b)[:2] for b in BUDGETS[1:]]
            found = (record.get("findings") or [{}])[-1]["rank_correlation"]
            rule = _optimizer(record)["_target_"].rpartition(".")[2]
            told = f"{record['experiment']['name']}, {rule}, rate {_optimizer(record)['lr']:g}, {_precision(record)}"
            lines.append(
                f"| {told} | {record['seed']} | {found:.3f} | {', '.join('yes' if s else 'no' for s in same)} |"
            )
    return "\n".join(lines) + "\n"


def _optimizer(record: Record) -> dict[str, Any]:
    optimizer: dict[str, Any] = record["config"]["protocol"]["training"]["optimizer"]
    return optimizer


def _precision(record: Record) -> str:
    return str(record["config"]["protocol"]["training"].get("precision", "fp32"))


if __name__ == "__main__":
    main()

"""A board as text: the cells and lines that terminal and GitHub Markdown share, and the Markdown."""

from collections.abc import Iterable, Sequence
from math import floor, log10
from statistics import median

from mtl_bench.results.board import Board
from mtl_bench.results.entries import Cost
from mtl_bench.results.row import POOLED, Column, Estimate, Row
from mtl_bench.results.spread import Spread
from mtl_bench.results.worth_text import worth_cells, worth_headers, worth_lines

FEW = 5  # seeds below which a warning stands under the table: a mean of three has twice the interval of one of five
NOTHING = "–"
DELTA = "Δm % ↑"
SIZE = "Parameters"
CONVERGED = "Con-\nverged"
WORST = "Worst\ntask %"
HURT = "Tasks\nhurt"
COSTS = ["Forwards\n/ batch", "Back-\nwards\n/ batch", "Steps\n/ batch", "Seconds\n/ batch"]
SHARES = (
    "Share of task k: mean over the probed batches of w_k ‖g_k‖ / Σ_j w_j ‖g_j‖, with the gradients g of the shared "
    "parameters and the weights w that the method gave them (1 where it gave none)."
)
COVERAGE = (
    "Every ± is half a 95 % interval over seeds (initialisation, order, augmentation) for this test set; it covers "
    "neither the sampling of the test set nor the choice of hyper-parameters."
)
TIES = (
    "Tied: cannot be told from the best, as the 95 % interval of the difference in Δm contains 0 (which makes no two "
    "rows equal); rows of one seed cannot be compared."
)


def markdown(board: Board) -> str:
    """GitHub Markdown; rows that are best or tied with it carry a bold Δm."""
    names = headers(board)
    table = [[name.replace("-\n", "").replace("\n", "<br>") for name in names], ["---", *["---:"] * (len(names) - 1)]]
    for row, texts in zip(board.rows, cells(board), strict=True):
        safe = [text.replace("|", "\\|") for text in texts]
        if row.standing in ("best", "tied"):
            safe[names.index(DELTA)] = f"**{safe[names.index(DELTA)]}**"
        table.append(safe)
    body = "\n".join(f"| {' | '.join(texts)} |" for texts in table)
    return f"### {title(board)}\n\n{body}\n\n" + "\n".join(f"- {line}" for line in lines(board)) + "\n"


def title(board: Board) -> str:
    return f"{board.experiment} · {board.hash[:12]}"


def headers(board: Board) -> list[str]:
    metrics = [metric_header(column) for column in board.columns]
    relative = [DELTA, "vs best", WORST, HURT] if is_relative(board) else []
    sizes = [SIZE] if differ_in_size(board) else []
    shares = [f"{task}\nshare\n%" for task in _shared_among(board)]
    return ["Method", CONVERGED, *relative, *worth_headers(board), *metrics, *shares, *sizes, *COSTS]


def cells(board: Board) -> list[list[str]]:
    """One list of texts per row, in the order of `headers`."""
    forms = [_form([row.metrics.get((c.task, c.metric)) for row in board.rows]) for c in board.columns]
    return [
        [
            row.label,
            converged_text(row),
            *(_relative_cells(row) if is_relative(board) else []),
            *worth_cells(board, row, NOTHING),
            *(_plain(row.metrics.get((c.task, c.metric)), form) for c, form in zip(board.columns, forms, strict=True)),
            *(f"{100 * row.shares[task]:.1f}" if task in row.shares else NOTHING for task in _shared_among(board)),
            *([NOTHING if row.parameters is None else f"{row.parameters:,}"] if differ_in_size(board) else []),
            *(f"{value:.3g}" for value in _costs(row.cost)),
        ]
        for row in board.rows
    ]


def lines(board: Board, worth: bool = True) -> list[str]:
    """What must be read with the numbers: definitions, what the intervals cover, warnings. `worth`: whether the gains
    over the plain sum are among them.
    """
    reference = "single-task runs tuned by the same search" if board.tuned_from else "single-task"
    return [
        told_rule(board),
        *([f"Δm is the {board.definition} of the relative changes against {reference}."] if is_relative(board) else []),
        COVERAGE,
        *([TIES] if any(row.standing == "tied" for row in board.rows) else []),
        *([SHARES] if _shared_among(board) else []),
        *([_pooled(board, board.spread)] if board.spread and is_relative(board) else []),
        *(worth_lines(board) if worth else []),
        *seed_warnings(board),
        *board.notes,
    ]


def told_rule(board: Board) -> str:
    return f"Test values under the selection rule {board.selection!r}."


def seed_warnings(board: Board) -> list[str]:
    """Of few seeds, and of seeds that did not converge."""
    few = [f"{row.label} ({len(row.seeds)})" for row in board.rows if len(row.seeds) < FEW]
    lost = [row.label for row in board.rows if row.diverged]
    return [
        *([f"Warning: {_few(few, len(board.rows))}"] if few else []),
        *([f"Ranked last: not every seed of {', '.join(lost)} converged; shown are those that did."] if lost else []),
    ]


def converged_text(row: Row) -> str:
    """`2/3`: seeds that converged, of how many."""
    return f"{len(row.converged)}/{len(row.seeds)}"


def _few(rows: Sequence[str], of: int) -> str:
    return (
        f"every row has fewer than {FEW} seeds." if len(rows) == of else f"fewer than {FEW} seeds: {', '.join(rows)}."
    )


def is_relative(board: Board) -> bool:
    return any(row.delta_m for row in board.rows)


def differ_in_size(board: Board) -> bool:
    """Whether methods stand for networks of different size (copies of layers, several networks): mostly they do not."""
    return len({row.parameters for row in board.rows if row.parameters is not None and row.is_method}) > 1


def metric_header(column: Column) -> str:
    unit = f"{column.unit} " if column.unit else ""
    return f"{column.task}\n{column.metric}\n{unit}{'↑' if column.higher_is_better else '↓'}"


def _shared_among(board: Board) -> list[str]:
    """Tasks of which a row has an effective gradient share."""
    return list(dict.fromkeys(task for row in board.rows for task in row.shares))


def _pooled(board: Board, spread: Spread) -> str:
    equal = f"; equal variances, Brown–Forsythe: p = {spread.equal:.2g}" if spread.equal is not None else ""
    whole = f"standard deviation {spread.variance**0.5:.2f} %, {spread.effective:.3g} degrees of freedom{equal}"
    over = f"pooled over {spread.methods} {'methods' if spread.methods > 1 else 'method'}"
    if spread.model is None:
        return f"Differences between rows use Δm's spread over seeds {over}: {whole}.{_wild(board, spread)}"
    known = (*spread.model.tables, *spread.apart)
    grouped = any(row.is_method and row.per_seed not in known for row in board.rows if not row.diverged)
    others = ["single-task"] * (spread.methods >= POOLED) + ["chosen groups"] * grouped
    rest = f" Those from {' or '.join(others)} use its whole spread: {whole}." if others else ""
    return (
        f"Differences between methods use what Δm varies beside method and seed, {over}: standard deviation "
        f"{spread.model.variance**0.5:.2f} %, {spread.model.df} degrees of freedom.{rest}{_wild(board, spread)}"
    )


def _wild(board: Board, spread: Spread) -> str:
    rows = [row for row in board.rows if row.is_method and not row.diverged]
    wild = [row.label for row in rows if not spread.judges(row.per_seed)]
    if not wild:
        return ""
    return (
        f" Left out there, and judged by their own seeds, for far more spread than all others (Cochran's test at 1 %): "
        f"{', '.join(wild)}."
    )


def signed(estimate: Estimate | None) -> str:
    """A change in percent: '+1.23 ±0.40'."""
    if estimate is None:
        return NOTHING
    return f"{estimate.mean:+z.2f}".replace("-", "−") + _half(estimate, ".2f")  # z: what rounds to 0 has no minus


def _costs(cost: Cost) -> tuple[float, ...]:
    return cost.forwards, cost.backwards, cost.optimizer_steps, cost.seconds


def _relative_cells(row: Row) -> list[str]:
    return [
        "reference" if row.is_single_task else signed(row.delta_m),
        row.standing or NOTHING,
        f"{row.worst_task} {signed(row.changes[row.worst_task])}" if row.worst_task else NOTHING,
        _hurt(row),
    ]


def _plain(estimate: Estimate | None, form: str) -> str:
    return NOTHING if estimate is None else f"{estimate.mean:z{form}}".replace("-", "−") + _half(estimate, form)


def _half(estimate: Estimate, form: str) -> str:
    return f" ±{estimate.interval.half:{form}}".replace("-", "−") if estimate.interval else ""


def _hurt(row: Row) -> str:
    if row.tasks_hurt is None:
        return NOTHING
    if len(row.tasks_hurt) > 2:
        return f"{len(row.tasks_hurt)} of {len(row.changes)}"
    return ", ".join(row.tasks_hurt) or "none"


def _form(estimates: Iterable[Estimate | None]) -> str:
    """Two significant digits of the usual half-width; without intervals four of the largest value.

    Five decimals are the most, and values of which these would show next to nothing have an exponent.
    """
    known = [estimate for estimate in estimates if estimate]
    halves = [estimate.interval.half for estimate in known if estimate.interval and estimate.interval.half > 0]
    largest = max((abs(estimate.mean) for estimate in known), default=0)
    size, significant = (median(halves), 2) if halves else (largest, 4)
    if not size:
        return f".{significant}f"
    places = max(significant - 1 - floor(log10(size)), 0)
    return f".{places}f" if places <= 5 else ".5f" if largest >= 1e-3 else ".3g"

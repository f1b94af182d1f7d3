"""What more priority for one task gains it, and what that costs the others: a curve per method over its priorities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.record import SINGLE
from mtl_bench.results.board import Board
from mtl_bench.results.entries import by_hash, method_entries
from mtl_bench.results.grouping_pictures import save_figure
from mtl_bench.results.render import signed
from mtl_bench.results.row import Estimate, Judge
from mtl_bench.results.single_task import single_task
from mtl_bench.results.spread import difference, pooled_spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OWN, OTHERS = "#0072B2", "#BBBBBB"  # of a panel's method and of all others; Okabe–Ito
SIDE, MOST = 2.7, 3  # inches of a panel; panels beside each other


@dataclass(frozen=True)
class Traded:
    """One configuration: changes against single-task in percent, of the favoured task and the mean of the others.

    `priority` is the favoured task's, the others having 1; None: the method was given none.
    """

    method: str
    priority: float | None
    favoured: Estimate
    others: Estimate
    per_seed: tuple[Mapping[int, float], Mapping[int, float]]  # of both


def trade_offs(boards: Sequence[Board], records: Sequence[Record], favoured: str) -> list[tuple[Board, list[Traded]]]:
    """Boards of which runs were given a priority for `favoured` alone, with `trade_off` of each.

    Raises BenchError where there is none, or Δm does not exist.
    """
    runs = {board.hash: _methods(board, records) for board in boards}
    found = [board for board in boards if any(set(_priorities(one)) == {favoured} for one in runs[board.hash])]
    if not found:
        raise BenchError(
            f"No run here was given priorities for {favoured} alone; train some of a few methods with `mtl-bench train "
            f"-m experiment=NAME method=NAME 'method.priorities={{{favoured}:1}},{{{favoured}:4}}'`."
        )
    return [(board, trade_off(board, records, favoured)) for board in found]


def trade_off(board: Board, records: Sequence[Record], favoured: str) -> list[Traded]:
    """Methods with a priority for `favoured` alone, in order of it, and those without any; rows that lost a seed are
    left out.

    Raises BenchError where Δm does not exist or has no other task.
    """
    chosen = _methods(board, records)
    setting = chosen[0]
    single, flaws = single_task(records, setting)
    if single is None or flaws:
        raise BenchError(" ".join(flaws))
    if not {favoured} < set(setting["delta_m"]["terms"]):
        raise BenchError(f"Δm of {board.experiment} does not count {favoured} and another task to trade with.")
    judge, runs = Judge(setting, single, usable=True), by_hash(chosen)
    rest = {task: metrics for task, metrics in judge.terms.items() if task != favoured}
    found = []
    for entry in method_entries(chosen):
        record = next(iter(runs[next(iter(entry.behind))].values()))
        given = _priorities(record)
        if entry.seeds == entry.converged(judge.terms) and set(given) <= {favoured}:
            both = {favoured: judge.terms[favoured]}, rest
            changes, seeds = [judge.change(entry, t) for t in both], [judge.changes_per_seed(entry, t) for t in both]
            found.append(Traded(_name(record), given.get(favoured), changes[0], changes[1], (seeds[0], seeds[1])))
    return sorted(found, key=lambda one: (one.method, one.priority or 0.0))


def told(found: Sequence[Traded], favoured: str) -> list[str]:
    """A line per configuration; and one per method, from its lowest to its highest priority, in which the noise of the
    single-task runs cancels and what seeds do to all configurations, over which the rest is pooled."""
    lines = []
    for one in found:
        name = one.method if one.priority is None else f"{one.method} {one.priority:g}"
        lines.append(f"{name}: {favoured} {signed(one.favoured)}, others {signed(one.others)}")
    alone = {tuple(sorted(one.per_seed[0].items())): one for one in found}  # equal priorities are the plain sum again
    spreads = [pooled_spread([one.per_seed[part] for one in alone.values()]) for part in (0, 1)]
    for curve in _curves(found).values():
        low, high = curve[0], curve[-1]
        gaps = [difference(high.per_seed[n], low.per_seed[n], spread) for n, spread in enumerate(spreads) if spread]
        if low is not high and len(gaps) == 2 and all(gaps):
            shown = [signed(Estimate(gap.centre, gap)) for gap in gaps if gap]
            ends = f"{low.method}, {high.priority:g} instead of {low.priority:g}"
            lines.append(f"{ends}: {favoured} {shown[0]}, others {shown[1]}")
    return lines


def _curves(found: Sequence[Traded]) -> dict[str, list[Traded]]:
    curves: dict[str, list[Traded]] = {}
    for one in found:
        if one.priority is not None:
            curves.setdefault(one.method, []).append(one)
    return curves


def _methods(board: Board, records: Sequence[Record]) -> list[Record]:
    return [one for one in records if one["experiment"]["hash"] == board.hash and one["method"]["name"] != SINGLE]


def _priorities(record: Record) -> Mapping[str, float]:
    method = record["identity"].get("method")
    return (method.get("priorities") or {}) if isinstance(method, Mapping) else {}


def _name(record: Record) -> str:
    """The method's, with what else was changed in its options."""
    method: Mapping[str, Any] = record["identity"].get("method", {})
    rest = [f"{key}={value}" for key, value in method.items() if key != "priorities" and not key.startswith("_")]
    name = record["method"]["name"]
    return f"{name} ({', '.join(rest)})" if rest else name


def draw_trade_off(board: Board, found: Sequence[Traded], favoured: str, path: Path) -> None:
    """A panel per method that was given priorities, with its intervals, before the curves of all; hollow: the methods
    without any. The suffix of `path` chooses the format."""
    from matplotlib.figure import Figure  # late: half a second

    curves = _curves(found)
    if not curves:
        raise BenchError(
            f"Nothing on {board.experiment} that was told what {favoured} counts has a result of every seed: there is "
            "no curve to draw; `mtl-bench report` says which diverged."
        )
    plain = [one for one in found if one.priority is None]
    columns = min(MOST, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(SIDE * columns + 0.5, SIDE * rows + 0.9), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, method in zip(panels.flat, curves, strict=False):
        for curve in curves.values():
            axes.plot(*_means(curve), color=OTHERS, linewidth=0.8)
        _curve(axes, curves[method])
        _plain(axes, plain)
        axes.set_title(method, loc="left", fontsize=9, fontweight="bold")
        axes.grid(color="#EEEEEE", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=7, length=0, labelbottom=True)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels.flat[len(curves) :]:
        axes.axis("off")
    figure.suptitle(f"{board.experiment}: beside a dot what {favoured} counts, the others counting 1", fontsize=9)
    figure.supxlabel("mean change of the other tasks against single-task (%)", fontsize=9)
    figure.supylabel(f"change of {favoured} (%)", fontsize=9)
    save_figure(figure, path)


def _curve(axes: "Axes", curve: Sequence[Traded]) -> None:
    axes.plot(*_means(curve), color=OWN, linewidth=1.4)
    for one in curve:
        _cross(axes, one, OWN)
        axes.plot(one.others.mean, one.favoured.mean, "o", color=OWN, markersize=5)
        place = (one.others.mean, one.favoured.mean)
        axes.annotate(f"{one.priority:g}", place, xytext=(4, 4), textcoords="offset points", fontsize=8)


def _plain(axes: "Axes", plain: Sequence[Traded]) -> None:
    for one in plain:
        place = (one.others.mean, one.favoured.mean)
        axes.plot(*place, "o", color="black", markerfacecolor="white", markersize=5, zorder=3)
        axes.annotate(one.method, place, xytext=(4, -10), textcoords="offset points", fontsize=7)


def _cross(axes: "Axes", one: Traded, colour: str) -> None:
    """Both 95 % intervals; none where there is one seed."""
    if span := one.others.interval:
        axes.plot([span.low, span.high], [one.favoured.mean] * 2, color=colour, linewidth=0.8, alpha=0.5)
    if span := one.favoured.interval:
        axes.plot([one.others.mean] * 2, [span.low, span.high], color=colour, linewidth=0.8, alpha=0.5)


def _means(curve: Sequence[Traded]) -> tuple[list[float], list[float]]:
    return [one.others.mean for one in curve], [one.favoured.mean for one in curve]

"""What boards say of a method, as parts of its report card: sentences and tables that a terminal and a page share."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtl_bench.results.appearances import Appearance, Outcome, change_on, nests, tasks_of
from mtl_bench.results.render import FEW, NOTHING, signed
from mtl_bench.results.row import Estimate
from mtl_bench.results.sensitivity import span_text
from mtl_bench.results.table_text import signed_interval
from mtl_bench.results.worth_text import gain_sources, gain_text

OUTCOMES: dict[Outcome, str] = {"win": "won", "tie": "tied", "loss": "lost"}


@dataclass(frozen=True)
class CardPart:
    """`head` is empty where there is no table. The first `words` columns hold words, the others numbers."""

    title: str
    sentences: tuple[str, ...]
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    words: int = 1


def board_parts(found: Sequence[Appearance]) -> list[CardPart]:
    """Of a method that no board holds, one sentence."""
    if not found:
        return [CardPart("On our boards", ("No committed board holds it.",))]
    return [_against(found), _places(found), _cost(found), _failures(found), *_by_tasks(found)]


def _against(found: Sequence[Appearance]) -> CardPart:
    counted = Counter(one.outcome for one in found if one.outcome)
    judged, rows = sum(counted.values()), "row" if len(found) == 1 else "rows"
    told = []
    if all(one.row is one.plain for one in found):
        told.append("It is the plain sum, which all others are held against.")
    elif judged:
        score = ", ".join(f"{counted[outcome]} {word}" for outcome, word in OUTCOMES.items())
        told.append(
            f"{judged} of {len(found)} {rows} compared: {score}. Each by its own 95 % interval of the difference in "
            "Δm, as that board judges its rows, not corrected for their number; boards share data and are "
            "not independent."
        )
    if gone := [one.name for one in found if one.gap is None and one.row is not one.plain]:
        told.append(f"Not compared, for want of a plain sum, of single-task runs or of converged seeds: {_list(gone)}.")
    if few := [one.name for one in found if len(one.row.seeds) < FEW]:
        told.append(f"Warning: fewer than {FEW} seeds on {_list(few)}.")
    told += gain_sources((one.name, one.row.at_equal_passes) for one in found)
    lines = [
        (one.name, OUTCOMES[one.outcome] if one.outcome else NOTHING, signed(one.row.delta_m), _gap(one), _gain(one))
        for one in found
    ]
    return CardPart(
        "Against the plain sum",
        tuple(told),
        ("board", "", "Δm %", "difference\n%", "at equal\npasses %"),
        tuple(lines),
        2,
    )


def _gap(one: Appearance) -> str:
    return "reference" if one.row is one.plain else signed_interval(one.gap) if one.gap else NOTHING


def _gain(one: Appearance) -> str:
    return gain_text(one.row.at_equal_passes) if one.row.at_equal_passes else NOTHING


def _places(found: Sequence[Appearance]) -> CardPart:
    tasks = [(one, one.row.worst_task) for one in found if one.row.worst_task]
    told = [
        "Places by Δm among the methods of the board, and where the row moves when any one task is left out. No other "
        "method has a say in Δm, so leaving one out moves nothing."
    ]
    if tasks:
        one, task = min(tasks, key=lambda pair: pair[0].row.changes[pair[1] or ""].mean)
        change = signed(one.row.changes[task or ""])
        told.append(f"Worst task: {task} on {one.name}, {change} % against single-task training.")
    lines = [(one.name, *_place(one), _worst(one), signed(_worst_change(one))) for one in found]
    head = ("board", "place", "less a\ntask", "worst task", "its\nchange %")
    return CardPart("Place, and the worst task", tuple(told), head, tuple(lines))


def _place(one: Appearance) -> tuple[str, str]:
    if one.place is None:
        return NOTHING, NOTHING
    return f"{one.place.place:g} of {one.methods}", span_text(one.place.less_a_task)


def _worst(one: Appearance) -> str:
    return one.row.worst_task or NOTHING


def _worst_change(one: Appearance) -> Estimate | None:
    return one.row.changes[one.row.worst_task] if one.row.worst_task else None


def _cost(found: Sequence[Appearance]) -> CardPart:
    lines = [
        (
            one.name,
            f"{one.row.cost.passes:.3g}",
            f"{one.plain.cost.passes:.3g}" if one.plain else NOTHING,
            f"{one.row.cost.optimizer_steps:.3g}",
            f"{one.ratio:.2f}" if one.ratio else NOTHING,
        )
        for one in found
    ]
    told = (
        "Per batch; costs compare by passes. The ratio is of the seconds of these runs on a kind of machine that "
        "trained both, some with other work beside them, which can double their seconds: `mtl-bench cost` measures "
        "time.",
    )
    head = ("board", "passes", "of the\nplain sum", "steps", "seconds / of\nthe plain sum")
    return CardPart("Cost", told, head, tuple(lines))


def _failures(found: Sequence[Appearance]) -> CardPart:
    runs = sum(len(one.row.seeds) for one in found)
    told = [
        f"{one.name}: seed {', '.join(map(str, one.lost))} of {len(one.row.seeds)} did not converge."
        for one in found
        if one.lost
    ] or [f"Every seed converged, {runs} in all."]
    skipped = [f"{one.skipped} on {one.name}" for one in found if one.skipped]
    missed = [f"{one.missed} on {one.name}" for one in found if one.missed]
    told.append(f"Steps skipped for a loss or gradient that was not finite: {_list(skipped) or 'none'}.")
    told.append(f"Residuals that its solver missed: {_list(missed) or 'none'}.")
    return CardPart("Failures", tuple(told))


def _by_tasks(found: Sequence[Appearance]) -> list[CardPart]:
    chains = nests(found)
    if not chains:
        told = "No two boards that hold it have nested tasks and are otherwise alike."
        return [CardPart("Against the number of tasks", (told,))]
    lines = []
    for chain in chains:
        shared = tasks_of(chain[0])
        for one in chain:
            known = signed(change_on(one, shared))
            lines.append((one.name, str(len(tasks_of(one))), signed(one.row.delta_m), known, _gap(one)))
    told = "Boards that differ in their tasks alone. The shared tasks are those of the smaller one."
    head = ("board", "K", "Δm %", "shared\ntasks %", "over the\nplain sum %")
    return [CardPart("Against the number of tasks", (told,), head, tuple(lines))]


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)

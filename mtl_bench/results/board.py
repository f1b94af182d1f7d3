"""Leaderboards: the records of one experiment, ranked. A board is data; `render` and `plot` draw it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from mtl_bench.errors import BenchError, Damaged, noting
from mtl_bench.records import Record, Shared
from mtl_bench.records.entry import EntryFile
from mtl_bench.records.identity import identity_hash
from mtl_bench.records.reading import read_alike
from mtl_bench.records.record import SINGLE, Experiment
from mtl_bench.results.entries import (
    Entry,
    check_runs,
    group_entries,
    method_entries,
    runs_of,
    told_apart,
    without_copies,
)
from mtl_bench.results.intervals import Interval, unpaired_difference
from mtl_bench.results.plain_sum import all_but_budget
from mtl_bench.results.row import Column, Judge, Row, Standing, told_astride
from mtl_bench.results.single_task import single_task, tuned_alone
from mtl_bench.results.spread import Spread, difference, is_behind, pooled_spread
from mtl_bench.results.tuned_rows import (
    budget_of,
    is_alone,
    is_over,
    short_budget,
    told_of_search,
    told_of_winners,
    tuned_entries,
    without_trials,
)
from mtl_bench.results.worth import with_gains

LabelOf: TypeAlias = Callable[[str], str]
SEVERAL_HOSTS = "Seconds per batch were measured on more than one machine and do not compare."


@dataclass(frozen=True)
class Board:
    """One table: one experiment under one protocol. `notes` says what the reader must know beside the numbers.

    `spread` is that of Δm over seeds, pooled over the converged methods that it holds for: what differences between
    rows are judged by.
    `kin` is shared by boards that differ in their budget alone (None: not known). `tuned_from` is what
    was searched, where Δm is against tuned single-task runs. `entries` are what the rows were made of, by their labels.
    `label_of` is the label of a method as its YAML has it, which may set options: asked where there are several rows.
    """

    experiment: str
    hash: str
    definition: str
    selection: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    spread: Spread | None
    notes: tuple[str, ...]
    kin: str | None = None
    tuned_from: Experiment | None = None
    entries: Mapping[str, Entry] = field(default_factory=dict, repr=False, compare=False)
    label_of: LabelOf = field(default=str, repr=False, compare=False)

    @property
    def setting(self) -> Experiment:
        """As its records and entries name it."""
        return self.tuned_from or {"name": self.experiment, "hash": self.hash}

    def row_of(self, name: str) -> Row | None:
        """The row labelled so, of several of a method the one with the options of its YAML; or the only one of that
        method whatever its options, as `name (option=value)`."""
        alike = self.variants_of(name)
        label = self.label_of(name) if len(alike) > 1 else name
        exact = [row for row in self.rows if row.label == label]
        return exact[0] if exact else alike[0] if len(alike) == 1 else None

    def variants_of(self, name: str) -> list[Row]:
        """Every row of that method, whatever its options."""
        return [row for row in self.rows if row.label.partition(" (")[0] == name]

    def only(self, rows: Sequence[Row]) -> "Board":
        """The same table with these rows, judged anew against the best of them, by the spread of the whole."""
        return replace(self, rows=_ranked(rows, self.spread))


def leaderboards(
    records: Sequence[Record],
    files: Sequence[EntryFile] = (),
    damaged: list[Damaged] | None = None,
    label_of: LabelOf = str,
) -> list[Board]:
    """One board per experiment hash that holds a method; single-task records serve every board they fit.

    `files` are grouping entries. Runs on some of the tasks that serve one, or were needed to choose it, have no board
    of their own. Entries of which a run is missing are told to `damaged`; None: the first one is raised. `label_of` is
    that of each board.
    """
    files = without_copies(files)
    searched = [file for file in files if "tuning" in file]
    records = without_trials(records, searched)
    tuned = _complete(records, list(filter(is_over, searched)), damaged)
    files = _complete(records, [file for file in files if "tuning" not in file], damaged)
    winners = {(file["selection"], group["hash"]) for file in searched for group in file["groups"]}
    untuned = {file["experiment"]["hash"] for file in searched}
    methods = [record for record in records if record["method"]["name"] != SINGLE]
    wanted = {(file["selection"], digest) for file in files for digest in runs_of(file)}
    settings: dict[str, list[Record]] = {file["experiment"]["hash"]: [] for file in files}
    whole = set(settings)
    for record in methods:
        digest, run = record["experiment"]["hash"], (record["selection"], record["hash"])
        if run in winners and digest not in untuned:  # its learning rate is no setting of its own
            continue
        if digest in whole or run not in wanted:
            settings.setdefault(digest, []).append(record)
    if not settings and searched and not tuned:
        raise BenchError("No search is over yet, so there is no row; the same `mtl-bench tune` goes on with it.")
    if not settings and not tuned:
        return [leaderboard(records)]  # raises: says what to train
    single = [record for record in records if record["method"]["name"] == SINGLE]
    boards = []
    for digest, group in settings.items():
        chosen = [file for file in files if file["experiment"]["hash"] == digest]
        parts = [
            record
            for record in methods
            if chosen and (record["selection"], record["hash"]) in wanted and record not in group
        ]
        boards.append(_board([*group, *single], chosen, parts))
    budgets: dict[tuple[str, ...], list[EntryFile]] = {}
    for file in tuned:
        budgets.setdefault((file["experiment"]["hash"], *budget_of(file["tuning"])), []).append(file)
    boards += [_tuned_board(records, of) for of in budgets.values() if not all(map(is_alone, of))]
    return with_gains([replace(board, label_of=label_of) for board in boards])


def _tuned_board(records: Sequence[Record], files: Sequence[EntryFile]) -> Board:
    """Tuned rows, all against tuned single-task runs, and the same methods as configured beside them.

    Its name and hash are its own: its numbers share no table with those of the experiment as configured.
    """
    winners = {group["hash"] for file in files for group in file["groups"]}
    names = {record["method"]["name"] for record in records if record["hash"] in winners} - {SINGLE}
    untuned = [
        record
        for record in records
        if record["experiment"]["hash"] == files[0]["experiment"]["hash"] and record["method"]["name"] in names
    ]
    setting = _one_setting([*untuned, *files])
    records = _under(setting, records)
    alone, notes = tuned_alone(tuned_entries(list(filter(is_alone, files)), records), setting)
    searched = tuned_entries([file for file in files if not is_alone(file)], records)
    as_configured, _ = single_task(records, setting)
    beside = [replace(as_configured, label="single-task, as configured")] if as_configured else []
    told = [told_of_search(files[0]["tuning"]), *(line for file in files for line in told_of_winners(file))]
    board = _assembled(setting, alone, notes, [*searched, *method_entries(untuned)], beside, told)
    budget = budget_of(files[0]["tuning"])
    name, digest = f"{board.experiment}-{short_budget(files[0]['tuning'])}", identity_hash([board.hash, *budget])
    return replace(board, experiment=name, hash=digest, tuned_from=setting["experiment"])


def _complete(records: Sequence[Record], files: Sequence[EntryFile], damaged: list[Damaged] | None) -> list[EntryFile]:
    complete = []
    for file in files:
        with noting(damaged):
            check_runs(file, {record["hash"] for record in _under(file, records)})
            complete.append(file)
    return complete


def _under(setting: Shared, records: Sequence[Record]) -> list[Record]:
    """Those whose numbers were read off as the setting's were: the hash of a run does not tell how."""
    return [record for record in records if read_alike(record, setting)]


def leaderboard(records: Sequence[Record]) -> Board:
    """The board of one experiment, best Δm first and rows with a diverged seed last.

    Raises BenchError when no method was recorded, or the methods' records follow different protocols.
    """
    return with_gains([_board(records, [], [])])[0]


def _board(records: Sequence[Record], files: Sequence[EntryFile], parts: Sequence[Record]) -> Board:
    """`parts` are the runs on some of the tasks that `files` name."""
    methods = [record for record in records if record["method"]["name"] != SINGLE]
    setting = _one_setting([*methods, *files])  # a record tells more of how it was read than an entry
    single, notes = single_task(records, setting)
    plain, grouped = method_entries(methods), group_entries(files, _under(setting, [*records, *parts]))
    variants = sorted({f"The data: {record['variant']}." for record in methods if "variant" in record})
    named = zip(files, told_apart(files), strict=True)
    told = (*variants, *(_told(file, label, [*records, *parts]) for file, label in named))
    kin = all_but_budget(methods[0]) if methods else None
    return _assembled(setting, single, notes, plain, grouped, told, kin)


def _assembled(
    setting: Shared,
    single: Entry | None,
    notes: Sequence[str],
    plain: Sequence[Entry],
    grouped: Sequence[Entry],
    told: Sequence[str],
    kin: str | None = None,
) -> Board:
    """`notes` say why nothing can be compared with `single`, if so; `told` stands after all that is noted here."""
    judge = Judge(setting, single, usable=not notes)
    entries = [*([single] if single else []), *plain, *grouped]
    # an entry of groups sums several runs, so its spread is only asked where no method has two seeds
    spread = _spread([judge.row(entry) for entry in plain]) or _spread([judge.row(entry) for entry in grouped])
    if single and judge.relative and (more := _more_seeds(single)):
        notes = [*notes, f"Every seed of a single-task run counts, also those of some tasks alone: {', '.join(more)}."]
    if len(set[str]().union(*(entry.hosts for entry in entries))) > 1:
        notes = [*notes, SEVERAL_HOSTS]
    if mixed := [entry.label for entry in entries if entry.mixes_data]:
        notes = [*notes, f"Runs of one row read packed data of different bytes: {', '.join(mixed)}."]
    rows = _ranked([judge.row(entry, spread) for entry in entries], spread)
    if judge.relative:
        notes = [*notes, *(line for row in rows if row.is_single_task for line in told_astride(row))]
    return Board(
        experiment=setting["experiment"]["name"],
        hash=setting["experiment"]["hash"],
        definition=setting["delta_m"]["definition"],
        selection=setting["selection"],
        columns=judge.columns,
        rows=rows,
        spread=spread,
        notes=(*notes, *told),
        kin=kin,
        entries={entry.label: entry for entry in entries},
    )


def _more_seeds(single: Entry) -> list[str]:
    """Tasks with seeds that others do not have; these stand in Δm and in the means of the single-task row."""
    counts = {task: len(run) for task, run in single.runs.items() if len(run) > len(single.seeds)}
    return [f"{task} ({count} seeds)" for task, count in counts.items()]


def _told(file: EntryFile, label: str, records: Iterable[Record]) -> str:
    """What an entry's networks are: in its row the costs cover all of them and the runs that chose them."""
    if "split" in file:
        return _told_of_layers(file, label, records)
    told = [
        f"{{{', '.join(g['tasks'])}}}" + ("" if g["serves"] == g["tasks"] else f" serves {', '.join(g['serves'])}")
        for g in file["groups"]
    ]
    return f"{label}: networks {'; '.join(told)}. Choosing them took {len(file['measured_by'])} runs per seed."


def _told_of_layers(file: EntryFile, label: str, records: Iterable[Record]) -> str:
    sizes = {record["hash"]: record.get("parameters", 0) for record in records}
    before, after = (sizes.get(digest, 0) for digest in (file["measured_by"][0], file["groups"][0]["hash"]))
    return (
        f"{label}: {len(file.get('split', []))} layers have a copy per task, which makes {after:,} parameters "
        f"of {before:,} and takes {len(file['tasks'])} forwards to predict all tasks. The row's costs cover the short "
        "run that chose the layers."
    )


def _one_setting(methods: Sequence[Shared]) -> Shared:
    """What speaks for all: they agree on everything that makes two numbers comparable."""
    if not methods:
        raise BenchError(
            "No record of a multi-task method was found; train one with `mtl-bench train experiment=NAME method=NAME`."
        )
    first = methods[0]
    name, digest = first["experiment"]["name"], first["experiment"]["hash"]
    for record in methods:
        other = record["experiment"]
        if other["hash"] != digest:
            raise BenchError(
                f"Records of {name!r} ({digest[:12]}) and {other['name']!r} ({other['hash'][:12]}) follow different "
                "protocols and cannot share a table; make one table of each."
            )
        if unlike := [key for key, value in _shared(record).items() if value != _shared(first)[key]]:
            raise BenchError(f"Two records of {name!r} ({digest[:12]}) disagree on {unlike[0]}; leave one of them out.")
    return first


def _shared(record: Shared) -> dict[str, object]:
    """What the hash promises to be equal and the table reads from one record for all."""
    keys = ("tasks", "metrics", "selection", "delta_m", "baselines")
    return {key: value for key, value in record.items() if key in keys}


def _spread(rows: Sequence[Row]) -> Spread | None:
    """Pooled over rows that converged; entries that chose the same groups count once."""
    distinct = {tuple(sorted(row.per_seed.items())): row.per_seed for row in rows if not row.diverged}
    return pooled_spread(list(distinct.values()))


def _ranked(rows: Sequence[Row], spread: Spread | None) -> tuple[Row, ...]:
    def rank(row: Row) -> tuple[bool, int, float]:
        survivors = len(row.converged) if row.diverged else 0
        return row.diverged, -survivors, -row.delta_m.mean if row.delta_m else 0.0

    order = sorted(rows, key=rank)
    # One lucky seed, or the survivors of a diverged row, are no yardstick.
    best = next((row for row in order if len(row.per_seed) > 1 and not row.diverged), order[0])
    return tuple(replace(row, standing=_standing(row, best, spread)) for row in order)


def _standing(row: Row, best: Row, spread: Spread | None) -> Standing | None:
    if row.diverged:
        return "diverged"
    if row is best:
        return "best" if len(row.per_seed) > 1 else None
    gap = _gap(best, row, spread)
    return None if gap is None else "behind" if is_behind(gap) else "tied"


def _gap(best: Row, row: Row, spread: Spread | None) -> Interval | None:
    """Interval of Δm of the best less that of the row; from the single-task row Δm itself tells it."""
    if row.is_single_task:
        return best.verdict
    if best.is_single_task:
        return -row.verdict if row.verdict else None
    if not (best.is_method and row.is_method):  # single-task runs as configured, whose noise is no method's
        return unpaired_difference(list(best.per_seed.values()), list(row.per_seed.values()))
    return difference(best.per_seed, row.per_seed, spread) if spread else None

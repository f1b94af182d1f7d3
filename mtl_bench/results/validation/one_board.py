"""Records that share a board, or a row of it, are compared with each other."""

from collections.abc import Iterable, Iterator, Sequence, Set

from mtl_bench.records.identity import canonical_text
from mtl_bench.records.record import SINGLE, has_converged
from mtl_bench.results.validation.fault import Fault, Located

SEEDS = 3  # of a row, at least
SETTING = ("tasks", "metrics", "selection", "delta_m", "baselines")  # equal for all rows


def check_board(
    records: Sequence[Located], others: Sequence[Located], known: Set[str], searched: Set[tuple[str, int]]
) -> Iterator[Fault]:
    """Faults of `records`, all of one experiment hash; `others` stand on the same board and are not judged.

    `known` holds the hashes of every run that a single-task run can be found among, and `searched` hash and
    seed of those that stand in an entry of a search, which are no row by themselves.
    """
    yield from _setting([*others, *records], judged=records)
    yield from _copies(records, others)
    rows: dict[str, list[Located]] = {}
    for one in records:
        rows.setdefault(one.record["hash"], []).append(one)
    digests = {digest: _digests(row) for digest, row in rows.items()}
    for digest, row in rows.items():
        same = [one for one in others if one.record["hash"] == digest]
        rest = set[str]().union(*(found for name, found in digests.items() if name != digest), _digests(others))
        yield from _row([*row, *same], row[0], known, searched)
        if rest and not digests[digest] & rest:
            text = "read packed data of other bytes than every other row of its board"
            yield Fault(row[0].row, text, wrong=False)


def _digests(records: Iterable[Located]) -> set[str]:
    return {one.record["environment"].get("data", "") for one in records}


def _setting(records: Sequence[Located], judged: Sequence[Located]) -> Iterator[Fault]:
    """What an experiment's hash promises to be equal, and tables read from one record for all."""
    whole = [one for one in records if one.record["method"]["name"] != SINGLE]
    for one in judged:
        if one.record["method"]["name"] == SINGLE:
            continue
        for key in SETTING:
            if one.record[key] != whole[0].record[key]:  # type: ignore[literal-required]
                yield Fault(one.path, f"{key} are not those of {whole[0].path}, on the same board", wrong=True)


def _copies(records: Sequence[Located], others: Sequence[Located]) -> Iterator[Fault]:
    """Two runs never agree in every loss and metric to the last digit, unless they are one run."""
    seen: dict[str, Located] = {}
    cells: dict[tuple[str, int], Located] = {}
    own = set(map(id, records))
    for one in [*others, *records]:
        record, judged = one.record, id(one) in own
        cell = record["hash"], record["seed"]
        first = cells.setdefault(cell, one)
        if first is not one:
            if judged and first.record["experiment"]["name"] == record["experiment"]["name"]:
                yield Fault(one.path, f"this seed is on the board already, in {first.path}; leave it out", wrong=True)
            continue  # a single-task run may lie under several experiments
        if not has_converged(record):
            continue
        text = canonical_text([record["tasks"], record["evaluations"][-1:], record["test"]])
        twin = seen.setdefault(text, one)
        if twin is not one and judged:
            same = twin.record["hash"] == record["hash"]
            why = "the same run twice" if same else "a method or option that does the same, or the same run twice"
            yield Fault(one.path, f"every number is that of {twin.path}: {why}", wrong=same)


def _row(row: Sequence[Located], first: Located, known: Set[str], searched: Set[tuple[str, int]]) -> Iterator[Fault]:
    """`row` are all seeds, those that are not judged too; remarks are on the folder of `first`."""

    def fault(text: str, wrong: bool) -> Fault:
        return Fault(first.row, text, wrong)

    records = [one.record for one in row]
    seeds = {record["seed"] for record in records if (record["hash"], record["seed"]) not in searched}
    if seeds and len(seeds) < SEEDS:
        yield fault(f"has {len(seeds)} seed{'s' * (len(seeds) > 1)}, and a row needs {SEEDS}", first.submitted)
    missing = [task for task, digest in records[0]["baselines"].items() if digest not in known]
    if seeds and missing:
        yield fault(f"has no Δm: the single-task runs of {', '.join(missing)} are missing", first.submitted)
    if len(_digests(row)) > 1:
        yield fault("its seeds read packed data of different bytes", wrong=False)
    if len({record.get("parameters") for record in records} - {None}) > 1:
        yield fault("its seeds trained networks of different sizes", wrong=True)
    whole = [record["counts"] for record in records if has_converged(record)]  # one given up saw no costly batch yet
    costs = [counts["passes"] / max(1, counts["batches"]) for counts in whole]
    if costs and max(costs) > 1.25 * min(costs):  # methods that draw what to do differ by a few per cent
        yield fault("its seeds differ by more than a quarter in passes per batch", wrong=True)

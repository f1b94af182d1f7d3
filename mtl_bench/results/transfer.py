"""Transfer: whether the order of methods on one board is their order on another, as Kendall's τ-b with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from math import atan, ceil, floor, inf, isfinite, pi, sqrt

import numpy as np
from scipy import stats

from mtl_bench.errors import BenchError
from mtl_bench.records import Record
from mtl_bench.records.entry import EntryFile
from mtl_bench.records.record import SINGLE
from mtl_bench.results.additive_model import additive_model
from mtl_bench.results.board import Board, LabelOf, leaderboards
from mtl_bench.results.entries import method_entries
from mtl_bench.results.intervals import LEVEL
from mtl_bench.results.spread import Spread, difference, is_behind, pooled_spread

FEW = 4  # shared methods below which no interval of τ is honest
DRAWS = 10_000

Span = tuple[float, float]


@dataclass(frozen=True)
class Order:
    """How one board orders methods: Δm in percent per method (mean over seeds, higher is better; −∞ where a seed
    diverged, which ranks last) and, on our own boards, Δm per seed. `left_out` are methods recorded in several
    configurations of which none is the plain one."""

    name: str
    delta_m: Mapping[str, float]
    per_seed: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def joined(self, methods: Sequence[str]) -> list[float]:
        """Δm of the methods, with those that tie with the best of them, as on the leaderboard, set equal to it. Without
        seeds nothing ties but equal numbers."""
        best = max(methods, key=lambda method: self.delta_m[method])
        return [self.delta_m[best if self._tied(best, method) else method] for method in methods]

    def _tied(self, best: str, method: str) -> bool:
        if not (best in self.per_seed and isfinite(self.delta_m[method])):
            return False
        gap = difference(self.per_seed[best], self.per_seed[method], self._spread) if self._spread else None
        return gap is not None and not is_behind(gap)

    @cached_property
    def _spread(self) -> Spread | None:
        return pooled_spread([table for name, table in self.per_seed.items() if isfinite(self.delta_m[name])])


@dataclass(frozen=True)
class Transfer:
    """Kendall's τ-b between two orders over the methods they share, with two 95 % intervals that hold different things.

    `tau` compares mean Δm; only equal numbers tie. `tau_joined` first sets methods equal that tie with the best of
    their board. None: undefined, because an order has no two different places.

    `over_seeds` holds the seeds of our boards, for exactly these methods; a published order is taken as printed. A
    bootstrap over seeds will not do: noise pulls the τ of every resample towards 0, and at 3 to 5 seeds it covered a
    true τ of 1 in 0 to 97 % of simulated boards. Instead every pair of methods whose difference
    Tukey's test does not settle (method × seed residuals pooled, simultaneous over the pairs, the 5 % shared between
    the boards) may stand either way round; covered 99 % and more. None: no board has two seeds.

    `over_methods` takes the methods for a sample of those one could have compared, each scored with these numbers of
    seeds: it holds every τ of that population under which so high, or so low, a sample τ has a chance of 2.5 % or more
    (Gaussian copula). Covered 94 to 100 % from 4 to 20 methods in simulation, where the bootstrap, the jackknife and
    Fieller's z fell to 55 to 70 % at 4 or 5, and it has a width at τ = 1.

    Below four shared methods there is no interval.
    """

    shared: tuple[str, ...]
    tau: float | None
    tau_joined: float | None
    over_seeds: Span | None
    over_methods: Span | None


def transfer(first: Order, second: Order) -> Transfer:
    """The agreement of two orders over the methods on both, those of `first` best first."""
    shared = sorted(first.delta_m.keys() & second.delta_m.keys(), key=lambda method: (-first.delta_m[method], method))
    tau = _tau(*([order.delta_m[method] for method in shared] for order in (first, second)))
    enough = tau is not None and len(shared) >= FEW
    return Transfer(
        shared=tuple(shared),
        tau=tau,
        tau_joined=_tau(first.joined(shared), second.joined(shared)) if len(shared) > 1 else None,
        over_seeds=_over_seeds(first, second, shared) if enough else None,
        over_methods=over_methods(tau, len(shared)) if enough and tau is not None else None,
    )


def board_orders(records: Sequence[Record], label_of: LabelOf = str, files: Sequence[EntryFile] = ()) -> list[Order]:
    """The order of every board among the records, by name; `label_of` as a board has it. What the entries of `files`
    chose or tuned has no part in it. Raises BenchError when a board has no Δm."""
    boards = [board for board in leaderboards(records, files, label_of=label_of) if not board.tuned_from]
    names = [board.experiment for board in boards]
    orders = []
    for board in boards:
        unique = names.count(board.experiment) == 1
        title = board.experiment if unique else f"{board.experiment} ({board.hash[:6]})"
        orders.append(_board_order(title, board, records))
    return sorted(orders, key=lambda order: order.name)


def over_methods(tau: float, methods: int) -> Span:
    """Confidence limits of the population τ by test inversion, for scores u and ρu + √(1 − ρ²)e, ρ = sin(πτ/2).

    A pair of methods is concordant exactly when tan(πτ/2) > −Δe/Δu, so in every draw the sample τ grows with the
    population's and reaches c concordant pairs at the c-th smallest of these ratios: no search is needed.
    """
    pairs = methods * (methods - 1) // 2
    concordant = round((tau + 1) / 2 * pairs, 6)  # not whole when τ-b saw equal places: then the wider side
    rng = np.random.default_rng(0)
    i, j = np.triu_indices(methods, 1)
    u, e = rng.standard_normal((2, DRAWS, methods))
    turns = np.sort(-(e[:, i] - e[:, j]) / (u[:, i] - u[:, j]), axis=1)
    reached, passed = floor(concordant), ceil(concordant)
    tail = (1 - LEVEL) / 2
    low = -1.0 if reached == 0 else 2 / pi * atan(np.quantile(turns[:, reached - 1], tail))
    high = 1.0 if passed == pairs else 2 / pi * atan(np.quantile(turns[:, passed], 1 - tail))
    return low, high


def _board_order(name: str, board: Board, records: Sequence[Record]) -> Order:
    own = [record for record in records if record["experiment"]["hash"] == board.hash]
    methods, left_out = _methods([record for record in own if record["method"]["name"] != SINGLE], board.label_of)
    rows = {methods[row.label]: row for row in board.rows if row.label in methods}
    if rows and not any(row.delta_m for row in rows.values()):
        raise BenchError(
            f"Board {name!r} has no Δm to order methods by; leave its records out. {' '.join(board.notes)}"
        )
    return Order(
        name,
        {method: row.delta_m.mean if row.delta_m and not row.diverged else -inf for method, row in rows.items()},
        {method: row.per_seed for method, row in rows.items() if not row.diverged},
        left_out,
    )


def _methods(records: Sequence[Record], label_of: LabelOf) -> tuple[dict[str, str], tuple[str, ...]]:
    """Row label → method name; of several configurations of one method the plain one, labelled by its name alone or as
    its YAML has it. Beside it the methods that have several and no plain one."""
    labels: dict[str, list[str]] = {}
    for entry in method_entries(records):
        method = next(iter(next(iter(entry.runs.values())).values()))["method"]["name"]
        labels.setdefault(method, []).append(entry.label)
    plain = {method: label_of(method) if len(found) > 1 else found[0] for method, found in labels.items()}
    unclear = tuple(sorted(method for method, found in labels.items() if plain[method] not in found))
    return {label: method for method, label in plain.items() if method not in unclear}, unclear


def _tau(first: Sequence[float], second: Sequence[float]) -> float | None:
    if min(len(set(first)), len(set(second))) < 2:
        return None
    return float(stats.kendalltau(first, second, variant="b").statistic)


def _over_seeds(first: Order, second: Order, shared: Sequence[str]) -> Span | None:
    boards = sum(bool(order.per_seed) for order in (first, second))
    a, b = (_pairs(order, shared, 1 - (1 - LEVEL) / max(boards, 1)) for order in (first, second))
    if not boards or a is None or b is None:
        return None
    product = [0.0 if 0 in (x, y) else x * y for x, y in zip(a, b, strict=True)]  # a tie adds nothing, open or not
    fixed = sum(value for value in product if isfinite(value))
    free = sum(not isfinite(value) for value in product)
    scale = sqrt(sum(x != 0 for x in a) * sum(y != 0 for y in b))
    return (fixed - free) / scale, (fixed + free) / scale


def _pairs(order: Order, methods: Sequence[str], level: float) -> list[float] | None:
    """Per pair of methods its sign, or ∞ where the seeds leave it open; None when too few seeds are shared to say."""
    margin = _margin([order.per_seed[method] for method in methods if method in order.per_seed], level)
    if margin is None:
        return None
    signs = []
    for one, other in combinations(methods, 2):
        x, y = order.delta_m[one], order.delta_m[other]
        settled = not (one in order.per_seed and other in order.per_seed) or abs(x - y) > margin
        signs.append(float((x > y) - (x < y)) if settled else inf)
    return signs


def _margin(runs: Sequence[Mapping[int, float]], level: float) -> float | None:
    """Tukey's honest significant difference q √(s²/n) of a grid of methods × shared seeds; 0 with nothing to test."""
    if len(runs) < 2:
        return 0.0
    seeds = sorted(set.intersection(*(set(run) for run in runs)))
    if len(seeds) < 2:
        return None
    model = additive_model([{seed: run[seed] for seed in seeds} for run in runs])
    if model is None:
        return None
    return float(stats.studentized_range.ppf(level, len(runs), model.df)) * sqrt(model.variance / len(seeds))

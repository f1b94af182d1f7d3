"""Which evaluation a run is reported at, and everything that is read off the weights it had there."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile

from mtl_bench.data.packed import Field
from mtl_bench.data.split import Split
from mtl_bench.pictures import Pictures
from mtl_bench.records.record import Evaluation
from mtl_bench.training.evaluation import evaluate
from mtl_bench.training.model_forward import ModelForward
from mtl_bench.training.protocol import Reporting
from mtl_bench.training.samples import take_pictures
from mtl_bench.training.selection import Metrics, mean_metrics
from mtl_bench.training.state import RunState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Selected:
    """What a run reports. `other_tests` are the splits beside `test`; `pictures` None: none were asked for.

    Under a rule that averages evaluations the last two are of the last weights.
    """

    test: Metrics
    val: Metrics
    other_tests: dict[str, Metrics]
    pictures: Pictures | None


class Evaluator:
    """Looks at the splits other than train: val as often as the protocol says, test as the selection rule asks.

    Further splits named `test_…` are tested once, at the weights that are selected.
    """

    def __init__(self, forward: ModelForward, splits: Mapping[str, Split], reporting: Reporting) -> None:
        self.forward, self.splits, self.reporting = forward, splits, reporting

    def metrics(self, split: str) -> Metrics:
        """{} for a split that is not there."""
        if split not in self.splits:
            return {}
        return evaluate(self.forward, self.splits[split], self.reporting.evaluation_batch_size)

    def look(self, state: RunState, batch: int, epoch: float, train: dict[str, float], remaining: int) -> Evaluation:
        """One evaluation, added to `state`, which keeps the weights if the rule says so."""
        rule, val = self.reporting.selection, self.metrics("val")
        if rule.keeps(val, state.validations):
            state.kept = {name: tensor.clone() for name, tensor in self.forward.model.state_dict().items()}
            state.kept_at = len(state.evaluations)
        test = self.metrics("test") if rule.tests(remaining) else None
        found: Evaluation = {"batch": batch, "epoch": epoch, "train": train, "val": val, "test": test}
        state.evaluations.append(found)
        return found

    def select(self, state: RunState, fields: Mapping[str, Field], pictures: int, given_up: bool = False) -> Selected:
        """Puts the model at the weights that are reported, and reads everything off them."""
        test, val = self._selected(state)
        if not given_up:
            self._tell_what_is_missing(state)
        others = {split: self.metrics(split) for split in self.splits if split.startswith("test_")}
        taken = take_pictures(self.forward, self.splits["test"], fields, pictures) if pictures else None
        return Selected(test, val, others, taken)

    def _selected(self, state: RunState) -> tuple[Metrics, Metrics]:
        rule, tests = self.reporting.selection, self._last_tests(state)
        if state.kept is not None:
            val = state.validations[state.kept_at]
            if rule.scalar(val) == -math.inf:
                log.warning("Selection %s saw no validation that is a number; the first one is reported.", rule.name)
            self.forward.model.load_state_dict(state.kept)
            state.evaluations[state.kept_at]["test"] = test = self.metrics("test")
            return test, val
        if not tests:  # given up before the end: the weights as they are
            return self.metrics("test"), self.metrics("val")
        vals = state.validations[-len(tests) :]
        return mean_metrics(tests), mean_metrics(vals) if vals[0] else {}

    def _last_tests(self, state: RunState) -> list[Metrics]:
        """Those that are averaged: where batches cost unlike more may be tested, how many are to come was a guess."""
        tested = takewhile(lambda test: test is not None, (one["test"] for one in reversed(state.evaluations)))
        return [test for test in tested if test is not None][: self.reporting.selection.averaged][::-1]

    def _tell_what_is_missing(self, state: RunState) -> None:
        rule, found = self.reporting.selection, len(self._last_tests(state))
        if 0 < found < min(rule.averaged, len(state.evaluations)):
            log.warning(
                "Selection %s is the mean of the last %d evaluations alone: later batches cost more, and the budget "
                "ended sooner than was foreseen.",
                rule.name,
                found,
            )

"""Arrays that are written a few samples at a time, and continued where a killed process left them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mtl_bench.data.fields import Arrays, Field, unfit
from mtl_bench.data.growing import GrowingFile
from mtl_bench.errors import BenchError
from mtl_bench.records.atomic import remove_leftovers, write_atomic

STATE = "started.json"
CHUNK = 8 << 20  # bytes made and written together
OnError = Literal["raise", "skip"]


@dataclass(frozen=True)
class Samples:
    """The samples of a split, made when they are asked for: `read(range(256, 512))` gives those 256 of every field.

    What is read must depend on the range alone, so that a write can be continued, and not on how it is cut. `read`
    raises Unreadable for samples that are damaged, which the writer may leave out.
    """

    count: int
    read: Callable[[range], Arrays]

    @classmethod
    def of(cls, arrays: Arrays) -> "Samples":
        """Whole arrays, which are in memory or mapped into it."""
        count = len(next(iter(arrays.values())))
        return cls(count, lambda rows: {name: array[rows.start : rows.stop] for name, array in arrays.items()})


class Unfit(BenchError):
    """Samples that are not what their fields say: going on with what is written would not help."""


class Unreadable(BenchError):
    """Some of the samples asked for are damaged: `reasons`, a sentence by position; `others` are those that are not."""

    def __init__(self, reasons: Mapping[int, str], others: Arrays) -> None:
        super().__init__(reasons[min(reasons)])
        self.reasons, self.others = dict(reasons), others


class Stream:
    """What has been written to a started folder; `STATE` in it says how many samples of every split are done.

    `made_from` says what is being written; a folder that was started with something else starts over. Samples that
    cannot be read end the write or, with `on_error="skip"`, are left out and named in `skipped`.
    """

    def __init__(self, folder: Path, made_from: Mapping[str, Any], on_error: OnError = "raise") -> None:
        self.folder, self.made_from, self.on_error = folder, json.loads(json.dumps(made_from)), on_error
        remove_leftovers(folder)
        self.done, self.skipped = self._started()
        if not self.done:
            for path in folder.iterdir():
                path.unlink()

    def write(self, split: str, samples: Samples, fields: Mapping[str, Field]) -> int:
        """Appends what is missing of a split; returns how many samples it holds then.

        The samples done last are made a second time: when they come out differently, their source is another one by
        now, and the split starts over. Raises Unfit for samples that are not what their fields say.
        """
        files = {
            name: GrowingFile(self.folder / file_name(split, name), field, samples.count)
            for name, field in fields.items()
        }
        step = max(1, CHUNK // max(1, sum(file.sample for file in files.values())))
        skipped = self.skipped.setdefault(split, {})
        done = self.done.get(split, 0)
        if skipped and self.on_error == "raise":  # from where the first one was left out: it may be whole by now
            done = min(skipped)
        last = range(max(0, done - step), done)
        if last and not self._holds(files, split, samples, fields, last):
            done = 0
        self.skipped[split] = skipped = {at: reason for at, reason in skipped.items() if at < done}
        for file in files.values():
            file.cut(done - len(skipped))
        self._keep(split, done)
        for start in range(done, samples.count, step):
            rows = range(start, min(start + step, samples.count))
            made, reasons = self._made(split, samples, fields, rows)
            for name, file in files.items():
                file.append(made[name])
            skipped.update(reasons)
            self._keep(split, rows.stop)
        for file in files.values():
            file.close(samples.count - len(skipped))
        return samples.count - len(skipped)

    def close(self) -> None:
        """Everything is done."""
        (self.folder / STATE).unlink()

    def _holds(
        self, files: Mapping[str, GrowingFile], split: str, samples: Samples, fields: Mapping[str, Field], rows: range
    ) -> bool:
        """Whether these samples come out as they were written."""
        before = self.skipped[split]
        made, reasons = self._made(split, samples, fields, rows)
        start = rows.start - sum(at < rows.start for at in before)
        same = set(reasons) == {at for at in before if at in rows}
        return same and all(file.holds(made[name], start) for name, file in files.items())

    def _made(
        self, split: str, samples: Samples, fields: Mapping[str, Field], rows: range
    ) -> tuple[Arrays, Mapping[int, str]]:
        """The samples, and why which of them are none."""
        reasons: Mapping[int, str] = {}
        try:
            made = samples.read(rows)
        except Unreadable as error:
            if self.on_error == "raise":
                raise
            made, reasons = error.others, error.reasons
        except OSError as error:  # not to be taken for one of writing
            raise BenchError(
                f"Samples {rows.start} to {rows.stop - 1} of split `{split}` cannot be read ({error}); check the "
                "official files and run the command again, which continues there."
            ) from error
        if wrong := unfit(f"split `{split}`", made, fields, len(rows) - len(reasons)):
            raise Unfit(wrong)
        return made, reasons

    def _started(self) -> tuple[dict[str, int], dict[str, dict[int, str]]]:
        try:
            state = json.loads((self.folder / STATE).read_text())
            if state["made_from"] != self.made_from:
                return {}, {}
            skipped = {split: {int(at): r for at, r in reasons.items()} for split, reasons in state["skipped"].items()}
            return state["done"], skipped
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}, {}

    def _keep(self, split: str, done: int) -> None:
        self.done[split] = done
        state = {"made_from": self.made_from, "done": self.done, "skipped": self.skipped}
        write_atomic(self.folder / STATE, json.dumps(state))


def file_name(split: str, field: str) -> str:
    return f"{split}.{field}.npy"

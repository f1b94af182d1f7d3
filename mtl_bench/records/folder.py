"""Where a run keeps its files."""

from dataclasses import dataclass, replace
from pathlib import Path

from mtl_bench.errors import BenchError
from mtl_bench.records.lock import LOCK_NAME, RunLock
from mtl_bench.records.record import RECORD_NAME, load_record

HISTORY_NAME = "history.jsonl"
PREDICTIONS_NAME = "predictions.npz"
DIGITS = 12  # of a hash, in the names of folders


@dataclass(frozen=True)
class RunFolder:
    """`<root>/<experiment>/<method>/<hash>/seed-<n>`: `hash` is the full identity, its first DIGITS are shown."""

    root: Path
    experiment: str
    method: str
    hash: str
    seed: int

    @property
    def path(self) -> Path:
        return self.root / self.experiment / self.method / self.hash[:DIGITS] / f"seed-{self.seed}"

    @property
    def record(self) -> Path:
        return self.path / RECORD_NAME

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.pt"

    @property
    def history(self) -> Path:
        return self.path / HISTORY_NAME

    @property
    def predictions(self) -> Path:
        return self.path / PREDICTIONS_NAME

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    def namesakes(self) -> list["RunFolder"]:
        """Where the same run may lie under other experiments of this root, in the order of their names."""
        found = self.root.glob(f"*/{self.method}/{self.hash[:DIGITS]}/seed-{self.seed}/{RECORD_NAME}")
        names = sorted(path.parents[3].name for path in found)
        return [replace(self, experiment=name) for name in names if name != self.experiment]

    def create(self) -> None:
        """Raises BenchError when the folder cannot be made."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchError(f"{self.path} cannot be created ({error.strerror}); choose another folder.") from error

    def lock(self) -> RunLock:
        """The lock of this run; the folder must exist."""
        return RunLock(self.path / LOCK_NAME)

    def finished(self) -> bool:
        """Whether a record of exactly this identity lies here; Damaged when it cannot be used."""
        return self.record.exists() and load_record(self.record)["hash"] == self.hash

"""What is left of a run, and when two runs are the same one: identity, run folder, lock, history and record.

Standard library only, so that everything derived from records can be read without torch.
"""

from mtl_bench.records.folder import RunFolder
from mtl_bench.records.identity import identity_hash
from mtl_bench.records.record import Record, Shared

__all__ = ["Record", "RunFolder", "Shared", "identity_hash"]

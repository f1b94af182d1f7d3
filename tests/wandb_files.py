"""What `wandb sync` would read from an offline run."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record


def written(folder: Path, part: int = 0, parts: int = 1) -> dict[str, Any]:
    """What `wandb sync` would read from the offline run below `folder`, one of so many parts in the order of time."""
    paths = sorted(folder.glob("wandb/offline-run-*/*.wandb"))
    assert len(paths) == parts
    path = paths[part]
    found: dict[str, Any] = {"config": {}, "history": [], "summary": {}, "metrics": [], "kinds": set()}
    for record in records(path.read_bytes()):
        found["kinds"].add(record.WhichOneof("record_type"))
        if record.HasField("run"):
            found |= {"id": record.run.run_id, "group": record.run.run_group, "name": record.run.display_name}
            found |= {"project": record.run.project, "tags": list(record.run.tags)}
            found["config"] |= items(record.run.config.update)
        elif record.HasField("history"):
            found["history"].append(items(record.history.item))
        elif record.HasField("summary"):
            found["summary"] |= items(record.summary.update)
        elif record.HasField("metric"):
            found["metrics"].append((record.metric.name or record.metric.glob_name, record.metric.step_metric))
    return found


def records(data: bytes) -> Iterator[Record]:
    """The LevelDB log of a `.wandb` file: 7 bytes of header, then chunks (crc, length, type) in blocks of 32 KiB."""
    assert data[:4] == b":W&B"
    position, parts = 7, b""
    while position + 7 <= len(data):
        if 32768 - position % 32768 < 7:  # a chunk header never crosses a block
            position += 32768 - position % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, position)
        parts += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # full or last
            yield Record.FromString(parts)
            parts = b""


def items(pairs: Any) -> dict[str, Any]:
    return {pair.key or "/".join(pair.nested_key): json.loads(pair.value_json) for pair in pairs}

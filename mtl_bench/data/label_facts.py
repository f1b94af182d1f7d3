"""What one look at all stored labels of a field has told, kept beside them: later starts need not look again."""

import io
import json
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from mtl_bench.data.encoding import pieces
from mtl_bench.data.fields import strange
from mtl_bench.data.packed import Packed
from mtl_bench.data.stream import file_name
from mtl_bench.errors import BenchError
from mtl_bench.records.atomic import write_atomic

FORMAT = 3  # of the kept file, and of what a look refuses: another number makes all of them anew


@dataclass(frozen=True)
class LabelFacts:
    """`labelled` are the samples with a label in any of their elements; `span` is the lowest and the highest class or
    number of a label. Of classes -1, which is none, counts, and is all there is where there are no samples.
    """

    labelled: Bool[np.ndarray, "size"]
    span: tuple[float, float]


def label_facts(packed: Packed, split: str, name: str) -> LabelFacts:
    """Of one field of one split: as an earlier call kept it, or else by a look at every label, which is kept.

    What was kept of other content, of an encoding that has changed, or is damaged counts for nothing and is replaced;
    a folder that cannot be written keeps nothing. Raises BenchError for an unknown split, and for stored labels that
    their encoding does not know.
    """
    arrays = packed.arrays(split)  # first: it knows the splits
    path, key = packed.folder / f"{split}.{name}.labels.npz", _key(packed, split, name)
    if (kept := _kept(path, key, len(arrays[name]))) is not None:
        return kept
    found = _look(packed, split, name, arrays[name])
    _keep(path, key, found)
    return found


def _look(packed: Packed, split: str, name: str, array: np.ndarray) -> LabelFacts:
    """A piece at a time, each once from the disk."""
    field = packed.manifest.fields[name]
    labelled, spans = [np.empty(0, bool)], []
    for piece in pieces(array):
        if wrong := strange(f"split `{split}`", name, field, piece):
            raise BenchError(f"{packed.folder}: {wrong}, delete the folder and prepare the dataset again.")
        known = field.encoding.labelled(piece)
        labelled.append(np.any(known.reshape(len(known), -1), axis=1))
        spans.append(field.encoding.span(piece))
    lows, highs = zip(*spans or [(-1, -1)], strict=True)
    return LabelFacts(np.concatenate(labelled), (min(lows), max(highs)))


def _key(packed: Packed, split: str, name: str) -> str:
    """All that the facts depend on; the time is of a file that someone has mended by hand."""
    file, manifest = file_name(split, name), packed.manifest
    changed = (packed.folder / file).stat().st_mtime_ns
    content = [FORMAT, manifest.digest, manifest.files[file]["sha256"], changed, manifest.fields[name].written]
    return json.dumps(content, sort_keys=True)


def _kept(path: Path, key: str, size: int) -> LabelFacts | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["key"]) != key:
                return None
            labelled = np.unpackbits(file["labelled"], count=size).astype(bool)
            low, high = file["span"].tolist()
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error):
        return None
    return LabelFacts(labelled, (low, high))


def _keep(path: Path, key: str, facts: LabelFacts) -> None:
    content = io.BytesIO()
    np.savez(content, key=key, labelled=np.packbits(facts.labelled), span=np.array(facts.span))
    with suppress(BenchError):  # data may lie where nobody may write
        write_atomic(path, content.getvalue())

"""CIFAR-100 as twenty tasks: which of the five classes of its superclass an image shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.cifar_pickle import COARSE, FILES, FOLDER, REMEDY, SIDE, read_cifar
from mtl_bench.data.official import Inventory, Sample, Tally
from mtl_bench.data.sources import SourceFile
from mtl_bench.data.whole_files import WholeFiles, find_file, numbered

WHOLE = {"train": 50_000, "test": 10_000}
NAMES = (  # the official ones in their order, the hyphens of two as underscores
    *("aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables", "household_electrical_devices"),
    *("household_furniture", "insects", "large_carnivores", "large_man_made_outdoor_things"),
    *("large_natural_outdoor_scenes", "large_omnivores_and_herbivores", "medium_mammals", "non_insect_invertebrates"),
    *("people", "reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2"),
)
SUPERCLASS = (  # of each of the 100 classes in alphabetical order, apple to worm
    *(4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7),
    *(6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10),
    *(16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16),
    *(12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13),
)
PLACE = tuple(SUPERCLASS[:number].count(superclass) for number, superclass in enumerate(SUPERCLASS))


@dataclass(frozen=True, kw_only=True)
class CIFAR100Superclasses(WholeFiles):
    """CIFAR-100 (Krizhevsky 2009) as twenty tasks with inputs of their own (Rosenbaum et al., ICLR 2018).

    One field per superclass: 0 to 4 for its classes in alphabetical order, -1 (no label) for images of any other, so
    that every image is labelled for one task. `fine` is the official class, 0 to 99, `row` the position in the file.
    2,500 training and 500 test images per task. `val` training images, drawn with `data_seed`, are held out.
    """

    name: str = "cifar100_superclasses"
    val: int = 0
    data_seed: int = 0

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("uint8", (3, SIDE, SIDE), "uint8/255"),
            **{name: Field("int8", (), "class") for name in NAMES},
            "fine": Field("int8", (), "class"),
            "row": Field("int32", (), "index"),
        }

    def find(self, folder: Path) -> Inventory:
        source = "CIFAR-100, official files"
        paths = {part: _inside(folder, part) for part in FILES}
        tallies = [Tally("", part, int(path.is_file()), int(not path.is_file())) for part, path in paths.items()]
        if missing := [f"{path} is missing; {REMEDY}." for path in paths.values() if not path.is_file()]:
            return Inventory(source, {}, tallies, fatal=missing)
        for path in paths.values():
            _, fine, coarse = read_cifar(path)
            right = bool((np.array(SUPERCLASS)[fine] == coarse).all())
            SourceFile(path, REMEDY).require(right, f"puts classes into other superclasses than the {COARSE} official")
        parts = {part: (path, len(read_cifar(path)[1])) for part, path in paths.items()}
        counts = {part: count for part, (_, count) in parts.items()}
        variant = "" if counts == WHOLE else f"a part of CIFAR-100, {counts['train']} + {counts['test']} images"
        samples = numbered(parts, self.val, self.data_seed)
        tallies += [Tally(split, "images", len(found)) for split, found in samples.items()]
        return Inventory(source, samples, tallies, variant=variant)

    def read(self, sample: Sample) -> Arrays:
        (path,) = sample.files.values()
        images, fine, _ = read_cifar(path)
        number = int(fine[sample.row])
        labels = np.full(COARSE, -1, np.int8)
        labels[SUPERCLASS[number]] = PLACE[number]
        return {
            "image": images[sample.row],
            **dict(zip(NAMES, labels, strict=True)),
            "fine": np.array(number, np.int8),
            "row": np.array(sample.row, np.int32),
        }


def _inside(folder: Path, part: str) -> Path:
    """`folder` may be the official one itself."""
    return folder / part if (folder / part).is_file() else find_file(folder, f"{FOLDER}/{part}")

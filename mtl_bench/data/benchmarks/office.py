"""Office-31 and Office-Home: one classification task per domain, each image labelled for its domain's alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.picture_files import read_photo
from mtl_bench.data.maps.resizing import resized
from mtl_bench.data.official import Inventory, OfficialDataset, Sample, Tally
from mtl_bench.errors import BenchError

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}  # of every domain, the last one takes what is left
PHOTOS = {".jpg", ".jpeg", ".png"}
REMEDY = "download {name} from its authors' page and unpack it there"


@dataclass(frozen=True, kw_only=True)
class Office(OfficialDataset):
    """A folder per domain with a folder of images per class, `domains` and `classes` many.

    Office-31 (Saenko et al., ECCV 2010) and Office-Home (Venkateswara et al., CVPR 2017) have no official split. As in
    LibMTL 60, 20 and 20 % of every domain train, validate and test; which ones is drawn here with `data_seed`, while
    LibMTL ships lists. Images are resized to `size` × `size`, as there, bilinear with antialiasing.

    A domain is a target field of its name (blanks as underscores): the class from 0 on in alphabetical order, -1 for
    images of other domains.

    Raises BenchError for fewer than two domains, and for a size below 1.
    """

    domains: Sequence[str]
    classes: int
    name: str
    size: int = 224
    data_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.__dict__.update(domains=tuple(self.domains))  # a list may be given
        if len(self.domains) < 2 or self.size < 1:
            raise BenchError(f"Dataset {self.name} needs two domains or more and a size of at least 1 pixel.")

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("uint8", (3, self.size, self.size), "uint8/255"),
            **{field_of(domain): Field("int8", (), "class") for domain in self.domains},
        }

    def find(self, folder: Path) -> Inventory:
        source, remedy = f"{self.name}, folders of images", REMEDY.format(name=self.name)
        places = {domain: _located(folder, domain) for domain in self.domains}
        fatal, tallies = [], []
        splits: dict[str, list[Sample]] = {split: [] for split in SHARES}
        for domain, place in places.items():
            photos = photos_in(place)
            tallies.append(Tally("", domain, len(photos), int(not photos)))
            if not photos:
                fatal.append(f"{place} with a folder of images per class is missing; {remedy}.")
            elif (found := len(class_names(place))) != self.classes:
                fatal.append(f"{place} holds images of {found} classes instead of {self.classes}; {remedy}.")
            for split, chosen in self._split(photos).items():
                splits[split] += [Sample(f"{domain}/{at.parent.name}/{at.name}", {domain: at}) for at in chosen]
        if not fatal and len({class_names(place) for place in places.values()}) > 1:
            fatal.append(f"The domains in {folder} do not have the same classes; {remedy}.")
        return Inventory(source, {} if fatal else splits, tallies, fatal=fatal)

    def read(self, sample: Sample) -> Arrays:
        ((domain, path),) = sample.files.items()
        labels = {field_of(other): np.array(-1, np.int8) for other in self.domains}
        labels[field_of(domain)] = np.array(class_names(path.parent.parent).index(path.parent.name), np.int8)
        photo = read_photo(path, REMEDY.format(name=self.name))
        return {"image": resized(photo, (self.size, self.size)), **labels}

    def _split(self, photos: Sequence[Path]) -> dict[str, list[Path]]:
        order = np.random.RandomState(self.data_seed).permutation(len(photos))  # a frozen stream
        ends = np.cumsum([int(share * len(photos)) for share in SHARES.values()])[:-1]
        parts = np.split(order, ends)
        return {split: [photos[at] for at in np.sort(part)] for split, part in zip(SHARES, parts, strict=True)}


def field_of(domain: str) -> str:
    return domain.replace(" ", "_")


def photos_in(place: Path) -> list[Path]:
    return sorted(path for path in place.glob("*/*") if path.suffix.lower() in PHOTOS)


@lru_cache(maxsize=8)
def class_names(place: Path) -> tuple[str, ...]:
    """Folders that hold photos; archives bring others along."""
    return tuple(sorted({path.parent.name for path in photos_in(place)}))


def _located(folder: Path, domain: str) -> Path:
    """The folder of a domain, however its blanks are written; Office-31 has its classes in `images` below it."""
    spelled = [domain, field_of(domain), domain.replace(" ", "")]
    found = (place for spelling in spelled for depth in ("", "*/") for place in sorted(folder.glob(depth + spelling)))
    inside = [place / "images" if (place / "images").is_dir() else place for place in found if place.is_dir()]
    return inside[0] if inside else folder / domain

"""PASCAL-Context for five tasks: classes, human parts, saliency, surface normals and edges."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Shaped

from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.pascal_mt import (
    IN_NYU,
    REMEDY,
    edges_between,
    read_classes,
    read_human_parts,
    read_label_map,
)
from mtl_bench.data.formats.picture_files import read_photo, read_picture
from mtl_bench.data.maps.canvas import MEAN_COLOUR, centred, on_canvas
from mtl_bench.data.maps.resizing import nearest, resized
from mtl_bench.data.official import Inventory, OfficialDataset, Sample, take_stock
from mtl_bench.data.official.held_out import hold_out
from mtl_bench.data.official.split_lists import SplitLists, departure
from mtl_bench.data.sources import SourceFile
from mtl_bench.errors import check_choices

SIZE = (512, 512)
COUNTS = {"train": 4998, "test": 5105}
KINDS = {  # folder and ending
    "image": ("JPEGImages", ".jpg"),
    "labels": ("pascal-context/trainval", ".mat"),
    "segmentation": ("semseg/pascal-context", ".png"),
    "human_parts": ("human_parts", ".mat"),
    "normal": ("normals_distill", ".png"),
    "saliency": ("sal_distill", ".png"),
}
OF_VOC = "semseg/VOC12"  # goes before the other one
GREY = 128  # a normal without length
BLANK: Mapping[str, float | tuple[float, ...]] = {"image": MEAN_COLOUR, "normal": GREY}  # -1 elsewhere


@dataclass(frozen=True, kw_only=True)
class PascalContext(OfficialDataset):
    """PASCAL_MT (Maninis et al. 2019): 4,998 training and 5,105 test photos of PASCAL-Context, five kinds of labels.

    `segmentation` has VOC's 20 classes and background, `human_parts` background and six parts of people, in pictures
    without people no label; `saliency` and `normal` are what networks of 2017 predicted (normals only where the class
    is one that NYUv2 has too, as released), `edge` lies between any two of Context's 459 classes, thinned.

    Photos have many sizes, up to 500 × 500. `fit` makes them 512 × 512: `pad` puts each into the middle, around it
    ImageNet's mean colour and no label (InvPT, sel-update-mtl); `stretch` resizes it, images bilinear, all else the
    nearest pixel (ASTMT and MTI-Net, whose images are bicubic). Normals keep the axes of the files; that these are
    right, down and away is inferred from how the released loaders turn and mirror them, and not known of the third.

    `val` training photos, drawn with `data_seed`, are held out: the official `val` is everybody's test set.
    """

    name: str = "pascal_context"
    fit: Literal["pad", "stretch"] = "pad"
    val: int = 0
    data_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices(self, f"Dataset {self.name}: ")

    @property
    def fields(self) -> Mapping[str, Field]:
        classes = Field("int8", SIZE, "class", "", "map")
        return {
            "image": Field("uint8", (3, *SIZE), "uint8/255"),
            "segmentation": classes,
            "human_parts": classes,
            "saliency": classes,
            "normal": Field("uint8", (3, *SIZE), {"name": "normal"}, "", "normal"),
            "edge": classes,
            "photo": Field("int32", (), "index"),
        }

    def find(self, folder: Path) -> Inventory:
        source = "PASCAL-Context for several tasks, PASCAL_MT"
        root = folder / "PASCAL_MT" if (folder / "PASCAL_MT").is_dir() else folder
        lists = SplitLists(root / "ImageSets" / "Context", REMEDY)
        if lists.fatal:
            return Inventory(source, {}, lists.tallies, fatal=lists.fatal)
        names = lists.read()
        of_voc = {path.stem for path in (root / OF_VOC).glob("*.png")}
        expected = {
            split: [Sample(name, _files(root, name, name in of_voc), row) for row, name in enumerate(listed)]
            for split, listed in names.items()
        }
        held = hold_out(expected, self.val, self.data_seed)
        return take_stock(source, held, dict.fromkeys(KINDS, REMEDY), departure(names, COUNTS))

    def read(self, sample: Sample) -> Arrays:
        files = sample.files
        image, labels = read_photo(files["image"], REMEDY), read_label_map(files["labels"])
        size = (image.shape[1], image.shape[2])
        SourceFile(files["image"], REMEDY).require(max(size) <= min(SIZE), f"has {size[1]}×{size[0]} pixels")
        saliency, normal = (read_picture(files[name], REMEDY) for name in ("saliency", "normal"))
        SourceFile(files["normal"], REMEDY).require(normal.shape[2:] == (3,), "has no three channels")
        known = np.isin(_sized(labels, size), IN_NYU)
        arrays = {
            "image": image,
            "segmentation": _sized(read_classes(files["segmentation"]), size),
            "human_parts": _sized(read_human_parts(files["human_parts"], (labels.shape[0], labels.shape[1])), size),
            "saliency": _sized((saliency > 127).astype(np.int8), size),  # v / 255 > 0.5
            "normal": np.where(known, _sized(normal.transpose(2, 0, 1), size), np.uint8(GREY)),
            "edge": _sized(edges_between(labels).astype(np.int8), size),
        }
        fitted = _padded if self.fit == "pad" else _stretched
        return {
            **{name: fitted(name, array) for name, array in arrays.items()},
            "photo": np.array(sample.row, np.int32),
        }


def _files(root: Path, name: str, of_voc: bool) -> dict[str, Path]:
    files = {kind: root / folder / f"{name}{ending}" for kind, (folder, ending) in KINDS.items()}
    return {**files, "segmentation": root / OF_VOC / f"{name}.png"} if of_voc else files


def _sized(array: Shaped[np.ndarray, "*channels _ _"], size: tuple[int, int]) -> Shaped[np.ndarray, "*channels _ _"]:
    """Nearest pixels, where a map is not of the photo's size."""
    if array.shape[-2:] == size:
        return array
    rows, cols = (nearest(new, old) for new, old in zip(size, array.shape[-2:], strict=True))
    return array[..., rows[:, None], cols]


def _padded(name: str, array: np.ndarray) -> np.ndarray:
    start = centred((array.shape[-2], array.shape[-1]), SIZE)
    return on_canvas(array, SIZE, start, BLANK.get(name, -1))


def _stretched(name: str, array: np.ndarray) -> np.ndarray:
    return resized(array, SIZE) if name == "image" else _sized(array, SIZE)

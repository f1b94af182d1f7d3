"""NYUD-MT: NYU Depth v2 with 40 classes, depth, normals and edges, as the papers since ASTMT use it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Shaped

from mtl_bench.data.fields import Arrays, Field
from mtl_bench.data.formats.nyud_mt import (
    REMEDY,
    SUFFIXES,
    frame_size,
    read_classes_40,
    read_depth,
    read_edges,
    read_vectors,
    suffixes_in,
)
from mtl_bench.data.formats.nyuv2_normals import AXES, check_axes
from mtl_bench.data.formats.picture_files import read_photo
from mtl_bench.data.maps.canvas import MEAN_COLOUR, centred, on_canvas
from mtl_bench.data.official import Inventory, OfficialDataset, Sample, take_stock
from mtl_bench.data.official.held_out import hold_out
from mtl_bench.data.official.split_lists import SplitLists, departure
from mtl_bench.data.sources import SourceFile
from mtl_bench.errors import check_choices

COUNTS = {"train": 795, "test": 654}
FRAMES = {"full": (480, 640), "cropped": (425, 560)}
BOX = (45, 41)  # where the cropped frame starts in the full one
CANVAS = {"full": (480, 640), "cropped": (448, 576)}
VARIANTS = {  # by the frames in the folder and those asked for
    ("full", "full"): "",
    ("full", "cropped"): "full frames, cropped to 425×560 here",
    ("cropped", "full"): "frames of 425×560, put into full ones",
    ("cropped", "cropped"): "frames of 425×560",
}


@dataclass(frozen=True, kw_only=True)
class NYUD(OfficialDataset):
    """NYUD-MT (Maninis et al. 2019; Vandenhende et al. 2020; InvPT): 795 training and 654 test frames of NYU Depth v2.

    The folder holds full frames of 480 × 640 (ASTMT, MTI-Net) or those cropped to the 425 × 560 pixels that both
    cameras see (InvPT, sel-update-mtl), which is told by what it holds, and so is the form of every kind of file. What
    is stored is what `frame` says: `full` frames, or `cropped` ones in the middle of 448 × 576, ImageNet's mean colour
    and no label around them. Full frames are cropped at row 45, column 41 (inferred from the size), cropped ones put
    there.

    Depth 0, class 0, and vectors that are no unit vectors are no label. `axes` says which channel of the normals,
    counted from 1, points right, down and away from the camera, negative where it points the other way. That channels
    1 and 2 point right and down is inferred from how the released loaders turn and mirror them; of the third it is not
    known.

    `val` training frames, drawn with `data_seed`, are held out: 159 give the 636 / 159 / 654 of `nyuv2`, in sizes.

    Raises BenchError for other values.
    """

    name: str = "nyud"
    frame: Literal["full", "cropped"] = "full"
    axes: tuple[int, ...] = AXES
    val: int = 0
    data_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choices(self, f"Dataset {self.name}: ")
        check_axes(self.name, self.axes)

    @property
    def size(self) -> tuple[int, int]:
        return CANVAS[self.frame]

    @property
    def fields(self) -> Mapping[str, Field]:
        return {
            "image": Field("uint8", (3, *self.size), "uint8/255"),
            "segmentation": Field("int8", self.size, "class", "", "map"),
            "depth": Field("float32", (1, *self.size), {"name": "number", "invalid": 0.0}, "m", "depth"),
            "normal": Field("float16", (3, *self.size), "float", "", "normal"),
            "edge": Field("int8", self.size, "class", "", "map"),
            "place": Field("int32", (), "index"),
        }

    def find(self, folder: Path) -> Inventory:
        source = "NYU Depth v2 for several tasks, NYUD-MT"
        inside = next((one.parent for one in sorted(folder.glob("*/gt_sets"))), folder)
        root = folder if (folder / "gt_sets").is_dir() else inside
        lists = SplitLists(root / "gt_sets", REMEDY)
        if lists.fatal:
            return Inventory(source, {}, lists.tallies, fatal=lists.fatal)
        names = lists.read()
        endings = suffixes_in(root, [name for listed in names.values() for name in listed])
        expected = {
            split: [
                Sample(name, {kind: root / kind / f"{name}{endings[kind]}" for kind in SUFFIXES}, row)
                for row, name in enumerate(listed)
            ]
            for split, listed in names.items()
        }
        images = (sample.files["images"] for samples in expected.values() for sample in samples)
        first = next((path for path in images if path.is_file() and path.stat().st_size), None)
        variant = VARIANTS[_known(first, frame_size(first)), self.frame] if first else ""
        held = hold_out(expected, self.val, self.data_seed)
        told = ", ".join(filter(None, (variant, departure(names, COUNTS))))
        return take_stock(source, held, dict.fromkeys(SUFFIXES, REMEDY), told)

    def read(self, sample: Sample) -> Arrays:
        image = read_photo(sample.files["images"], REMEDY)
        size = (image.shape[1], image.shape[2])
        _known(sample.files["images"], size)
        vectors = read_vectors(sample.files["normals"])[..., [abs(axis) - 1 for axis in self.axes]] * np.sign(self.axes)
        maps = {
            "segmentation": (read_classes_40(sample.files["segmentation"]), "segmentation", -1),
            "depth": (read_depth(sample.files["depth"]), "depth", 0),
            "normal": (vectors.transpose(2, 0, 1).astype(np.float16), "normals", np.nan),
            "edge": (read_edges(sample.files["edge"]), "edge", -1),
        }
        for array, kind, _ in maps.values():
            right = array.shape[-2:] == size
            SourceFile(sample.files[kind], REMEDY).require(right, f"has the shape {array.shape}, its image {size}")
        stored = {name: self._framed(array, blank) for name, (array, _, blank) in maps.items()}
        return {
            **stored,
            "image": self._framed(image, MEAN_COLOUR),
            "depth": stored["depth"][None],
            "place": np.array(sample.row, np.int32),
        }

    def _framed(self, array: np.ndarray, blank: float | tuple[float, ...]) -> Shaped[np.ndarray, "*channels _ _"]:
        whole, part = FRAMES["full"], FRAMES["cropped"]
        if self.frame == "full":
            return array if array.shape[-2:] == whole else on_canvas(array, whole, BOX, blank)
        (row, column), (height, width) = BOX, part
        if array.shape[-2:] == whole:
            array = array[..., row : row + height, column : column + width]
        return on_canvas(array, self.size, centred(part, self.size), blank)


def _known(path: Path, size: tuple[int, int]) -> str:
    """Which kind of frame has this size. Raises BenchError for another one."""
    sizes = " or ".join(f"{width}×{height}" for height, width in FRAMES.values())
    found = next((name for name, known in FRAMES.items() if known == size), "")
    SourceFile(path, REMEDY).require(bool(found), f"has {size[1]}×{size[0]} pixels instead of {sizes}")
    return found

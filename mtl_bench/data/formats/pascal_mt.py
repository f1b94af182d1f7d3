"""PASCAL_MT: PASCAL-Context's photos with five kinds of labels, as ASTMT's authors put them together."""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int8, Int64
from scipy import ndimage

from mtl_bench.data.formats.mat_files import read_mat
from mtl_bench.data.formats.picture_files import read_picture
from mtl_bench.data.maps.thinning import thin
from mtl_bench.data.sources import SourceFile

REMEDY = "download PASCAL_MT.tgz again that github.com/facebookresearch/astmt (Maninis et al. 2019) links to"
PERSON = 15  # of the 20 categories of VOC
PARTS = {  # head, torso, upper and lower arms, upper and lower legs from PASCAL-Part's 24 names
    1: "hair head lear lebrow leye mouth nose rear rebrow reye",
    2: "neck torso",
    3: "luarm ruarm",
    4: "lhand llarm rhand rlarm",
    5: "luleg ruleg",
    6: "lfoot llleg rfoot rlleg",
}
PART_OF = {name: part for part, names in PARTS.items() for name in names.split()}

# Of the 459 classes of PASCAL-Context, counted from 1, those that are named like one of NYUv2's 894, and tvmonitor.
IN_NYU = (
    *(3, 4, 6, 9, 10, 11, 13, 15, 17, 18, 22, 23, 29, 30, 33, 34, 36, 37, 38, 39, 41, 43, 46, 49, 50, 51, 53, 55, 56),
    *(59, 61, 62, 65, 66, 68, 69, 72, 73, 78, 83, 84, 85, 87, 88, 95, 96, 101, 104, 105, 107, 111, 113, 115, 122, 124),
    *(135, 141, 142, 143, 146, 150, 154, 157, 158, 159, 165, 172, 174, 181, 183, 184, 191, 193, 195, 197, 199, 202),
    *(213, 215, 216, 219, 220, 223, 225, 228, 230, 232, 233, 238, 239, 242, 243, 246, 250, 251, 252, 255, 260, 261),
    *(263, 269, 272, 273, 275, 281, 283, 284, 285, 286, 287, 288, 290, 291, 292, 293, 295, 304, 307, 309, 310, 314),
    *(315, 319, 323, 329, 330, 331, 336, 342, 345, 349, 350, 351, 352, 355, 357, 368, 370, 371, 374, 379, 380, 383),
    *(384, 397, 401, 403, 405, 407, 408, 411, 412, 413, 414, 417, 419, 421, 423, 427, 429, 430, 432, 440, 441, 442),
    *(443, 444, 446, 454, 457),
)


def read_classes(path: Path) -> Int8[np.ndarray, "height width"]:
    """VOC's 20 classes and background; 255 in the file, border and void, is -1."""
    stored = read_picture(path, REMEDY)
    right = stored.ndim == 2 and bool(((stored <= 20) | (stored == 255)).all())
    SourceFile(path, REMEDY).require(right, "holds other labels than 0 to 20 and 255")
    return np.where(stored == 255, -1, stored.astype(np.int16)).astype(np.int8)


def read_label_map(path: Path) -> Int64[np.ndarray, "height width"]:
    """PASCAL-Context's 459 classes, counted from 1."""
    with SourceFile(path, REMEDY).structure("no MATLAB file with LabelMap"):
        labels = np.asarray(read_mat(path)["LabelMap"]).astype(np.int64)
    SourceFile(path, REMEDY).require(labels.ndim == 2, f"holds a LabelMap of shape {labels.shape}")
    return labels


def edges_between(labels: Int64[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Where a pixel's label differs from the mean of its four neighbours', thinned; at the border they are mirrored."""
    return thin(ndimage.laplace(labels, mode="mirror") != 0)


def read_human_parts(path: Path, size: tuple[int, int]) -> Int8[np.ndarray, "height width"]:
    """0: no part of a person, 1 to 6: the parts; -1 everywhere where nobody in the picture has one.

    Parts are painted in the order of the file, over those before.
    """
    file = SourceFile(path, REMEDY)
    painted = np.zeros(size, np.int8)
    with file.structure("no MATLAB file of PASCAL-Part's structure"):
        for _, category, _, parts in (tuple(one) for one in read_mat(path)["anno"][0, 0][1][0]):
            if int(category.item()) != PERSON or not parts.size:
                continue
            for name, mask in (tuple(part)[:2] for part in parts[0]):
                painted[mask.astype(bool)] = PART_OF[str(name[0])]
    return painted if painted.any() else np.full(size, -1, np.int8)

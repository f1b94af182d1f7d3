"""CelebA's two text files: forty attributes and one part per image."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Int8

from mtl_bench.data.sources import SourceFile

ATTRIBUTES, PARTS, IMAGES = "list_attr_celeba.txt", "list_eval_partition.txt", "img_align_celeba"
PAGE = "the CelebA page of MMLAB, The Chinese University of Hong Kong"
REMEDIES = {
    ATTRIBUTES: f"download Anno/{ATTRIBUTES} from {PAGE}",
    PARTS: f"download Eval/{PARTS} from {PAGE}",
    IMAGES: f"download Img/{IMAGES}.zip from {PAGE} and unpack it there",
}
SPLITS = ("train", "val", "test")  # 0, 1, 2
LINE_2 = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose Black_Hair "
    "Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee Gray_Hair "
    "Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes No_Beard Oval_Face "
    "Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling Straight_Hair Wavy_Hair "
    "Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace Wearing_Necktie Young"
)
NAMES = tuple(LINE_2.split())


@lru_cache(maxsize=1)
def read_attributes(path: Path) -> tuple[tuple[str, ...], Int8[np.ndarray, "images 40"]]:
    """File names of the images, and 1 or 0 per attribute (1 or -1 in the file, with one or two blanks between)."""
    file = _source(path)
    with file.structure("no text"):
        lines = file.content().decode("ascii").splitlines()
    file.require(len(lines) > 2 and tuple(lines[1].split()) == NAMES, "does not name the 40 attributes in its line 2")
    rows = [line.split() for line in lines[2:] if line.strip()]
    file.require(lines[0].strip() == str(len(rows)), f"holds {len(rows)} images and announces {lines[0].strip()}")
    odd = next((row[0] for row in rows if len(row) != 1 + len(NAMES) or not {"1", "-1"}.issuperset(row[1:])), "")
    file.require(not odd, f"does not give {odd} 40 values of 1 or -1")
    values = np.array([[value == "1" for value in row[1:]] for row in rows], np.int8)
    return tuple(row[0] for row in rows), values


def read_parts(path: Path, images: tuple[str, ...]) -> list[str]:
    """The split of every image, which must be those of the attributes in their order."""
    file = _source(path)
    with file.structure("no text"):
        rows = [line.split() for line in file.content().decode("ascii").splitlines() if line.strip()]
    right = len(rows) == len(images) and all(
        len(row) == 2 and row[0] == image and row[1] in ("0", "1", "2") for row, image in zip(rows, images, strict=True)
    )
    file.require(right, f"does not put each of the {len(images)} images of {ATTRIBUTES} into part 0, 1 or 2")
    return [SPLITS[int(row[1])] for row in rows]


def _source(path: Path) -> SourceFile:
    return SourceFile(path, REMEDIES[path.name])

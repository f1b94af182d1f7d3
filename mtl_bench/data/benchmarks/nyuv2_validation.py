"""The validation split of NYUv2 that papers on LibMTL tune on, 636 / 159 / 654."""

from collections.abc import Mapping, Sequence
from typing import Literal

from mtl_bench.data.official import Sample
from mtl_bench.data.official.held_out import hold_out, hold_out_rows
from mtl_bench.errors import BenchError

Val = int | Literal["libmtl"]
FRAMES = 795  # of the official training split
# LibMTL, examples/nyu/data_split.json: places in MTAN's folder, from 0. That MTAN kept the order of the official split
# is inferred, so in official files these frames may be others.
LIBMTL = (
    *(3, 4, 10, 26, 27, 36, 45, 46, 55, 56, 58, 66, 74, 75, 81, 82, 91, 92, 93, 94),
    *(99, 106, 109, 113, 114, 120, 122, 127, 131, 144, 148, 157, 161, 165, 168, 170, 171, 182, 185, 186),
    *(187, 202, 204, 208, 209, 212, 221, 227, 228, 230, 240, 241, 242, 243, 249, 254, 256, 264, 271, 273),
    *(284, 285, 294, 296, 297, 298, 299, 302, 304, 307, 320, 326, 329, 337, 339, 353, 362, 365, 370, 371),
    *(373, 375, 376, 378, 381, 387, 391, 397, 399, 403, 404, 406, 407, 417, 423, 424, 433, 448, 453, 465),
    *(472, 474, 484, 486, 493, 494, 495, 496, 499, 501, 506, 523, 524, 532, 539, 561, 569, 581, 583, 586),
    *(588, 596, 599, 601, 618, 623, 625, 631, 632, 636, 639, 644, 645, 653, 656, 661, 669, 672, 673, 682),
    *(684, 692, 696, 697, 702, 704, 708, 714, 720, 724, 730, 732, 737, 740, 766, 767, 780, 783, 791),
)


def nyuv2_held_out(expected: Mapping[str, Sequence[Sample]], val: Val, seed: int) -> dict[str, Sequence[Sample]]:
    """`libmtl`: the published frames become `val`; a number: so many, drawn with `seed`; 0: none.

    Raises BenchError for another word, for `libmtl` without all 795 training frames, and when none is left.
    """
    if val != "libmtl":
        if isinstance(val, str):
            raise BenchError(f"val is a number of training frames or `libmtl`, got {val!r}.")
        return hold_out(expected, val, seed)
    if (count := len(expected["train"])) != FRAMES:
        raise BenchError(f"val=libmtl names places among {FRAMES} training frames; here are {count}, so give a number.")
    return hold_out_rows(expected, LIBMTL)

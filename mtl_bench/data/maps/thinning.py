"""Lines of one pixel from lines of several."""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool
from scipy import ndimage

# Neighbours x1 to x8 of Lam, Lee & Suen: east first, then against the clock; each is one bit of a code.
BITS = np.array([[8, 4, 2], [16, 0, 1], [32, 64, 128]], np.uint8)


def thin(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """The mask, thinned until nothing changes: lines stay connected, and ends stay.

    Guo & Hall's parallel algorithm (Communications of the ACM 1989) in the form of Lam, Lee & Suen (PAMI 1992, p. 879),
    which is that of MATLAB's `bwmorph(…, "thin")` and scikit-image's `thin`. Outside the picture there is nothing.
    """
    kept = mask.copy()
    while True:
        before = kept.sum()
        for table in _removable():
            codes = ndimage.correlate(kept.astype(np.uint8), BITS, mode="constant")
            kept &= ~table[codes]
        if kept.sum() == before:
            return kept


@lru_cache(maxsize=1)
def _removable() -> tuple[Bool[np.ndarray, "256"], Bool[np.ndarray, "256"]]:
    """Whether a pixel goes, by the code of its neighbours, in the first and in the second half of a pass."""
    x = (np.arange(256) >> np.arange(8)[:, None]) & 1 == 1  # x[i] is the paper's x_{i+1}
    after = np.roll(x, -1, axis=0)
    crossings = sum(~x[i] & (x[i + 1] | after[i + 1]) for i in (0, 2, 4, 6)).astype(int)
    pairs = [sum((x[i] | after[i]).astype(int) for i in places) for places in ((0, 2, 4, 6), (1, 3, 5, 7))]
    fewest = np.minimum(*pairs)
    border = (crossings == 1) & (fewest >= 2) & (fewest <= 3)
    return border & ~((x[1] | x[2] | ~x[7]) & x[0]), border & ~((x[5] | x[6] | ~x[3]) & x[4])

"""Pictures of many sizes on canvases of one."""

import numpy as np
from jaxtyping import Shaped

MEAN_COLOUR = (124, 116, 104)  # of ImageNet, to the byte: as good as 0 once the input is normalised


def centred(size: tuple[int, int], canvas: tuple[int, int]) -> tuple[int, int]:
    """Row and column where a picture of `size` starts that lies in the middle, rounded up and to the left."""
    return (canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2


def on_canvas(
    picture: Shaped[np.ndarray, "*channels _ _"],
    canvas: tuple[int, int],
    start: tuple[int, int],
    blank: float | tuple[float, ...],
) -> Shaped[np.ndarray, "*channels height width"]:
    """The picture on a canvas that is `blank` (one number, or one per channel) everywhere else."""
    filled = np.empty((*picture.shape[:-2], *canvas), picture.dtype)
    filled[...] = np.reshape(blank, (-1, 1, 1)) if isinstance(blank, tuple) else blank
    (row, column), (height, width) = start, picture.shape[-2:]
    filled[..., row : row + height, column : column + width] = picture
    return filled

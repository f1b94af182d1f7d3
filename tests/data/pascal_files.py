"""PASCAL_MT in miniature: photos of several sizes, with MATLAB files and PNGs of the real structure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import io

SIZES = ((333, 500), (500, 375), (281, 500), (500, 500))  # height, width
Part = tuple[str, np.ndarray]  # name and mask


@dataclass
class Photo:
    """What the files of one photo hold; `people` are the parts of each object of category `kinds`."""

    image: np.ndarray
    labels: np.ndarray
    classes: np.ndarray
    people: list[list[Part]]
    kinds: list[int]
    normal: np.ndarray
    saliency: np.ndarray


def drawn_photo(row: int, sizes: Sequence[tuple[int, int]] = SIZES) -> Photo:
    height, width = size = sizes[row % len(sizes)]
    draw = np.random.RandomState(row)
    side = min(40, height // 8)
    tiles = draw.randint(1, 460, (-(-height // side), -(-width // side)))
    labels = tiles.repeat(side, 0).repeat(side, 1)[:height, :width].astype(np.uint16)
    classes = draw.randint(0, 22, size).astype(np.uint8)
    classes[classes == 21] = 255
    people = [[("head", box(size, 10, 60)), ("luarm", box(size, 50, 90)), ("rfoot", box(size, 120, 30))], []]
    return Photo(
        image=draw.randint(0, 256, (height // 4 + 1, width // 4 + 1, 3))
        .repeat(4, 0)
        .repeat(4, 1)[:height, :width]
        .astype(np.uint8),
        labels=labels,
        classes=classes,
        people=people if row % 2 == 0 else [[("tail", box(size, 5, 20))]],
        kinds=[15, 15] if row % 2 == 0 else [12],
        normal=draw.randint(0, 256, (*size, 3)).astype(np.uint8),
        saliency=draw.randint(0, 256, size).astype(np.uint8),
    )


def box(size: tuple[int, int], start: int, side: int) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    mask[start : start + side, start : start + side] = 1
    return mask


def write_pascal(folder: Path, splits: dict[str, Sequence[str]], photos: dict[str, Photo]) -> None:
    """`splits` are the names by the files' own words, train and val; every other photo's classes come from VOC."""
    for split, names in splits.items():
        path = folder / "ImageSets" / "Context" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{name}\n" for name in names))
    for row, (name, photo) in enumerate(photos.items()):
        save(folder / "JPEGImages" / f"{name}.jpg", photo.image)
        save(folder / "semseg" / ("VOC12" if row % 2 == 0 else "pascal-context") / f"{name}.png", photo.classes)
        save(folder / "normals_distill" / f"{name}.png", photo.normal)
        save(folder / "sal_distill" / f"{name}.png", photo.saliency)
        for kind in ("pascal-context/trainval", "human_parts"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        io.savemat(folder / "pascal-context" / "trainval" / f"{name}.mat", {"LabelMap": photo.labels})
        io.savemat(folder / "human_parts" / f"{name}.mat", {"anno": annotation(name, photo)}, do_compression=True)


def annotation(name: str, photo: Photo) -> np.ndarray:
    """PASCAL-Part's struct: imname, objects (class, class_ind, mask, parts (part_name, mask))."""
    objects = np.empty((1, len(photo.kinds)), [(key, object) for key in ("class", "class_ind", "mask", "parts")])
    for at, (kind, parts) in enumerate(zip(photo.kinds, photo.people, strict=True)):
        listed: np.ndarray = np.zeros((0, 0))
        if parts:
            listed = np.empty((1, len(parts)), [("part_name", object), ("mask", object)])
            listed[0] = parts
        whole = np.ones(photo.labels.shape, np.uint8)
        objects[0, at] = ("person" if kind == 15 else "dog", kind, whole, listed)
    anno = np.empty((1, 1), [("imname", object), ("objects", object)])
    anno[0, 0] = (name, objects)
    return anno


def save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, compress_level=1)


def write_drawn(folder: Path, train: int, test: int, sizes: Sequence[tuple[int, int]] = SIZES) -> dict[str, Photo]:
    names = [f"2008_{row:06d}" for row in range(train + test)]
    photos = {name: drawn_photo(row, sizes) for row, name in enumerate(names)}
    write_pascal(folder, {"train": names[:train], "val": names[train:]}, photos)
    return photos

"""Random changes of training batches: a whole batch at once, on its device, the same for every method of one seed."""

from mtl_bench.data.augmentation.base import Augmentation, Geometric
from mtl_bench.data.augmentation.chain import Chain
from mtl_bench.data.augmentation.colour import ColourJitter
from mtl_bench.data.augmentation.geometry import HorizontalFlip, RandomScaleCrop
from mtl_bench.data.augmentation.photometric import PhotometricDistortion
from mtl_bench.data.augmentation.view import View
from mtl_bench.data.augmentation.zoom import RandomZoom

__all__ = [
    "Augmentation",
    "Chain",
    "ColourJitter",
    "Geometric",
    "HorizontalFlip",
    "PhotometricDistortion",
    "RandomScaleCrop",
    "RandomZoom",
    "View",
]

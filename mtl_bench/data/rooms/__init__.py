"""rooms: ray-cast indoor scenes with exact targets, rendered from a seed."""

from mtl_bench.data.rooms.dataset import Rooms

__all__ = ["Rooms"]

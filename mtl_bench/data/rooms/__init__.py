"""rooms: ray-cast indoor scenes with exact targets, rendered from a seed."""

from mtl_bench.data.rooms.rooms_dataset import Rooms

__all__ = ["Rooms"]

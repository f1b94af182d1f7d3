"""Predictions as stored and as drawn: for the loggers of training and for results alike."""

from mtl_bench.pictures.stored import Dense, Kind, Pictures

__all__ = ["Dense", "Kind", "Pictures"]

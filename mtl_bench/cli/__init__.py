"""The command line: one file per verb that is more than a call, and what is said when something goes wrong."""

from mtl_bench.cli.verbs import main

__all__ = ["main"]

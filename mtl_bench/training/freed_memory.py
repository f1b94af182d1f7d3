"""Freed memory stays with the process, so that gradients do not come page by page from the system at every step."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # M_… of glibc's malloc.h
KEPT = 2**31 - 1  # bytes at the top of the heap that are not given back: the most that an int holds
MAPPED = 2**30  # bytes from which a block is mapped for itself, and unmapped when it is freed


def keep_freed_memory() -> None:
    """Of glibc's malloc alone, which gives large blocks back at once and gets them again page by page; elsewhere this
    does nothing. Numbers stay as they are."""
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(MMAP_THRESHOLD, MAPPED)
            mallopt(TRIM_THRESHOLD, KEPT)

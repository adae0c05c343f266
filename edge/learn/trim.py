"""Gives freed memory back to the system, so that a training begins from as little as possible.

What was there when the node had started is not searched again (`gc.freeze`), so this takes milliseconds.
"""

import ctypes
import gc


def trim() -> None:
    """Collect garbage and shrink the heap; the latter is done by glibc only."""
    gc.collect()
    shrink_heap = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if shrink_heap is not None:
        shrink_heap(0)

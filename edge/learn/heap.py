"""Keeps the memory of a node that learns small; glibc on Linux only, elsewhere nothing happens.

Arrays of a training are larger than what else a node allocates. By default glibc raises its limit for blocks
with pages of their own to the largest array that was ever freed, and the heap keeps the holes. Measured under
`make memtest`: 62.6 MB resident at the peak of a training with a fixed limit, 63.9 MB without.
"""

import ctypes
import gc
import re
from collections.abc import Iterator
from pathlib import Path

_LIBC = ctypes.CDLL(None)
_DONTNEED = 4  # of madvise(2)
_SMAPS = Path("/proc/self/smaps")
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-(?:x|-)p [0-9a-f]+ \S+ \d+ +/")  # a file, never written to
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # numbers of mallopt(3)
_LIMIT_BYTES = 64 * 1024


def tune() -> None:
    """From now on blocks of 64 kB and more get pages of their own, which go back when they are freed."""
    if hasattr(_LIBC, "mallopt"):
        _LIBC.mallopt(_MMAP_THRESHOLD, _LIMIT_BYTES)
        _LIBC.mallopt(_TRIM_THRESHOLD, _LIMIT_BYTES)


def trim() -> None:
    """Collect garbage and give free memory back. It takes milliseconds: `gc.freeze` spares what stays."""
    gc.collect()
    if hasattr(_LIBC, "malloc_trim"):
        _LIBC.malloc_trim(0)


def forget_code() -> None:
    """Give back the pages of libraries that were needed to start. What is used again comes from the page
    cache, or from the disk if memory was needed meanwhile."""
    if not hasattr(_LIBC, "madvise"):
        return
    _LIBC.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for start, end in _clean():
        _LIBC.madvise(start, end - start, _DONTNEED)


def _clean() -> Iterator[tuple[int, int]]:
    """Mappings of files without a page of their own: one that the linker changed would be lost."""
    try:
        lines = _SMAPS.read_text().splitlines()
    except OSError:
        return
    found: tuple[int, int] | None = None
    for line in lines:
        if line.startswith("Anonymous:") and found:
            if line.split()[1] == "0":
                yield found
            found = None
        elif mapping := _MAPPING.match(line):
            found = int(mapping[1], 16), int(mapping[2], 16)

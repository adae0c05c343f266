"""Whether training has to wait because the machine is short of memory or CPU time, according to the kernel.

Memory is checked for the control group of this process, for each group above it, and for the whole machine.
Page cache counts as free, since the kernel reclaims it.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from ..clock import Clock

_CHECK_EVERY_S = 2.0
_STALLED_PERCENT = 20.0  # of the last 10 s in which some process waited for memory
_MB = 1 << 20
_UNLIMITED = 1 << 50  # a larger limit means no limit


class Pressure:
    """The reason why training has to wait, if any; the kernel is asked at most every two seconds."""

    def __init__(self, load_most: float, free_least_mb: float, clock: Clock, root: Path = Path("/")) -> None:
        """`load_most` is the load per core, `free_least_mb` the memory that must stay free."""
        self._load_most, self._free_least_mb = load_most, free_least_mb
        self._clock, self._root = clock, root
        self._checked_s = float("-inf")
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why training has to wait; empty if it does not."""
        now_s = self._clock.now_s()
        if now_s - self._checked_s >= _CHECK_EVERY_S:
            self._checked_s = now_s
            self._reason = self._memory() or self._stalls() or self._load()
        return self._reason

    def _memory(self) -> str:
        free_mb = min(self._free_mb(), default=float("inf"))
        return f"{free_mb:.0f} MB of memory left" if free_mb < self._free_least_mb else ""

    def _free_mb(self) -> Iterator[float]:
        for directory, limit, current, cache in self._groups():
            try:
                limit_bytes = int(_read(directory / limit))
                used_bytes = int(_read(directory / current)) - _figure(directory / "memory.stat", cache)
            except (OSError, ValueError):  # without a limit it reads "max"
                continue
            if limit_bytes < _UNLIMITED:
                yield (limit_bytes - used_bytes) / _MB
        try:
            yield _figure(self._root / "proc/meminfo", "MemAvailable:") / 1024
        except (OSError, ValueError):
            return

    def _groups(self) -> Iterator[tuple[Path, str, str, str]]:
        """Our control group and those above it: the directory of each, and the names of its files."""
        try:
            lines = _read(self._root / "proc/self/cgroup").split()
        except OSError:
            return
        for line in lines:
            _, controllers, path = line.split(":", 2)
            if "memory" in controllers.split(","):
                top = self._root / "sys/fs/cgroup/memory"
                names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"
            elif not controllers:
                top = self._root / "sys/fs/cgroup"
                names = "memory.max", "memory.current", "file"
            else:
                continue
            own = top / path.lstrip("/")
            for directory in (own, *(each for each in own.parents if each.is_relative_to(top))):
                yield directory, *names

    def _stalls(self) -> str:
        try:
            average = _read(self._root / "proc/pressure/memory").split()[1]
            percent = float(average.removeprefix("avg10="))
        except (OSError, ValueError, IndexError):
            return ""
        return f"waiting for memory {percent:.0f} % of the time" if percent > _STALLED_PERCENT else ""

    def _load(self) -> str:
        try:
            load = float(_read(self._root / "proc/loadavg").split()[0]) / (os.cpu_count() or 1)
        except (OSError, ValueError, IndexError):
            return ""
        return f"load of {load:.1f} per core" if load > self._load_most else ""


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii")


def _figure(path: Path, key: str) -> int:
    """The number that follows a key. Raises OSError, ValueError."""
    for line in _read(path).splitlines():
        words = line.split()
        if words and words[0] == key:
            return int(words[1])
    raise ValueError(f"{path}: no {key}")

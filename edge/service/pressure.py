"""Whether the machine has room for work that can wait: memory and CPU, as the kernel tells (DESIGN 9).

Memory counts for this process' control group and those above it, without page cache, which the kernel
takes back by itself; and for the machine as a whole.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from ..clock import Clock

_LOOK_EVERY_S = 2.0
_STALLED_PERCENT = 20.0  # of the last 10 s in which something of ours waited for memory
_MB = 1 << 20
_UNLIMITED = 1 << 50  # a limit beyond it is none


class Pressure:
    """Looks every two seconds at most."""

    def __init__(self, load_most: float, free_least_mb: float, clock: Clock, root: Path = Path("/")) -> None:
        """`load_most` for each core; `free_least_mb` must stay free."""
        self._load_most, self._free_least_mb = load_most, free_least_mb
        self._clock, self._root = clock, root
        self._looked_s = float("-inf")
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why work should wait; empty when it need not."""
        now_s = self._clock.now_s()
        if now_s - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = now_s
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
            except (OSError, ValueError):  # no limit says "max"
                continue
            if limit_bytes < _UNLIMITED:
                yield (limit_bytes - used_bytes) / _MB
        try:
            yield _figure(self._root / "proc/meminfo", "MemAvailable:") / 1024
        except (OSError, ValueError):
            return

    def _groups(self) -> Iterator[tuple[Path, str, str, str]]:
        """Directories of our control groups, from our own to the top, with the names of their files."""
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
        return f"load of {load:.1f} a core" if load > self._load_most else ""


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii")


def _figure(path: Path, key: str) -> int:
    """The number beside a key. Raises OSError, ValueError."""
    for line in _read(path).splitlines():
        words = line.split()
        if words and words[0] == key:
            return int(words[1])
    raise ValueError(f"{path}: no {key}")

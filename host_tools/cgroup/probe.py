"""Measures the memory of a process under a limit: that charged to its group, and its own resident memory.

Neither is sufficient alone. A group is not charged for files that other processes read before, such as Python
itself, and resident memory excludes page cache, kernel memory and children.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from .limit import MemoryLimit

_MB = 1 << 20


@dataclass(frozen=True)
class Figures:
    """Peak memory in MB of 2**20 bytes; None if the backend does not provide a value."""

    backend: str
    limit_mb: int
    peak_mb: float | None = None
    hwm_mb: float = 0.0
    rss_mb: float = 0.0
    anon_mb: float | None = None
    pss_mb: float = 0.0
    oom_kills: int | None = None
    numpy_loaded: bool = False

    def failures(self) -> list[str]:
        """The reasons why the limit was not kept."""
        largest_mb = max(self.peak_mb or 0.0, self.hwm_mb)
        failed = []
        if self.oom_kills:
            failed.append(f"OOM kills: {self.oom_kills}")
        if largest_mb > self.limit_mb:
            failed.append(f"{largest_mb:.1f} MB used, {self.limit_mb} MB allowed")
        if not self.hwm_mb:
            failed.append("the memory of the process could not be measured")
        return failed


class Probe:
    """Measures a process. Use it only after exec: after a fork the process has the size of its parent."""

    def __init__(self, limit: MemoryLimit, limit_mb: int, pid: int) -> None:
        self.figures = Figures(limit.backend, limit_mb)
        self._limit = limit
        self._proc = Path("/proc") / str(pid)

    def look_at_process(self) -> None:
        """Measure the process; no change if it has ended."""
        try:
            status = _kilobytes(self._proc / "status")
            rollup = _kilobytes(self._proc / "smaps_rollup")
            maps = (self._proc / "maps").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return
        old = self.figures
        self.figures = replace(
            old,
            hwm_mb=max(old.hwm_mb, status.get("VmHWM", 0) / 1024),
            rss_mb=max(old.rss_mb, status.get("VmRSS", 0) / 1024),
            pss_mb=max(old.pss_mb, rollup.get("Pss", 0) / 1024),
            numpy_loaded=old.numpy_loaded or "/numpy/" in maps,
        )

    def look_at_group(self) -> None:
        """Measure the group, also after the process has ended. Raises LimitError."""
        usage, old = self._limit.usage(), self.figures
        if usage:
            self.figures = replace(
                old,
                peak_mb=max(old.peak_mb or 0.0, usage.peak_bytes / _MB),
                anon_mb=max(old.anon_mb or 0.0, usage.anon_bytes / _MB),
                oom_kills=usage.oom_kills,
            )


def _kilobytes(file: Path) -> dict[str, int]:
    """The lines `Key:   123 kB` of a file in /proc."""
    found = {}
    for line in file.read_text().splitlines():
        key, _, value = line.partition(":")
        if value.endswith(" kB"):
            found[key] = int(value.split()[0])
    return found

"""Control groups with a memory limit, version 1 or 2, created and read through the kernel's files."""

import os
from dataclasses import dataclass
from pathlib import Path

from .limit import Janitor, LimitError, MemoryLimit, Usage

MOUNTINFO = Path("/proc/self/mountinfo")
_OWN_GROUPS = Path("/proc/self/cgroup")


@dataclass(frozen=True)
class Version:
    """The kernel's file names. `subtree`: the file in which a parent enables controllers for its children."""

    backend: str
    limit: str
    swap: str
    peak: str
    current: str
    anon: str
    events: str
    subtree: str


V2 = Version(
    backend="cgroup v2",
    limit="memory.max",
    swap="memory.swap.max",
    peak="memory.peak",
    current="memory.current",
    anon="anon",
    events="memory.events",
    subtree="cgroup.subtree_control",
)
V1 = Version(
    backend="cgroup v1",
    limit="memory.limit_in_bytes",
    swap="memory.memsw.limit_in_bytes",
    peak="memory.max_usage_in_bytes",
    current="memory.usage_in_bytes",
    anon="rss",
    events="memory.oom_control",
    subtree="",
)


class Group(MemoryLimit):
    """A new group in the directory `parent`."""

    _JOIN = 'echo $$ >"$0/cgroup.procs" && exec "$@"'  # joins before the program starts
    _REMOVE = (
        'i=0; while [ -d "$0" ] && [ $i -lt 100 ]; do kill -9 $(cat "$0/cgroup.procs"); '
        'rmdir "$0" || sleep 0.1; i=$((i + 1)); done; [ ! -d "$0" ]'
    )

    def __init__(self, version: Version, parent: Path, limit_bytes: int) -> None:
        """Raises OSError, LimitError."""
        self.backend = version.backend
        self.directory = parent / f"memtest-{os.getpid()}-{os.urandom(4).hex()}"
        self.wrapper = ["/bin/sh", "-c", self._JOIN, str(self.directory)]
        self._version = version
        self._janitor = Janitor(self._REMOVE, str(self.directory))
        try:
            if version.subtree and "memory" not in (parent / version.subtree).read_text().split():
                _write(parent / version.subtree, "+memory")
            self.directory.mkdir()
            _write(self.directory / version.limit, str(limit_bytes))
            self._forbid_swap(limit_bytes)
        except BaseException:
            self.close()
            raise

    def usage(self) -> Usage:
        return read_usage(self.directory, self._version)

    def close(self) -> None:
        self._janitor.call()

    def _forbid_swap(self, limit_bytes: int) -> None:
        file = self.directory / self._version.swap
        if file.exists():  # version 1 limits the sum of memory and swap
            _write(file, "0" if self._version is V2 else str(limit_bytes))
        elif len(Path("/proc/swaps").read_text().splitlines()) > 1:
            raise LimitError(f"{self.backend}: this kernel cannot disable swap for a group")


def group_v2(limit_bytes: int, mountinfo: Path = MOUNTINFO) -> Group:
    """A group beside that of this process, as one with processes cannot have children. Raises LimitError."""
    return _group(V2, limit_bytes, mountinfo)


def group_v1(limit_bytes: int, mountinfo: Path = MOUNTINFO) -> Group:
    """A group below that of this process, so that its limits also apply. Raises LimitError."""
    return _group(V1, limit_bytes, mountinfo)


def _group(version: Version, limit_bytes: int, mountinfo: Path) -> Group:
    reason = "no memory controller of this version is mounted"
    own = _own_group(version)
    for root, mount in mounts(version, mountinfo):
        nearest = mount / own.removeprefix(root).lstrip("/")
        ancestors = [nearest, *(each for each in nearest.parents if each.is_relative_to(mount))]
        for parent in ancestors if version is V2 else ancestors[:1]:
            try:
                return Group(version, parent, limit_bytes)
            except OSError as error:
                reason = f"{error.filename or parent}: {error.strerror}"
    raise LimitError(f"{version.backend}: {reason}")


def mounts(version: Version, mountinfo: Path) -> list[tuple[str, Path]]:
    """The mounts of a version (for version 1 with the memory controller): root group and directory."""
    found = []
    for line in mountinfo.read_text().splitlines():
        mount, _, kind = line.partition(" - ")
        root, point = mount.split()[3:5]
        file_system, _, options = kind.split()[:3]
        if file_system == "cgroup2" if version is V2 else "memory" in options.split(","):
            found.append((root, Path(point)))
    return found


def _own_group(version: Version) -> str:
    for line in _OWN_GROUPS.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" if version is V2 else "memory" in controllers.split(","):
            return path
    return "/"


def read_usage(directory: Path, version: Version) -> Usage:
    """The memory charged to a group. Raises LimitError."""
    peak = directory / version.peak  # version 2 has none before Linux 5.19
    try:
        return Usage(
            int((peak if peak.exists() else directory / version.current).read_text()),
            _value(directory / "memory.stat", version.anon),
            _value(directory / version.events, "oom_kill"),
        )
    except OSError as error:
        raise LimitError(f"{error.filename}: {error.strerror}") from None


def _value(file: Path, key: str) -> int:
    return next(int(line.split()[1]) for line in file.read_text().splitlines() if line.split()[0] == key)


def _write(file: Path, text: str) -> None:
    """Write to an existing file, so that an ordinary folder is not mistaken for a control group."""
    descriptor = os.open(file, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from None
    finally:
        os.close(descriptor)

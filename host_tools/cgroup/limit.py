"""The interface of memory limits, and the one that needs no privileges."""

import subprocess
from dataclasses import dataclass

_CLOSE_TIMEOUT_S = 15.0
_STACK_KB = 1024  # otherwise 8 MB of stack count as data for each thread


class LimitError(Exception):
    """The memory limit cannot be set, read or removed; the message says why."""


@dataclass(frozen=True)
class Usage:
    """Memory charged to a group; page cache that other processes read before is not included."""

    peak_bytes: int
    anon_bytes: int
    oom_kills: int


class MemoryLimit:
    """A limit, without swap, for a program that is started with `wrapper`, and its children.

    A context manager. The limit is removed when it is closed, or when this process ends before that.
    """

    backend: str
    wrapper: list[str]

    def usage(self) -> Usage | None:
        """The usage as counted by the kernel; None if it does not count. Raises LimitError."""
        return None

    def close(self) -> None:
        """Kill all processes under the limit and remove it. Raises LimitError."""

    def __enter__(self) -> "MemoryLimit":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DataLimit(MemoryLimit):
    """RLIMIT_DATA: allocations fail and nothing is killed. It is per process and excludes file pages."""

    backend = "rlimit"

    def __init__(self, limit_bytes: int) -> None:
        script = f'ulimit -S -s {_STACK_KB} && ulimit -d {limit_bytes // 1024} && exec "$@"'
        self.wrapper = ["/bin/sh", "-c", script, "sh"]


class Janitor:
    """A shell that runs a script when this process asks for it or ends for any reason."""

    def __init__(self, script: str, *arguments: str) -> None:
        """`arguments`: `$0`, `$1` ... of the script."""
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", f"read -r _; {script}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # it must survive Ctrl-C
        )

    def call(self) -> None:
        """Run the script. Raises LimitError if it fails."""
        try:
            self._shell.communicate(timeout=_CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._shell.kill()
        if self._shell.wait() != 0:
            raise LimitError(f"the memory limit was not removed: {self._shell.args!r}")

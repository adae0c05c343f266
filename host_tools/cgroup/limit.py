"""The interface of memory limits, and the one that needs no privileges."""

import os
import subprocess
import sys
from dataclasses import dataclass

_CLOSE_TIMEOUT_S = 15.0
_MEASURE_TIMEOUT_S = 60.0
_STACK_KB = 1024  # otherwise 8 MB of stack count as data for each thread

# the first product of large matrices makes OpenBLAS reserve its buffers
_RESERVATION = """
import numpy
numpy.ones((400, 400)) @ numpy.ones((400, 400))
lines = (line.split() for line in open("/proc/self/status"))
kb = {words[0]: int(words[1]) for words in lines if words[0] in ("VmData:", "RssAnon:")}
print((kb["VmData:"] - kb["RssAnon:"]) * 1024)
"""


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
    """RLIMIT_DATA: allocations fail and nothing is killed. It is per process and excludes file pages.

    It counts address space that is reserved and never used, such as the buffers of OpenBLAS, which waits
    for ever when it cannot have them. `reserved_bytes` are allowed beyond the limit for such reservations;
    resident memory is still judged by the limit alone.
    """

    backend = "rlimit"

    def __init__(self, limit_bytes: int, reserved_bytes: int = 0) -> None:
        allowed_kb = (limit_bytes + reserved_bytes) // 1024
        script = f'ulimit -S -s {_STACK_KB} && ulimit -d {allowed_kb} && exec "$@"'
        self.wrapper = ["/bin/sh", "-c", script, "sh"]


def reserved_by_numpy() -> int:
    """The bytes that numpy reserves and does not use, measured in a small process. Raises LimitError."""
    try:
        ended = subprocess.run(
            [sys.executable, "-c", _RESERVATION],
            capture_output=True,
            text=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            timeout=_MEASURE_TIMEOUT_S,
            check=True,
        )
        return int(ended.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise LimitError(f"what numpy reserves cannot be measured: {error}") from None


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

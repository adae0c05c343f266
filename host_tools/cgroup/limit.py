"""What every memory limit offers, and the one that needs no privilege."""

import subprocess
from dataclasses import dataclass

_CLOSE_TIMEOUT_S = 15.0
_STACK_KB = 1024  # else each thread's 8 MB of stack count as data, used or not


class LimitError(Exception):
    """The memory limit cannot be set, read or taken down; the message says why."""


@dataclass(frozen=True)
class Usage:
    """What is charged to a group: not the page cache that others had read before."""

    peak_bytes: int
    anon_bytes: int
    oom_kills: int


class MemoryLimit:
    """A limit, without swap, for the program that `wrapper` is put before and its children.

    A context manager. The limit is taken down when it is closed, and when this process dies before that.
    """

    backend: str
    wrapper: list[str]

    def usage(self) -> Usage | None:
        """As the kernel counts; None where it does not. Raises LimitError."""
        return None

    def close(self) -> None:
        """Kill what still runs under the limit, and take the limit down. Raises LimitError."""

    def __enter__(self) -> "MemoryLimit":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DataLimit(MemoryLimit):
    """RLIMIT_DATA: allocations fail, nothing is killed; each process counts alone, file pages not at all."""

    backend = "rlimit"

    def __init__(self, limit_bytes: int) -> None:
        script = f'ulimit -S -s {_STACK_KB} && ulimit -d {limit_bytes // 1024} && exec "$@"'
        self.wrapper = ["/bin/sh", "-c", script, "sh"]


class Janitor:
    """A shell that runs a script when this process says so or ends, however it ends."""

    def __init__(self, script: str, *arguments: str) -> None:
        """`arguments` are the script's `$0`, `$1` ..."""
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", f"read -r _; {script}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is not for it
        )

    def call(self) -> None:
        """Let it do its work. Raises LimitError when it cannot."""
        try:
            self._shell.communicate(timeout=_CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._shell.kill()
        if self._shell.wait() != 0:
            raise LimitError(f"the memory limit was not taken down: {self._shell.args!r}")

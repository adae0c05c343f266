"""Network namespaces that last as long as somebody uses them, so nothing has to be removed.

They have no names. The kernel removes one, and all its interfaces, when the number that holds it is closed
and the last process in it has ended: at the end of this process at the latest, however it ends.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_OWN = "/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


class NetnsError(Exception):
    """This machine cannot do it; the message says why."""


class Namespace:
    """A new network namespace; its loopback interface is up. Needs root."""

    def __init__(self) -> None:
        """Raises NetnsError."""
        before = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _libc.unshare(_NEW_NETWORK):
                raise NetnsError(f"network namespaces: {os.strerror(ctypes.get_errno())}; root is needed")
            self._number = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
            _enter(before)
        finally:
            os.close(before)
        self.ip("link set lo up")

    @property
    def path(self) -> str:
        """For `ip link ... netns PATH`."""
        return f"/proc/{os.getpid()}/fd/{self._number}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """In this block, sockets and processes that this thread makes are those of the namespace."""
        before = os.open(_OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(self._number)
            yield
        finally:
            _enter(before)
            os.close(before)

    def ip(self, *commands: str) -> None:
        """Commands of `ip`, in the namespace. Raises NetnsError."""
        self.run(["ip", "-batch", "-"], "\n".join(commands) + "\n")

    def run(self, command: list[str], text: str = "") -> str:
        """Run a program in the namespace; returns its output. Raises NetnsError."""
        with self.entered():
            try:
                done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
            except OSError as error:
                raise NetnsError(f"{command[0]}: {error.strerror}; Debian has it in iproute2") from None
        if done.returncode:
            raise NetnsError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def close(self) -> None:
        """Leave it to the processes that are still in it."""
        os.close(self._number)


def _enter(number: int) -> None:
    if _libc.setns(number, _NEW_NETWORK):
        raise NetnsError(f"network namespaces: {os.strerror(ctypes.get_errno())}")

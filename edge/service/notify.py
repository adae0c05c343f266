"""What a node tells the service manager: that it is up, that its laws still run, what it does (sd_notify(3)).

A watchdog that any thread could feed would guard nothing: it is fed from the main loop, after a tick of the
laws that went through. Nothing is said where no manager listens.
"""

import os
import socket
from contextlib import suppress


class Manager:
    """The service manager behind NOTIFY_SOCKET; a manager that is away or slow holds nothing up."""

    def __init__(self, address: str | None = None) -> None:
        """`address` of its socket; by default what the environment says, "" for none."""
        address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + address[1:] if address.startswith("@") else address  # @: abstract
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._ready = False
        self._status = ""

    def alive(self, status: str) -> None:
        """A tick went through; `status` is one line for people, sent when it changes."""
        words = ["WATCHDOG=1"]
        if not self._ready:
            words.insert(0, "READY=1")
            self._ready = True
        if status != self._status:
            words.append(f"STATUS={status}")
            self._status = status
        self._say(*words)

    def stopping(self) -> None:
        """It was told to end, and does."""
        self._say("STOPPING=1", "STATUS=stopping")

    def _say(self, *words: str) -> None:
        if self._address:
            with suppress(OSError):  # the watchdog notices if this lasts
                self._socket.sendto("\n".join(words).encode(), self._address)

"""Notifications to the service manager: the node is up, its laws still run, its status (sd_notify(3)).

The watchdog is notified from the main loop only, after each tick that succeeded: if any thread could do it,
it would prove nothing. Without a manager nothing is sent.
"""

import os
import socket
from contextlib import suppress


class Manager:
    """The service manager behind NOTIFY_SOCKET. If it is absent or slow, the node does not wait for it."""

    def __init__(self, address: str | None = None) -> None:
        """`address` of its socket: by default that of the environment; "" for no manager."""
        address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + address[1:] if address.startswith("@") else address  # @: abstract address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._ready = False
        self._status = ""

    def alive(self, status: str) -> None:
        """A tick succeeded. `status` is one line for people, sent when it changes."""
        words = ["WATCHDOG=1"]
        if not self._ready:
            words.insert(0, "READY=1")
            self._ready = True
        if status != self._status:
            words.append(f"STATUS={status}")
            self._status = status
        self._send(*words)

    def stopping(self) -> None:
        """The node has been asked to end, and is ending."""
        self._send("STOPPING=1", "STATUS=stopping")

    def _send(self, *words: str) -> None:
        if self._address:
            with suppress(OSError):  # if this goes on, the watchdog notices
                self._socket.sendto("\n".join(words).encode(), self._address)

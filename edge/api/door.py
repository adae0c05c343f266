"""The door of the HTTP server: one thread reads the heads of all requests, however slowly they arrive.

So a client that says nothing, or one byte a second, takes no place of those who ask: it is sent away when its
time is over, or when newer clients need the room. Only a whole head, of bounded size, is handed on.
"""

import logging
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from .tls import Certificate

log = logging.getLogger("edge.api")
HEAD_S = 5.0  # for the head of a request
HEAD_BYTES = 8192
_MOST_WAITING = 16  # heads that may be under way at a time
_READ_BYTES = 4096
_NO_SOCKET_S = 0.1  # wait when the system has none to give
_TLS_BEGINS = b"\x16"  # the first byte of a handshake; no method begins with it


class Door:
    """Listens on an address. `take` is given each connection with the head of its request and what follows,
    `refuse` each connection whose head is too large; both close it, and must not wait. With `tls` a client
    may begin with a handshake."""

    def __init__(
        self,
        host: str,
        port: int,
        take: Callable[[socket.socket, bytes], None],
        refuse: Callable[[socket.socket], None],
        tls: Certificate | None = None,
    ) -> None:
        """Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, port), family=family, backlog=16)
        self._listening.setblocking(False)
        self._take, self._refuse, self._tls = take, refuse, tls
        self._stop, self._stopped = socket.socketpair()
        self._heads: dict[socket.socket, tuple[bytearray, float]] = {}  # with deadlines, oldest first
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._selector.register(self._stopped, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="api", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._listening.getsockname()[1])

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port and all connections whose head is under way."""
        self._stop.close()
        if self._thread.is_alive():
            self._thread.join()
        for client in list(self._heads):
            self._forget(client).close()
        self._selector.close()
        self._listening.close()
        self._stopped.close()

    def _run(self) -> None:
        while True:
            oldest_s = next(iter(self._heads.values()))[1] if self._heads else None
            wait_s = None if oldest_s is None else max(0.0, oldest_s - time.monotonic())
            for key, _ in self._selector.select(wait_s):
                if key.fileobj is self._stopped:
                    return
                if key.fileobj is self._listening:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._heads:
                    self._read(key.fileobj)
            self._close_late()

    def _accept(self) -> None:
        try:
            client, _ = self._listening.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError | ConnectionError):
                log.warning("a request was turned away: %s", error)
                time.sleep(_NO_SOCKET_S)
            return
        client.setblocking(False)
        if len(self._heads) >= _MOST_WAITING:
            self._forget(next(iter(self._heads))).close()
        self._heads[client] = bytearray(), time.monotonic() + HEAD_S
        self._selector.register(client, selectors.EVENT_READ)

    def _read(self, client: socket.socket) -> None:
        head, until_s = self._heads[client]
        try:
            fresh = self._tls and not head and not isinstance(client, ssl.SSLSocket)
            if fresh and client.recv(1, socket.MSG_PEEK) == _TLS_BEGINS:
                client = self._wrapped(client, until_s)
            more = client.recv(_READ_BYTES)  # with TLS also the handshake
            while isinstance(client, ssl.SSLSocket) and client.pending():
                more += client.recv(_READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except ssl.SSLWantWriteError:
            self._selector.modify(client, selectors.EVENT_READ | selectors.EVENT_WRITE)
            return
        except OSError:
            more = b""
        if client not in self._heads:  # its handshake could not begin
            client.close()
            return
        head += more
        if not more:
            self._forget(client).close()
            return
        if head.startswith((b"\r", b"\n")):  # some clients end the request before with one line more
            del head[: len(head) - len(head.lstrip(b"\r\n"))]
        ends = [end for end in (head.find(b"\n\r\n"), head.find(b"\n\n")) if end >= 0]
        if min(ends, default=len(head)) > HEAD_BYTES:
            self._refuse(self._forget(client))
        elif ends:
            self._take(self._forget(client), bytes(head))

    def _wrapped(self, client: socket.socket, until_s: float) -> ssl.SSLSocket:
        """The same connection with TLS. Raises OSError."""
        assert self._tls
        head, _ = self._heads[client]
        self._forget(client)
        context = self._tls.context()
        secure = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        self._heads[secure] = head, until_s
        self._selector.register(secure, selectors.EVENT_READ)
        return secure

    def _close_late(self) -> None:
        now_s = time.monotonic()
        for client in [client for client, (_, until_s) in self._heads.items() if until_s <= now_s]:
            self._forget(client).close()

    def _forget(self, client: socket.socket) -> socket.socket:
        del self._heads[client]
        with suppress(KeyError, ValueError):
            self._selector.unregister(client)
        return client

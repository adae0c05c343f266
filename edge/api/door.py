"""The door of the HTTP server: one thread reads the heads of all requests, however slowly they arrive.

So a client that says nothing, or one byte a second, takes no place of those who ask: it is sent away when its
time is over, or when newer clients need the room. Only a whole head, of bounded size, is handed on. While all
places are taken it waits for a while: a browser asks for six things at a time.
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
PLACE_S = 1.0  # that a whole head waits for a place
_MOST_WAITING = 16  # heads that may be under way at a time, and whole ones that may wait
_TRY_S = 0.01  # between two looks for a free place
_READ_BYTES = 4096
_NO_SOCKET_S = 0.1  # wait when the system has none to give
_TLS_BEGINS = b"\x16"  # the first byte of a handshake; no method begins with it


class Door:
    """Listens on an address. `take` is given each connection with the head of its request and what follows,
    and says whether it had a place for it; `refuse` each connection whose head is too large (431), or that
    has waited too long for a place (503). Both close it, and must not wait. With `tls` a client may begin
    with a handshake."""

    def __init__(
        self,
        host: str,
        port: int,
        take: Callable[[socket.socket, bytes], bool],
        refuse: Callable[[socket.socket, int], None],
        tls: Certificate | None = None,
    ) -> None:
        """Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, port), family=family, backlog=16)
        self._listening.setblocking(False)
        self._take, self._refuse, self._tls = take, refuse, tls
        self._stop, self._stopped = socket.socketpair()
        self._heads: dict[socket.socket, tuple[bytearray, float]] = {}  # with deadlines, oldest first
        self._whole: dict[socket.socket, tuple[bytes, float]] = {}  # heads that wait for a place, alike
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
        for client in self._whole:
            client.close()
        self._selector.close()
        self._listening.close()
        self._stopped.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select(self._wait_s()):
                if key.fileobj is self._stopped:
                    return
                if key.fileobj is self._listening:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket) and key.fileobj in self._heads:
                    self._read(key.fileobj)
            self._close_late()
            self._hand_on()

    def _wait_s(self) -> float | None:
        if self._whole:
            return _TRY_S
        if not self._heads:
            return None
        return max(0.0, next(iter(self._heads.values()))[1] - time.monotonic())

    def _hand_on(self) -> None:
        """Whole heads, oldest first, as far as there are places."""
        now_s = time.monotonic()
        for client, (head, until_s) in list(self._whole.items()):
            if self._take(client, head):
                del self._whole[client]
            elif until_s <= now_s:
                del self._whole[client]
                self._refuse(client, 503)

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
            self._refuse(self._forget(client), 431)
        elif ends and len(self._whole) < _MOST_WAITING:
            self._whole[self._forget(client)] = bytes(head), time.monotonic() + PLACE_S
        elif ends:
            self._refuse(self._forget(client), 503)

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

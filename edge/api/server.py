"""The HTTP server of a node: JSON answers, on loopback unless configured otherwise.

`http.server` of the standard library costs 0.7 MB here because paho has paid for most of it; microdot
and its like would bring asyncio (measured on x86-64, CPython 3.11, RSS after import).

Everything is bounded: the head of a request (see `door`), its headers, the time of the whole request, and the
answers made at the same time. A body is never read: no route wants one.
"""

import io
import logging
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socket import SHUT_WR, socket
from typing import Any

from .caller import Refused, has_body, path_of
from .door import Door
from .routes import Answer, Api

log = logging.getLogger("edge.api")
_ANSWER_S = 10.0  # to make and send an answer
_LONG_ANSWER_S = 120.0  # one that is made in pieces
_MOST_HEADERS = 40
_LEFT_BYTES, _LEFT_S = 1 << 16, 0.5  # of a body that nobody wanted
_ALWAYS = "/health"  # is answered even if all places are taken


class ApiError(OSError):
    """The server cannot listen."""


class ApiServer:
    """Answers at most `most` requests at a time, and one more for /health; others are told to come again."""

    def __init__(self, host: str, port: int, api: Api, most: int, names: Collection[str] = ()) -> None:
        """`names`: those of this node besides the ones that `caller` knows. Raises ApiError when the address
        cannot be listened on."""
        self._handler = type("Handler", (_Handler,), {"api": api, "names": {host.lower(), *names}})
        self._places = threading.BoundedSemaphore(most)
        self._place_of_health = threading.BoundedSemaphore(1)
        try:
            self._door = Door(host, port, self._take, lambda client: _refuse(client, 431))
        except OSError as error:
            raise ApiError(f"api: cannot listen on {host} port {port}: {error.strerror}") from None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._door.port

    def start(self) -> None:
        """Begin to answer."""
        self._door.start()

    def stop(self) -> None:
        """Stop answering and close the port."""
        self._door.stop()

    def _take(self, client: socket, head: bytes) -> None:
        place = self._place_for(head)
        if place is None:
            _refuse(client, 503)
            return
        try:
            threading.Thread(target=self._serve, args=(client, head, place), daemon=True).start()
        except RuntimeError as error:  # the system has no thread to give
            place.release()
            _refuse(client, 503)
            log.warning("a request was turned away: %s", error)

    def _place_for(self, head: bytes) -> threading.BoundedSemaphore | None:
        words = head.split(None, 2)
        asks_health = len(words) > 1 and words[1].partition(b"?")[0] == _ALWAYS.encode()
        for place in [self._place_of_health, self._places] if asks_health else [self._places]:
            if place.acquire(blocking=False):
                return place
        return None

    def _serve(self, client: socket, head: bytes, place: threading.BoundedSemaphore) -> None:
        try:
            with client:
                self._handler((client, head), client, self)
                client.shutdown(SHUT_WR)
        except OSError:
            pass  # the client has gone, or is too slow
        finally:
            place.release()


class _Handler(BaseHTTPRequestHandler):
    api: Api
    names: Collection[str]

    def setup(self) -> None:
        self.connection, head = self.request
        self._sending = _Sending(self.connection)
        self.rfile = io.BytesIO(head)
        self.wfile = self._sending

    def version_string(self) -> str:
        return "edge"

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        try:
            if len(self.headers) > _MOST_HEADERS:
                raise Refused(431, f"more than {_MOST_HEADERS} headers")
            if self.headers.defects:  # what stands below such a line was not read
                raise Refused(400, "a header is invalid")
            self._has_body = has_body(self.headers)
            self.path = path_of(self.path, self.headers, self.request_version, self.names)
        except Refused as error:
            self.send_error(error.status, str(error))
            self._drop_body()
            return False
        return True

    def do_GET(self) -> None:
        if self._has_body and self.command in ("GET", "HEAD"):
            self._send(Answer(413, {"error": "this path takes no body"}))
        else:
            self._send(self.api.answer(self.command, self.path))
        if self._has_body:
            self._drop_body()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 - names of http.server

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A request that could not be read, is refused, or has a method that HTTP does not know."""
        if self.request_version == "HTTP/0.9":  # the version was not understood
            self.request_version = self.protocol_version
        self._send(Answer(code, {"error": message or self.responses[code][0]}))

    def _send(self, answer: Answer) -> None:
        pieces = answer.pieces()
        try:
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            if answer.long:  # its end is that of the connection
                self._sending.until_s = time.monotonic() + _LONG_ANSWER_S
            else:
                body = b"".join(pieces)
                pieces = iter([body])
                self.send_header("Content-Length", str(len(body)))
            if answer.allow:
                self.send_header("Allow", answer.allow)
            self.end_headers()
            if self.command != "HEAD":
                for piece in pieces:
                    self.wfile.write(piece)
        finally:
            answer.close()

    def _drop_body(self) -> None:
        """A connection that is closed before its body was read may lose the answer."""
        with suppress(OSError):
            self.connection.shutdown(SHUT_WR)
            self.connection.settimeout(_LEFT_S)
            left = _LEFT_BYTES
            while left > 0 and (dropped := self.connection.recv(min(left, 4096))):
                left -= len(dropped)

    def log_message(self, format: str, *args: Any) -> None:
        pass  # the log is for what goes wrong


class _Sending(io.BufferedIOBase):
    """Writes to a client until a deadline, whatever the client does."""

    def __init__(self, client: socket) -> None:
        self._client = client
        self.until_s = time.monotonic() + _ANSWER_S

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """Raises OSError, TimeoutError after the deadline."""
        left_s = self.until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._client.settimeout(left_s)
        self._client.sendall(data)
        return len(data)


def _refuse(client: socket, status: int) -> None:
    """Say so, if that is possible at once, and close."""
    reason = {431: "the head of the request is too large", 503: "too many requests, try again"}[status]
    body = b'{"error":"%b"}' % reason.encode()
    head = (
        f"HTTP/1.0 {status} {BaseHTTPRequestHandler.responses[status][0]}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with client, suppress(OSError):
        client.setblocking(False)
        client.send(head.encode() + body)
        client.shutdown(SHUT_WR)
        client.recv(_LEFT_BYTES)  # what is left unread would make the kernel drop the answer

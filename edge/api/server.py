"""The HTTP server of a node: JSON answers, on loopback unless configured otherwise.

It needs little of HTTP. `http.server` of the standard library would cost 2.2 MB, and microdot and its like
would bring asyncio (measured on x86-64, CPython 3.11, RSS after import).

Everything is bounded: the head of a request (see `door`), its headers, the time of the whole request, and the
answers made at the same time. A body is never read: no route wants one.
"""

import logging
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from socket import SHUT_WR, socket

from .caller import has_body, path_of
from .door import Door
from .request import Refused, read_request
from .routes import Answer, Api

log = logging.getLogger("edge.api")
_ANSWER_S = 10.0  # to make and send an answer
_LONG_ANSWER_S = 120.0  # one that is made in pieces
_LEFT_BYTES, _LEFT_S = 1 << 16, 0.5  # of a body that nobody wanted
_ALWAYS = "/health"  # is answered even if all places are taken
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PHRASES = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    421: "Misdirected Request",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


class ApiError(OSError):
    """The server cannot listen."""


class ApiServer:
    """Answers at most `most` requests at a time, and one more for /health; others are told to come again."""

    def __init__(self, host: str, port: int, api: Api, most: int, names: Collection[str] = ()) -> None:
        """`names`: those of this node besides the ones that `caller` knows. Raises ApiError when the address
        cannot be listened on."""
        self._api, self._names = api, {host.lower(), *names}
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
                self._answer(_Client(client), head)
                client.shutdown(SHUT_WR)
        except OSError:
            pass  # the client has gone, or is too slow
        finally:
            place.release()

    def _answer(self, client: "_Client", head: bytes) -> None:
        method, body_follows = "", True
        try:
            request = read_request(head)
            method = request.method
            body_follows = has_body(request)
            path = path_of(request, self._names)
            if method not in _METHODS:
                raise Refused(501, f"{method[:60]} is not a method of this server")
            if body_follows and method in ("GET", "HEAD"):
                raise Refused(413, "this path takes no body")
            answer = self._api.answer(method, path)
        except Refused as error:
            answer = Answer(error.status, {"error": str(error)})
        client.send_answer(answer, with_content=method != "HEAD")
        if body_follows:
            client.drop_body()


class _Client:
    """Is sent an answer until a deadline, whatever it does."""

    def __init__(self, connection: socket) -> None:
        self._connection = connection
        self._until_s = time.monotonic() + _ANSWER_S

    def send_answer(self, answer: Answer, with_content: bool) -> None:
        """Raises OSError, TimeoutError after the deadline."""
        pieces, headers = answer.pieces(), []
        try:
            if answer.long:  # its end is that of the connection
                self._until_s = time.monotonic() + _LONG_ANSWER_S
            else:
                body = b"".join(pieces)
                pieces = iter([body])
                headers.append(f"Content-Length: {len(body)}")
            if answer.allow:
                headers.append(f"Allow: {answer.allow}")
            self._send(_head(answer.status, *headers))
            if with_content:
                for piece in pieces:
                    self._send(piece)
        finally:
            answer.close()

    def _send(self, data: bytes) -> None:
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        self._connection.sendall(data)

    def drop_body(self) -> None:
        """A connection that is closed before its body was read may lose the answer."""
        with suppress(OSError):
            self._connection.shutdown(SHUT_WR)
            self._connection.settimeout(_LEFT_S)
            left = _LEFT_BYTES
            while left > 0 and (dropped := self._connection.recv(min(left, 4096))):
                left -= len(dropped)


def _head(status: int, *headers: str) -> bytes:
    lines = (
        f"HTTP/1.0 {status} {_PHRASES[status]}",
        "Server: edge",
        time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
        "Content-Type: application/json",
        *headers,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _refuse(client: socket, status: int) -> None:
    """Say so, if that is possible at once, and close."""
    reason = {431: "the head of the request is too large", 503: "too many requests, try again"}[status]
    body = b'{"error":"%b"}' % reason.encode()
    with client, suppress(OSError):
        client.setblocking(False)
        client.send(_head(status, f"Content-Length: {len(body)}") + body)
        client.shutdown(SHUT_WR)
        client.recv(_LEFT_BYTES)  # what is left unread would make the kernel drop the answer

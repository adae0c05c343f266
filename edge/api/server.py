"""The HTTP server of a node: JSON answers, on loopback unless configured otherwise.

It needs little of HTTP. `http.server` of the standard library would cost 2.2 MB, and microdot and its like
would bring asyncio (measured on x86-64, CPython 3.11, RSS after import).

Everything is bounded: the head of a request (see `door`), its headers, its body, the time of the whole
request, and the answers made at the same time. Beyond loopback it speaks TLS if the node has a certificate.
"""

import logging
import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from socket import SHUT_WR, socket

from .answer import Answer, Problem, problem
from .caller import body_length, has_body, path_of
from .client import LEFT_BYTES, Client, head_of
from .dispatch import Api, Asked
from .door import Door
from .request import Refused, Request, read_request
from .route import V1
from .stream import Stream, Streams
from .tls import Certificate

log = logging.getLogger("edge.api")
_ALWAYS = (b"/health", f"{V1}/health".encode())  # are answered even if all places are taken
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")


class ApiError(OSError):
    """The server cannot listen."""


class ApiServer:
    """Answers at most `most` requests at a time, and one more for /health; others wait for a second, and are
    told to come again then."""

    def __init__(
        self,
        host: str,
        port: int,
        api: Api,
        most: int,
        names: Collection[str] = (),
        tls: Certificate | None = None,
        streams: Streams | None = None,
    ) -> None:
        """`names`: those of this node besides the ones that `caller` knows. With `tls`, clients on other
        machines have to use it. Raises ApiError when the address cannot be listened on."""
        self._api, self._names = api, {host.lower(), *names}
        self._tls, self._streams = tls, streams
        self._places = threading.BoundedSemaphore(most)
        self._place_of_health = threading.BoundedSemaphore(1)
        try:
            self._door = Door(host, port, self._take, _refuse, tls)
        except OSError as error:
            raise ApiError(f"api: cannot listen on {host} port {port}: {error.strerror}") from None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._door.port

    def start(self) -> None:
        """Begin to answer."""
        self._door.start()
        if self._streams:
            self._streams.start()

    def stop(self) -> None:
        """Stop answering and close the port."""
        self._door.stop()
        if self._streams:
            self._streams.stop()

    def _take(self, client: socket, head: bytes) -> bool:
        place = self._place_for(head)
        if place is None:
            return False
        try:
            threading.Thread(target=self._serve, args=(client, head, place), daemon=True).start()
        except RuntimeError as error:  # the system has no thread to give
            place.release()
            _refuse(client, 503)
            log.warning("a request was turned away: %s", error)
        return True

    def _place_for(self, head: bytes) -> threading.BoundedSemaphore | None:
        words = head.split(None, 2)
        asks_health = len(words) > 1 and words[1].partition(b"?")[0] in _ALWAYS
        for place in [self._place_of_health, self._places] if asks_health else [self._places]:
            if place.acquire(blocking=False):
                return place
        return None

    def _serve(self, connection: socket, head: bytes, place: threading.BoundedSemaphore) -> None:
        handed_on = False
        try:
            client = Client(connection, head)
            handed_on = self._answer(client, head)
            if not handed_on:
                client.end()
        except OSError:
            pass  # the client has gone, or is too slow
        finally:
            place.release()
            if not handed_on:
                connection.close()

    def _answer(self, client: Client, head: bytes) -> bool:
        """Answer a request; returns whether the connection is a stream now, which somebody else closes."""
        method, unread, request = "", True, None
        try:
            request = read_request(head)
            method = request.method
            unread = has_body(request)
            answer = self._answer_to(request, client)
        except Refused as error:
            answer = problem(error.status, str(error))
        except Problem as found:
            answer = found.answer
        if isinstance(answer.content, Stream):
            if self._streams and not self._streams.full and method != "HEAD":
                return self._streams.take(client.connection, answer.content)
            if self._streams and method != "HEAD":
                self._streams.counters.refused += 1
            full = problem(503, "too many streams are open, try again later")
            answer = replace(answer, content=b"") if method == "HEAD" else full
        matches = request.values("if-none-match") if request else []
        client.send_answer(answer, method != "HEAD", matches[0] if matches else "")
        if unread and not client.has_read:
            client.drop_body()
        return False

    def _answer_to(self, request: Request, client: Client) -> Answer:
        """Raises Refused, Problem."""
        method, path = request.method, path_of(request, self._names)
        if method not in _METHODS:
            raise Refused(501, f"{method[:60]} is not a method of this server")
        if self._tls and not client.secure and not client.is_local:
            raise _only_tls(request, path)

        def first(name: str) -> str:
            return next(iter(request.values(name)), "")

        caller = self._api.access.caller(client.peer, first("authorization"), first("cookie"))
        caller = replace(
            caller,
            cookies=first("cookie"),
            secure=client.secure,
            takes_gzip="gzip" in first("accept-encoding"),
        )

        def read() -> bytes:
            return client.read_body(body_length(request), bool(first("expect")))

        asked = Asked(
            caller, first("accept"), first("content-type"), read, first("last-event-id"), has_body(request)
        )
        return self._api.answer(method, path, asked)


def _only_tls(request: Request, path: str) -> Problem:
    host = next(iter(request.values("host")), "")
    if request.method in ("GET", "HEAD") and host:
        target = f"https://{host}{path}"
        return Problem(308, "this node speaks TLS with other machines", (("Location", target),))
    return Problem(426, "this node speaks TLS with other machines: https://", (("Upgrade", "TLS/1.2"),))


def _refuse(client: socket, status: int) -> None:
    """Say so, if that is possible at once, and close."""
    reason = {431: "the head of the request is too large", 503: "too many requests, try again"}[status]
    answer = problem(status, reason)
    body = b"".join(answer.pieces())
    with client, suppress(OSError):
        client.setblocking(False)
        client.send(head_of(answer, f"Content-Length: {len(body)}") + body)
        client.shutdown(SHUT_WR)
        client.recv(LEFT_BYTES)  # what is left unread would make the kernel drop the answer

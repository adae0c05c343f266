"""One client of the HTTP server: it is sent an answer until a deadline, whatever it does."""

import ssl
import time
from contextlib import suppress
from hashlib import blake2b
from socket import SHUT_WR, socket

from .access import is_local
from .answer import PHRASES, Answer, Problem
from .body import MOST_BYTES

ANSWER_S = 10.0  # to make and send an answer
LONG_ANSWER_S = 120.0  # one that is made in pieces
LEFT_BYTES, _LEFT_S = 1 << 16, 0.5  # of a body that nobody wanted
_BODY_S = 5.0


class Client:
    """A connection whose head has been read, and perhaps more: `first` is all that has arrived."""

    def __init__(self, connection: socket, first: bytes) -> None:
        """Raises OSError when it has gone."""
        self.connection = connection
        self.secure = isinstance(connection, ssl.SSLSocket)
        self.peer = str(connection.getpeername()[0])
        self.is_local = is_local(self.peer) or self.peer == connection.getsockname()[0]
        if self.is_local:
            self.peer = "127.0.0.1"
        self.has_read = False
        self._first = first
        self._until_s = time.monotonic() + ANSWER_S

    def read_body(self, length: int, expects: bool) -> bytes:
        """The body of that length; `expects`: the client waits until it is told to go on. Raises Problem."""
        if length > MOST_BYTES:
            raise Problem(413, f"a body has at most {MOST_BYTES:,} bytes")
        data = bytearray(_after_head(self._first))
        until_s = time.monotonic() + _BODY_S
        try:
            if expects and len(data) < length:
                self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
            while len(data) < length:
                self.connection.settimeout(max(0.001, until_s - time.monotonic()))
                more = self.connection.recv(length - len(data))
                if not more:
                    break
                data += more
        except TimeoutError:
            pass
        if len(data) < length:
            raise Problem(400, "the body is shorter than its Content-Length")
        self.has_read = True
        return bytes(data[:length])

    def send_answer(self, answer: Answer, with_content: bool, known: str = "") -> None:
        """`known`: the tags of the copies that the client has. Raises OSError, TimeoutError after the
        deadline."""
        pieces, headers = answer.pieces(), []
        try:
            if answer.long:  # its end is that of the connection
                self._until_s = time.monotonic() + LONG_ANSWER_S
            else:
                body = b"".join(pieces)
                if answer.status == 200:
                    tag, more = _tag(answer, body)
                    headers += more
                    if tag in known:
                        answer, body = Answer(304, headers=answer.headers, media=""), b""
                pieces = iter([body])
                if answer.status != 304:
                    headers.append(f"Content-Length: {len(body)}")
            self._send(head_of(answer, *headers))
            if with_content:
                for piece in pieces:
                    self._send(piece)
        finally:
            answer.close()

    def _send(self, data: bytes) -> None:
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self.connection.settimeout(left_s)
        self.connection.sendall(data)

    def end(self) -> None:
        """Nothing more is sent. Raises OSError."""
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.setblocking(False)
            with suppress(OSError):  # it need not say goodbye, too
                self.connection.unwrap()
        else:
            self.connection.shutdown(SHUT_WR)

    def drop_body(self) -> None:
        """A connection that is closed before its body was read may lose the answer."""
        with suppress(OSError):
            if not self.secure:
                self.connection.shutdown(SHUT_WR)
            self.connection.settimeout(_LEFT_S)
            left = LEFT_BYTES
            while left > 0 and (dropped := self.connection.recv(min(left, 4096))):
                left -= len(dropped)


def head_of(answer: Answer, *headers: str) -> bytes:
    """The head of an answer."""
    lines = (
        f"HTTP/1.0 {answer.status} {PHRASES[answer.status]}",
        "Server: edge",
        time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
        *([f"Content-Type: {answer.media}"] if answer.media else []),
        *([f"Allow: {answer.allow}"] if answer.allow else []),
        *(f"{name}: {value}" for name, value in answer.headers),
        *headers,
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def _tag(answer: Answer, body: bytes) -> tuple[str, list[str]]:
    """The tag of an answer, and the headers about copies of it that it does not have yet."""
    named = dict(answer.headers)
    tag = named.get("ETag") or f'"{blake2b(body, digest_size=8).hexdigest()}"'
    headers = [] if "ETag" in named else [f"ETag: {tag}"]
    if "Cache-Control" not in named:
        headers.append("Cache-Control: no-cache")
    return tag, headers


def _after_head(first: bytes) -> bytes:
    """What follows the empty line."""
    ends = [(at, len(end)) for end in (b"\n\r\n", b"\n\n") if (at := first.find(end)) >= 0]
    at, length = min(ends)
    return first[at + length :]

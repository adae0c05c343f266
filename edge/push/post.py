"""One POST request over HTTP or HTTPS.

What the library for it brings, 1 MB, is for far more than is needed here: a status is read, and the beginning
of a text for people. Nothing is believed about the length of an answer; it is never followed elsewhere.
"""

import re
import socket
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

_MOST_BYTES = 4096  # of an answer that is read
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?\r?\n")
_RETRY = re.compile(rb"^retry-after:[ \t]*([0-9]{1,6})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_TEXT = 200


class Answer(NamedTuple):
    """`retry_s`: how long the server wants to be left alone, 0 if it does not say; `text` is for people."""

    status: int
    retry_s: int = 0
    text: str = ""


def trusting(url: str, ca: str) -> "ssl.SSLContext | None":
    """Whom to believe: the authority in a file, or those of the system; None for an address without TLS.

    It takes 20 ms and 1 MB for those of the system, so it is made once. Raises OSError.
    """
    if not url.startswith("https:"):
        return None
    import ssl  # only for such an address

    return ssl.create_default_context(cafile=ca or None)


def post(url: str, body: bytes, token: str, context: "ssl.SSLContext | None", within_s: float) -> Answer:
    """Raises OSError, also for what is no answer, and ValueError for an address that cannot be used."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    until_s = time.monotonic() + within_s
    port = parts.port or (443 if context else 80)
    connection = socket.create_connection((host, port), timeout=within_s)
    try:
        if context:
            connection = context.wrap_socket(connection, server_hostname=host)
        head = [
            f"POST {parts.path or '/'}{'?' if parts.query else ''}{parts.query} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}",
            "User-Agent: microgrid-edge",
            "Connection: close",
        ]
        if token:
            head.append(f"Authorization: {token}")
        connection.settimeout(max(0.1, until_s - time.monotonic()))
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        return _answer(_received(connection, until_s))
    finally:
        connection.close()


def _received(connection: socket.socket, until_s: float) -> bytes:
    """The beginning of the answer, until it ends, or the head is over and it is slow."""
    found = bytearray()
    while len(found) < _MOST_BYTES:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the answer takes too long")
        connection.settimeout(min(left_s, 0.5) if b"\r\n\r\n" in found else left_s)
        try:
            chunk = connection.recv(_MOST_BYTES - len(found))
        except TimeoutError:
            if b"\r\n\r\n" in found:  # the body is only for people
                break
            raise
        if not chunk:
            break
        found += chunk
        if b"\r\n\r\n" in found and _STATUS.match(found) and found[9:10] == b"2":
            break
    return bytes(found)


def _answer(data: bytes) -> Answer:
    head, ended, body = data.partition(b"\r\n\r\n")
    status = _STATUS.match(data)
    if not status or not ended:
        raise ConnectionError("the answer is not that of an HTTP server")
    retry = _RETRY.search(head)
    text = "".join(each if each.isprintable() else " " for each in body.decode(errors="replace"))
    return Answer(int(status[1]), int(retry[1]) if retry else 0, " ".join(text.split())[:_TEXT])

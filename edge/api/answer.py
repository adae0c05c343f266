"""Answers: a status, headers, and a content that is sent as JSON, as bytes, or in pieces.

Errors are problem details (RFC 9457): a title for the status, and in `detail` what is wrong with this
request.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Generic, TypeVar

import orjson

T = TypeVar("T")
JSON, PROBLEM, CSV = "application/json", "application/problem+json", "text/csv; charset=utf-8"
CHALLENGE = (("WWW-Authenticate", 'Bearer realm="microgrid-edge"'),)  # with each 401
PHRASES = {
    200: "OK",
    201: "Created",
    304: "Not Modified",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    411: "Length Required",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    426: "Upgrade Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """What a view returns that says more than a T: another status, headers, or bytes of another type."""

    content: T | bytes | None
    status: int = 200
    media: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request. With 405, `allow` lists the methods that are allowed."""

    status: int
    content: Any = None
    allow: str = ""
    long: Generator[bytes, None, None] | None = None  # in place of content, made while it is sent
    first: bytes = b""  # piece of it
    media: str = JSON
    headers: tuple[tuple[str, str], ...] = field(default=())
    stream: bool = False  # it goes on until the client leaves; another thread sends it

    def pieces(self) -> Iterator[bytes]:
        """What is sent after the head."""
        if self.long:
            return chain([self.first], self.long)
        if isinstance(self.content, bytes):
            return iter([self.content])
        return iter([orjson.dumps(self.content, option=orjson.OPT_NON_STR_KEYS)])

    def close(self) -> None:
        """End the work on an answer that nobody waits for any more."""
        if self.long:
            with suppress(Exception):
                self.long.close()


class Problem(Exception):
    """A view or a check refuses the request; `more` are further members of the answer."""

    def __init__(
        self, status: int, detail: str, headers: tuple[tuple[str, str], ...] = (), **more: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.headers, self.more = status, headers, more

    @property
    def answer(self) -> Answer:
        """It as an answer."""
        return problem(self.status, str(self), headers=self.headers, more=self.more)


def problem(
    status: int,
    detail: str,
    allow: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    more: Mapping[str, Any] | None = None,
) -> Answer:
    """An answer that says what is wrong."""
    content = {"type": "about:blank", "title": PHRASES[status], "status": status, "detail": detail}
    return Answer(status, content | dict(more or {}), allow, media=PROBLEM, headers=headers)

"""The head of an HTTP request, read strictly: what two readers could understand in two ways is refused.

Such are a line that continues the one above it, a CR alone, a space before a colon, a control character, and
HTTP/0.9. The standard library accepts most of them, and brings a parser of e-mail for it.
"""

import re
from dataclasses import dataclass
from itertools import takewhile

_MOST_HEADERS = 40
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST = re.compile(rb"(%b) ([!-~]+) HTTP/(\d)\.(\d)" % _TOKEN)
_HEADER = re.compile(rb"(%b):([\t -~\x80-\xff]*)" % _TOKEN)


class Refused(ValueError):
    """The request is refused with `status`; the message says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its body: the target as it was sent, the names of headers in lower case."""

    method: str
    target: str
    needs_host: bool  # from HTTP/1.1 on
    headers: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """The values of all headers with this name, which is in lower case."""
        return [value for each, value in self.headers if each == name]


def read_request(head: bytes) -> Request:
    """Read the head, which ends with the first empty line of it. Raises Refused."""
    first, *others = takewhile(bool, (line.removesuffix(b"\r") for line in head.split(b"\n")))
    if not (found := _REQUEST.fullmatch(first)):
        raise Refused(400, "the first line is not METHOD TARGET HTTP/1.1")
    method, target, major, minor = (each.decode() for each in found.groups())
    if major != "1":
        raise Refused(505, f"HTTP/{major}.{minor} is not supported, HTTP/1.1 is")
    if len(others) > _MOST_HEADERS:
        raise Refused(431, f"more than {_MOST_HEADERS} headers")
    return Request(method, target, minor != "0", tuple(map(_header, others)))


def _header(line: bytes) -> tuple[str, str]:
    if not (found := _HEADER.fullmatch(line)):
        raise Refused(400, "a header is invalid")
    return found[1].decode().lower(), found[2].strip(b"\t ").decode("latin-1")

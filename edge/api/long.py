"""A long answer is made in pieces while it is sent, so that it never stands in memory as a whole.

When the client goes, the next piece cannot be sent and the work ends. While an answer is still being worked
out, its pieces are blanks, which JSON ignores.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import orjson

T = TypeVar("T")
BLANK = b" "
_PIECE_ROWS = 16


class Long(Generic[T]):
    """JSON text of a T, in pieces. The first piece raises what the view would raise."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces


def rows_in(fields: Mapping[str, Any], name: str, rows: Iterable[Any]) -> Iterator[bytes]:
    """An object with these fields, and a list of rows as its last one."""
    start = orjson.dumps(fields)[:-1] + f',"{name}":['.encode()
    some: list[Any] = []
    for row in rows:
        some.append(row)
        if len(some) == _PIECE_ROWS:
            yield start + orjson.dumps(some)[1:-1]
            start = b","
            some.clear()
    if some:
        yield start + orjson.dumps(some)[1:-1] + b"]}"
    else:
        yield (b"" if start == b"," else start) + b"]}"

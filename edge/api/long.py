"""A long answer is made in pieces while it is sent, so that it never stands in memory as a whole.

When the client goes, the next piece cannot be sent and the work ends. While an answer is still being worked
out, its pieces are blanks, which JSON ignores.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

import orjson

from .answer import JSON

T = TypeVar("T")
BLANK = b" "
_PIECE_ROWS = 16


class Long(Generic[T]):
    """JSON text of a T, or its rows as CSV, in pieces. The first piece raises what the view would raise."""

    def __init__(self, pieces: Iterator[bytes], media: str = JSON) -> None:
        self.pieces, self.media = pieces, media


def rows_in(
    fields: Mapping[str, Any],
    name: str,
    rows: Iterable[Any],
    more: Callable[[], Mapping[str, Any]] = dict,
) -> Iterator[bytes]:
    """An object with these fields and a list of rows, and the fields that are known after the last row."""
    start = orjson.dumps(fields)[:-1] + (b"," if fields else b"") + f'"{name}":['.encode()
    some: list[Any] = []
    for row in rows:
        some.append(row)
        if len(some) == _PIECE_ROWS:
            yield start + orjson.dumps(some)[1:-1]
            start = b","
            some.clear()
    rest = orjson.dumps(more())[1:]
    end = b"]" + (b"," if len(rest) > 1 else b"") + rest
    if some:
        yield start + orjson.dumps(some)[1:-1] + end
    else:
        yield (b"" if start == b"," else start) + end


def csv_lines(names: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    """A head and lines, some at a time. None is an empty field; texts with a comma or a quote are quoted."""
    some = [",".join(names)]
    for row in rows:
        some.append(",".join("" if each is None else _field(str(each)) for each in row))
        if len(some) == _PIECE_ROWS:
            yield "\r\n".join([*some, ""]).encode()
            some.clear()
    yield "\r\n".join([*some, ""] if some else []).encode()


def csv_of(kind: type, rows: Iterable[Mapping[str, object]]) -> bytes:
    """Objects of a typed dictionary; the head are the names of its fields."""
    names = list(kind.__annotations__)
    return b"".join(csv_lines(names, ([row[name] for name in names] for row in rows)))


def _field(text: str) -> str:
    if not any(each in text for each in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'

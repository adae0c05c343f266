"""The standard operators of the middleware, over JSON numbers: sum, min, max, mean, newest."""

import json
from math import isfinite

from . import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import Operator


def _numbers(sources: "list[Source]") -> "list[float]":
    numbers = []
    for source in sources:
        number = json.loads(source.value)
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not isfinite(number):
            raise ValueError(source.agent + " aggregates a value that is not a number")
        numbers.append(number)
    return numbers


def _encode(number: float) -> bytes:
    return json.dumps(number).encode()


def total(sources: "list[Source]") -> bytes:
    """Sum over all agents."""
    return _encode(sum(_numbers(sources)))


def least(sources: "list[Source]") -> bytes:
    """Smallest value."""
    return _encode(min(_numbers(sources)))


def greatest(sources: "list[Source]") -> bytes:
    """Largest value."""
    return _encode(max(_numbers(sources)))


def mean(sources: "list[Source]") -> bytes:
    """Arithmetic mean."""
    numbers = _numbers(sources)
    return _encode(sum(numbers) / len(numbers))


def newest(sources: "list[Source]") -> bytes:
    """The value that changed last, as seen here; among equals the last by agent name."""
    best = sources[0]
    for source in sources:
        if source.since >= best.since:
            best = source
    return best.value


OPERATORS: "dict[str, Operator]" = {
    "sum": total,
    "min": least,
    "max": greatest,
    "mean": mean,
    "newest": newest,
}

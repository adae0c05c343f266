"""The standard operators of the middleware, over JSON numbers: sum, min, max, mean, newest, metropolis."""

import json
from math import isfinite

from . import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..lsa import Aggregation
    from . import Operator, Result


def _check(source: Source, number: object) -> float:
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not isfinite(number):
        raise ValueError(source.agent + " aggregates a value that is not a number")
    return number


def _numbers(sources: "list[Source]") -> "list[float]":
    return [_check(source, json.loads(source.value)) for source in sources]


def _encode(number: float) -> bytes:
    return json.dumps(number).encode()


def _only(position: int, count: int) -> "list[float]":
    weights = [0.0] * count
    weights[position] = 1.0
    return weights


def total(sources: "list[Source]", spec: "Aggregation") -> "Result":
    """Sum over all agents."""
    return _encode(sum(_numbers(sources))), [1.0] * len(sources)


def least(sources: "list[Source]", spec: "Aggregation") -> "Result":
    """Smallest value."""
    numbers = _numbers(sources)
    number = min(numbers)
    return _encode(number), _only(numbers.index(number), len(numbers))


def greatest(sources: "list[Source]", spec: "Aggregation") -> "Result":
    """Largest value."""
    numbers = _numbers(sources)
    number = max(numbers)
    return _encode(number), _only(numbers.index(number), len(numbers))


def mean(sources: "list[Source]", spec: "Aggregation") -> "Result":
    """Arithmetic mean.

    Repeated with a reach of 1, all nodes come to the mean weighted by how many nodes each one averages over.
    """
    numbers = _numbers(sources)
    return _encode(sum(numbers) / len(numbers)), [1 / len(numbers)] * len(numbers)


def newest(sources: "list[Source]", spec: "Aggregation") -> "Result":
    """The value that changed last, as seen here; among equals the last by agent name."""
    best = 0
    for i, source in enumerate(sources):
        if source.since >= sources[best].since:
            best = i
    return sources[best].value, _only(best, len(sources))


def metropolis(sources: "list[Source]", spec: "Aggregation") -> "Result":
    """Of values `[number, neighbours]`: repeated with a reach of 1, all nodes come to the plain mean.

    The weight of a neighbour depends on how many neighbours both have; the result has the same form.
    """
    others = len(sources) - 1
    pairs = [_pair(source) for source in sources]
    own = 0
    for i, source in enumerate(sources):
        if source.own:
            own = i
    most = max(others, pairs[own][1])
    weights = [1 / (1 + max(most, neighbours)) for _, neighbours in pairs]
    weights[own] = 0.0
    weights[own] = 1 - sum(weights)
    number = sum([weight * pair[0] for weight, pair in zip(weights, pairs)])  # noqa: B905, as in exchange.py
    return json.dumps([number, pairs[own][1]]).encode(), weights


def _pair(source: Source) -> "tuple[float, float]":
    pair = json.loads(source.value)
    if not isinstance(pair, list) or len(pair) != 2 or _check(source, pair[1]) < 0:
        raise ValueError(source.agent + " does not aggregate [number, neighbours]")
    return _check(source, pair[0]), pair[1]


OPERATORS: "dict[str, Operator]" = {
    "sum": total,
    "min": least,
    "max": greatest,
    "mean": mean,
    "newest": newest,
    "metropolis": metropolis,
}

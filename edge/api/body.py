"""The body of a request: bounded, JSON, and checked against the keys that its route takes before any work.

The keys are options, as in a configuration file: their types, ranges and words are declared once.
"""

from collections.abc import Callable
from typing import Any

import orjson

from ..option import Option, shown
from .answer import Problem

MOST_BYTES = 16384
_MOST_NAMED = 20  # mistakes


def read_body(
    read: Callable[[], bytes], media: str, options: tuple[Option, ...], patch: bool
) -> dict[str, Any]:
    """The object that was sent, each value of the kind that its key has. Raises Problem."""
    if media.partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "the body must be JSON: Content-Type: application/json")
    try:
        found = orjson.loads(read())
    except orjson.JSONDecodeError:
        raise Problem(400, "the body is not valid JSON") from None
    if not isinstance(found, dict):
        raise Problem(422, "the body must be an object")
    known = {option.key: option for option in options}
    errors = [
        _error(key, value, f"unknown key; the keys are {', '.join(known)}")
        for key, value in found.items()
        if key not in known
    ]
    for key, option in known.items():
        if key in found and (reason := option.refusal(found[key])):
            errors.append(_error(key, found[key], reason))
        elif key not in found and option.required and not patch:
            errors.append({"key": key, "value": None, "reason": f"is missing: {option.meaning}"})
    if errors:
        raise refused(errors)
    return found


def refused(errors: list[dict[str, Any]], status: int = 422) -> Problem:
    """The problem of invalid values; each error has a key, its value, and the reason."""
    first = errors[0]
    value = "" if first["value"] is None else f" = {first['value']}:"
    more = f"; and {len(errors) - 1} more" if len(errors) > 1 else ""
    return Problem(status, f"{first['key']}{value} {first['reason']}{more}", errors=errors[:_MOST_NAMED])


def _error(key: str, value: Any, reason: str) -> dict[str, Any]:
    return {"key": key[:60], "value": shown(value), "reason": reason}

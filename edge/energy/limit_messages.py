"""What a controller says about limits, as it comes over MQTT or HTTP: JSON, checked before it is obeyed.

{"direction": "consume", "power_w": 4200, "lasts_s": 7200}                  an order
{"direction": "feed_in", "power_w": 0, "from_s": 1764400000, "until_s": 1764403600}
{"direction": "consume", "power_w": 3000, "twins": ["wallbox"]}             for some twins; or "circuit"
{"direction": "consume", "power_w": null}                                   that limit is over
{}                                                                          a heartbeat
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from .limits import Direction, Limit, LimitRefused, Scope
from .rules import MAX_POWER_W

MOST_BYTES = 2048
_MOST_S = 366 * 86_400.0
_MOST_TWINS = 64
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_KEYS = {"direction", "power_w", "circuit", "twins", "from_s", "until_s", "lasts_s"}


@dataclass(frozen=True, slots=True)
class Release:
    """The limits of its source are over, in one direction or (None) in both."""

    direction: Direction | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Its source lives."""


def read_limit(data: bytes) -> dict[str, Any]:
    """The object that was sent. Raises LimitRefused."""
    if len(data) > MOST_BYTES:
        raise LimitRefused(f"longer than {MOST_BYTES} bytes")
    try:
        found = orjson.loads(data or b"{}")
    except orjson.JSONDecodeError:
        raise LimitRefused("is not valid JSON") from None
    if not isinstance(found, dict):
        raise LimitRefused("must be an object")
    return found


def parse_limit(
    found: Mapping[str, Any], source: str, now_s: float, wall_s: float | None
) -> Limit | Release | Heartbeat:
    """What the object means. `wall_s`: Unix time, None while the clock is not set. Raises LimitRefused."""
    if unknown := found.keys() - _KEYS:
        raise LimitRefused(
            f"unknown key {sorted(unknown)[0][:40]!r}; the keys are {', '.join(sorted(_KEYS))}"
        )
    if not found:
        return Heartbeat()
    direction = _direction(found.get("direction"))
    if "power_w" not in found:
        raise LimitRefused("power_w is missing; null ends a limit")
    if found["power_w"] is None:
        return Release(direction)
    if direction is None:
        raise LimitRefused("direction is missing: consume or feed_in")
    from_s, until_s = _dates(found, now_s, wall_s)
    return Limit(
        direction=direction,
        power_w=_number("power_w", found["power_w"], MAX_POWER_W),
        source=source,
        scope=_scope(found),
        from_s=from_s,
        until_s=until_s,
    )


def _direction(value: Any) -> Direction | None:
    if value is None:
        return None
    try:
        return Direction(value)
    except ValueError:
        raise LimitRefused("direction must be consume or feed_in") from None


def _scope(found: Mapping[str, Any]) -> Scope:
    circuit, twins = found.get("circuit"), found.get("twins")
    if twins is not None and not (isinstance(twins, list | tuple) and 0 < len(twins) <= _MOST_TWINS):
        raise LimitRefused(f"twins must be a list of 1 to {_MOST_TWINS} names")
    named = [*([] if circuit is None else [circuit]), *(twins or ())]
    if not all(isinstance(each, str) and _NAME.fullmatch(each) for each in named):
        raise LimitRefused("circuit and twins must be names")
    if circuit and twins:
        raise LimitRefused("a limit concerns a circuit or twins, not both")
    return Scope(circuit=circuit or "", twins=tuple(sorted(set(twins or ()))))


def _dates(found: Mapping[str, Any], now_s: float, wall_s: float | None) -> tuple[float, float]:
    from_s, until_s = -math.inf, math.inf
    if found.get("lasts_s") is not None and found.get("until_s") is not None:
        raise LimitRefused("a limit has lasts_s or until_s, not both")
    for key in ("from_s", "until_s"):
        if found.get(key) is None:
            continue
        if wall_s is None:
            raise LimitRefused(f"{key} means nothing while the clock of the node is not set; use lasts_s")
        at_s = _number(key, found[key], 1e12) - wall_s
        if abs(at_s) > _MOST_S:
            raise LimitRefused(f"{key} must be Unix time, less than a year away")
        from_s, until_s = (now_s + at_s, until_s) if key == "from_s" else (from_s, now_s + at_s)
    if found.get("lasts_s") is not None:
        until_s = max(now_s, from_s) + _number("lasts_s", found["lasts_s"], _MOST_S)
    return from_s, until_s


def _number(key: str, value: Any, most: float) -> float:
    if type(value) not in (int, float) or not 0.0 <= value <= most:  # nan too
        raise LimitRefused(f"{key} must be a number from 0 to {most:g}")
    return float(value)

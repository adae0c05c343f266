"""External limits as they come over MQTT, and what is shown there of them."""

import logging
import math

import orjson

from ..node import Node

log = logging.getLogger("edge.regulator")


def tell_limit(node: Node, source: str, message: bytes) -> None:
    """A message of a controller; one that is not valid is logged and counted."""
    if node.regulator is None:
        return
    try:
        node.regulator.hear(message, f"mqtt:{source}")
    except ValueError as error:  # LimitRefused
        log.warning("a limit of mqtt:%s is refused: %s", source, error)


def limits_shown(node: Node) -> bytes:
    """JSON: the limits that hold, what they leave to single twins, and whether the failsafe holds."""
    regulator = node.regulator
    assert regulator is not None
    held = [
        {
            "direction": limit.direction.value,
            "power_w": round(limit.power_w, 3),
            "scope": str(limit.scope),
            "source": limit.source,
            "until_s": round(node.wall_s(limit.until_s)) if math.isfinite(limit.until_s) else None,
        }
        for limit in regulator.held.values()
    ]
    left_w = dict.fromkeys(regulator.stopped, 0.0) | {
        name: round(each.power_w, 3) for name, each in regulator.reduced.items()
    }
    return orjson.dumps({"in_force": held, "left_w": left_w, "failsafe": regulator.limits.failsafe.holds})

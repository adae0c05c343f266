"""What the operator of a grid allows the members behind one connection (thesis 8.2.2).

It knows what each member draws and gives by the totals that nodes publish. When all together draw or feed in
more than the connection bears, those with the largest powers are limited to one common level, so that nobody
gives up more than somebody who draws more; who stays below it is left alone. Such a limit holds for a quarter
of an hour; then the operator looks again. It may also limit a member by hand. No consumption is limited below
the power that is guaranteed by law.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from .limits import GUARANTEED_W, Direction
from .parsing import number
from .rules import MAX_POWER_W

BY_HAND, OVERLOAD = "operator", "overload"
HOLD_S = 900.0
_LOOK_EVERY_S = 10.0  # members need some seconds to obey, and their totals to arrive
_LEAST_W = 1.0
_MOST_LIMITED = 64  # members at once: what all of them have to obey is one value


class Allowed(NamedTuple):
    """The most power of one member in one direction, why, and until when (monotonic clock)."""

    power_w: float
    cause: str = BY_HAND
    until_s: float = math.inf


def common_level(powers_w: Mapping[str, float], most_w: float) -> float:
    """The level to which powers must be cut so that their sum is `most_w`; inf if it is not more anyway."""
    left_w, level_w = most_w, math.inf
    ordered = sorted(powers_w.values())
    for i, power_w in enumerate(ordered):
        share_w = left_w / (len(ordered) - i)
        if power_w > share_w:
            return max(0.0, share_w)
        left_w -= power_w
    return level_w


class GridOperator:
    """The limits of the members of one connection. `most_w`: what it bears by direction, 0: no limit."""

    def __init__(self, most_w: Mapping[Direction, float], members: int) -> None:
        """`members`: how many it remembers."""
        self.most_w = dict(most_w)
        self.allowed: dict[tuple[str, Direction], Allowed] = {}
        self.net_w: dict[str, float] = {}  # drawn less given, by member
        self.overloads = 0
        self.unlimited = 0  # how often somebody was not limited, as too many are already
        self._members = members
        self._look_s = -math.inf

    @property
    def sum_w(self) -> float:
        """What all members draw less what they give."""
        return math.fsum(self.net_w.values())

    def see(self, member: str, net_w: float | None) -> None:
        """What a member draws less what it gives; None: it is not known."""
        if net_w is None:
            self.net_w.pop(member, None)
        elif member in self.net_w or len(self.net_w) < self._members:
            self.net_w[member] = net_w

    def order(self, member: str, direction: Direction, power_w: float, until_s: float = math.inf) -> None:
        """Limit a member by hand. Raises ValueError for a power that means nothing, or too many members."""
        number(power_w, 0.0, MAX_POWER_W)
        if not self._has_room_for(member):
            raise ValueError(f"{_MOST_LIMITED} members are limited already")
        self.allowed[member, direction] = Allowed(power_w, BY_HAND, until_s)

    def release(self, member: str) -> int:
        """End the limits of a member; returns how many there were."""
        gone = [key for key in self.allowed if key[0] == member]
        for key in gone:
            del self.allowed[key]
        return len(gone)

    def step(self, now_s: float) -> bool:
        """Limits end, and new ones begin when the connection bears no more; whether any did."""
        before = dict(self.allowed)
        for key in [key for key, each in before.items() if each.until_s <= now_s]:
            del self.allowed[key]
        if now_s >= self._look_s + _LOOK_EVERY_S:
            self._look_s = now_s
            self._keep_below(Direction.CONSUME, 1.0, now_s)
            self._keep_below(Direction.FEED_IN, -1.0, now_s)
        return self.allowed != before

    def _keep_below(self, direction: Direction, sign: float, now_s: float) -> None:
        most_w, flow_w = self.most_w.get(direction, 0.0), sign * self.sum_w
        if not most_w or flow_w <= most_w + _LEAST_W:
            return
        self.overloads += 1
        flows_w = {member: sign * net_w for member, net_w in self.net_w.items() if sign * net_w > 0.0}
        against_w = sum(flows_w.values()) - flow_w  # what others give back, or draw
        level_w = common_level(flows_w, most_w + against_w)
        if direction is Direction.CONSUME:
            level_w = max(level_w, GUARANTEED_W)
        for member, power_w in sorted(flows_w.items(), key=lambda each: (-each[1], each[0])):
            known = self.allowed.get((member, direction))
            if power_w <= level_w + _LEAST_W or (known is not None and known.cause == BY_HAND):
                continue
            if self._has_room_for(member):
                self.allowed[member, direction] = Allowed(round(level_w, 1), OVERLOAD, now_s + HOLD_S)
            else:
                self.unlimited += 1

    def _has_room_for(self, member: str) -> bool:
        limited = {name for name, _ in self.allowed}
        return member in limited or len(limited) < _MOST_LIMITED

    def orders(self) -> dict[str, bytes]:
        """What each member that is limited has to obey, as it is sent."""
        rows: dict[str, list[list[Any]]] = {}
        for (member, direction), each in sorted(self.allowed.items()):
            rows.setdefault(member, []).append([direction, round(each.power_w, 1)])
        return {member: orjson.dumps(table) for member, table in rows.items()}


def read_orders(data: bytes) -> dict[Direction, float]:
    """What a member has to obey, in W by direction; empty: no limit. Raises ValueError, TypeError."""
    rows = orjson.loads(data) if data else []
    if not isinstance(rows, list) or len(rows) > len(Direction):
        raise ValueError("orders must be a list of at most one for each direction")
    return {Direction(direction): number(power_w, 0.0, MAX_POWER_W) for direction, power_w in rows}

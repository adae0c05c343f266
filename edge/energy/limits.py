"""External limits: what the operator of the grid may order, and the rules by which it is obeyed.

A limit says how much a connection, a circuit or some twins may consume or feed in. Several may hold at once;
then the lowest holds. In Germany (§ 14a EnWG, decision BK6-22-300) a controllable load always keeps 4.2 kW,
and several behind one energy manager keep a sum that grows more slowly than their number. Household load is
never limited. A controller that is expected to send heartbeats and falls silent for 120 s puts the failsafe
limits in force; they also hold from the start of the node to its first order.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

HEARTBEAT_S = 120.0  # without a sign of the controller for so long, the failsafe limits hold
GUARANTEED_W = 4200.0  # of one controllable load
_SHARES = (0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45)  # of each further one, for 2, 3 .. 9 and more loads
MOST_LIMITS = 32  # of those that find room only while there is some
FAILSAFE = "failsafe"  # the source of the failsafe limits


class Direction(StrEnum):
    """What a limit limits: power drawn from the grid, or fed into it."""

    CONSUME = "consume"
    FEED_IN = "feed_in"


class LimitRefused(ValueError):
    """An order that is not obeyed; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a limit concerns: a circuit, some twins (without their node), or else the grid connection."""

    circuit: str = ""
    twins: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.circuit:
            return f"circuit {self.circuit}"
        return f"twins {', '.join(self.twins)}" if self.twins else "connection"


CONNECTION = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `power_w` in one direction. Times are those of the node's monotonic clock."""

    direction: Direction
    power_w: float
    source: str  # who ordered it
    scope: Scope = CONNECTION
    from_s: float = -math.inf
    until_s: float = math.inf

    @property
    def failsafe(self) -> bool:
        """Whether it holds because nobody orders anything."""
        return self.source == FAILSAFE

    @property
    def key(self) -> tuple[str, Direction, Scope]:
        """A later order with the same key replaces it."""
        return self.source, self.direction, self.scope


def guaranteed_w(loads: int, each_w: float = GUARANTEED_W) -> float:
    """The least, in W, to which so many loads behind one energy manager may be limited together."""
    if loads <= 1:
        return each_w
    share = _SHARES[min(loads, len(_SHARES) + 1) - 2]
    return each_w * (1 + (loads - 1) * share)


class Failsafe:
    """Whether the failsafe limits hold.

    They hold from the start to the first order. When the controller was silent for 120 s they hold until it
    sends a heartbeat and then an order: without both they never end, so also not within two hours.
    """

    def __init__(self, now_s: float, expected: bool) -> None:
        """`expected`: whether a controller is to send heartbeats; without one they never hold."""
        self.holds = self._expected = expected
        self.since_s = now_s
        self.lost = False  # a controller that was there has fallen silent
        self._heard_s = now_s
        self._returned = False

    def heartbeat(self, now_s: float) -> None:
        """A sign of the controller without an order."""
        self.step(now_s)
        self._heard_s, self._returned = now_s, self.lost

    def ordered(self, now_s: float) -> None:
        """An order of the controller, which is a sign as well."""
        self.step(now_s)
        if self.holds and (self._returned or not self.lost):
            self.holds = self.lost = False
        self._heard_s, self._returned = now_s, self.lost

    def step(self, now_s: float) -> None:
        """Time has passed."""
        if not self._expected or now_s - self._heard_s <= HEARTBEAT_S:
            return
        self._returned = False
        if not self.holds:
            self.holds = self.lost = True
            self.since_s = now_s


class Limits:
    """The limits of one node. Beyond `MOST_LIMITS` only those find room that concern the whole connection and
    come by wire or from the expected controller: nobody can crowd out the operator of the grid.
    """

    def __init__(
        self, now_s: float, controller: str = "", failsafe_w: "dict[Direction, float] | None" = None
    ) -> None:
        """`controller`: the source that is expected to send heartbeats; `failsafe_w`: the failsafe limits."""
        self._controller = controller
        self._failsafe_w = failsafe_w or {}
        self.failsafe = Failsafe(now_s, bool(controller) and bool(self._failsafe_w))
        self._limits: dict[tuple[str, Direction, Scope], Limit] = {}
        self.refused = 0  # messages from the network

    def __iter__(self) -> Iterator[Limit]:
        """All that were ordered and have not ended, also those that begin later."""
        return iter(self._limits.values())

    def order(self, limit: Limit, now_s: float, *, wired: bool = False) -> None:
        """Obey a limit from now on; `wired`: from an input of the node. Raises LimitRefused."""
        self._forget(now_s)
        if not (0.0 <= limit.power_w < math.inf) or limit.until_s <= max(now_s, limit.from_s):
            raise LimitRefused("its power must be at least 0 W, and its end after its begin and after now")
        first = limit.scope == CONNECTION and (wired or limit.source == self._controller)
        if not first and limit.key not in self._limits and len(self._limits) >= MOST_LIMITS:
            raise LimitRefused(f"{MOST_LIMITS} limits are in force already")
        self._limits[limit.key] = limit
        self._heard(limit.source, now_s)

    def release(self, source: str, now_s: float, direction: Direction | None = None) -> int:
        """End what a source has ordered, in one direction or in both; returns how many limits that were."""
        gone = [
            key for key in self._limits if key[0] == source and (direction is None or key[1] is direction)
        ]
        for key in gone:
            del self._limits[key]
        self._heard(source, now_s)
        return len(gone)

    def heartbeat(self, source: str, now_s: float) -> None:
        """A source says that it lives."""
        if source == self._controller:
            self.failsafe.heartbeat(now_s)

    def step(self, now_s: float) -> None:
        """Time has passed: limits end, and the failsafe ones may begin."""
        self._forget(now_s)
        self.failsafe.step(now_s)

    def in_force(self, now_s: float) -> list[Limit]:
        """The limits that hold now, failsafe ones included."""
        held = [each for each in self._limits.values() if each.from_s <= now_s < each.until_s]
        if self.failsafe.holds:
            held += [
                Limit(direction=direction, power_w=power_w, source=FAILSAFE, from_s=self.failsafe.since_s)
                for direction, power_w in self._failsafe_w.items()
            ]
        return held

    def due_s(self, now_s: float) -> float:
        """When the next limit begins or ends; inf if none does."""
        moments = (moment for each in self for moment in (each.from_s, each.until_s) if moment > now_s)
        return min(moments, default=math.inf)

    # ---- a restart ----------------------------------------------------------------------------

    def memory(self, wall_s: float, now_s: float) -> list[list[Any]]:
        """What must survive a restart, with Unix times."""

        def date(at_s: float) -> float | None:
            return round(wall_s - now_s + at_s, 3) if math.isfinite(at_s) else None

        return [
            [
                each.direction,
                each.power_w,
                each.source,
                each.scope.circuit,
                each.scope.twins,
                date(each.from_s),
                date(each.until_s),
            ]
            for each in self
        ]

    def recall(self, memory: Any, wall_s: float, now_s: float) -> None:
        """Continue the limits from before a restart. What cannot be read is left out.

        An order from before the restart does not end the failsafe limits.
        """
        for row in memory if isinstance(memory, list) else ():
            try:
                direction, power_w, source, circuit, twins, from_s, until_s = row
                limit = Limit(
                    direction=Direction(direction),
                    power_w=float(power_w),
                    source=str(source),
                    scope=Scope(circuit=str(circuit), twins=tuple(map(str, twins))),
                    from_s=-math.inf if from_s is None else float(from_s) - wall_s + now_s,
                    until_s=math.inf if until_s is None else float(until_s) - wall_s + now_s,
                )
            except (TypeError, ValueError):
                continue
            if 0.0 <= limit.power_w < math.inf and limit.until_s > now_s and len(self._limits) < MOST_LIMITS:
                self._limits[limit.key] = limit

    # ---- inside -------------------------------------------------------------------------------

    def _heard(self, source: str, now_s: float) -> None:
        if source == self._controller:
            self.failsafe.ordered(now_s)

    def _forget(self, now_s: float) -> None:
        for key in [key for key, each in self._limits.items() if each.until_s <= now_s]:
            del self._limits[key]


def lowest(
    limits: Iterable[Limit], guaranteed: Callable[[Limit], float]
) -> dict[tuple[Direction, Scope], Limit]:
    """For each direction and scope the limit that holds: the lowest, and never below what is guaranteed.

    `guaranteed` gives the power in W below which a limit must not go.
    """
    held: dict[tuple[Direction, Scope], Limit] = {}
    for each in limits:
        raised = replace(each, power_w=max(each.power_w, guaranteed(each)))
        known = held.get((each.direction, each.scope))
        if known is None or raised.power_w < known.power_w:
            held[each.direction, each.scope] = raised
    return held

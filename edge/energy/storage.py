"""What a battery does in a microgrid: for its own device, or for all members (thesis 7.5.3).

`OwnStorage` takes the surplus of one device and gives it back when nobody else supplies that device.
`CommonStorage` decides which requests of the microgrid the storage twin answers, within what its battery
holds. Both are told the time and count exactly what flowed since they were last told.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .battery import Battery
from .book import Promise, State
from .messages import Priority, Request
from .rules import BATTERY_LEAST_WH, MARGIN, MIN_POWER_W, STORAGE_RETRY_S, STORAGE_WAIT_S, with_margin

UNMET_S = 3.0  # so long contracts are awaited before the own battery steps in
AGAIN_S = 10.0  # after that long it may step in again
STEP_S = 1.0  # powers are chosen so that they last at least so long
RESERVED_S = 15.0  # for so long power is kept for the request it was meant for
SHORTEST_S = 20.0  # a supply that would not last so long is not begun
_LEAST_PART = 0.05  # of a request
_DUST_WH = 1e-6
REQUESTS_MAX = 256  # that the common storage watches at once; no setting: two or more of each of 100 nodes


class OwnStorage:
    """The battery of one device: charged by its surplus, used for its need (thesis 7.5.3.1, 7.5.3.2).

    It never charges and gives at once.
    """

    def __init__(
        self, battery: Battery, *, critical: bool = False, least_wh: float = BATTERY_LEAST_WH
    ) -> None:
        """`critical`: its need may use the reserve. `least_wh`: with less in it, it does not step in."""
        self.battery = battery
        self.critical = critical
        self.charging_w = self.giving_w = 0.0
        self._least_wh = least_wh
        self._counted_s = math.nan
        self._unmet_since_s: float | None = None
        self._gave_s = -math.inf  # when the last supply ended

    def step(self, surplus_w: float, missing_w: float, now_s: float) -> None:
        """Count what flowed until now, then choose what flows from now on.

        `surplus_w`: produced and not needed by the device; `missing_w`: needed and under no contract.
        """
        self._count(now_s)
        missing = missing_w >= MIN_POWER_W
        if not missing:
            self._unmet_since_s = None
        elif self._unmet_since_s is None:
            self._unmet_since_s = now_s
        gave = self.giving_w > 0.0
        self.charging_w = 0.0 if missing else min(surplus_w, self.battery.most_in_w(STEP_S))
        may_give = missing and (gave or self._may_begin(now_s))
        self.giving_w = min(missing_w, self.battery.most_out_w(STEP_S, self.critical)) if may_give else 0.0
        if self.giving_w < MIN_POWER_W:
            self.giving_w = 0.0
        if gave and not self.giving_w:
            self._gave_s = now_s

    def _may_begin(self, now_s: float) -> bool:
        unmet_s = now_s - (now_s if self._unmet_since_s is None else self._unmet_since_s)
        enough = self.battery.usable_wh(self.critical) > self._least_wh
        return unmet_s >= UNMET_S and enough and now_s - self._gave_s >= AGAIN_S

    def _count(self, now_s: float) -> None:
        seconds = 0.0 if math.isnan(self._counted_s) else now_s - self._counted_s
        self._counted_s = now_s
        self.battery.charge(self.charging_w, seconds)
        self.battery.discharge(self.giving_w, seconds, self.critical)


@dataclass(slots=True)
class _Watched:
    """A request that the common storage has seen."""

    request: Request
    hops: int
    since_s: float
    granted_s: float = -math.inf  # power is reserved for it since then
    granted_w: float = 0.0

    def reserved(self, now_s: float) -> bool:
        return now_s < self.granted_s + RESERVED_S


class CommonStorage:
    """The battery of all: which requests it answers, and with how much power (thesis 7.5.3.3).

    All its supplies are one: their powers are added, and they last as long as the battery can give them all.
    """

    def __init__(
        self, battery: Battery, *, wait_s: float = STORAGE_WAIT_S, retry_s: float = STORAGE_RETRY_S
    ) -> None:
        """`wait_s`: how old a request must be; until then the producers of the microgrid may serve it.
        `retry_s`: how long a supply lasts before they may serve it again; 0: as long as its contract.
        """
        self.battery = battery
        self.out_w = 0.0  # what it gives now
        self._wait_s = wait_s
        self._retry_s = retry_s or math.inf
        self._requests: dict[str, _Watched] = {}
        self._counted_s = math.nan

    @property
    def watching(self) -> bool:
        """Whether there are requests that it may have to answer."""
        return bool(self._requests)

    @property
    def waiting_since_s(self) -> float:
        """Since when the oldest request has waited; inf without one."""
        return min((seen.since_s for seen in self._requests.values()), default=math.inf)

    def see(self, consumer: str, request: Request | None, hops: int, now_s: float) -> None:
        """A consumer has published a request, or withdrawn it (None)."""
        if request is None:
            self._requests.pop(consumer, None)
            return
        before = self._requests.get(consumer)
        if before is None and len(self._requests) >= REQUESTS_MAX:
            return
        if before is None or before.request.id != request.id:
            before = self._requests[consumer] = _Watched(request, hops, now_s)
        before.request, before.hops = request, hops

    def count(self, now_s: float) -> None:
        """Take from the battery what was given since the last time."""
        seconds = 0.0 if math.isnan(self._counted_s) else now_s - self._counted_s
        self._counted_s = now_s
        self.battery.discharge(self.out_w, seconds, critical=True)

    def lasts_s(self, power_w: float, critical: bool) -> float:
        """How long the battery can give that power."""
        if power_w < MIN_POWER_W:
            return math.inf
        return 3600 * self.battery.usable_wh(critical) / power_w

    def grant(self, promises: Iterable[Promise], now_s: float) -> list[tuple[str, Request, int]]:
        """The requests for which power is reserved from now on: consumer, request, hops.

        High priority comes first, then age. What is promised already counts with the power in use. A request
        that accepts a part may be granted one.
        """
        out_w = sum(each.power_w for each in promises if each.committed)
        kept_w = self._kept_w(now_s)
        granted = []
        for consumer, seen in sorted(self._requests.items(), key=_rank):
            if seen.reserved(now_s) or now_s < seen.since_s + self._wait_s:
                continue
            critical = seen.request.priority is Priority.HIGH
            power_w = min(seen.request.power_w, self._most_w(critical) - out_w - kept_w)
            whole = power_w >= seen.request.power_w
            if whole or (seen.request.partial and power_w >= _LEAST_PART * seen.request.power_w):
                seen.granted_s, seen.granted_w = now_s, power_w
                kept_w += power_w
                granted.append((consumer, seen.request, seen.hops))
        return granted

    def _most_w(self, critical: bool) -> float:
        """What the battery can give for long enough, and with the margins of contracts."""
        lasting_w = 3600 * self.battery.usable_wh(critical) / SHORTEST_S
        return min(lasting_w, self.battery.limits.discharge_w / (1 + MARGIN))

    def expired(self, now_s: float) -> list[str]:
        """Consumers whose reservation has ended without a contract; they may be granted another one."""
        ended = []
        for consumer, seen in self._requests.items():
            if not math.isinf(seen.granted_s) and not seen.reserved(now_s):
                seen.granted_s = -math.inf
                ended.append(consumer)
        return ended

    def capacity_w(self, promises: Iterable[Promise], now_s: float) -> float:
        """What the storage twin may promise now: what it has promised, and what is reserved for requests.

        When only the reserve is left, that is what critical needs get; with an empty battery it is nothing.
        """
        if self.battery.usable_wh(critical=True) <= _DUST_WH:
            return 0.0
        only_critical = self.battery.usable_wh() <= _DUST_WH
        served = [each for each in promises if each.priority is Priority.HIGH or not only_critical]
        committed_w = sum([each.max_w for each in served if each.committed])
        offered_w = sum([each.max_w for each in served if not each.committed])  # its request may be gone
        reserved_w = max(offered_w, with_margin(self._kept_w(now_s, only_critical)))
        return min(self.battery.limits.discharge_w, committed_w + reserved_w)

    def to_retry(self, promises: Iterable[Promise], now_s: float) -> list[Promise]:
        """Supplies that are given back, since others may serve them again."""
        return [
            each for each in promises if each.state is State.VALID and now_s >= each.since_s + self._retry_s
        ]

    def use(self, promises: Iterable[Promise]) -> None:
        """From now on it gives what valid contracts draw."""
        self.out_w = sum([each.power_w for each in promises if each.state is State.VALID])

    def due_s(self, promises: Iterable[Promise], now_s: float) -> float:
        """When it must decide again: a request is old enough, or the battery empty but for its reserve."""
        moments = [seen.since_s + self._wait_s for seen in self._requests.values()]
        moments = [each for each in moments if each > now_s]
        lower = any(each.committed and each.priority is not Priority.HIGH for each in promises)
        if self.out_w >= MIN_POWER_W:
            moments.append(self._counted_s + self.lasts_s(self.out_w, critical=not lower))
        return min(moments, default=math.inf)

    def _kept_w(self, now_s: float, only_critical: bool = False) -> float:
        return sum(
            seen.granted_w
            for seen in self._requests.values()
            if seen.reserved(now_s) and (seen.request.priority is Priority.HIGH or not only_critical)
        )


def _rank(item: tuple[str, _Watched]) -> tuple[int, float, str]:
    consumer, seen = item
    return -seen.request.priority, seen.since_s, consumer

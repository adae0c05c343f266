"""The requests that a gate watches: those of one microgrid that its own suppliers have not served.

How long each waits decides what is bought for it in the other microgrid (thesis 8.2.1, holonic entities).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from .messages import Request
from .rules import with_margin
from .surplus import Wanted

TRY_S = 5.0  # so long power is bought for one request; what does not serve it is given back
REST_S = 5.0  # after that it is tried again
SOON_S = 0.1  # so old a request must be that nobody else can serve: what is left arrives with it
AHEAD_S = 1.0  # so much later others know of a request that is told to gates first
LATE_S = 1.0  # that much later others have had their time, and any gate that can serves it
CLAIM_S = 3.0  # so long those who asked first keep what they asked for from gates that ask later
FIRST_S = 60.0  # a member that waits so long comes before other microgrids, whose contracts end for it
REQUESTS_MAX = 256  # that are watched at once; no setting: four or more of each of 64 nodes


@dataclass(slots=True)
class _Watched:
    request: Request
    hops: int
    told_s: float  # since when it is known,
    since_s: float  # and since when others have it, too
    asked_s: float  # since when its consumer has requested something
    is_due: bool = False  # whether the supplier should know of it
    is_served: bool = False  # whether it does
    tried_s: float = math.nan  # since when there is power for it; nan: there is none

    def is_awake(self, now_s: float) -> bool:
        """Whether it is not at rest, after power was there and did not serve it."""
        return math.isnan(self.tried_s) or (now_s - self.tried_s) % (TRY_S + REST_S) < TRY_S


class Waiting:
    """The requests of one microgrid that its own suppliers have not served."""

    def __init__(self, wait_s: float) -> None:
        """`wait_s`: how old a request must be; until then others may serve it."""
        self.wait_s = wait_s
        self._requests: dict[str, _Watched] = {}

    def __len__(self) -> int:
        return len(self._requests)

    def see(
        self, consumer: str, request: Request | None, hops: int, now_s: float, ahead: bool = False
    ) -> None:
        """A consumer has published a request, or withdrawn it (None). `ahead`: others hear of it later."""
        if request is None:
            self._requests.pop(consumer, None)
            return
        seen = self._requests.get(consumer)
        if seen is None and len(self._requests) >= REQUESTS_MAX:
            return
        if seen is None or seen.request.id != request.id:
            asked_s = now_s if seen is None else seen.asked_s
            since_s = now_s + AHEAD_S if ahead else now_s
            seen = self._requests[consumer] = _Watched(request, hops, now_s, since_s, asked_s)
        seen.request, seen.hops = request, hops
        if not ahead:
            seen.since_s = min(seen.since_s, now_s)

    def due(self, now_s: float, spare_w: float = 0.0) -> list[tuple[str, Request, int]]:
        """Requests that the supplier should know of from now on: consumer, request, hops.

        `spare_w` was bought, and those for whom it was do not need it: younger requests may have it.
        """
        found = []
        for name, seen in self._requests.items():
            power_w = 0.0 if seen.is_due or self._is_old(seen, now_s) else with_margin(seen.request.power_w)
            if not seen.is_served and power_w <= spare_w:
                seen.is_served = True
                spare_w -= power_w
                found.append((name, seen.request, seen.hops))
        return found

    def wanted(self, now_s: float) -> list[Wanted]:
        """All requests but those that rest, for which power is to be found."""
        late_s = now_s - self.wait_s - LATE_S
        return [
            Wanted(name, each.request, each.since_s <= late_s, now_s >= each.asked_s + FIRST_S)
            for name, each in self._requests.items()
            if each.is_awake(now_s)
        ]

    def lacks_w(self, now_s: float) -> float:
        """The power of all requests that are old enough, in W."""
        return sum(each.request.power_w for each in self._requests.values() if self._is_old(each, now_s))

    def claimed_w(self, before_s: float, now_s: float) -> float:
        """What those have requested who asked before that moment and not long ago, with margins, in W.

        One that waits for longer cannot be served, and keeps nothing from others.
        """
        return sum(
            with_margin(each.request.power_w)
            for each in self._requests.values()
            if each.asked_s < before_s and now_s < each.asked_s + CLAIM_S
        )

    def open_w(self, now_s: float, shares_w: Mapping[str, float] | None = None) -> float:
        """The power that is bought for them now, with margins.

        `shares_w`: as much as there is for each of them; None: all that they request.
        """
        sum_w = 0.0
        for name, seen in self._requests.items():
            whole_w = with_margin(seen.request.power_w)
            share_w = whole_w if shares_w is None else min(whole_w, shares_w.get(name, 0.0))
            soon_s = min(SOON_S, self.wait_s) if shares_w is not None else self.wait_s
            if now_s < seen.told_s + soon_s:
                continue
            seen.is_due |= share_w > 0.0
            if not share_w and seen.is_awake(now_s):
                seen.tried_s = math.nan
            elif share_w and math.isnan(seen.tried_s):
                seen.tried_s = seen.since_s + self.wait_s if shares_w is None else now_s
            sum_w += share_w if seen.is_awake(now_s) else 0.0
        return sum_w

    def due_s(self, after_s: float) -> float:
        """When another request is old enough, after that moment; inf if all were then."""
        soon_s, ages_s = min(SOON_S, self.wait_s), (self.wait_s, self.wait_s + LATE_S)
        moments = [each.told_s + soon_s for each in self._requests.values()]
        moments += [each.since_s + age_s for each in self._requests.values() for age_s in ages_s]
        return min((each for each in moments if each > after_s), default=math.inf)

    def _is_old(self, seen: _Watched, now_s: float) -> bool:
        return now_s >= seen.since_s + self.wait_s

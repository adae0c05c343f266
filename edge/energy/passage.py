"""What passes between a microgrid and its parent microgrid at one gate (thesis 8.2.1, holonic entities).

A passage has a twin in each of the two microgrids. What is asked of the twin on one side, the twin on the
other side buys there; it sells only what it has bought. So energy is conserved. The members of the inner
microgrid come first: what leaves is reduced by what they lack, as far as that serves them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from .messages import Request, round_w
from .rules import EPSILON_W, MARGIN, MIN_POWER_W, PASSED_EPSILON_W, with_margin
from .surplus import Wanted

HOLD_S = 0.4
TRY_S = 5.0  # so long power is bought for one request; what does not serve it is given back
REST_S = 5.0  # after that it is tried again
SOON_S = 0.1  # so old a request must be that nobody else can serve: what is left arrives with it
LATE_S = 1.0  # that much later others have had their time, and any gate that can serves it
REQUESTS_MAX = 256  # that are watched at once; no setting: four or more of each of 64 nodes
_SLACK_W = 2 * PASSED_EPSILON_W  # so that what is bought covers what is promised


class Way(StrEnum):
    """The direction in which more energy may pass now."""

    NONE = "none"
    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Demand:
    """What one microgrid asks of its twin, in W. Margins are included, but not in what is used."""

    committed_w: float = 0.0  # under contract
    used_w: float = 0.0
    open_w: float = 0.0  # requested, and not under contract, as far as it is to be bought

    @property
    def need_w(self) -> float:
        """The power that a contract with the usual margin must be over."""
        whole_w = self.committed_w + self.open_w
        return max(self.used_w, whole_w / (1 + MARGIN) + _SLACK_W) if whole_w >= MIN_POWER_W else 0.0


@dataclass(slots=True)
class _Watched:
    request: Request
    hops: int
    since_s: float
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

    def see(self, consumer: str, request: Request | None, hops: int, now_s: float) -> None:
        """A consumer has published a request, or withdrawn it (None)."""
        if request is None:
            self._requests.pop(consumer, None)
            return
        seen = self._requests.get(consumer)
        if seen is None and len(self._requests) >= REQUESTS_MAX:
            return
        if seen is None or seen.request.id != request.id:
            seen = self._requests[consumer] = _Watched(request, hops, now_s)
        seen.request, seen.hops = request, hops

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
        rows = self._requests.items()
        return [
            Wanted(name, each.request, each.since_s <= late_s) for name, each in rows if each.is_awake(now_s)
        ]

    def lacks_w(self, now_s: float) -> float:
        """The power of all requests that are old enough, in W."""
        return sum(each.request.power_w for each in self._requests.values() if self._is_old(each, now_s))

    def open_w(self, now_s: float, shares_w: Mapping[str, float] | None = None) -> float:
        """The power that is bought for them now, with margins.

        `shares_w`: as much as there is for each of them; None: all that they request.
        """
        sum_w = 0.0
        for name, seen in self._requests.items():
            whole_w = with_margin(seen.request.power_w)
            share_w = whole_w if shares_w is None else min(whole_w, shares_w.get(name, 0.0))
            soon_s = min(SOON_S, self.wait_s) if shares_w is not None else self.wait_s
            if now_s < seen.since_s + soon_s:
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
        ages_s = (min(SOON_S, self.wait_s), self.wait_s, self.wait_s + LATE_S)
        moments = (each.since_s + age_s for each in self._requests.values() for age_s in ages_s)
        return min((each for each in moments if each > after_s), default=math.inf)

    def _is_old(self, seen: _Watched, now_s: float) -> bool:
        return now_s >= seen.since_s + self.wait_s


class _Held:
    """A need that falls late, and rises only for requests: for contracts the power is bought already."""

    def __init__(self) -> None:
        self.need_w = 0.0
        self._low_since_s = math.inf

    def follow(self, demand: Demand, now_s: float) -> float:
        need_w = round_w(demand.need_w)
        if need_w >= self.need_w - EPSILON_W:
            if demand.open_w or not self.need_w:
                self.need_w = max(need_w, self.need_w)
            self._low_since_s = math.inf
        elif math.isinf(self._low_since_s):
            self._low_since_s = now_s
        elif now_s >= self._low_since_s + HOLD_S:
            self.need_w, self._low_since_s = need_w, math.inf
        return self.need_w if self.need_w >= MIN_POWER_W else 0.0

    def fall(self, need_w: float) -> float:
        """At once."""
        self.need_w, self._low_since_s = need_w, math.inf
        return need_w

    @property
    def due_s(self) -> float:
        return self._low_since_s + HOLD_S


class Side(Protocol):
    """One of the two twins, as the passage sees it; all in W."""

    @property
    def taken_w(self) -> float:
        """What it draws from its microgrid."""

    @property
    def given_w(self) -> float:
        """What it supplies to its microgrid."""


class Passage:
    """Decides what each of two twins buys, and keeps the books of the energy that passed."""

    def __init__(self, inside: Side, outside: Side) -> None:
        self.inside, self.outside = inside, outside
        self.bought_wh = {Way.IN: 0.0, Way.OUT: 0.0}  # by the twin on the side from which it comes
        self.sold_wh = {Way.IN: 0.0, Way.OUT: 0.0}  # by the other one
        self._needs = {Way.IN: _Held(), Way.OUT: _Held()}
        self._powers_w = (0.0, 0.0, 0.0, 0.0)
        self._counted_s = math.nan

    @property
    def due_s(self) -> float:
        """When a need may fall."""
        return min(each.due_s for each in self._needs.values())

    @property
    def excess_wh(self) -> float:
        """Energy that was sold and not bought, margins included; not above 0 as it should be."""
        return max(self.sold_wh[way] - with_margin(self.bought_wh[way]) for way in self._needs)

    @property
    def way(self) -> Way:
        """In which direction more may pass."""
        import_w, export_w = (self._needs[way].need_w for way in (Way.IN, Way.OUT))
        if max(import_w, export_w) < MIN_POWER_W:
            return Way.NONE
        return Way.IN if import_w >= export_w else Way.OUT

    def needs_w(
        self, inside: Demand, outside: Demand, now_s: float, lacks_w: float = 0.0
    ) -> tuple[float, float]:
        """What the outer twin and the inner twin should buy now, in W.

        `lacks_w`: what members need, margins included, and could have of what leaves.
        """
        import_w, export_w = (
            self._needs[way].follow(demand, now_s) for way, demand in ((Way.IN, inside), (Way.OUT, outside))
        )
        if lacks_w:
            left_w = round_w(max(0.0, outside.need_w - lacks_w))
            export_w = self._needs[Way.OUT].fall(left_w if left_w >= MIN_POWER_W else 0.0)
        return import_w, export_w

    def count(self, now_s: float) -> None:
        """Book what has passed until now; to be called before and after anything changes."""
        hours = 0.0 if math.isnan(self._counted_s) else (now_s - self._counted_s) / 3600
        taken_in_w, given_in_w, taken_out_w, given_out_w = self._powers_w
        self.bought_wh[Way.IN] += hours * taken_out_w
        self.sold_wh[Way.IN] += hours * given_in_w
        self.bought_wh[Way.OUT] += hours * taken_in_w
        self.sold_wh[Way.OUT] += hours * given_out_w
        inside, outside = self.inside, self.outside
        self._powers_w = inside.taken_w, inside.given_w, outside.taken_w, outside.given_w
        self._counted_s = now_s

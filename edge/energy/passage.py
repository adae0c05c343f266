"""What passes between a microgrid and its parent microgrid at one gate (thesis 8.2.1, holonic entities).

A passage has a twin in each of the two microgrids. What is asked of the twin on one side, the twin on the
other side buys there; it sells only what it has bought. So energy is conserved. What leaves the inner
microgrid is reduced by what its members have lacked for long, as far as that serves them.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from .messages import round_w
from .rules import EPSILON_W, MARGIN, MIN_POWER_W, PASSED_EPSILON_W, with_margin

HOLD_S = 0.4
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

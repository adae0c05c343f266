"""The twin of a grid operator: it supplies from the public grid, takes into it, and limits (thesis 8.2.2).

It is a grid connection like any other on the market of the microgrid: its offers carry the tariff for import.
Beside that it shows what it pays for energy that no contract takes (FEED_IN), and to each member alone what
that may draw and feed in at most (LIMITS). Members whose `[regulator] controller` names it obey; that its LSA
is there is its heartbeat.
"""

import math
import random
from typing import Any

from ..energy.book import node_of
from ..energy.grid import BY_HAND, GridOperator
from ..energy.limits import Direction
from ..energy.prices import PriceTable
from ..energy.rules import FEED_IN, LIMITS
from ..energy.tariff import Tariff, encode_feed_in
from ..energy.totals import TOTAL, parse_total
from ..space.agent import Bond
from .addressing import Shown
from .posting import Properties
from .prosumer import ProsumerTwin
from .settings import TwinSettings
from .twin import Home

_MEMBERS = 1024  # whose totals it follows


class DsoTwin(ProsumerTwin):
    """One for each connection to the public grid."""

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        super().__init__(settings, home, rng)
        self.operator = GridOperator(_most_w(settings), _MEMBERS)
        self.wants = (*self.wants, TOTAL)
        self._tellers: set[str] = set()  # LSAs with the total of a member
        self._feed_in = _feed_in(settings)

    def begin(self, memory: Any) -> None:
        super().begin(memory)
        self._recall_limits(memory)

    def adjust(self, settings: TwinSettings) -> None:
        super().adjust(settings)
        self.operator.most_w, self._feed_in = _most_w(settings), _feed_in(settings)

    def bonded(self, bond: Bond) -> bool | None:
        if bond.label != TOTAL:
            return super().bonded(bond)
        if bond.origin != self.home.node:
            powers_w = None if bond.withdrawn else parse_total(bond.value())
            if powers_w is not None and len(self._tellers) < _MEMBERS:
                self._tellers.add(bond.name)
            self.operator.see(bond.origin, None if powers_w is None else powers_w[0] - powers_w[1])
        return False  # it looks each second

    def decayed(self, name: str, life_s: int) -> None:
        if not life_s and name in self._tellers:
            self._tellers.discard(name)
            self.operator.see(node_of(name), None)
        super().decayed(name, life_s)

    def second_passed(self) -> None:
        super().second_passed()
        if self.operator.step(self._clock.now_s()):
            self.stir()

    def limit(self, member: str, direction: str, power_w: float, lasts_s: float = math.inf) -> None:
        """Limit a member by hand. Raises ValueError."""
        self.operator.order(member, Direction(direction), power_w, self._clock.now_s() + lasts_s)
        self.stir()

    def release(self, member: str) -> int:
        """End the limits of a member; returns how many there were."""
        found = self.operator.release(member)
        self.stir()
        return found

    @property
    def feed_in(self) -> PriceTable:
        """What it pays for energy that no contract takes; empty: nothing."""
        return self._feed_in.table(self.supplier.book, 0.0, *self._times_s()) if self._feed_in else ()

    def _times_s(self) -> tuple[float, float, float]:
        """Monotonic time, Unix time, and how much later civil time is."""
        wall_s = self._clock.wall_s()
        return self._clock.now_s(), wall_s, self.home.zone.civil_s(wall_s) - wall_s

    def act(self) -> None:
        super().act()
        if self._feed_in:
            self._due_s = min(self._due_s, self._feed_in.due_s(*self._times_s()))

    def _wanted(self) -> Properties:
        wanted = super()._wanted()
        wanted[LIMITS, ""] = Shown(self._writer.parts(LIMITS, self.operator.orders()))
        if table := self.feed_in:
            wanted[FEED_IN, ""] = Shown(encode_feed_in(table))
        return wanted

    def memory(self) -> dict[str, Any]:
        """Limits by hand outlast a restart; those of an overload are found again."""
        now_s, wall_s, _ = self._times_s()

        def date(at_s: float) -> int | None:
            return None if math.isinf(at_s) else round(wall_s + at_s - now_s)

        rows = [
            [member, direction, each.power_w, date(each.until_s)]
            for (member, direction), each in self.operator.allowed.items()
            if each.cause == BY_HAND
        ]
        return super().memory() | ({"limits": rows} if rows else {})

    def _recall_limits(self, memory: Any) -> None:
        """What cannot be read is left out."""
        rows = memory.get("limits") if isinstance(memory, dict) else None
        now_s, wall_s, _ = self._times_s()
        for row in rows if isinstance(rows, list) else ():
            try:
                member, direction, power_w, until = row
                until_s = math.inf if until is None else now_s + float(until) - wall_s
                self.operator.order(str(member), Direction(direction), power_w, until_s)
            except (TypeError, ValueError):
                continue


def _most_w(settings: TwinSettings) -> dict[Direction, float]:
    return {Direction.CONSUME: settings.most_import_w, Direction.FEED_IN: settings.most_export_w}


def _feed_in(settings: TwinSettings) -> Tariff | None:
    schedule = settings.feed_in_schedule
    return Tariff(schedule, False) if schedule else None

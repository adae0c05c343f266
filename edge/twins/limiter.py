"""External limits at a node: which hold now, and whom they cost how much (docs/limits.md)."""

import logging
import math
from collections.abc import Iterable

from ..energy.limits import CONNECTION, Direction, Limit, Limits, Scope, guaranteed_w, lowest
from ..energy.orders import Choice, Deed, OrderKind
from ..energy.regulation import Left, concerned, controllable, obey
from ..energy.rules import with_margin
from .order_rows import OrderRows
from .orders_shown import OrdersShown
from .regulator_settings import RegulatorSettings
from .sight import Sight
from .stops import Stops

log = logging.getLogger("edge.regulator")

_EXCEEDED_S = 5.0  # a limit that is exceeded for longer is a trouble


class Limiter:
    """Keeps what flows below the limits that hold: flexible loads first, never below what is guaranteed."""

    def __init__(
        self,
        settings: RegulatorSettings,
        limits: Limits,
        sight: Sight,
        stops: Stops,
        orders: OrdersShown,
        rows: OrderRows,
        choose: Choice,
    ) -> None:
        """`choose`: the policy that says which of equal loads are stopped."""
        self.held: dict[tuple[Direction, Scope], Limit] = {}
        self._settings, self._limits, self._choose = settings, limits, choose
        self._sight, self._stops, self._orders, self._rows = sight, stops, orders, rows
        self._limit_rows: dict[tuple[Direction, Scope], int] = {}
        self._grid_w: dict[str, float] = {}  # what is left to the twins that stand for the grid
        self._exceeded, self._exceeded_s = "", math.nan

    def look(self, now_s: float) -> None:
        """Obey the limits that hold now; what one no longer holds back may return."""
        before, self.held = self.held, lowest(self._limits.in_force(now_s), self._guaranteed_w)
        if self.held != before:
            self._note_changes(before)
            self._cap_grid(now_s)
            self._stops.release(now_s)
        for limit in self.held.values():
            room_w = self._aim_w(limit) - self._sight.flow_w(limit)
            for left in obey(limit, room_w, self._sight.devices, self._choose):
                self._leave(left, limit, now_s)
            self._stops.see(now_s)
        self._look_for_excess(now_s)

    def room_w(self, name: str, direction: Direction) -> float:
        """By how much a twin may draw, or give, more under all limits; inf without any."""
        return min(
            (
                self._aim_w(limit) - self._sight.flow_w(limit)
                for limit in self.held.values()
                if limit.direction is direction
                and any(each.name == name for each in concerned(limit.scope, self._sight.devices))
            ),
            default=math.inf,
        )

    def _guaranteed_w(self, limit: Limit) -> float:
        if limit.direction is Direction.FEED_IN:
            return 0.0
        each_w = self._settings.guaranteed_w
        return guaranteed_w(controllable(concerned(limit.scope, self._sight.devices), each_w), each_w)

    def _aim_w(self, limit: Limit) -> float:
        """The power to which the regulator brings what a limit limits."""
        return limit.power_w * (1 - self._settings.reserve_percent / 100)

    def _note_changes(self, before: dict[tuple[Direction, Scope], Limit]) -> None:
        for key in before.keys() | self.held.keys():
            limit = self.held.get(key)
            if before.get(key) == limit:
                continue
            self._rows.close(self._limit_rows.pop(key, 0))
            what = f"{key[0].value} of the {key[1]}"
            if limit is None:
                log.info("the limit of %s is over", what)
                continue
            log.info("limit of %s: %.0f W, by %s", what, limit.power_w, limit.source)
            kind, power_w = f"limit_{key[0].value}", self._sight.metered_w(limit)
            row = self._rows.open(kind, str(limit.scope), limit.source, power_w, limit.power_w, limit)
            self._limit_rows[key] = row

    def _leave(self, left: Left, limit: Limit, now_s: float) -> None:
        """A twin keeps only so much."""
        device = self._sight.device(left.twin)
        if device is None:
            return
        if device.dims(limit.direction):
            self._sight.changes(-left.takes_w if limit.direction is Direction.CONSUME else left.takes_w)
            self._stops.reduce(device.name, left.power_w, limit.direction, now_s)
        else:
            self._sight.changes(device.given_w - device.drawn_w)
            self._stops.stop(device, OrderKind.LIMIT, self._sight.metered_w(limit), now_s, limit=limit)

    def _cap_grid(self, now_s: float) -> None:
        """Twins that stand for the grid promise no more than may be drawn: their contracts shrink, or end."""
        limit = self.held.get((Direction.CONSUME, CONNECTION))
        most_w = with_margin(self._aim_w(limit)) if limit else math.inf
        for name in [each.name for each in self._sight.devices if each.external]:
            if self._grid_w.get(name, math.inf) != most_w:
                self._grid_w[name] = most_w
                deed = Deed.REDUCE if limit else Deed.RETURN
                self._orders.give(now_s, OrderKind.LIMIT, deed, name, most_w if limit else 0.0)

    def _look_for_excess(self, now_s: float) -> None:
        self._exceeded = ""
        for limit in self.held.values():
            power_w = self._sight.metered_w(limit)
            if power_w > limit.power_w:
                what = f"{limit.direction.value} of the {limit.scope}"
                self._exceeded = f"{what} is limited to {limit.power_w:.0f} W and is {power_w:.0f} W"
        if not self._exceeded:
            self._exceeded_s = math.nan
        elif math.isnan(self._exceeded_s):
            self._exceeded_s = now_s

    def troubles(self, now_s: float) -> Iterable[tuple[str, str]]:
        """A limit that is not obeyed: code and text."""
        if now_s - self._exceeded_s > _EXCEEDED_S:
            yield "limit_exceeded", f"{self._exceeded}: nothing is left that it may switch off"

    def warnings(self) -> Iterable[tuple[str, str]]:
        """The limits that hold: code and text."""
        for limit in self.held.values():
            what = f"{limit.direction.value} of the {limit.scope} is limited to {limit.power_w:.0f} W"
            if limit.failsafe:
                yield "failsafe_in_force", f"{what}, as {self._settings.controller} is silent"
            else:
                yield "limit_in_force", f"{what} by {limit.source}"

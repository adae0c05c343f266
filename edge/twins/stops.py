"""Twins that the regulator has stopped or reduced, and when they return (thesis 4.3.6).

They come back when their time is over and they fit below the thresholds and limits, otherwise they stay off
for as long again.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from ..energy.limits import Direction, Limit
from ..energy.orders import Deed, OrderKind
from ..energy.regulation import Device
from .order_rows import OrderRows
from .orders_shown import OrdersShown
from .regulator_settings import RegulatorSettings
from .sight import FIELDS, SETTLE_S, Reduced, Sight, Stopped

_GRACE_S = 60.0  # without a regulator a stopped twin returns so much later by itself
_LEAST_W = 1.0
_OF_FORECAST = {
    OrderKind.FORECAST_PRODUCTION: OrderKind.OVERPRODUCTION,
    OrderKind.FORECAST_CONSUMPTION: OrderKind.OVERCONSUMPTION,
}
Room = Callable[[str, Direction], float]  # by how much a twin may draw, or give, more, in W


def excess_of(kind: str) -> OrderKind:
    """The excess that an order is about, happening or predicted."""
    found = OrderKind(kind)
    return _OF_FORECAST.get(found, found)


class Stops:
    """Gives the orders to stop, to use less, and to return, each with its row in the log."""

    def __init__(
        self, settings: RegulatorSettings, source: str, sight: Sight, orders: OrdersShown, rows: OrderRows
    ) -> None:
        """`source`: who stops twins for a threshold, as the log says it."""
        self.stopped: dict[str, Stopped] = {}
        self.reduced: dict[str, Reduced] = {}
        self._settings, self._source = settings, source
        self._sight, self._orders, self._rows = sight, orders, rows

    def see(self, now_s: float) -> None:
        """Look at the twins; forget those that somebody has started again, or removed."""
        off = {twin.short_name for twin in self._sight.prosumers() if twin.disabled}
        for name, stopped in list(self.stopped.items()):
            if name not in off and now_s - stopped.since_s > 2 * SETTLE_S:
                self._rows.close(self.stopped.pop(name).row)
        self._sight.look(self.stopped, self.reduced)

    def threshold_w(self, kind: OrderKind) -> float:
        """What must not be exceeded, now or by a forecast."""
        produced = excess_of(kind) is OrderKind.OVERPRODUCTION
        return self._settings.produced_w if produced else self._settings.consumed_w

    # ---- orders ---------------------------------------------------------------------------------

    def stop(
        self,
        device: Device,
        kind: OrderKind,
        power_w: float,
        now_s: float,
        *,
        limit: Limit | None = None,
        until_s: float | None = None,
    ) -> None:
        """Stop a twin, for `until_s` or as long as usual; `power_w`: what was exceeded, at this moment."""
        most_w = limit.power_w if limit else self.threshold_w(kind)
        source = limit.source if limit else self._source
        row = self._rows.open(kind, device.name, source, power_w, most_w, limit)
        drawn_w = max(device.drawn_w, device.rated_w if limit else 0.0)
        review_s = now_s + self._settings.back_s if until_s is None else until_s
        self.stopped[device.name] = Stopped(kind, drawn_w, device.given_w, now_s, review_s, row)
        self._say_stop(kind, device.name, now_s)

    def _say_stop(self, kind: OrderKind, name: str, now_s: float) -> None:
        for_s = self.stopped[name].review_s - now_s + _GRACE_S
        self._orders.give(now_s, kind, Deed.STOP, name, for_s=for_s)

    def reduce(self, name: str, most_w: float, direction: Direction, now_s: float) -> None:
        """A twin keeps only so much."""
        self.reduced[name] = Reduced(most_w, direction, now_s + self._settings.back_s)
        self._orders.give(now_s, OrderKind.LIMIT, Deed.REDUCE, name, most_w)

    # ---- returning ------------------------------------------------------------------------------

    def release(self, now_s: float) -> None:
        """A limit has changed or ended: what it held back returns, as far as those that hold allow it."""
        for stopped in self.stopped.values():
            if stopped.kind is OrderKind.LIMIT:
                stopped.review_s = now_s
        for name, each in self.reduced.items():
            self.reduced[name] = replace(each, review_s=now_s)

    def review(self, room_w: Room, now_s: float) -> None:
        """Those whose time is over return if they fit; the others stay off for as long again.

        `room_w`: under all limits; inf without any.
        """
        for name in [name for name, each in self.stopped.items() if now_s >= each.review_s]:
            stopped = self.stopped[name]
            if self._fits(name, stopped, room_w):
                self._return(name, now_s)
            else:
                stopped.review_s = now_s + self._settings.back_s
                self._say_stop(stopped.kind, name, now_s)
        for name in [name for name, each in self.reduced.items() if now_s >= each.review_s]:
            self._widen(name, room_w, now_s)

    def _fits(self, name: str, stopped: Stopped, room_w: Room) -> bool:
        """Whether nothing would be exceeded if it came back. What a limit has stopped need not wait for the
        thresholds, which are kept anyway."""
        for kind, field in FIELDS.items():
            own_w = getattr(stopped, field)
            if (
                own_w
                and excess_of(stopped.kind) is kind
                and self._sight.sum_w(kind) + own_w > self.threshold_w(kind)
            ):
                return False
        draws = stopped.drawn_w <= room_w(name, Direction.CONSUME)
        return draws and stopped.given_w <= room_w(name, Direction.FEED_IN)

    def _return(self, name: str, now_s: float) -> None:
        stopped = self.stopped.pop(name)
        self._sight.returns(name, stopped)
        self._orders.give(now_s, stopped.kind, Deed.RETURN, name)
        self._rows.close(stopped.row)
        self.see(now_s)

    def _widen(self, name: str, room_w: Room, now_s: float) -> None:
        """What is left to a twin may grow by what the limits have room for."""
        reduced = self.reduced.pop(name)
        device = self._sight.device(name)
        if device is None:
            return
        most_w = reduced.power_w + max(0.0, room_w(name, reduced.direction))
        full_w = max(device.rated_w or math.inf, device.drawn_w, device.given_w + _LEAST_W)
        if most_w >= full_w:
            self._orders.give(now_s, OrderKind.LIMIT, Deed.RETURN, name)
        else:
            self.reduce(name, most_w, reduced.direction, now_s)
        self.see(now_s)

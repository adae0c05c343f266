"""The regulator twin: it keeps its node below its thresholds and obeys external limits (thesis 3.2.5, 4.3.6).

It looks whenever a twin of its node reports an event, one of its meter inputs is read, and each second. What
it decides goes to the twins as orders under WARNING. Twins that it has stopped come back when the limit has
ended, or when their time is over and they fit.
"""

import logging
import math
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..clock import CLOCK_SET_S
from ..energy.limit_messages import Heartbeat, Release, parse_limit, read_limit
from ..energy.limits import CONNECTION, Direction, Limit, LimitRefused, Limits, Scope, guaranteed_w, lowest
from ..energy.orders import CHOICES, Candidate, Deed, OrderKind
from ..energy.regulation import Device, Left, concerned, controllable, obey
from ..energy.rules import EVENT, LIMITS, with_margin
from ..space.agent import Bond
from .dso_orders import DsoOrders
from .order_rows import OrderRows, Row
from .orders_shown import OrdersShown
from .regulator_doors import Doors
from .regulator_settings import RegulatorSettings
from .rescheduler import LABELS, Rescheduler
from .sight import FIELDS, SETTLE_S, Reduced, Sight, Stopped
from .twin import Home, Twin

log = logging.getLogger("edge.regulator")

_GRACE_S = 60.0  # without a regulator a stopped twin returns so much later by itself
_MEMORY_STEP_S = 60
_LEAST_W = 1.0
_EXCEEDED_S = 5.0  # a limit that is exceeded for longer is a trouble
_LONGEST_DELAY_S = 3600.0  # of an activity that is moved
_OF_FORECAST = {
    OrderKind.FORECAST_PRODUCTION: OrderKind.OVERPRODUCTION,
    OrderKind.FORECAST_CONSUMPTION: OrderKind.OVERCONSUMPTION,
}


class RegulatorTwin(Twin):
    """One on a node with a section `[regulator]`."""

    kind = "regulator"
    wants: tuple[str, ...] = (EVENT,)

    def __init__(self, settings: RegulatorSettings, home: Home, rng: random.Random) -> None:
        super().__init__("regulator", home)
        self.settings = settings
        self.inputs = settings.inputs
        self.limits = Limits(home.clock.now_s(), settings.controller, settings.failsafe_w)
        self.held: dict[tuple[Direction, Scope], Limit] = {}  # the limits that hold now
        self.stopped: dict[str, Stopped] = {}
        self.reduced: dict[str, Reduced] = {}
        self._due_s = math.inf  # when the next limit begins or ends
        self.orders = OrdersShown(self)
        self.rows = OrderRows(home)
        self._sight = Sight(home)
        self.rescheduler = Rescheduler(settings, home, self)
        self._dso = DsoOrders(settings.controller, self.limits, home)
        self.wants = (*type(self).wants, *self._dso.labels, *(LABELS if settings.risk else ()))
        self._doors = Doors(settings, self.limits)
        self._choose = CHOICES[settings.policy]
        self._limit_rows: dict[tuple[Direction, Scope], int] = {}
        self._grid_w: dict[str, float] = {}  # what is left to the twins that stand for the grid
        self._exceeded, self._exceeded_s = "", math.nan

    # ---- what comes in --------------------------------------------------------------------------

    def begin(self, memory: Any) -> None:
        """Without a date, now or then, the time in between is not known: it does not count."""
        if isinstance(memory, dict) and type(kept_s := memory.get("at_s")) is int:
            wall_s = self._clock.wall_s()
            dated = min(wall_s, kept_s) >= CLOCK_SET_S
            self.limits.recall(memory.get("limits"), wall_s if dated else kept_s, self._clock.now_s())

    def memory(self) -> dict[str, Any]:
        wall_s = self._clock.wall_s()
        limits = self.limits.memory(wall_s, self._clock.now_s())
        at_s = _MEMORY_STEP_S * int(wall_s // _MEMORY_STEP_S)  # so that the file is not written each second
        return {"limits": limits, "at_s": at_s} if limits else {}

    def left(self) -> None:
        super().left()
        self.orders.forget_shown()

    def read(self, name: str, power_w: float | None, at_s: float) -> None:
        connection, sign = self.settings.connection
        if name == connection and power_w is not None:
            self._sight.read(sign * power_w, at_s)
        self._doors.read(name, power_w, self._clock.now_s())
        self.stir()

    def hear(self, message: bytes, source: str) -> None:
        """The same as it comes over the network. Raises LimitRefused."""
        try:
            self.tell(read_limit(message), source)
        except LimitRefused:
            self.limits.refused += 1
            raise

    def tell(self, found: dict[str, Any], source: str) -> None:
        """A controller, or somebody, says something about limits. Raises LimitRefused."""
        wall_s, now_s = self._clock.wall_s(), self._clock.now_s()
        message = parse_limit(found, source, now_s, wall_s if wall_s >= CLOCK_SET_S else None)
        if isinstance(message, Heartbeat):
            self.limits.heartbeat(source, now_s)
        elif isinstance(message, Release):
            self.limits.release(source, now_s, message.direction)
        else:
            self._check_scope(message.scope)
            self.limits.order(message, now_s)
        self.stir()

    def _check_scope(self, scope: Scope) -> None:
        known = {twin.short_name: twin.settings for twin in self._sight.prosumers()}
        for name in scope.twins:
            if name not in known:
                raise LimitRefused(f"there is no twin {name}")
        if scope.circuit and all(each.circuit != scope.circuit for each in known.values()):
            raise LimitRefused(f"there is no circuit {scope.circuit}")

    def bonded(self, bond: Bond) -> bool | None:
        if bond.label == LIMITS:
            return self._dso.see(bond, self._clock.now_s())
        if bond.hops:
            return False
        if bond.label in LABELS:
            self.rescheduler.see(bond.label, bond.value())
        return None

    def lapsed(self, name: str) -> None:
        if name != self.short_name:
            now_s = self._clock.now_s()
            self.orders.give(now_s, OrderKind.NOT_IN_SPACE, Deed.FORGET, name)
            self.orders.publish(now_s)

    def second_passed(self) -> None:
        self._dso.beat(self.space.find, self._clock.now_s())
        self._look()

    def act(self) -> None:
        self._look()

    @property
    def wake_s(self) -> float:
        return self._due_s

    # ---- what it sees ---------------------------------------------------------------------------

    def _look(self) -> None:
        now_s = self._clock.now_s()
        self.limits.step(now_s)
        self._due_s = self.limits.due_s(now_s)
        self._see(now_s)
        self._obey_limits(now_s)
        self._keep_thresholds(now_s)
        self._reschedule(now_s)
        self._review(now_s)
        self.rows.look(self._power_of)
        self.orders.publish(now_s)

    def _see(self, now_s: float) -> None:
        """Look at the twins; forget those that somebody has started again, or removed."""
        off = {twin.short_name for twin in self._sight.prosumers() if twin.disabled}
        for name, stopped in list(self.stopped.items()):
            if name not in off and now_s - stopped.since_s > 2 * SETTLE_S:
                self.rows.close(self.stopped.pop(name).row)
        self._sight.look(self.stopped, self.reduced)

    def imported_w(self) -> float:
        """The imported power at the grid connection, negative for an export."""
        return self._sight.imported_w()

    def measured_w(self, limit: Limit) -> float:
        """What flows where a limit holds, in its direction."""
        return self._sight.metered_w(limit)

    def _power_of(self, row: Row) -> float:
        return self.measured_w(row.limit) if row.limit else self._sight.sum_w(_base(row.kind))

    # ---- external limits ------------------------------------------------------------------------

    def _guaranteed_w(self, limit: Limit) -> float:
        if limit.direction is Direction.FEED_IN:
            return 0.0
        each_w = self.settings.guaranteed_w
        return guaranteed_w(controllable(concerned(limit.scope, self._sight.devices), each_w), each_w)

    def _obey_limits(self, now_s: float) -> None:
        before, self.held = self.held, lowest(self.limits.in_force(now_s), self._guaranteed_w)
        if self.held != before:
            self._note_changes(before)
            self._cap_grid(now_s)
            self._release(now_s)
        for limit in self.held.values():
            room_w = self._aim_w(limit) - self._sight.flow_w(limit)
            for left in obey(limit, room_w, self._sight.devices, self._choose):
                self._leave(left, limit, now_s)
            self._see(now_s)
        self._look_for_excess(now_s)

    def _note_changes(self, before: dict[tuple[Direction, Scope], Limit]) -> None:
        for key in before.keys() | self.held.keys():
            limit = self.held.get(key)
            if before.get(key) == limit:
                continue
            self.rows.close(self._limit_rows.pop(key, 0))
            what = f"{key[0].value} of the {key[1]}"
            if limit is None:
                log.info("the limit of %s is over", what)
                continue
            log.info("limit of %s: %.0f W, by %s", what, limit.power_w, limit.source)
            subject = str(limit.scope)
            kind, power_w = f"limit_{key[0].value}", self.measured_w(limit)
            self._limit_rows[key] = self.rows.open(kind, subject, limit.source, power_w, limit.power_w, limit)

    def _leave(self, left: Left, limit: Limit, now_s: float) -> None:
        """A twin keeps only so much."""
        device = self._sight.device(left.twin)
        if device is None:
            return
        if device.dims(limit.direction):
            self._sight.changes(-left.takes_w if limit.direction is Direction.CONSUME else left.takes_w)
            review_s = now_s + self.settings.back_s
            self.reduced[device.name] = Reduced(left.power_w, limit.direction, review_s)
            self.orders.give(now_s, OrderKind.LIMIT, Deed.REDUCE, device.name, left.power_w)
        else:
            self._sight.changes(device.given_w - device.drawn_w)
            self._stop(device, OrderKind.LIMIT, self.measured_w(limit), limit, now_s)

    def _cap_grid(self, now_s: float) -> None:
        """Twins that stand for the grid promise no more than may be drawn: their contracts shrink, or end."""
        limit = self.held.get((Direction.CONSUME, CONNECTION))
        most_w = with_margin(self._aim_w(limit)) if limit else math.inf
        for name in [each.name for each in self._sight.devices if each.external]:
            if self._grid_w.get(name, math.inf) != most_w:
                self._grid_w[name] = most_w
                deed = Deed.REDUCE if limit else Deed.RETURN
                self.orders.give(now_s, OrderKind.LIMIT, deed, name, most_w if limit else 0.0)

    def _release(self, now_s: float) -> None:
        """A limit has changed or ended: what it held back returns, as far as those that hold allow it."""
        for stopped in self.stopped.values():
            if stopped.kind is OrderKind.LIMIT:
                stopped.review_s = now_s
        for name, each in self.reduced.items():
            self.reduced[name] = replace(each, review_s=now_s)

    def _aim_w(self, limit: Limit) -> float:
        """The power to which the regulator brings what a limit limits."""
        return limit.power_w * (1 - self.settings.reserve_percent / 100)

    def _look_for_excess(self, now_s: float) -> None:
        self._exceeded = ""
        for limit in self.held.values():
            power_w = self.measured_w(limit)
            if power_w > limit.power_w:
                what = f"{limit.direction.value} of the {limit.scope}"
                self._exceeded = f"{what} is limited to {limit.power_w:.0f} W and is {power_w:.0f} W"
        if not self._exceeded:
            self._exceeded_s = math.nan
        elif math.isnan(self._exceeded_s):
            self._exceeded_s = now_s

    # ---- thresholds -----------------------------------------------------------------------------

    def threshold_w(self, kind: OrderKind) -> float:
        """What must not be exceeded."""
        return self.settings.produced_w if kind is OrderKind.OVERPRODUCTION else self.settings.consumed_w

    def _keep_thresholds(self, now_s: float) -> None:
        for kind, field in FIELDS.items():
            over_w = self._sight.sum_w(kind) - self.threshold_w(kind)
            if over_w <= 0.0:
                continue
            running = {
                each.name: each
                for each in self._sight.devices
                if getattr(each, field) > 0.0 and not (each.external or self.orders.lives(kind, each.name))
            }
            candidates = [each.candidate(getattr(each, field)) for each in running.values()]
            chosen = [each.twin for each in self._choose(candidates, over_w)]
            if chosen:
                log.info("%s by %.0f W: %s is stopped", kind.value, over_w, ", ".join(chosen))
            power_w = self._sight.sum_w(kind)
            for name in chosen:
                self._stop(running[name], kind, power_w, None, now_s)
            self._see(now_s)

    # ---- what is predicted ----------------------------------------------------------------------

    def _reschedule(self, now_s: float) -> None:
        self.rescheduler.look(now_s, self._movable)
        for name, (kind, moved) in self.rescheduler.moved.items():
            if name in self.stopped or not moved.from_s <= now_s < moved.until_s:
                continue
            device = self._sight.device(name)
            if device:
                self._stop(device, kind, self._sight.sum_w(_base(kind)), None, now_s)
                self.stopped[name].review_s = moved.until_s
                self._stop_for(kind, name, now_s)
                self._see(now_s)

    def _movable(self, kind: OrderKind) -> list[Candidate]:
        """Whose activity may be moved: a request that would be given up before it may go on is left alone."""
        field = FIELDS[_base(kind)]
        hurried = {
            twin.short_name
            for twin in self._sight.prosumers()
            if kind is OrderKind.FORECAST_CONSUMPTION and 0 < twin.settings.tolerance_s < _LONGEST_DELAY_S
        }
        return [
            each.candidate(getattr(each, field))
            for each in self._sight.devices
            if getattr(each, field) > 0.0 and not (each.external or each.stopped or each.name in hurried)
        ]

    # ---- stopping and returning -----------------------------------------------------------------

    def _stop(
        self, device: Device, kind: OrderKind, power_w: float, limit: Limit | None, now_s: float
    ) -> None:
        most_w = limit.power_w if limit else self.threshold_w(_base(kind))
        source = limit.source if limit else self.short_name
        row = self.rows.open(kind, device.name, source, power_w, most_w, limit)
        drawn_w = max(device.drawn_w, device.rated_w if limit else 0.0)
        review_s = now_s + self.settings.back_s
        self.stopped[device.name] = Stopped(kind, drawn_w, device.given_w, now_s, review_s, row)
        self._stop_for(kind, device.name, now_s)

    def _stop_for(self, kind: OrderKind, name: str, now_s: float) -> None:
        for_s = self.stopped[name].review_s - now_s + _GRACE_S
        self.orders.give(now_s, kind, Deed.STOP, name, for_s=for_s)

    def _return(self, name: str, now_s: float) -> None:
        stopped = self.stopped.pop(name)
        self._sight.returns(name, stopped)
        self.orders.give(now_s, stopped.kind, Deed.RETURN, name)
        self.rows.close(stopped.row)
        self._see(now_s)

    def _review(self, now_s: float) -> None:
        """Those whose time is over return if they fit; the others stay off for as long again."""
        for name in [name for name, each in self.stopped.items() if now_s >= each.review_s]:
            stopped = self.stopped[name]
            if self._fits(name, stopped):
                self._return(name, now_s)
            else:
                stopped.review_s = now_s + self.settings.back_s
                self._stop_for(stopped.kind, name, now_s)
        for name in [name for name, each in self.reduced.items() if now_s >= each.review_s]:
            self._widen(name, now_s)

    def _widen(self, name: str, now_s: float) -> None:
        """What is left to a twin may grow by what the limits have room for."""
        reduced = self.reduced.pop(name)
        device = self._sight.device(name)
        if device is None:
            return
        most_w = reduced.power_w + max(0.0, self._room_w(name, reduced.direction))
        full_w = max(device.rated_w or math.inf, device.drawn_w, device.given_w + _LEAST_W)
        if most_w >= full_w:
            self.orders.give(now_s, OrderKind.LIMIT, Deed.RETURN, name)
        else:
            self.reduced[name] = Reduced(most_w, reduced.direction, now_s + self.settings.back_s)
            self.orders.give(now_s, OrderKind.LIMIT, Deed.REDUCE, name, most_w)
        self._see(now_s)

    def _room_w(self, name: str, direction: Direction) -> float:
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

    def _fits(self, name: str, stopped: Stopped) -> bool:
        """Whether nothing would be exceeded if it came back. What a limit has stopped need not wait for the
        thresholds, which are kept anyway."""
        for kind, field in FIELDS.items():
            own_w = getattr(stopped, field)
            if (
                own_w
                and _base(stopped.kind) is kind
                and self._sight.sum_w(kind) + own_w > self.threshold_w(kind)
            ):
                return False
        draws = stopped.drawn_w <= self._room_w(name, Direction.CONSUME)
        return draws and stopped.given_w <= self._room_w(name, Direction.FEED_IN)

    # ---- what it shows --------------------------------------------------------------------------

    def keep(self) -> None:
        self.rows.keep()

    def troubles(self) -> Iterable[tuple[str, str]]:
        if self._clock.now_s() - self._exceeded_s > _EXCEEDED_S:
            yield "limit_exceeded", f"{self._exceeded}: nothing is left that it may switch off"

    def warnings(self) -> Iterable[tuple[str, str]]:
        for limit in self.held.values():
            what = f"{limit.direction.value} of the {limit.scope} is limited to {limit.power_w:.0f} W"
            if limit.failsafe:
                yield "failsafe_in_force", f"{what}, as {self.settings.controller} is silent"
            else:
                yield "limit_in_force", f"{what} by {limit.source}"


def _base(kind: str) -> OrderKind:
    """The excess that an order is about, happening or predicted."""
    found = OrderKind(kind)
    return _OF_FORECAST.get(found, found)

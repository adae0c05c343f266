"""The regulator twin: it keeps its node below its thresholds and obeys external limits (thesis 3.2.5, 4.3.6).

It looks whenever a twin of its node reports an event, one of its meter inputs is read, and each second. What
it decides goes to the twins as orders under WARNING: `Limiter` keeps external limits, the twin itself the
thresholds and what is predicted, and `Stops` says when twins come back.
"""

import logging
import math
import random
from collections.abc import Iterable, Mapping
from typing import Any

from ..clock import CLOCK_SET_S
from ..energy.limit_messages import Heartbeat, Release, parse_limit, read_limit
from ..energy.limits import Direction, Limit, LimitRefused, Limits, Scope
from ..energy.orders import CHOICES, Candidate, Deed, OrderKind
from ..energy.rules import EVENT, LIMITS
from ..space.agent import Bond
from .dso_orders import DsoOrders
from .limiter import Limiter
from .order_rows import OrderRows, Row
from .orders_shown import OrdersShown
from .regulator_doors import Doors
from .regulator_settings import RegulatorSettings
from .rescheduler import LABELS, Rescheduler
from .sight import FIELDS, Reduced, Sight, Stopped
from .stops import Stops, excess_of
from .twin import Home, Twin

log = logging.getLogger("edge.regulator")

_MEMORY_STEP_S = 60
_LONGEST_DELAY_S = 3600.0  # of an activity that is moved


class RegulatorTwin(Twin):
    """One on a node with a section `[regulator]`."""

    kind = "regulator"
    wants: tuple[str, ...] = (EVENT,)

    def __init__(self, settings: RegulatorSettings, home: Home, rng: random.Random) -> None:
        super().__init__("regulator", home)
        self.settings = settings
        self.inputs = settings.inputs
        self.limits = Limits(home.clock.now_s(), settings.controller, settings.failsafe_w)
        self._due_s = math.inf  # when the next limit begins or ends
        self.orders = OrdersShown(self)
        self.rows = OrderRows(home)
        self._sight = Sight(home)
        self.rescheduler = Rescheduler(settings, home, self)
        self._dso = DsoOrders(settings.controller, self.limits, home)
        self.wants = (*type(self).wants, *self._dso.labels, *(LABELS if settings.risk else ()))
        self._doors = Doors(settings, self.limits)
        self._choose = CHOICES[settings.policy]
        self._stops = Stops(settings, self.short_name, self._sight, self.orders, self.rows)
        self._limiter = Limiter(
            settings, self.limits, self._sight, self._stops, self.orders, self.rows, self._choose
        )

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
        self._stops.see(now_s)
        self._limiter.look(now_s)
        self._keep_thresholds(now_s)
        self._reschedule(now_s)
        self._stops.review(self._limiter.room_w, now_s)
        self.rows.look(self._power_of)
        self.orders.publish(now_s)

    @property
    def held(self) -> Mapping[tuple[Direction, Scope], Limit]:
        """The limits that hold now."""
        return self._limiter.held

    @property
    def stopped(self) -> Mapping[str, Stopped]:
        """The twins that are off by its orders."""
        return self._stops.stopped

    @property
    def reduced(self) -> Mapping[str, Reduced]:
        """The twins that may draw, or give, only so much."""
        return self._stops.reduced

    def imported_w(self) -> float:
        """The imported power at the grid connection, negative for an export."""
        return self._sight.imported_w()

    def measured_w(self, limit: Limit) -> float:
        """What flows where a limit holds, in its direction."""
        return self._sight.metered_w(limit)

    def _power_of(self, row: Row) -> float:
        return self.measured_w(row.limit) if row.limit else self._sight.sum_w(excess_of(row.kind))

    # ---- thresholds -----------------------------------------------------------------------------

    def _keep_thresholds(self, now_s: float) -> None:
        for kind, field in FIELDS.items():
            over_w = self._sight.sum_w(kind) - self._stops.threshold_w(kind)
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
                self._stops.stop(running[name], kind, power_w, now_s)
            self._stops.see(now_s)

    # ---- what is predicted ----------------------------------------------------------------------

    def _reschedule(self, now_s: float) -> None:
        self.rescheduler.look(now_s, self._movable)
        for name, (kind, moved) in self.rescheduler.moved.items():
            if name in self.stopped or not moved.from_s <= now_s < moved.until_s:
                continue
            device = self._sight.device(name)
            if device:
                power_w = self._sight.sum_w(excess_of(kind))
                self._stops.stop(device, kind, power_w, now_s, until_s=moved.until_s)
                self._stops.see(now_s)

    def _movable(self, kind: OrderKind) -> list[Candidate]:
        """Whose activity may be moved: a request that would be given up before it may go on is left alone."""
        field = FIELDS[excess_of(kind)]
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

    # ---- what it shows --------------------------------------------------------------------------

    def keep(self) -> None:
        self.rows.keep()

    def troubles(self) -> Iterable[tuple[str, str]]:
        return self._limiter.troubles(self._clock.now_s())

    def warnings(self) -> Iterable[tuple[str, str]]:
        return self._limiter.warnings()

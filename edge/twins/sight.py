"""What the regulator sees of its node: the powers of the twins, and of the grid connection."""

import math
from collections import deque
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ..energy.flows import PowerSource
from ..energy.limits import CONNECTION, Direction, Limit
from ..energy.orders import OrderKind
from ..energy.regulation import Device, flow_w
from .twin import Home

if TYPE_CHECKING:
    from .prosumer import ProsumerTwin

SETTLE_S = 1.0  # a reading so soon after an order may not show its effect yet
_SHOWN = 0.75  # of the effect of an order, in the change of the meter: then it has happened
_READING_S = 30.0  # an older reading of the connection says nothing
_COMING_S = 15.0  # so long a twin that returns is counted with its power before, until its meter shows it
FIELDS = {OrderKind.OVERPRODUCTION: "given_w", OrderKind.OVERCONSUMPTION: "drawn_w"}


@dataclass(slots=True)
class Stopped:
    """A twin that is off by an order: its powers before, and when it may return."""

    kind: OrderKind
    drawn_w: float
    given_w: float
    since_s: float
    review_s: float
    row: int


@dataclass(frozen=True, slots=True)
class Reduced:
    """What is left to a twin, of which direction, and when that is looked at again."""

    power_w: float
    direction: Direction
    review_s: float


class Sight:
    """The node as it is, with what orders have changed since the meters were read."""

    def __init__(self, home: Home) -> None:
        self.devices: list[Device] = []
        self._home = home
        self._reading: tuple[float, float] | None = None  # imported power, and when it was read
        self._effects: deque[tuple[float, float]] = deque(maxlen=256)  # of orders on it: when, and how much
        self._coming: dict[str, tuple[Stopped, float]] = {}  # twins that return, and until when they may take

    def read(self, imported_w: float, at_s: float) -> None:
        """The meter of the grid connection. What it shows of the effects of orders is not added to it."""
        if self._reading:
            self._drop_shown(imported_w - self._reading[0])
        self._reading = imported_w, at_s

    def _drop_shown(self, change_w: float) -> None:
        """Between two readings the power has changed by so much."""
        for effect in [*self._effects, *self._effects]:  # one may hide the other
            effect_w = effect[1]
            if effect in self._effects and change_w / effect_w >= _SHOWN:
                self._effects.remove(effect)
                change_w -= effect_w

    def prosumers(self) -> "Iterator[ProsumerTwin]":
        """The twins of the node that have a device."""
        return (cast("ProsumerTwin", twin) for twin in self._home.twins() if twin.kind == "prosumer")

    def device(self, name: str) -> Device | None:
        """A twin as it was last seen."""
        return next((each for each in self.devices if each.name == name), None)

    def changes(self, power_w: float) -> None:
        """An order changes the imported power by so much."""
        if power_w:
            self._effects.append((self._home.clock.now_s(), power_w))

    def returns(self, name: str, stopped: Stopped) -> None:
        """A twin is told to go on."""
        now_s = self._home.clock.now_s()
        self.changes(stopped.drawn_w - stopped.given_w)
        self._coming[name] = stopped, now_s + _COMING_S

    def look(self, stopped: Container[str], reduced: Mapping[str, Reduced]) -> None:
        """At all twins."""
        now_s = self._home.clock.now_s()
        self._coming = {name: each for name, each in self._coming.items() if now_s < each[1]}
        self.devices = [self._device(twin, stopped, reduced) for twin in self.prosumers()]

    def _device(
        self, twin: "ProsumerTwin", stopped: Container[str], reduced: Mapping[str, Reduced]
    ) -> Device:
        settings, name = twin.settings, twin.short_name
        drawn_w, given_w = (0.0 if math.isnan(each) else each for each in twin.measured_w)
        coming = self._coming.get(name)
        if coming and drawn_w <= 0.0 and given_w <= 0.0:
            drawn_w, given_w = coming[0].drawn_w, coming[0].given_w
        most_w = reduced[name].power_w if name in reduced else math.inf
        if not settings.consumes:
            given_w = min(given_w, most_w)  # though its meter may not show that yet
        off = name in stopped or (twin.disabled and coming is None)
        return Device(
            name=name,
            drawn_w=0.0 if off else drawn_w,
            given_w=0.0 if off else given_w,
            priority=settings.priority,
            flexible=settings.flexible,
            rated_w=settings.rated_w,
            circuit=settings.circuit,
            switchable=bool(settings.relay),
            external=settings.source is PowerSource.GRID,
            two_way=settings.consumes and settings.supplies,
            stopped=off,
            most_w=most_w,
        )

    def sum_w(self, kind: OrderKind) -> float:
        """What the node produces, or consumes; without what the grid could give."""
        return math.fsum(getattr(each, FIELDS[kind]) for each in self.devices if not each.external)

    def imported_w(self) -> float:
        """The imported power, negative for an export: as metered, with what orders have changed since then;
        without a meter the sum over the twins."""
        reading = self._fresh()
        if reading is None:
            return flow_w(Direction.CONSUME, CONNECTION, self.devices)
        power_w, at_s = reading
        return power_w + sum(change_w for when_s, change_w in self._effects if when_s > at_s - SETTLE_S)

    def flow_w(self, limit: Limit) -> float:
        """What flows where a limit holds, in its direction."""
        if limit.scope != CONNECTION:
            return flow_w(limit.direction, limit.scope, self.devices)
        imported_w = self.imported_w()
        return imported_w if limit.direction is Direction.CONSUME else -imported_w

    def metered_w(self, limit: Limit) -> float:
        """The same; at the connection as its meter was read last."""
        reading = self._fresh()
        if limit.scope == CONNECTION and reading:
            return reading[0] if limit.direction is Direction.CONSUME else -reading[0]
        return self.flow_w(limit)

    def _fresh(self) -> tuple[float, float] | None:
        reading = self._reading
        return reading if reading and self._home.clock.now_s() - reading[1] <= _READING_S else None

"""The devices and meters of one node in a storm: devices obey their relays and what is left to them.

A device that can be dimmed takes at most what its node leaves it; one with an open relay takes nothing.
Meters show what flows then, unless they fail.
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from edge.energy.flows import PowerSource
from edge.twins.prosumer import ProsumerTwin
from edge.twins.storage import StorageTwin

from ..world import WorldNode

CONNECTION = "house.total"  # the meter of the grid connection, if the node has one
_UNDEFINED, _SILENT = "undefined", "silent"


class Flow(NamedTuple):
    """What a device draws and gives, in W."""

    twin: ProsumerTwin
    drawn_w: float
    given_w: float


class Premises:
    """Those of one node."""

    def __init__(self, node: WorldNode, powers_w: Mapping[str, float]) -> None:
        """`powers_w`: what each meter input would show if nothing were switched off or dimmed."""
        self.node = node
        self.shown_w: float | None = None  # the import when the meters were last read; None: they fail
        self.powers_w = dict(powers_w)
        regulator = node.config.regulator
        self._has_connection = regulator is not None and regulator.connection_input == CONNECTION
        self._failing: dict[str, tuple[str, float]] = {}  # by input: how, and until when

    def fail(self, device: str, how: str, until_s: float) -> None:
        """A meter input fails for a while."""
        self._failing[device] = how, until_s
        self.shown_w = None

    def mend(self) -> None:
        """All meters work again."""
        self._failing.clear()

    def booted(self) -> None:
        """The node has started: it has read nothing yet."""
        self.shown_w = None

    def read(self) -> None:
        """Read all meters."""
        now_s = self.node.world.clock.now_s()
        self._failing = {device: each for device, each in self._failing.items() if now_s < each[1]}
        for device in self.powers_w:
            how = self._failing[device][0] if device in self._failing else ""
            if how != _SILENT:
                failed_w = None if how == _UNDEFINED else float(how or 0.0)
                self.node.meters.say(device, failed_w if how else self._metered_w(device))
        imported_w = self.imported_w()
        if self._has_connection:
            self.node.meters.say(CONNECTION, imported_w)
        self.shown_w = None if self._failing else imported_w

    def imported_w(self) -> float:
        """What really flows through the grid connection, in W."""
        return math.fsum(each.drawn_w - each.given_w for each in self.flows())

    def flows(self) -> Iterator[Flow]:
        """Of all devices as they are switched and dimmed. The common storage is simulated, and what a grid
        connection gives is no flow of a device."""
        for twin in self.node.node.prosumers:
            if twin.settings.source is not PowerSource.GRID and not isinstance(twin, StorageTwin):
                yield self._flow(twin)

    def _flow(self, twin: ProsumerTwin) -> Flow:
        settings = twin.settings
        if settings.relay and self.node.meters.relays.get(settings.relay) is False:
            return Flow(twin, 0.0, 0.0)
        drawn_w, given_w = self._wanted_w(twin)
        most_w = twin.obedience.most_w if settings.flexible == "dimmed" else math.inf
        if settings.consumes:
            return Flow(twin, min(drawn_w, most_w), given_w)
        return Flow(twin, drawn_w, min(given_w, most_w))

    def _wanted_w(self, twin: ProsumerTwin) -> tuple[float, float]:
        """What a device would draw and give without its relay."""
        settings = twin.settings
        if not settings.input:
            drawn_w, given_w = (0.0 if math.isnan(each) else each for each in twin.measured_w)
            return drawn_w, given_w
        power_w = self.powers_w[settings.input]
        if settings.kind == "both":
            return power_w, self.powers_w[settings.production_input]
        signed_w = -power_w if settings.kind == "pv" else power_w
        return max(0.0, signed_w), max(0.0, -signed_w)

    def _metered_w(self, device: str) -> float:
        """What a meter input shows."""
        for twin, drawn_w, given_w in self.flows():
            settings = twin.settings
            if device == settings.production_input:
                return given_w
            if device == settings.input:
                return {"pv": given_w, "building": drawn_w - given_w}.get(settings.kind, drawn_w)
        return self.powers_w[device]

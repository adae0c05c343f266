"""The prosumer twin: the face of one device, which consumes, produces, or both at once (thesis 3.2.2, 4.1).

It follows the device, its dates and the orders to it, and tells its consumer and supplier what that makes of
its need and its production.
"""

import logging
import math
import random
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..energy.events import Cause
from ..energy.flows import PowerSource, Supply
from ..energy.orders import Deed, Order
from ..energy.plans import Plan
from ..energy.rules import DISABLED, STOP, WARNING
from ..space.agent import Bond
from .addressing import Shown
from .dates import Dates
from .device import Device
from .following import Following
from .obedience import STOP_ORDER, Obedience
from .posting import Properties
from .settings import TwinSettings
from .trading import TradingTwin
from .twin import Home

if TYPE_CHECKING:
    from ..energy.battery import Battery

log = logging.getLogger("edge.twins")

_AHEAD_S = 86_400.0  # so long before its begin a run is put under contract, and so long it may be


class ProsumerTwin(TradingTwin):
    """One device on the market of its microgrid."""

    kind = "prosumer"
    battery: "Battery | None" = None  # its own, or that of the common storage
    invariants = 4  # I1 to I4 of docs/energy.md; I8 and I9, about itself, are not counted

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        super().__init__(settings, home, rng)
        self.device = Device(settings)
        self.inputs = self.device.inputs
        self._following: Following | None = None
        self._follow_settings()
        self._began_s = self._clock.now_s()
        self.wants = (STOP, WARNING, *self.wants)
        self.obedience = Obedience(settings.name, self._clock)
        self.measured_w = (math.nan, math.nan)  # drawn and given, as last measured
        self._said_unknown = False
        self.relay_on: bool | None = None  # as last requested

    def _follow_settings(self) -> None:
        settings = self.settings
        self._dates = Dates(settings.begin, settings.end, self.home.zone, self.home.date)
        self._in_time = self._dates.hold(self._clock.wall_s())
        follows = settings.relay_follows == "contract"
        self._following = Following(settings, self._clock.now_s()) if follows else None

    def left(self) -> None:
        super().left()
        if self._following:
            self.switch(False)

    # ---- its device ---------------------------------------------------------------------------

    def begin(self, memory: Any) -> None:
        if self.obedience.recall(memory, self.settings.disabled_s) or self._following:
            self.switch(False)
        if not (self._restored(memory) and self.inputs):
            self.measured(*self._powers_w())

    def read(self, name: str, power_w: float | None, at_s: float) -> None:
        self.device.read(name, power_w, at_s)
        self.changes += self.settings.is_grid  # what flows there is what its meter shows
        if self.device.known(at_s):
            self._measure()

    def second_passed(self) -> None:
        overdue = self._overdue
        if overdue != self._said_unknown:
            self._say_unknown()
        in_time = self._dates.always or self._dates.hold(self._clock.wall_s())
        if overdue:
            self._measure()
        if in_time is not self._in_time:
            self._in_time = in_time
            self._look_again(Cause.BEGIN if in_time else Cause.END)
        elif self._following:
            self._follow_supply(self._following)

    def _look_again(self, cause: Cause) -> None:
        """What it needs or produces may have changed though its meter shows the same."""
        before_w = self.consumer.need_w, self.supplier.capacity_w
        self.measured(*self._powers_w(), cause)
        if before_w != (self.consumer.need_w, self.supplier.capacity_w):
            self.stir()

    def _follow_supply(self, following: Following) -> None:
        consumer = self.consumer
        supplied = consumer.satisfied or (self.settings.partial and consumer.supplied_w > 0.0)
        if following.step(supplied and not self.disabled, self._clock.now_s()):
            self.switch(following.on)
        self._look_again(Cause.DEVICE)

    def _powers_w(self) -> tuple[float, float]:
        """What the device draws and gives now, in W."""
        drawn_w, given_w = self.device.powers_w(self._clock.now_s())
        is_off = self._following is not None and not self._following.on and not self.inputs
        return (0.0, 0.0) if is_off else (drawn_w, given_w)

    @property
    def unknown(self) -> bool:
        return self.device.unknown(self._clock.now_s())

    @property
    def _overdue(self) -> bool:
        """Whether a meter that it needs has been undefined for too long."""
        now_s = self._clock.now_s()
        return not self.device.known(now_s) and now_s - self._began_s > self.settings.meter_grace_s

    def _say_unknown(self) -> None:
        self.changes += 1
        self._said_unknown = not self._said_unknown
        if self._said_unknown:
            log.warning("%s: its power is unknown: %s", self.name, self._undefined())
        else:
            log.info("%s: its power is known again", self.name)

    def _undefined(self) -> str:
        grace_s = self.settings.meter_grace_s
        inputs = ", ".join(self.device.undefined_inputs(self._clock.now_s()))
        return f"no valid reading of {inputs} for more than {grace_s:g} s"

    def _measure(self) -> None:
        powers_w = self._powers_w()
        if powers_w != self.measured_w:
            self.measured(*powers_w)
            self.stir()

    def measured(self, consumed_w: float, produced_w: float, cause: Cause = Cause.DEVICE) -> None:
        """The device draws and gives that much now, in W."""
        self.changes += 1
        self.measured_w = consumed_w, produced_w
        if self._following and not self._following.measures(self._clock.now_s()):
            consumed_w = self.settings.power_w  # once its relay is closed
        if self.disabled or not self._in_time:
            consumed_w = produced_w = 0.0
        elif self.settings.consumes:
            consumed_w = min(consumed_w, self.obedience.most_w)
        else:
            produced_w = min(produced_w, self.obedience.most_w)
        self._chronicle.powers(consumed_w, produced_w)
        if self.settings.consumes:
            self.consumer.set_need(consumed_w)
            # a contract must never give more than is needed, not even for a moment
            self.consumer.step(self._clock.now_s())
            self._chronicle.request(self.consumer, cause, self._ends_s)
        if self.settings.supplies:
            self.supplier.set_capacity(produced_w)
            self._chronicle.production(self.supplier.capacity_w, cause, self._ends_s)

    @property
    def _ends_s(self) -> float:
        """The end of what it requests and produces (monotonic clock); inf without one."""
        return self._clock.now_s() + self._dates.ends_in_s(self._clock.wall_s())

    def _planned(self) -> Plan | None:
        """What a device without a meter will need from its date of begin on, if that is near."""
        in_s, run_s = self._dates.begins_in_s(self._clock.wall_s()), self._dates.length_s
        power_w = 0.0 if self.disabled else self.settings.power_w
        if in_s is None or in_s > _AHEAD_S or run_s > _AHEAD_S or power_w <= 0.0:
            return None
        begin_s = self._clock.now_s() + in_s
        return Plan(power_w, run_s, begin_s, begin_s + self.settings.tolerance_s)

    def switch(self, on: bool) -> None:
        """Turn the device on or off, if it has a relay. While a stop order is in force it stays off."""
        self.relay_on = on and not self.disabled
        if self._following and not self.relay_on:
            self._following.cut_off(self._clock.now_s())
        if self.settings.relay:
            self.home.switch(self.settings.relay, self.relay_on)

    def adjust(self, settings: TwinSettings) -> None:
        """Other settings hold from now on: of its requests and offers, and the power of a device without a
        meter. Contracts go on."""
        relay = [(each.relay, each.relay_follows) for each in (self.settings, settings)]
        super().adjust(settings)
        self.device.settings = settings
        on = self._following is not None and self._following.on
        self._follow_settings()
        if self._following and relay[0] == relay[1]:
            self._following.on = on
        elif relay[0] != relay[1]:
            self.switch(self.may_be_on)
        self.measured(*self._powers_w())
        self.stir()

    @property
    def may_be_on(self) -> bool:
        """Whether its relay may be closed while no stop order is in force."""
        return self._following is None or self._following.on

    @property
    def own_w(self) -> float:
        """The power that its own battery gives to its device, in W."""
        return 0.0

    @property
    def charging_w(self) -> float:
        """The power that charges its battery, in W."""
        return 0.0

    # ---- orders -------------------------------------------------------------------------------

    @property
    def disabled(self) -> bool:
        return self.obedience.stops

    @property
    def held(self) -> bool:
        """Whether its user has stopped it; then it stays off until it is started again."""
        return self.obedience.held

    @property
    def reason(self) -> str:
        """Why it is off; empty if it is not."""
        return self.obedience.reason

    def bonded(self, bond: Bond) -> bool | None:
        if bond.label == STOP:
            if bond.hops == 0 and not bond.withdrawn:  # only a twin of this node may give the order
                self.disable()
            return None
        if bond.label != WARNING:
            return super().bonded(bond)
        if bond.hops or bond.withdrawn:
            return False
        orders = list(self.obedience.news(bond.value()))
        for order in orders:
            self._obey(order)
        return bool(orders)

    def _obey(self, order: Order) -> None:
        """What the regulator of its node says."""
        if order.deed is Deed.STOP:
            self.disable(order.kind, order.for_s)
        elif order.deed is Deed.FORGET:
            self.consumer.lost(f"{self.home.node}.{order.twin}")
            self.supplier.lost(f"{self.home.node}.{order.twin}")
        else:
            if self.obedience.limit(order):
                self.switch(self.may_be_on)
            if not math.isnan(sum(self.measured_w)):
                self.measured(*self.measured_w)
        self.stir()

    def disable(self, reason: str = STOP_ORDER, for_s: float = 0.0) -> None:
        """Obey a stop order: end all contracts and switch the device off for a while."""
        self.obedience.stop(reason, for_s or self.settings.disabled_s)
        self._leave_market()

    def hold(self) -> None:
        """The same until `restart`."""
        self.obedience.held = True
        self._leave_market()
        self.stir()

    def restart(self) -> None:
        """End a stop, by an order or by `hold`."""
        self.obedience.start()
        self._go_on()

    def _go_on(self) -> None:
        self.measured(*self.measured_w)
        self.switch(self.may_be_on)
        self.stir()

    def _leave_market(self) -> None:
        self.changes += 1
        self.consumer.stop()
        self.supplier.stop()
        self.supplier.set_capacity(0.0)
        self._chronicle.request(self.consumer, Cause.STOP_ORDER)
        self._chronicle.production(0.0, Cause.STOP_ORDER)
        self.switch(False)

    def decayed(self, name: str, life_s: int) -> None:
        super().decayed(name, life_s)
        if name == self.name and self.obedience.has_ended():
            self._go_on()

    # ---- what it shows ------------------------------------------------------------------------

    def supply(self) -> Supply | None:
        if not self.settings.supplies:
            return None
        source = self.settings.source
        metered_w = self.device.metered_w(self._clock.now_s()) if source is PowerSource.GRID else None
        return Supply(source, self.supplier.capacity_w, self.supplier.supplied_w, metered_w)

    def memory(self) -> dict[str, Any]:
        return super().memory() | self.obedience.memory()

    def recall(self, memory: dict[str, Any]) -> None:
        super().recall(memory)
        self.measured_w = (math.nan, math.nan)  # the first reading counts as a change

    def _wanted(self) -> Properties:
        wanted = super()._wanted()
        if self.disabled:
            wanted[DISABLED, ""] = Shown(self.reason.encode())
        return wanted

    def violations(self) -> list[str]:
        broken = super().violations()
        if self.relay_on and (self.disabled or not self.may_be_on):
            broken.append(f"I8 {self.name} has its relay closed while it must be off")
        return broken

    def troubles(self) -> Iterable[tuple[str, str]]:
        yield from super().troubles()
        if self._overdue:
            yield "device_unknown", f"the power of {self.short_name} is unknown: {self._undefined()}"
        for what in self.device.signs_against():
            kind = self.settings.kind
            hint = "is the sign right (sign = -1), or was its meter swapped with another?"
            yield "wrong_sign", f"{what} of {self.short_name} is negative, impossible for kind {kind}: {hint}"

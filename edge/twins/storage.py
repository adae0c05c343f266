"""The storage twin: the battery of all members, filled by donations (thesis 7.5.1, 7.5.3.3).

It consumes nothing and supplies like any producer, but only requests that nobody else has served for a while.
There is one in a microgrid; where there are several, donors decide which of them they give to.
"""

import contextlib
import math
import random
from typing import Any

from ..energy.battery import Battery
from ..energy.donations import Donations, Receipt, encode_receipts, parse_donation
from ..energy.events import Cause
from ..energy.flows import PowerSource, Supply
from ..energy.parsing import lenient
from ..energy.rules import DONATED, DONATION, REQUEST, STORAGE
from ..energy.storage import CommonStorage
from ..space.agent import Bond
from .addressing import around, towards
from .donor import encode_storage
from .level_memory import LevelMemory, battery_of
from .posting import Properties
from .prosumer import ProsumerTwin
from .settings import TwinSettings
from .trading import read_request
from .twin import Home

_ROOM_WH = 0.5
_SPREAD_S = 15.0  # in which a real battery takes a donation: until the next one, and a little longer
_STALE_S = 180.0  # an older record of the meter says nothing
_BALANCE_WH = 1e-3
_donation = lenient(parse_donation)


class StorageTwin(ProsumerTwin):
    """The common storage of a microgrid."""

    tells_left = False  # it is for requests that nobody else serves
    invariants = 5  # also the books of its battery (I6)

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        super().__init__(settings, home, rng)
        self.battery: Battery = battery_of(settings)
        self.storage = CommonStorage(
            self.battery, wait_s=settings.storage_wait_s, retry_s=settings.storage_retry_s
        )
        self.bought_wh = 0.0  # charged by contract
        self._donated_w, self._donated_until_s = 0.0, -math.inf
        self._read_s = -math.inf
        if settings.battery_meter:
            self.battery.level_wh = self.battery.first_wh = None
        self.donations = Donations(min(home.members.member_w, settings.battery_charge_w))
        self._level = LevelMemory(self.battery)
        self._saved: dict[str, Any] = {}  # the level and the donors of one moment
        self.wants = (*self.wants, DONATION)

    def _follow_meter(self, now_s: float) -> None:
        """A real battery says what it holds, and is told what to take and give."""
        meter = self.settings.battery_meter
        reading, known = self.home.record(meter), self.battery.level_wh is not None
        if reading is None or now_s - reading.at_s > _STALE_S:
            self.battery.measured(None)
        elif reading.at_s != self._read_s:
            self._read_s = reading.at_s
            percent = (reading.record or {}).get("state_of_charge_percent")
            self.battery.measured(None if percent is None else percent / 100 * self.settings.battery_wh)
        if known != (self.battery.level_wh is not None):
            self.stir()
        order_w = self._charging_w(now_s) - self.storage.out_w
        self.home.steer(meter, 0.0 if self.disabled else round(order_w))

    def _charging_w(self, now_s: float) -> float:
        """The power that it takes now, in W."""
        return self._donated_w if now_s < self._donated_until_s else 0.0

    @property
    def charging_w(self) -> float:
        return self._charging_w(self._clock.now_s())

    @property
    def may_grant(self) -> bool:
        """Whether it may promise power now."""
        return True

    def begin(self, memory: Any) -> None:
        known = bool(self.settings.battery_meter) or self._level.recall(memory)
        if known and isinstance(memory, dict):
            with contextlib.suppress(ValueError, TypeError):
                self.donations.recall(memory.get("donors", {}))
        super().begin(memory)

    def measured(self, consumed_w: float, produced_w: float, cause: Cause = Cause.DEVICE) -> None:
        """It has no device: what it can give follows from its battery and its promises."""
        self.changes += 1
        self.measured_w = consumed_w, produced_w
        self._update()

    def left(self) -> None:
        super().left()
        self._update()

    def bonded(self, bond: Bond) -> bool | None:
        now_s = self._clock.now_s()
        if bond.label == REQUEST:
            request = self._message(bond, read_request)
            if request is not None and request.run_s:
                request = None  # what it will hold then is not known
            self.storage.see(bond.name, request, bond.hops, now_s)
            if request is None:
                self.supplier.see_request(bond.name, None, bond.hops, now_s)
            return None
        if bond.label == DONATION:
            return self._see_donation(bond, now_s)
        return super().bonded(bond)

    def _see_donation(self, bond: Bond, now_s: float) -> bool:
        plain = self._message(bond, self.home.reader.whole)
        donation = _donation(plain) if plain else None
        if donation is None or not self.donations.is_new(bond.name, donation):
            return False
        energy_wh = self.donations.credible_wh(bond.name, donation, now_s)
        taken_mwh = int(1000 * min(energy_wh, self.battery.room_wh) + 1e-6)
        self.battery.take(taken_mwh / 1000)
        left_wh = self._donated_w * max(0.0, self._donated_until_s - now_s) / 3600
        self._donated_w = 3600 * (left_wh + taken_mwh / 1000) / _SPREAD_S
        self._donated_until_s = now_s + _SPREAD_S
        self.donations.book(bond.name, donation, taken_mwh)
        return True

    def decayed(self, name: str, life_s: int) -> None:
        if name != self.name:
            self.storage.see(name, None, 0, self._clock.now_s())
        super().decayed(name, life_s)

    def second_passed(self) -> None:
        super().second_passed()
        self.storage.count(self._clock.now_s())
        if self.settings.battery_meter:
            self._follow_meter(self._clock.now_s())
        if self.storage.watching or self.storage.out_w:
            self.stir()

    @property
    def wake_s(self) -> float:
        now_s = self._clock.now_s()
        return min(super().wake_s, self.storage.due_s(self.supplier.book, now_s))

    def act(self) -> None:
        self._update()
        super().act()
        self._update()

    def _update(self) -> None:
        """Count what it gave, grant requests, and set what it may promise."""
        now_s, supplier, storage = self._clock.now_s(), self.supplier, self.storage
        storage.count(now_s)
        for consumer in storage.expired(now_s):
            supplier.see_request(consumer, None, 0, now_s)
        for promise in storage.to_retry(supplier.book, now_s):
            supplier.withdraw(promise)
        if not self.disabled and self.may_grant:
            for consumer, request, hops in storage.grant(supplier.book, now_s):
                supplier.see_request(consumer, request, hops, now_s)
        supplier.set_capacity(0.0 if self.disabled else storage.capacity_w(supplier.book, now_s))
        storage.use(supplier.book)

    def supply(self) -> Supply | None:
        supplied_w = self.supplier.supplied_w
        return Supply(PowerSource.BATTERY, supplied_w, supplied_w)

    def _wanted(self) -> Properties:
        wanted = super()._wanted()
        hops = self.home.request_hops
        wanted[STORAGE, ""] = around(encode_storage(self.battery.room_wh > _ROOM_WH), hops)
        tables: dict[str, dict[str, Receipt]] = {}
        for donor, receipt in self.donations.receipts.items():
            node, _, name = donor.partition(".")
            if self.space.find(donor):
                tables.setdefault(node, {})[name] = receipt
        if tables:
            plain = {node: encode_receipts(table) for node, table in tables.items()}
            wanted[DONATED, ""] = towards(self._writer.parts(DONATED, plain), hops, tables)
        return wanted

    def memory(self) -> dict[str, Any]:
        """The donors as they were when the level was saved: so no energy is booked twice."""
        level = self._level.memory()
        if level.get("battery") != self._saved.get("battery"):
            self._saved = level | {"donors": self.donations.memory()}
        return super().memory() | self._saved

    def violations(self) -> list[str]:
        broken = super().violations()
        if abs(self.battery.imbalance_wh) > _BALANCE_WH:
            broken.append(f"I6 {self.name}: its battery lacks {self.battery.imbalance_wh:.6f} Wh")
        given_wh = self.donations.received_mwh / 1000 + self.bought_wh
        if abs(self.battery.taken_wh - given_wh) > _BALANCE_WH:
            broken.append(f"I6 {self.name} stored another energy than it was given")
        return broken

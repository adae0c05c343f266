"""The storage twin that also buys energy: before a predicted shortage, or whenever some is free.

It requests what is free like any consumer, as the last: while another request waits it requests nothing. It
never buys and supplies at once, and what it bought it gives to members only, never back to the grid.
"""

import math
import random

from ..energy.charging import FORECAST, ChargePlan, parse_forecast
from ..energy.rules import MIN_POWER_W
from ..energy.totals import Share
from ..space.agent import Bond
from .envelope import public
from .settings import TwinSettings
from .storage import StorageTwin
from .twin import Home

_WAITS_S = 0.6  # a request that waits so long comes first
_REST_S = 10.0  # so long it buys nothing then
_SLOWER, _FASTER = 0.5, 0.05  # afterwards it asks for half, and for more again each minute
_FULL = 0.999
_read_forecast = public(parse_forecast)


class PlanningTwin(StorageTwin):
    """A common storage that charges by itself."""

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        super().__init__(settings, home, rng)
        self.plan = ChargePlan(settings.battery_wh)
        self.wants = (*self.wants, FORECAST)
        self._in_w = 0.0
        self._counted_in_s = self._clock.now_s()
        self._rest_until_s = 0.0
        self._most_w = self._charge_w
        self._faster_s = self._clock.now_s()

    @property
    def _charge_w(self) -> float:
        return min(self.settings.battery_charge_w, self.home.members.member_w)

    def _charging_w(self, now_s: float) -> float:
        return super()._charging_w(now_s) + self._in_w

    @property
    def target_wh(self) -> float:
        """What its battery should hold now."""
        if self.settings.storage_plan == "always":
            return self.settings.storage_fill * self.settings.battery_wh
        return self.plan.target_wh(int(self._clock.wall_s() // 60)) if self.home.date.settled else 0.0

    @property
    def may_grant(self) -> bool:
        """It first stops buying, which may be enough."""
        return not self._in_w

    @property
    def wake_s(self) -> float:
        yields_s = self.storage.waiting_since_s + _WAITS_S if self._in_w else math.inf
        return min(super().wake_s, yields_s)

    def bonded(self, bond: Bond) -> bool | None:
        if bond.label != FORECAST:
            return super().bonded(bond)
        forecast = self._message(bond, _read_forecast) if bond.hops == 0 else None
        if forecast is not None:
            self.plan.see(*forecast)
        return forecast is not None

    def second_passed(self) -> None:
        super().second_passed()
        if self.consumer.need_w or self._wanted_w() >= MIN_POWER_W:
            self.stir()

    def _update(self) -> None:
        now_s = self._clock.now_s()
        self.bought_wh += self.battery.charge(self._in_w, now_s - self._counted_in_s)
        self._counted_in_s = now_s
        super()._update()
        self.consumer.set_need(self._wanted_w())
        self.consumer.step(now_s)
        self._in_w = self.consumer.supplied_w

    def _wanted_w(self) -> float:
        """The power that it requests now, in W."""
        now_s = self._clock.now_s()
        if len(self.supplier.book) or now_s >= self.storage.waiting_since_s + _WAITS_S:
            if now_s >= self._rest_until_s and self._in_w:
                self._most_w = max(_SLOWER * self._in_w, _FASTER * self._charge_w)
                self._faster_s = now_s
            self._rest_until_s = now_s + _REST_S
        if self.disabled or now_s < self._rest_until_s:
            return 0.0
        lacks_wh = self.target_wh - (self.battery.level_wh or 0.0)
        state = self.battery.state_of_charge
        if state is None or state >= _FULL or lacks_wh <= 0.0:
            return 0.0
        if now_s >= self._faster_s + 60.0:
            self._faster_s = now_s
            self._most_w = min(self._charge_w, self._most_w + _FASTER * self._charge_w)
        return self._most_w

    def share(self) -> Share:
        """What it buys is no need: nothing is missing while it gets less."""
        share = super().share()
        return Share(
            share.consumed_w,
            share.produced_w,
            share.consumed_w,
            share.supplied_w,
            share.committed_w,
            share.offered_w,
        )

    @property
    def unserved(self) -> bool:
        return False

    def violations(self) -> list[str]:
        broken = super().violations()
        if self.consumer.supplied_w and self.supplier.supplied_w:
            broken.append(f"I6 {self.name} buys and supplies at once")
        return broken

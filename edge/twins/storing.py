"""The twin of a device that has a battery of its own (thesis 7.5.3.1, 7.5.3.2).

Its surplus charges the battery first and is offered to others when the battery is full. Its need is requested
as ever; what no contract covers comes from the battery, so a contract takes over as soon as there is one.
"""

import math
import random
from typing import Any

from ..energy.battery import Battery
from ..energy.events import Cause
from ..energy.messages import Priority
from ..energy.rules import MIN_POWER_W
from ..energy.storage import OwnStorage
from ..energy.totals import Share
from .level_memory import LevelMemory, battery_of
from .prosumer import ProsumerTwin
from .settings import TwinSettings
from .twin import Home

_BALANCE_WH = 1e-3


class StoringTwin(ProsumerTwin):
    """A prosumer with a battery behind its meter."""

    invariants = 5  # also the books of its battery (I6)

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        super().__init__(settings, home, rng)
        self.battery: Battery = battery_of(settings)
        self._level = LevelMemory(self.battery)
        critical = settings.priority is Priority.HIGH
        self._own = OwnStorage(self.battery, critical=critical, least_wh=settings.battery_least_wh)

    @property
    def own_w(self) -> float:
        return self._own.giving_w

    @property
    def charging_w(self) -> float:
        return self._own.charging_w

    def begin(self, memory: Any) -> None:
        self._level.recall(memory)
        super().begin(memory)

    def measured(self, consumed_w: float, produced_w: float, cause: Cause = Cause.DEVICE) -> None:
        self._offer(consumed_w, produced_w, cause)
        self._balance()

    def _offer(self, consumed_w: float, produced_w: float, cause: Cause = Cause.DEVICE) -> None:
        """What charges the battery is not offered to others."""
        super().measured(consumed_w, max(0.0, produced_w - self._own.charging_w), cause)
        self.measured_w = consumed_w, produced_w

    def second_passed(self) -> None:
        super().second_passed()
        self._balance()

    def act(self) -> None:
        super().act()
        self._balance()

    def _balance(self) -> None:
        """Charge with the surplus, or give what is missing."""
        charged_w, gave_w = self._own.charging_w, self._own.giving_w
        consumed_w, produced_w = self.measured_w
        active = not self.disabled and not math.isnan(consumed_w)
        missing_w = self.consumer.missing_w if active and consumed_w > 0.0 else 0.0
        self._own.step(produced_w if active else 0.0, missing_w, self._clock.now_s())
        if abs(self._own.charging_w - charged_w) >= MIN_POWER_W:
            self._offer(consumed_w, produced_w)
            self.stir()
        elif bool(gave_w) != bool(self._own.giving_w):
            self.stir()

    @property
    def unserved(self) -> bool:
        return super().unserved and self.consumer.missing_w > self.own_w + MIN_POWER_W

    def share(self) -> Share:
        """What its own battery gives is not requested from others."""
        share = super().share()
        requested_w = max(share.consumed_w, share.requested_w - self.own_w)
        return Share(
            min(share.requested_w, requested_w),
            share.produced_w,
            share.consumed_w,
            share.supplied_w,
            share.committed_w,
            share.offered_w,
        )

    def memory(self) -> dict[str, Any]:
        return super().memory() | self._level.memory()

    def violations(self) -> list[str]:
        broken = super().violations()
        if abs(self.battery.imbalance_wh) > _BALANCE_WH:
            broken.append(f"I6 {self.name}: its battery lacks {self.battery.imbalance_wh:.6f} Wh")
        if self.own_w and self.charging_w:
            broken.append(f"I6 {self.name} charges its battery and draws from it at once")
        return broken

"""The twin of a load that waits for the cheapest slot, then consumes like any other (thesis 7.3)."""

import random
from typing import Any

from ..energy.deferral import Deferral
from ..energy.rules import PROD
from ..energy.tariff import parse_production
from ..space.agent import Bond
from .daily import DailyTwin
from .envelope import public
from .settings import TwinSettings
from .twin import Home

_read_production = public(parse_production)


class DeferrableTwin(DailyTwin[Deferral]):
    """A load whose run begins in the cheapest slot."""

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        """Raises ValueError for settings of another kind."""
        super().__init__(settings, home, rng, Deferral)
        self.wants = (*self.wants, PROD)

    def bonded(self, bond: Bond) -> bool | None:
        if bond.label != PROD:
            return super().bonded(bond)
        self.daily.hear(bond.name, self._message(bond, _read_production))
        return None

    def decayed(self, name: str, life_s: int) -> None:
        if name != self.name:
            self.daily.hear(name, None)
        super().decayed(name, life_s)

    def recall(self, memory: dict[str, Any]) -> None:
        super().recall(memory)
        self.daily.recall(memory["run"], self._clock.now_s(), self._clock.wall_s())

    def _step_run(self, now_s: float, wall_s: float) -> float:
        offered = bool(self.consumer.contracts) or self.consumer.is_offered_all
        self.daily.step(now_s, wall_s, self.consumer.satisfied, offered)
        return self.daily.due_s(now_s, wall_s)

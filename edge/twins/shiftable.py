"""The twin of a load that may run later: its run is under contract before it begins (thesis 8.2.1)."""

import random
from typing import Any

from ..energy.planner import Planner
from ..energy.plans import Plan
from .daily import DailyTwin
from .settings import TwinSettings
from .twin import Home


class ShiftableTwin(DailyTwin[Planner]):
    """A load whose run begins with its contract."""

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        """Raises ValueError for settings of another kind."""
        super().__init__(settings, home, rng, Planner)

    def recall(self, memory: dict[str, Any]) -> None:
        super().recall(memory)
        self.daily.recall(memory["run"], self._clock.now_s())

    def _step_run(self, now_s: float, wall_s: float) -> float:
        planner, consumer = self.daily, self.consumer
        planner.step(now_s, wall_s, consumer.satisfied, consumer.begins_s)
        consumer.planned = self._planned()
        return planner.due_s(now_s)

    def _planned(self) -> Plan | None:
        return None if self.disabled else self.daily.plan

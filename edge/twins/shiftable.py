"""The twin of a load that may run later: its run is under contract before it begins (thesis 8.2.1)."""

import random
from typing import Any

from ..energy.daily_run import Stage
from ..energy.planner import Planner
from ..energy.plans import Plan
from .prosumer import ProsumerTwin
from .settings import TwinSettings
from .twin import Home


class ShiftableTwin(ProsumerTwin):
    """Its device is off until the twin switches it on; the relay follows the supply."""

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        """Raises ValueError for settings of another kind."""
        if settings.run is None:
            raise ValueError(f"{settings.name} is of kind {settings.kind}, which has no run")
        super().__init__(settings, home, rng)
        self.planner = Planner(settings.run, home.zone.civil_s)
        self._jumps = home.date.jumps

    @property
    def may_be_on(self) -> bool:
        return self.planner.stage is Stage.RUNNING

    def begin(self, memory: Any) -> None:
        super().begin(memory)
        self.switch(self.may_be_on)

    def act(self) -> None:
        before = self.planner.stage
        if self._jumps != self.home.date.jumps:
            self._jumps = self.home.date.jumps
            self.planner.date_jumped()
        consumer, now_s = self.consumer, self._clock.now_s()
        self.planner.step(now_s, self._clock.wall_s(), consumer.satisfied, consumer.begins_s)
        consumer.planned = self._planned()
        if self.planner.need_w != self.measured_w[0]:
            self.measured(self.planner.need_w, 0.0)
        if (before is Stage.RUNNING) != (self.planner.stage is Stage.RUNNING):
            self.switch(self.planner.stage is Stage.RUNNING)
        super().act()
        self._due_s = min(self._due_s, self.planner.due_s(now_s))

    def _planned(self) -> Plan | None:
        return None if self.disabled else self.planner.plan

    def memory(self) -> dict[str, Any]:
        return super().memory() | {"run": self.planner.memory(self._clock.now_s())}

    def recall(self, memory: dict[str, Any]) -> None:
        super().recall(memory)
        self.planner.recall(memory["run"], self._clock.now_s())

"""The twin of a load that may run later: it plans its run with suppliers, then consumes like any other."""

import random
from typing import Any

from ..energy.planner import Planner, Stage
from ..energy.plans import parse_starts
from ..energy.rules import PLAN, STARTS
from ..space.agent import Bond
from .envelope import public
from .posting import Properties
from .prosumer import ProsumerTwin
from .settings import TwinSettings
from .twin import Home

_read_starts = public(parse_starts)


class ShiftableTwin(ProsumerTwin):
    """Its device is off until the twin switches it on; the relay follows the supply."""

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        """Raises ValueError for settings of another kind."""
        if settings.run is None:
            raise ValueError(f"{settings.name} is of kind {settings.kind}, which has no run")
        super().__init__(settings, home, rng)
        self.planner = Planner(settings.run, home.zone.civil_s)
        self._jumps = home.date.jumps
        self.wants = (*self.wants, STARTS)

    @property
    def may_be_on(self) -> bool:
        return self.planner.stage is Stage.RUNNING

    def begin(self, memory: Any) -> None:
        super().begin(memory)
        self.switch(self.may_be_on)

    def bonded(self, bond: Bond) -> bool | None:
        if bond.label != STARTS:
            return super().bonded(bond)
        starts = self._message(bond, _read_starts) or {}
        self.planner.hear(bond.name, starts.get(self.name), bond.hops, self._clock.now_s())
        return None

    def decayed(self, name: str, life_s: int) -> None:
        if name != self.name:
            self.planner.hear(name, None, 0, self._clock.now_s())
        super().decayed(name, life_s)

    def act(self) -> None:
        before = self.planner.stage
        if self._jumps != self.home.date.jumps:
            self._jumps = self.home.date.jumps
            self.planner.date_jumped()
        self.planner.step(self._clock.now_s(), self._clock.wall_s(), self.consumer.satisfied, self._id())
        if self.planner.need_w != self.measured_w[0]:
            self.measured(self.planner.need_w, 0.0)
        if (before is Stage.RUNNING) != (self.planner.stage is Stage.RUNNING):
            self.switch(self.planner.stage is Stage.RUNNING)
        super().act()
        self._due_s = min(self._due_s, self.planner.due_s(self._clock.now_s()))

    def memory(self) -> dict[str, Any]:
        return super().memory() | {"run": self.planner.memory(self._clock.now_s())}

    def recall(self, memory: dict[str, Any]) -> None:
        super().recall(memory)
        self.planner.recall(memory["run"], self._clock.now_s())

    def _wanted(self) -> Properties:
        wanted = super()._wanted()
        if self.planner.plan:
            wanted[PLAN, ""] = self.planner.plan.encode(), 0
        return wanted

"""The twin of a load that waits for the cheapest slot, then consumes like any other (thesis 7.3)."""

import random
from typing import Any

from ..energy.daily_run import Stage
from ..energy.deferral import Deferral
from ..energy.rules import PROD
from ..energy.tariff import parse_production
from ..space.agent import Bond
from .envelope import public
from .prosumer import ProsumerTwin
from .settings import TwinSettings
from .twin import Home

_read_production = public(parse_production)


class DeferrableTwin(ProsumerTwin):
    """Its device is off until the twin switches it on; the relay follows the supply."""

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        """Raises ValueError for settings of another kind."""
        if settings.run is None:
            raise ValueError(f"{settings.name} is of kind {settings.kind}, which has no run")
        super().__init__(settings, home, rng)
        self.deferral = Deferral(settings.run, home.zone.civil_s)
        self._jumps = home.date.jumps
        self.wants = (*self.wants, PROD)

    @property
    def may_be_on(self) -> bool:
        return self.deferral.stage is Stage.RUNNING

    def begin(self, memory: Any) -> None:
        super().begin(memory)
        self.switch(self.may_be_on)

    def bonded(self, bond: Bond) -> bool | None:
        if bond.label != PROD:
            return super().bonded(bond)
        self.deferral.hear(bond.name, self._message(bond, _read_production))
        return None

    def decayed(self, name: str, life_s: int) -> None:
        if name != self.name:
            self.deferral.hear(name, None)
        super().decayed(name, life_s)

    def memory(self) -> dict[str, Any]:
        return super().memory() | {"run": self.deferral.memory(self._clock.now_s())}

    def recall(self, memory: dict[str, Any]) -> None:
        super().recall(memory)
        self.deferral.recall(memory["run"], self._clock.now_s(), self._clock.wall_s())

    def act(self) -> None:
        before, consumer = self.deferral.stage, self.consumer
        if self._jumps != self.home.date.jumps:
            self._jumps = self.home.date.jumps
            self.deferral.date_jumped()
        offered = bool(consumer.contracts) or consumer.is_offered_all
        now_s, wall_s = self._clock.now_s(), self._clock.wall_s()
        self.deferral.step(now_s, wall_s, consumer.satisfied, offered)
        if self.deferral.need_w != self.measured_w[0]:
            self.measured(self.deferral.need_w, 0.0)
        if (before is Stage.RUNNING) != (self.deferral.stage is Stage.RUNNING):
            self.switch(self.deferral.stage is Stage.RUNNING)
        super().act()
        self._due_s = min(self._due_s, self.deferral.due_s(now_s, wall_s))

"""What twins of loads with a run once a day share: the device follows the run, and the run the date."""

import random
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ..energy.daily_run import DailyRun, RunSettings, Stage
from .prosumer import ProsumerTwin
from .settings import TwinSettings
from .twin import Home

Run = TypeVar("Run", bound=DailyRun)


class DailyTwin(ProsumerTwin, Generic[Run]):
    """Its device is off until the twin switches it on; the relay follows the supply."""

    def __init__(
        self,
        settings: TwinSettings,
        home: Home,
        rng: random.Random,
        make: Callable[[RunSettings, Callable[[float], float]], Run],
    ) -> None:
        """`make`: the run, from its settings and from what gives civil time.

        Raises ValueError for settings of another kind.
        """
        if settings.run is None:
            raise ValueError(f"{settings.name} is of kind {settings.kind}, which has no run")
        super().__init__(settings, home, rng)
        self.daily = make(settings.run, home.zone.civil_s)
        self._jumps = home.date.jumps

    @property
    def may_be_on(self) -> bool:
        return self.daily.stage is Stage.RUNNING

    def begin(self, memory: Any) -> None:
        super().begin(memory)
        self.switch(self.may_be_on)

    def memory(self) -> dict[str, Any]:
        return super().memory() | {"run": self.daily.memory(self._clock.now_s())}

    def act(self) -> None:
        was_on = self.may_be_on
        if self._jumps != self.home.date.jumps:
            self._jumps = self.home.date.jumps
            self.daily.date_jumped()
        due_s = self._step_run(self._clock.now_s(), self._clock.wall_s())
        if self.daily.need_w != self.measured_w[0]:
            self.measured(self.daily.need_w, 0.0)
        if self.may_be_on != was_on:
            self.switch(self.may_be_on)
        super().act()
        self._due_s = min(self._due_s, due_s)

    @abstractmethod
    def _step_run(self, now_s: float, wall_s: float) -> float:
        """Step the run; returns when it must step again at the latest."""

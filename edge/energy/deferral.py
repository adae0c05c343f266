"""When a load that may wait runs: in the slot in which power is cheapest (thesis 7.3; policy LowestPrice).

Once a day the load is ready. It averages the price tables of all suppliers, weighed by their capacity, and
requests power when the cheapest slot begins. While it has neither a contract nor an offer it looks at the
prices again: where they rise with the demand, those who were not served move to the next slot.
"""

import math
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from .planner import RunSettings
from .prices import cheapest
from .tariff import Production, average

_DAY_S = 86_400.0
_LOOK_S = 5.0  # between two looks at the date, or at a run
_SETTLE_S = 1.5  # so long a request waits for offers before it moves
_PUNCTUAL_S = 60.0  # a load that is ready at most so much after its hour still has all its time to start
_SUPPLIERS_MAX = 64


class Stage(StrEnum):
    """The stage of today's run."""

    IDLE = "idle"
    WAITING = "waiting"  # for its slot
    DUE = "due"  # it requests power
    RUNNING = "running"


class Deferral:
    """Decides when one load runs. `civil_s` gives civil time for a time of the wall clock."""

    def __init__(self, settings: RunSettings, civil_s: Callable[[float], float] = float) -> None:
        self.settings = settings
        self.stage = Stage.IDLE
        self.runs = self.missed = 0
        self.moves = 0  # how often the run of today went to another slot
        self.begins_s = math.nan  # Unix time at which the run of today is to begin
        self._civil_s = civil_s
        self._productions: dict[str, Production] = {}
        self._day: int | None = None
        self._latest_s = self._left_s = self._stepped_s = self._asked_s = 0.0

    @property
    def need_w(self) -> float:
        """The power it needs now, in W."""
        return self.settings.power_w if self.stage in (Stage.DUE, Stage.RUNNING) else 0.0

    def hear(self, supplier: str, production: Production | None) -> None:
        """A supplier has told what it has left and at which prices, or is no longer there (None)."""
        if production is None:
            self._productions.pop(supplier, None)
        elif supplier in self._productions or len(self._productions) < _SUPPLIERS_MAX:
            self._productions[supplier] = production

    def step(self, now_s: float, wall_s: float, served: bool, offered: bool) -> None:
        """`served`: its need is supplied; `offered`: somebody offers all of it, or a contract is proposed."""
        passed_s, self._stepped_s = now_s - self._stepped_s, now_s
        late_s = self._became_ready(wall_s)
        if late_s is not None and self.stage is Stage.IDLE:
            self._latest_s = wall_s + max(0.0, self.settings.within_s - late_s)
            self._left_s, self.moves = self.settings.run_s, 0
            self._choose(now_s, wall_s)
        elif self.stage is Stage.WAITING:
            self._choose(now_s, wall_s)
        elif self.stage is Stage.DUE and not (served or offered) and self._may_move(now_s):
            self._choose(now_s, wall_s)
            self.moves += self.begins_s > wall_s
        if self.need_w:
            self._run(passed_s, wall_s, served)

    def memory(self, wall_s: float) -> dict[str, float | str]:
        """The data of a run that must survive a restart."""
        left_s, latest_in_s = round(self._left_s, 1), round(max(0.0, self._latest_s - wall_s), 1)
        return {"stage": self.stage, "left_s": left_s, "latest_in_s": latest_in_s}

    def recall(self, memory: dict[str, Any], now_s: float, wall_s: float) -> None:
        """Restore a run from before a restart. Raises ValueError, KeyError or TypeError."""
        stage, left_s = Stage(memory["stage"]), float(memory["left_s"])
        latest_s = wall_s + float(memory["latest_in_s"])
        if stage is not Stage.IDLE and 0.0 < left_s <= self.settings.run_s:
            self.stage = Stage.WAITING if stage is Stage.WAITING else Stage.DUE
            self._left_s, self._latest_s, self.begins_s = left_s, latest_s, wall_s
        self._stepped_s = self._asked_s = now_s

    def due_s(self, now_s: float, wall_s: float) -> float:
        """When it must step at the latest, though nothing new is said."""
        match self.stage:
            case Stage.WAITING:
                return now_s + max(0.0, self.begins_s - wall_s)
            case Stage.DUE:
                return now_s + 1.0
            case Stage.RUNNING:
                return now_s + min(_LOOK_S, self._left_s)
        return now_s + _LOOK_S

    def _became_ready(self, wall_s: float) -> float | None:
        """How long ago it became ready for a new day; None if that is not new, or too long ago to start."""
        days, late_s = divmod(self._civil_s(wall_s) - self.settings.ready_hour * 3600, _DAY_S)
        before, self._day = self._day, int(days)
        if before is None or self._day <= before:
            return None
        late_s = 0.0 if late_s <= _PUNCTUAL_S else late_s
        return late_s if late_s <= self.settings.within_s else None

    def _may_move(self, now_s: float) -> bool:
        """What has begun goes on where it is."""
        return self._left_s >= self.settings.run_s and now_s >= self._asked_s + _SETTLE_S

    def _choose(self, now_s: float, wall_s: float) -> None:
        table = average(self._productions.values(), wall_s)
        self.begins_s = cheapest(table, wall_s, self.settings.run_s, max(wall_s, self._latest_s))
        if self.begins_s > wall_s:
            self.stage = Stage.WAITING
        elif self.stage is not Stage.DUE:
            self.stage, self._asked_s = Stage.DUE, now_s

    def _run(self, passed_s: float, wall_s: float, served: bool) -> None:
        if served:
            if self.stage is Stage.RUNNING:
                self._left_s -= passed_s
            self.stage = Stage.RUNNING
        elif self.stage is Stage.RUNNING:
            self.stage = Stage.DUE  # interrupted: it resumes when it is served again
        done = self._left_s <= 0.0
        begun = self._left_s < self.settings.run_s
        if done or not (served or begun or wall_s < self._latest_s + self.settings.run_s):
            self.runs += done
            self.missed += not done
            self.stage = Stage.IDLE

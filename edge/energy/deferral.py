"""When a load that may wait runs: in the slot in which power is cheapest (thesis 7.3; policy LowestPrice).

Once a day the load is ready. It averages the price tables of all suppliers, weighed by their capacity, and
requests power when the cheapest slot begins. While it has neither a contract nor an offer it looks at the
prices again: where they rise with the demand, those who were not served move to the next slot.
"""

import math
from collections.abc import Callable
from typing import Any

from .daily_run import LOOK_S, DailyRun, RunSettings, Stage
from .prices import cheapest
from .tariff import Production, average

_SETTLE_S = 1.5  # so long a request waits for offers before it moves
_SUPPLIERS_MAX = 64


class Deferral(DailyRun):
    """Decides when one load runs."""

    def __init__(self, settings: RunSettings, civil_s: Callable[[float], float] = float) -> None:
        super().__init__(settings, civil_s)
        self.moves = 0  # how often the run of today went to another slot
        self.begins_s = math.nan  # Unix time at which the run of today is to begin
        self._productions: dict[str, Production] = {}
        self._asked_s = 0.0

    def hear(self, supplier: str, production: Production | None) -> None:
        """A supplier has told what it has left and at which prices, or is no longer there (None)."""
        if production is None:
            self._productions.pop(supplier, None)
        elif supplier in self._productions or len(self._productions) < _SUPPLIERS_MAX:
            self._productions[supplier] = production

    def step(self, now_s: float, wall_s: float, served: bool, offered: bool) -> None:
        """`served`: its need is supplied; `offered`: somebody offers all of it, or a contract is proposed."""
        passed_s = self._pass(now_s)
        if self._is_ready(now_s, wall_s):
            self.moves = 0
            self._choose(now_s, wall_s)
        elif self.stage is Stage.WAITING:
            self._choose(now_s, wall_s)
        elif self.stage is Stage.DUE and not (served or offered) and self._may_move(now_s):
            self._choose(now_s, wall_s)
            self.moves += self.begins_s > wall_s
        if self.need_w:
            self._run(passed_s, now_s, served)

    def recall(self, memory: dict[str, Any], now_s: float, wall_s: float) -> None:
        """Restore a run from before a restart. Raises ValueError, KeyError or TypeError."""
        match self._recall(memory, now_s):
            case Stage.IDLE:
                return
            case Stage.WAITING | Stage.PLANNING | Stage.BOOKED:
                self.stage, self.begins_s = Stage.WAITING, wall_s
            case _:
                self.stage, self._asked_s = Stage.DUE, now_s

    def due_s(self, now_s: float, wall_s: float) -> float:
        """When it must step at the latest, though nothing new is said."""
        match self.stage:
            case Stage.WAITING:
                return now_s + max(0.0, self.begins_s - wall_s)
            case Stage.DUE:
                return now_s + 1.0
            case Stage.RUNNING:
                return now_s + min(LOOK_S, self._left_s)
        return now_s + LOOK_S

    def _may_move(self, now_s: float) -> bool:
        """What has begun goes on where it is."""
        return not self.begun and now_s >= self._asked_s + _SETTLE_S

    def _choose(self, now_s: float, wall_s: float) -> None:
        table = average(self._productions.values(), wall_s)
        self.begins_s = cheapest(
            table, wall_s, self.settings.run_s, wall_s + max(0.0, self._latest_s - now_s)
        )
        if self.begins_s > wall_s:
            self.stage = Stage.WAITING
        elif self.stage is not Stage.DUE:
            self.stage, self._asked_s = Stage.DUE, now_s

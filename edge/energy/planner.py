"""The consuming side of planned runs: a flexible load runs when its contract for a later span begins.

Once a day the load is ready (a washing machine was filled, a car was plugged in). Its consumer asks for a
contract that begins later, and the load runs when that begins. Without such a contract it requests power like
any other load at the latest start time. A run whose power did not come at its begin is planned again.
"""

from collections.abc import Callable
from typing import Any

from .daily_run import LOOK_S, DailyRun, RunSettings, Stage
from .plans import Plan
from .rules import REPLAN_S


class Planner(DailyRun):
    """Decides when one flexible load runs."""

    def __init__(self, settings: RunSettings, civil_s: Callable[[float], float] = float) -> None:
        super().__init__(settings, civil_s)
        self.plan: Plan | None = None
        self._starts_s = 0.0

    def step(self, now_s: float, wall_s: float, served: bool, begins_s: float | None) -> None:
        """`served`: whether its need is supplied; `begins_s`: when the contract for it begins, if any."""
        passed_s = self._pass(now_s)
        if self._is_ready(now_s, wall_s):
            self._ask(now_s)
        elif self.stage in (Stage.PLANNING, Stage.BOOKED):
            self._await(begins_s, now_s)
        elif self.need_w:
            self._run(passed_s, now_s, served)

    def date_jumped(self) -> None:
        super().date_jumped()
        if self.stage is Stage.IDLE:
            self.plan = None

    def due_s(self, now_s: float) -> float:
        """When it must step at the latest, though nothing new is said."""
        match self.stage:
            case Stage.IDLE:
                return now_s + LOOK_S
            case Stage.BOOKED:
                return self._starts_s
            case Stage.RUNNING:
                return now_s + min(LOOK_S, self._left_s)
        return now_s

    def recall(self, memory: dict[str, Any], now_s: float) -> None:
        """Restore a run from before a restart; a contract that had not begun is requested again.

        Raises ValueError, KeyError or TypeError.
        """
        match self._recall(memory, now_s):
            case Stage.IDLE:
                return
            case Stage.PLANNING | Stage.BOOKED | Stage.WAITING:
                self._ask(now_s)
            case _:
                self.stage, self._starts_s = Stage.DUE, now_s

    def _ask(self, now_s: float) -> None:
        self.stage = Stage.PLANNING
        self.plan = Plan(self.settings.power_w, self._left_s, now_s, self._latest_s)

    def _await(self, begins_s: float | None, now_s: float) -> None:
        """Wait for a contract, then for its begin; a contract that was lost is requested again."""
        if begins_s is not None:
            self.stage, self._starts_s = Stage.BOOKED, begins_s
        else:
            self.stage, self._starts_s = Stage.PLANNING, self._latest_s
        if now_s >= self._starts_s:
            self.stage, self.plan = Stage.DUE, None

    def _run(self, passed_s: float, now_s: float, served: bool) -> None:
        late = self._starts_s + REPLAN_S <= now_s < self._latest_s
        if late and not (served or self.begun):
            self._ask(now_s)  # the power did not come, and there is time left
        else:
            super()._run(passed_s, now_s, served)

"""The consuming side of planned runs: when a flexible load starts, and when its run is complete.

Once a day the load is ready (a washing machine was filled, a car was plugged in). Its consumer asks for a
contract that begins later, and the load runs when that begins. Without such a contract it requests power like
any other load at the latest start time. A run whose power did not come at its begin is planned again.

The hour is civil time. A date that jumps (a board without a clock chip gets the right one) starts nothing:
a run that has not begun is planned again by the right date, and one that has begun counts for the day.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .plans import Plan
from .rules import REPLAN_S

_DAY_S = 86_400.0
_NEVER = -1_000_000  # a day before all others
_LOOK_S = 5.0  # between two checks of the date, or of a run
_PUNCTUAL_S = 60.0  # a load that is ready at most so much after its hour still has all its time to start
_REST_S = _DAY_S / 2  # after a run has begun by a date that was wrong


class Stage(StrEnum):
    """The stage of today's run."""

    IDLE = "idle"
    PLANNING = "planning"
    BOOKED = "booked"  # there is a contract for it
    DUE = "due"  # it requests power now
    RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """A run of `run_s` with `power_w`, once a day, begun within `within_s` after `ready_hour` (civil)."""

    power_w: float
    run_s: float
    within_s: float
    ready_hour: float


class Planner:
    """Decides when one flexible load runs. `civil_s` gives civil time for a time of the wall clock."""

    def __init__(self, settings: RunSettings, civil_s: Callable[[float], float] = float) -> None:
        self.settings = settings
        self._civil_s = civil_s
        self.stage = Stage.IDLE
        self.plan: Plan | None = None
        self.runs = 0
        self.missed = 0  # days on which it was not served
        self._day: int | None = None
        self._resting_until_s = self._ready_s = -math.inf
        self._latest_s = 0.0
        self._starts_s = 0.0
        self._left_s = 0.0
        self._stepped_s = 0.0

    @property
    def need_w(self) -> float:
        """The power it needs now, in W."""
        return self.settings.power_w if self.stage in (Stage.DUE, Stage.RUNNING) else 0.0

    def step(self, now_s: float, wall_s: float, served: bool, begins_s: float | None) -> None:
        """`served`: whether its need is supplied; `begins_s`: when the contract for it begins, if any."""
        passed_s, self._stepped_s = now_s - self._stepped_s, now_s
        late_s = self._became_ready(now_s, wall_s)
        if late_s is not None and self.stage is Stage.IDLE:
            self.stage, self._ready_s = Stage.PLANNING, now_s
            self._latest_s = now_s + max(0.0, self.settings.within_s - late_s)
            self._left_s = self.settings.run_s
            self._plan(now_s)
        elif self.stage in (Stage.PLANNING, Stage.BOOKED):
            self._await(begins_s, now_s)
        elif self.need_w:
            self._run(passed_s, now_s, served)

    def date_jumped(self) -> None:
        """The date was set: plan again what was planned by the date before; a run that has begun goes on."""
        waits = self.stage in (Stage.PLANNING, Stage.BOOKED, Stage.DUE)
        if waits and self._left_s >= self.settings.run_s:
            self.stage, self.plan = Stage.IDLE, None
            self._day = _NEVER
        else:
            self._resting_until_s = self._ready_s + _REST_S

    def due_s(self, now_s: float) -> float:
        """When it must step at the latest, though nothing new is said."""
        match self.stage:
            case Stage.IDLE:
                return now_s + _LOOK_S
            case Stage.BOOKED:
                return self._starts_s
            case Stage.RUNNING:
                return now_s + min(_LOOK_S, self._left_s)
        return now_s

    def memory(self, now_s: float) -> dict[str, float | str]:
        """The data of a run that must survive a restart."""
        return {
            "stage": self.stage,
            "left_s": round(self._left_s, 1),
            "latest_in_s": round(max(0.0, self._latest_s - now_s), 1),
        }

    def recall(self, memory: dict[str, Any], now_s: float) -> None:
        """Restore a run from before a restart; a contract that had not begun is requested again.

        Raises ValueError, KeyError or TypeError.
        """
        stage, left_s = Stage(memory["stage"]), float(memory["left_s"])
        latest_s = now_s + float(memory["latest_in_s"])
        if stage is not Stage.IDLE and 0.0 < left_s <= self.settings.run_s:
            asking = stage in (Stage.PLANNING, Stage.BOOKED)
            self.stage = Stage.PLANNING if asking else Stage.DUE
            self._left_s, self._latest_s, self._starts_s = left_s, latest_s, now_s
            if asking:
                self._plan(now_s)
        self._stepped_s = now_s

    def _became_ready(self, now_s: float, wall_s: float) -> float | None:
        """How long ago it became ready for a new day; None if that is not new, or too long ago to start."""
        days, late_s = divmod(self._civil_s(wall_s) - self.settings.ready_hour * 3600, _DAY_S)
        day, before = int(days), self._day
        if before is not None and day == before - 1:
            return None  # the clock was set back by up to a day: do not run twice
        self._day = day
        if before is None or day <= before or now_s < self._resting_until_s:
            return None
        if late_s <= _PUNCTUAL_S:
            return 0.0
        return late_s if late_s <= self.settings.within_s else None

    def _plan(self, now_s: float) -> None:
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
        if served:
            if self.stage is Stage.RUNNING:
                self._left_s -= passed_s
            self.stage = Stage.RUNNING
        elif self.stage is Stage.RUNNING:
            self.stage = Stage.DUE  # interrupted: it resumes when it is served again
        done = self._left_s <= 0.0
        begun = self._left_s < self.settings.run_s
        if not (served or begun) and self._starts_s + REPLAN_S <= now_s < self._latest_s:
            self.stage = Stage.PLANNING  # the power did not come, and there is time left
            self._plan(now_s)
            return
        if done or not (served or begun or now_s < self._latest_s + self.settings.run_s):
            self.runs += done
            self.missed += not done
            self.stage, self.plan = Stage.IDLE, None

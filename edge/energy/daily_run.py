"""A run once a day: when its load is ready, and when the run is complete (thesis 4.1.1).

The hour is civil time. A date that jumps (a board without a clock chip gets the right one) starts nothing:
a run that has not begun is planned again by the right date, and one that has begun counts for the day.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

DAY_S = 86_400.0
LOOK_S = 5.0  # between two checks of the date, or of a run
_NEVER = -1_000_000  # a day before all others
_PUNCTUAL_S = 60.0  # a load that is ready at most so much after its hour still has all its time to start
_REST_S = DAY_S / 2  # after a run has begun by a date that was wrong


class Stage(StrEnum):
    """The stage of today's run."""

    IDLE = "idle"
    PLANNING = "planning"  # it requests a contract for later
    BOOKED = "booked"  # there is a contract for it
    WAITING = "waiting"  # for its slot
    DUE = "due"  # it requests power now
    RUNNING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """A run of `run_s` with `power_w`, once a day, begun within `within_s` after `ready_hour` (civil)."""

    power_w: float
    run_s: float
    within_s: float
    ready_hour: float


class DailyRun:
    """What all such loads share; how one finds its time is up to its subclass.

    `civil_s` gives civil time for a time of the wall clock.
    """

    def __init__(self, settings: RunSettings, civil_s: Callable[[float], float] = float) -> None:
        self.settings = settings
        self.stage = Stage.IDLE
        self.runs = 0
        self.missed = 0  # days on which it was not served
        self._civil_s = civil_s
        self._day: int | None = None
        self._resting_until_s = self._ready_s = -math.inf
        self._latest_s = self._left_s = self._stepped_s = 0.0

    @property
    def need_w(self) -> float:
        """The power it needs now, in W."""
        return self.settings.power_w if self.stage in (Stage.DUE, Stage.RUNNING) else 0.0

    @property
    def begun(self) -> bool:
        """Whether part of the run is done."""
        return self._left_s < self.settings.run_s

    def date_jumped(self) -> None:
        """The date was set: plan again what was planned by the date before; a run that has begun goes on."""
        if self.stage not in (Stage.IDLE, Stage.RUNNING) and not self.begun:
            self.stage, self._day = Stage.IDLE, _NEVER
        else:
            self._resting_until_s = self._ready_s + _REST_S

    def memory(self, now_s: float) -> dict[str, float | str]:
        """The data of a run that must survive a restart."""
        return {
            "stage": self.stage,
            "left_s": round(self._left_s, 1),
            "latest_in_s": round(max(0.0, self._latest_s - now_s), 1),
        }

    def _recall(self, memory: dict[str, Any], now_s: float) -> Stage:
        """Restore the times of a run; returns the stage that it had.

        Raises ValueError, KeyError or TypeError.
        """
        stage, left_s = Stage(memory["stage"]), float(memory["left_s"])
        latest_s = now_s + float(memory["latest_in_s"])
        self._stepped_s = now_s
        if stage is Stage.IDLE or not 0.0 < left_s <= self.settings.run_s:
            return Stage.IDLE
        self._left_s, self._latest_s = left_s, latest_s
        return stage

    def _pass(self, now_s: float) -> float:
        """The time since the last step, in s."""
        passed_s, self._stepped_s = now_s - self._stepped_s, now_s
        return passed_s

    def _is_ready(self, now_s: float, wall_s: float) -> bool:
        """Whether the run of a new day is to be planned now; then its times are set."""
        late_s = self._became_ready(now_s, wall_s)
        if late_s is None or self.stage is not Stage.IDLE:
            return False
        self._ready_s = now_s
        self._latest_s = now_s + max(0.0, self.settings.within_s - late_s)
        self._left_s = self.settings.run_s
        return True

    def _became_ready(self, now_s: float, wall_s: float) -> float | None:
        """How long ago it became ready for a new day; None if that is not new, or too long ago to start."""
        days, late_s = divmod(self._civil_s(wall_s) - self.settings.ready_hour * 3600, DAY_S)
        day, before = int(days), self._day
        if before is not None and day == before - 1:
            return None  # the clock was set back by up to a day: do not run twice
        self._day = day
        if before is None or day <= before or now_s < self._resting_until_s:
            return None
        if late_s <= _PUNCTUAL_S:
            return 0.0
        return late_s if late_s <= self.settings.within_s else None

    def _run(self, passed_s: float, now_s: float, served: bool) -> None:
        """The load needs power now: it runs while it is served, until the run is complete or too late."""
        if served:
            if self.stage is Stage.RUNNING:
                self._left_s -= passed_s
            self.stage = Stage.RUNNING
        elif self.stage is Stage.RUNNING:
            self.stage = Stage.DUE  # interrupted: it resumes when it is served again
        done = self._left_s <= 0.0
        if done or not (served or self.begun or now_s < self._latest_s + self.settings.run_s):
            self.runs += done
            self.missed += not done
            self.stage = Stage.IDLE

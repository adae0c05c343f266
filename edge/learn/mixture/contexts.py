"""The contexts of the counting models: in each context a minute is one of a few rows, for each variable.

plain      the state                                  quarter  state and minute of the quarter of an hour
week_slot  state, slot, weekday or weekend            clock    state, quarter of an hour, weekday or weekend
path       the states 15 and 5 minutes ago, and now   power    the power, in sixths of a step
mean_15    state and mean power of 15 minutes         mean_60  state and mean power of an hour
"""

import numpy as np
from numpy.typing import NDArray

from ...terms import DAY_MIN, VARIABLES
from ..calendar import QUARTER_MIN, SLOTS, UTC, Calendar, is_weekend, slot_of
from ..states import StateScale
from ..terms import STATES, Array, States

MEMORY_MIN = 60  # how far the contexts look back
_QUARTERS = DAY_MIN // QUARTER_MIN
_PER_STEP, _POWERS = 6, 48  # rows of power: in a step of the scale, in all
_PER_STEP_OF_MEAN, _MEANS = 3, 21

Rows = NDArray[np.int32]

_SIZES = {
    "plain": STATES,
    "week_slot": 2 * SLOTS * STATES,
    "clock": STATES * 2 * _QUARTERS,
    "quarter": QUARTER_MIN * STATES,
    "path": STATES**3,
    "power": _POWERS + 1,
    "mean_15": _MEANS * STATES,
    "mean_60": _MEANS * STATES,
}
CONTEXTS = tuple(_SIZES)
ROWS = sum(_SIZES.values())
_STARTS = np.cumsum([0, *_SIZES.values()])[:-1].astype(np.int32)


class Contexts:
    """The last hour of each variable, and its rows. An unknown value stays as it was."""

    def __init__(self, scale: StateScale, calendar: Calendar = UTC) -> None:
        self._scale, self._calendar = scale, calendar
        self._states = np.zeros((MEMORY_MIN, len(VARIABLES)), np.int32)
        self._steps = np.zeros((MEMORY_MIN, len(VARIABLES)), np.float32)
        self._sums = np.zeros((2, len(VARIABLES)), np.float64)  # of the steps of 15 and 60 minutes
        self._minute = -1

    def observe(self, minute: int, powers_w: Array, states: States) -> None:
        """Add a minute; in missing minutes before it the values stay as they were."""
        place = self._minute % MEMORY_MIN
        now, steps = self._states[place].copy(), self._steps[place].copy()
        missing = minute - self._minute - 1 if self._minute >= 0 else MEMORY_MIN
        for gap in range(min(max(missing, 0), MEMORY_MIN), 0, -1):
            self._put(minute - gap, now, steps)
        known = states >= 0
        if not known.all():
            steps[known] = self._scale.position(powers_w)[known]
            now[known] = states[known]
        else:
            now, steps = states.astype(np.int32), self._scale.position(powers_w)
        self._put(minute, now, steps)

    def _put(self, minute: int, states: NDArray[np.int32], steps: Array) -> None:
        self._sums += steps
        self._sums[0] -= self._steps[(minute - QUARTER_MIN) % MEMORY_MIN]
        self._sums[1] -= self._steps[minute % MEMORY_MIN]
        self._states[minute % MEMORY_MIN], self._steps[minute % MEMORY_MIN] = states, steps
        self._minute = minute

    def rows(self) -> Rows:
        """The rows (contexts, 6) of the newest minute, numbered through all contexts."""
        minute = self._minute
        now = self._states[minute % MEMORY_MIN]
        before, long_before = (
            self._states[(minute - 5) % MEMORY_MIN],
            self._states[(minute - 15) % MEMORY_MIN],
        )
        civil = self._calendar.civil(minute)
        weekend = is_weekend(civil)
        power = np.minimum(self._steps[minute % MEMORY_MIN] * _PER_STEP, _POWERS - 1).astype(np.int32)
        means = self._sums / ((QUARTER_MIN,), (MEMORY_MIN,)) * _PER_STEP_OF_MEAN
        mean_15, mean_60 = np.clip(means, 0, _MEANS - 1).astype(np.int32)
        slot, quarter = slot_of(civil), civil % DAY_MIN // QUARTER_MIN
        found: Rows = np.stack(
            (
                now,
                (slot + SLOTS * weekend) * STATES + now,
                (now * 2 + weekend) * _QUARTERS + quarter,
                civil % QUARTER_MIN * STATES + now,
                (long_before * STATES + before) * STATES + now,
                power + (now > 0),
                mean_15 * STATES + now,
                mean_60 * STATES + now,
            )
        )
        return found + _STARTS[:, None]

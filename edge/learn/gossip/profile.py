"""The power profile of a node at the level of privacy it chose, and the distance of two (thesis 6.3.2.3).

    none     nothing is told                 coarse   two hours in means of quarters of an hour,
    minutes  two hours, minute by minute              each rounded to half a step of the states

Powers are written in 1/20 (`minutes`) or 1/2 (`coarse`) of a fifth of the node's maximum power.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...terms import VARIABLES
from ..calendar import QUARTER_MIN
from ..gossip_names import LEVELS
from ..series import Series
from ..terms import Array

HISTORY_MIN = 120
MATCH_MIN = 3  # minutes between two values that are compared
_EVERY_MIN = (HISTORY_MIN, QUARTER_MIN, 1)  # minutes of a value, by level
_PER_STEP = (1, 2, 20)
_LINES = (0, HISTORY_MIN // QUARTER_MIN, HISTORY_MIN)
_UNKNOWN = 255
_STATE_STEPS = 5  # of the maximum power


@dataclass(frozen=True, slots=True)
class Profile:
    """Powers (n, 6) in W at minutes (n,) since 1970; NaN where unknown."""

    minutes: NDArray[np.int64]
    powers_w: Array

    @classmethod
    def of(cls, history: Series, level: str) -> "Profile":
        """The profile of the last two hours. Raises ValueError for an unknown level."""
        if level not in LEVELS:
            raise ValueError(f"privacy level {level!r} is not one of {', '.join(LEVELS)}")
        number, newest = LEVELS.index(level), history.last_minute
        if level == "none" or newest is None:
            return NO_PROFILE
        every = _EVERY_MIN[number]
        end = (newest + 1) // every * every  # a quarter that has not ended is left out
        lines = history.at(end - HISTORY_MIN, HISTORY_MIN).reshape(-1, every, len(VARIABLES))
        return cls(end - HISTORY_MIN + every * np.arange(len(lines)), lines.mean(1))

    def packed(self, level: str, max_power_w: float) -> bytes:
        """The values as bytes, oldest first."""
        unit = max_power_w / _STATE_STEPS / _PER_STEP[LEVELS.index(level)]
        codes = np.clip(np.rint(self.powers_w / np.float32(unit)), 0, _UNKNOWN - 1)
        return np.where(np.isnan(codes), _UNKNOWN, codes).astype(np.uint8).tobytes()

    @classmethod
    def unpacked(cls, level: int, data: bytes, end_minute: int, max_power_w: float) -> "Profile":
        """The profile that ends with a minute. Raises ValueError."""
        if not 0 <= level < len(LEVELS) or len(data) not in (0, _LINES[level] * len(VARIABLES)):
            raise ValueError("the power profile has a wrong length")
        if not data:
            return NO_PROFILE
        codes = np.frombuffer(data, np.uint8).reshape(-1, len(VARIABLES))
        unit = np.float32(max_power_w / _STATE_STEPS / _PER_STEP[level])
        powers_w = np.where(codes == _UNKNOWN, np.float32(np.nan), codes * unit).astype(np.float32)
        every = _EVERY_MIN[level]
        return cls(end_minute - HISTORY_MIN + every * np.arange(len(codes)), powers_w)

    @classmethod
    def newest(cls, history: Series) -> "Profile":
        """The newest minute alone."""
        minute = history.last_minute
        return NO_PROFILE if minute is None else cls(np.array([minute]), history.last(1).copy())

    @classmethod
    def line(cls, data: bytes, minute: int, max_power_w: float) -> "Profile":
        """One minute alone, from the six bytes that `packed` makes of it at the level `minutes`."""
        codes = np.frombuffer(data, np.uint8)[None]
        unit = np.float32(max_power_w / _STATE_STEPS / _PER_STEP[LEVELS.index("minutes")])
        powers_w = np.where(codes == _UNKNOWN, np.float32(np.nan), codes * unit).astype(np.float32)
        return cls(np.array([minute]), powers_w)

    @property
    def end_minute(self) -> int:
        """The minute after the last one; 0 without any."""
        return int(self.minutes[0]) + HISTORY_MIN if len(self.minutes) else 0

    def distances(self, other: "Profile") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The mean and the latest distance (6,) in W to another profile; NaN if no values are at most three
        minutes apart."""
        unknown = np.full(len(VARIABLES), np.nan)
        few, many = sorted(
            (self._coarser_like(other), other._coarser_like(self)), key=lambda one: len(one.minutes)
        )
        if not len(few.minutes):
            return unknown, unknown
        right = np.searchsorted(many.minutes, few.minutes).clip(0, len(many.minutes) - 1)
        left = (right - 1).clip(0)
        nearer_left = few.minutes - many.minutes[left] < many.minutes[right] - few.minutes
        at = np.where(nearer_left, left, right)
        matched = np.abs(many.minutes[at] - few.minutes) <= MATCH_MIN
        apart = np.abs(few.powers_w - many.powers_w[at]).astype(np.float64)
        apart[~matched] = np.nan
        known = ~np.isnan(apart)
        counts = known.sum(0)
        mean = np.where(counts > 0, np.where(known, apart, 0.0).sum(0) / np.maximum(counts, 1), np.nan)
        newest = len(apart) - 1 - known[::-1].argmax(0)
        last = np.where(counts > 0, apart[newest, np.arange(len(VARIABLES))], np.nan)
        return mean, last

    def _coarser_like(self, other: "Profile") -> "Profile":
        """This profile in quarters of an hour if the other one is."""
        every = _EVERY_MIN[LEVELS.index("coarse")]
        if len(self.minutes) != HISTORY_MIN or len(other.minutes) != HISTORY_MIN // every:
            return self
        start = -int(self.minutes[0]) % every
        count = (HISTORY_MIN - start) // every
        part = self.powers_w[start : start + count * every].reshape(count, every, -1)
        return Profile(self.minutes[start : start + count * every : every], part.mean(1))


NO_PROFILE = Profile(np.zeros(0, np.int64), np.zeros((0, len(VARIABLES)), np.float32))

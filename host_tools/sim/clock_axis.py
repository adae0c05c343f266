"""A time axis in clock time: ticks at round times, and the date where it is known."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DAY_S = 86_400
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, _DAY_S)
_TICKS_MOST = 12
_SOME_DAY = datetime(2001, 1, 1)  # of runs that have a time of day and no date


@dataclass(frozen=True)
class Begin:
    """When a run begins: at an hour of some day, or at a date and time in UTC."""

    at: datetime
    dated: bool

    @classmethod
    def hour(cls, hour: float) -> "Begin":
        """An hour of a day whose date does not matter."""
        return cls(_SOME_DAY + timedelta(hours=hour), dated=False)

    @classmethod
    def date(cls, at: datetime) -> "Begin":
        """A date and time."""
        return cls(at.replace(tzinfo=None), dated=True)

    def label(self, seconds: float, step_s: int, first: bool) -> str:
        """The text of a tick so many seconds after the beginning."""
        at = self.at + timedelta(seconds=round(seconds))
        clock = f"{at:%H:%M:%S}" if step_s < 60 else f"{at:%H:%M}"
        if not first and at.time() != datetime.min.time():
            return clock
        if self.dated:
            return f"{clock}\n{at.day} {at:%b %Y}" if step_s < _DAY_S else f"{at.day} {at:%b}"
        day = (at - self.at.replace(hour=0, minute=0, second=0, microsecond=0)).days + 1
        return clock if day == 1 else f"{clock}\nday {day}"


def clock_axis(axes: "Axes", begin: Begin, last_s: float) -> None:
    """Set the x axis of axes whose x values are seconds since the beginning of the run."""
    last_s = max(last_s, 1e-3)
    step_s = next((each for each in _STEPS_S if last_s / each <= _TICKS_MOST), 0)
    if not step_s:  # more than twelve days
        step_s = _DAY_S * -(-int(last_s) // (_TICKS_MOST * _DAY_S))
    midnight = begin.at.replace(hour=0, minute=0, second=0, microsecond=0)
    since_midnight_s = (begin.at - midnight).total_seconds()
    first_s = -since_midnight_s % step_s
    ticks_s = [first_s + i * step_s for i in range(int((last_s - first_s) // step_s) + 1)]
    labels = [begin.label(tick_s, step_s, i == 0) for i, tick_s in enumerate(ticks_s)]
    axes.set_xticks(ticks_s, labels)
    axes.set_xlim(0, last_s)
    axes.set_xlabel("time, UTC" if begin.dated else "time of day")

"""The devices of one category in one household, which follow the statistics (thesis 4.4.5.2).

Every minute the category has a target power. While the running devices miss it, some are adjusted, then
stopped or started. A target below the power of any device is met on average, by running one from time to
time.
"""

import random

from edge.terms import DAY_MIN
from host_tools.microgrid.plan import Series

from .appliances import Appliance, Category

_BAND = 0.05  # relative deviation from the target that is tolerated
_NOISE = 0.05  # relative noise of the target
_SPREAD = 0.1  # relative spread of running times
_BRIEF_MIN = 5.0  # devices with a shorter running time run as long as they are needed
_PATIENCE_MIN = 5.0  # a device above the target starts when this many minutes of its energy are missing


class Fleet:
    """The running devices of a category and their power."""

    def __init__(self, category: Category, rng: random.Random) -> None:
        self.category = category
        self._rng = rng
        self._power_w: dict[Appliance, float] = {}  # of those that run
        self._ends_min: dict[Appliance, float] = {}
        self._owed_wmin = _PATIENCE_MIN * rng.random() * min(each.least_w for each in category.appliances)

    def follow(self, start_min: float, minutes: int, phase_s: float) -> dict[Appliance, Series]:
        """The power of each device in W over a run that begins `start_min` after midnight.

        A target holds for a minute; the first one ends `phase_s` early, so that households differ.
        """
        moments: dict[Appliance, list[float]] = {each: [] for each in self.category.appliances}
        powers: dict[Appliance, list[float]] = {each: [] for each in self.category.appliances}
        for minute in range(minutes + 2):
            hour = int((start_min + minute) % DAY_MIN // 60)
            self._step(minute, self.category.mean_w[hour] * max(0.0, self._rng.gauss(1.0, _NOISE)))
            for each, known in powers.items():
                power_w = round(self._power_w.get(each, 0.0), 1)
                if not known or known[-1] != power_w:
                    moments[each].append(max(0.0, 60.0 * minute - phase_s))
                    known.append(power_w)
        return {each: Series(moments[each], powers[each]) for each in powers}

    @property
    def total_w(self) -> float:
        """The total power of the running devices."""
        return sum(self._power_w.values())

    def _step(self, minute: int, target_w: float) -> None:
        for each in [each for each, ends_min in self._ends_min.items() if ends_min <= minute]:
            self._stop(each)
        if abs(target_w - self.total_w) > _BAND * target_w:
            self._adjust(target_w)
            while self._power_w and self._owed_wmin <= 0 and self.total_w > (1 + _BAND) * target_w:
                self._stop(self._rng.choice(list(self._power_w)))
                self._adjust(target_w)
            while self.total_w < (1 - _BAND) * target_w and (idle := self._fitting(target_w)):
                self._start(idle, minute)
                self._adjust(target_w)
        self._owed_wmin += target_w - self.total_w

    def _adjust(self, target_w: float) -> None:
        """Adjust as few running devices as necessary, each within its range."""
        gap_w = target_w - self.total_w
        for each in self._rng.sample(list(self._power_w), len(self._power_w)):
            before_w = self._power_w[each]
            self._power_w[each] = min(each.most_w, max(each.least_w, before_w + gap_w))
            gap_w -= self._power_w[each] - before_w

    def _fitting(self, target_w: float) -> Appliance | None:
        """An idle device that fits the target, or the weakest one if enough energy is missing."""
        idle = [each for each in self.category.appliances if each not in self._power_w]
        room_w = (1 + _BAND) * target_w - sum(each.least_w for each in self._power_w)
        fitting = [each for each in idle if each.least_w <= room_w]
        if fitting:
            return self._rng.choice(fitting)
        weakest = min(idle, key=lambda each: each.least_w, default=None)
        return weakest if weakest and self._owed_wmin >= _PATIENCE_MIN * weakest.least_w else None

    def _start(self, device: Appliance, minute: int) -> None:
        self._power_w[device] = device.least_w
        if device.minutes > _BRIEF_MIN:
            self._ends_min[device] = minute + device.minutes * self._rng.gauss(1.0, _SPREAD)

    def _stop(self, device: Appliance) -> None:
        del self._power_w[device]
        self._ends_min.pop(device, None)

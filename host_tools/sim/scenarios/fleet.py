"""The devices of one category in one household, made to follow the statistics (thesis 4.4.5.2).

Every minute the category has a target. While the running devices miss it, some are adjusted, then
stopped or started. A target below the power of any device is met in the mean, by running one now and then.
"""

import random

from host_tools.microgrid.plan import Series

from .appliances import Appliance, Category

_BAND = 0.05  # nothing is done while the sum is that close to its target
_NOISE = 0.05  # of a target around its statistic
_SPREAD = 0.1  # of a running time around its mean
_BRIEF_MIN = 5.0  # what usually runs no longer has no time of its own: it runs while it is wanted
_PATIENCE_MIN = 5.0  # a device too strong for the target starts when so many minutes of it are owed
_DAY_MIN = 1440


class Fleet:
    """Which devices run, and with what power."""

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
            hour = int((start_min + minute) % _DAY_MIN // 60)
            self._step(minute, self.category.mean_w[hour] * max(0.0, self._rng.gauss(1.0, _NOISE)))
            for each, known in powers.items():
                power_w = round(self._power_w.get(each, 0.0), 1)
                if not known or known[-1] != power_w:
                    moments[each].append(max(0.0, 60.0 * minute - phase_s))
                    known.append(power_w)
        return {each: Series(moments[each], powers[each]) for each in powers}

    @property
    def total_w(self) -> float:
        """What all draw, or give, together."""
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
        """Move as few running devices as it takes, each within its range."""
        gap_w = target_w - self.total_w
        for each in self._rng.sample(list(self._power_w), len(self._power_w)):
            before_w = self._power_w[each]
            self._power_w[each] = min(each.most_w, max(each.least_w, before_w + gap_w))
            gap_w -= self._power_w[each] - before_w

    def _fitting(self, target_w: float) -> Appliance | None:
        """An idle device for which there is room, or the weakest when it has been owed for long."""
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

"""The load of a house without a meter of its own, from the meters around it: grid, photovoltaics, battery.

    load = drawn from the grid + produced by photovoltaics - drawn by the battery

Meters are read one after the other, and the sun may come out in between. So the load is derived when every
other meter has been read both before and after the grid meter: at the moment of that reading each of them
lies between its two readings. Of the loads that this allows, the one nearest to the last load is taken. A
load is never negative; if even the highest that the readings allow is, a sign is wrong. Readings at the same
moment need no bracket, and a reading from before a pause of a meter is not one side of it.
"""

import math

_SAME_MOMENT_S = 0.05


class DerivedLoad:
    """Derives the load from readings that arrive one by one. Powers in W."""

    def __init__(self, grid: str, others: dict[str, int], grace_s: float) -> None:
        """`grid` and `others` are inputs; each of the others with 1 if its power adds to the load, -1 if it
        is to be subtracted. `grace_s`: the longest pause between two readings of a meter."""
        self.load_w = 0.0
        self.highest_w = 0.0  # that the last readings allow
        self.others_w = 0.0  # the last power of photovoltaics and battery
        self.derived_s = -math.inf  # when the load was derived
        self._grace_s = grace_s
        self._grid = grid
        self._others = others
        self._last: dict[str, tuple[float, float]] = {}  # power and time of the last reading
        self._grid_w = 0.0
        self._before: dict[str, tuple[float, float]] = {}  # the last readings when the grid meter was read
        self._awaited: set[str] | None = (
            None  # inputs to be read after the grid meter; None: nothing to derive
        )

    def read(self, name: str, power_w: float, now_s: float) -> None:
        """A defined reading of one of the inputs."""
        self._last[name] = (power_w, now_s)
        if name == self._grid:
            self._grid_w = power_w
            self._before = {
                each: self._last[each]
                for each in self._others
                if each in self._last and now_s - self._last[each][1] <= self._grace_s
            }
            self._awaited = {
                each
                for each in self._others
                if each not in self._before or now_s - self._before[each][1] > _SAME_MOMENT_S
            }
        elif self._awaited is not None:
            self._awaited.discard(name)
        if self._awaited is not None and not self._awaited:
            self._awaited = None
            self._derive(now_s)

    def _derive(self, now_s: float) -> None:
        low_w = high_w = self._grid_w
        for name, way in self._others.items():
            after_w = way * self._last[name][0]
            before_w = way * self._before[name][0] if name in self._before else after_w
            low_w += min(before_w, after_w)
            high_w += max(before_w, after_w)
        derived_before = now_s - self.derived_s <= self._grace_s
        nearest_w = min(max(self.load_w, low_w), high_w) if derived_before else (low_w + high_w) / 2
        self.load_w, self.highest_w, self.derived_s = max(0.0, nearest_w), high_w, now_s
        self.others_w = sum(way * self._last[name][0] for name, way in self._others.items())

"""The load of a house without a meter of its own, from the meters around it: grid, photovoltaics, battery.

    load = drawn from the grid + produced by photovoltaics - drawn by the battery

Meters are read one after the other, and the sun may come out in between. So the load is derived when every
other meter has been read both before and after the grid meter: at the moment of that reading each of them
lies between its two readings. Of the loads that this allows, the one nearest to the last load is taken. A
load is never negative. Readings at the same moment need no bracket.
"""

_SAME_MOMENT_S = 0.05


class DerivedLoad:
    """Derives the load from readings that arrive one by one. Powers in W."""

    def __init__(self, grid: str, others: dict[str, int]) -> None:
        """`grid` and `others` are inputs; each of the others with 1 if its power adds to the load, -1 if it
        is to be subtracted."""
        self.load_w = 0.0
        self.known = False  # a load has been derived
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
            self._before = {each: self._last[each] for each in self._others if each in self._last}
            self._awaited = {
                each
                for each in self._others
                if each not in self._before or now_s - self._before[each][1] > _SAME_MOMENT_S
            }
        elif self._awaited is not None:
            self._awaited.discard(name)
        if self._awaited is not None and not self._awaited:
            self._awaited = None
            self._derive()

    def _derive(self) -> None:
        low_w = high_w = self._grid_w
        for name, way in self._others.items():
            after_w = way * self._last[name][0]
            before_w = way * self._before[name][0] if name in self._before else after_w
            low_w += min(before_w, after_w)
            high_w += max(before_w, after_w)
        nearest_w = min(max(self.load_w, low_w), high_w) if self.known else (low_w + high_w) / 2
        self.load_w, self.known = max(0.0, nearest_w), True

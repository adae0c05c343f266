"""Clocks of simulations and tests: the true time of a world, and the clock of one machine in it."""

from edge.clock import Clock


class VirtualClock:
    """A clock that moves only when told to. By default its first day begins at midnight UTC."""

    def __init__(self, now_s: float = 0.0, wall_s: float = 1_699_920_000.0) -> None:
        self._now_s = now_s
        self.wall_offset_s = wall_s - now_s

    def now_s(self) -> float:
        return self._now_s

    def wall_s(self) -> float:
        return self._now_s + self.wall_offset_s

    def advance_to(self, now_s: float) -> None:
        """Move to `now_s`. Time never runs backwards: an earlier moment leaves the clock where it is."""
        self._now_s = max(self._now_s, now_s)


class LocalClock:
    """The clock of one machine: it may be fast or slow, start again, and show a wrong date."""

    def __init__(self, truth: Clock) -> None:
        self.rate = 1.0  # own seconds in a true one
        self.wall_error_s = 0.0
        self._truth = truth
        self._true_now_s = truth.now_s  # asked for very often
        self._true_s = self._own_s = 0.0  # the same moment on both clocks

    def now_s(self) -> float:
        return self._own_s + (self._true_now_s() - self._true_s) * self.rate

    def wall_s(self) -> float:
        return self._truth.wall_s() + self.wall_error_s

    def true_wait_s(self, own_s: float) -> float:
        """True seconds until this clock shows `own_s`; 0 if it is past."""
        return max(0.0, own_s - self.now_s()) / self.rate

    def run_at(self, rate: float) -> None:
        """Gain or lose from now on; the time that has passed stays as it is."""
        self._set(self.now_s(), rate)

    def restart(self, now_s: float) -> None:
        """The machine was off: its monotonic clock starts at another moment. No node may be running."""
        self._set(now_s, self.rate)

    def _set(self, own_s: float, rate: float) -> None:
        self._true_s, self._own_s, self.rate = self._truth.now_s(), own_s, rate

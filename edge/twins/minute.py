"""The current minute: six powers that change at events, averaged over time.

Measured data are means of minutes too, so a model can be trained on either.
"""

from collections.abc import Sequence

_LEAST_S = 20.0  # seconds of a minute that must be known for its mean to count


class RunningMinute:
    """Time-weighted mean of six powers in W."""

    def __init__(self) -> None:
        self.powers_w: tuple[float, ...] | None = None  # now; None: not known yet
        self._since_s = 0.0
        self._seen_s = 0.0
        self._sums: list[float] = []

    def hold(self, powers_w: Sequence[float] | None, now_s: float) -> None:
        """The powers have these values from now on; None: they are unknown."""
        self._count(now_s)
        self.powers_w = None if powers_w is None else tuple(powers_w)

    def close(self, now_s: float) -> list[float] | None:
        """The means of the minute that ends now; None if too little of it is known. The powers stay."""
        self._count(now_s)
        seen_s, sums = self._seen_s, self._sums
        self._seen_s, self._sums = 0.0, []
        return [each / seen_s for each in sums] if seen_s >= _LEAST_S else None

    def _count(self, now_s: float) -> None:
        passed_s = now_s - self._since_s
        self._since_s = now_s
        if self.powers_w is None:
            return
        if not self._sums:
            self._sums = [0.0] * len(self.powers_w)
        self._seen_s += passed_s
        for i, power_w in enumerate(self.powers_w):
            self._sums[i] += power_w * passed_s

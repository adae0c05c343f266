"""When the common storage buys energy: before a predicted shortage, and no more than that lacks.

A forecast says what members will request and what suppliers will be ready to give, at a few moments of the
next day. Each is kept for the quarter of an hour that it concerns until a newer one comes, so that
after some hours every quarter of the next day is known; those between two that are known are interpolated.

    lack(q)   = max(0, (1 + margin) requested(q) - produced(q)) / (1 + margin) * 1/4 h        in Wh
    target    = min(capacity, caution * sum of lack(q) over the next 24 h)

The storage charges while it holds less than the target. A shortage that nobody predicted is not prepared for.
"""

import math
import struct
from collections.abc import Sequence

from .rules import MARGIN, MAX_POWER_W

FORECAST = "PRED_W_CLUSTER"  # what the learning twin of a node predicts for the microgrid
QUARTER_MIN = 15
AHEAD = 24 * 60 // QUARTER_MIN  # quarters of an hour
LEADS_MIN = (5, 10, 30, 60, 120, 240, 480, 960, 1440)  # of a forecast, as the learning twin publishes it
CAUTION = 1.3  # what lacks may be more than predicted
_VARIABLES, _LEVELS, _MEDIAN = 6, 7, 3
_REQUESTED, _PRODUCED = 0, 1
_FORM = struct.Struct(f"<q{_VARIABLES * len(LEADS_MIN) * _LEVELS}e")


def parse_forecast(data: bytes) -> tuple[int, list[tuple[float, float]]]:
    """The minute of a forecast in watts, and for each lead the medians of requested and produced, nan where
    unknown. Raises ValueError."""
    if len(data) != _FORM.size:
        raise ValueError("invalid forecast")
    minute, *powers_kw = _FORM.unpack(data)
    if not 0 <= minute < 2**40:
        raise ValueError("invalid minute of a forecast")

    def median_w(variable: int, lead: int) -> float:
        power_w = 1000 * powers_kw[(variable * len(LEADS_MIN) + lead) * _LEVELS + _MEDIAN]
        return power_w if 0.0 <= power_w <= 1000 * MAX_POWER_W else math.nan

    return minute, [(median_w(_REQUESTED, i), median_w(_PRODUCED, i)) for i in range(len(LEADS_MIN))]


class ChargePlan:
    """What the storage should hold, by the newest forecasts."""

    def __init__(self, capacity_wh: float) -> None:
        self._capacity_wh = capacity_wh
        self._lack_w: dict[int, float] = {}  # by quarter of an hour since 1970
        self.minute = -1  # of the newest forecast

    def see(self, minute: int, powers_w: Sequence[tuple[float, float]]) -> None:
        """A forecast made after that minute (UTC): requested and produced for each lead."""
        if minute < self.minute - 1440 or minute > self.minute + 1440:
            self._lack_w.clear()  # the date was corrected
        self.minute = minute
        for lead_min, (requested_w, produced_w) in zip(LEADS_MIN, powers_w, strict=True):
            if not (math.isnan(requested_w) or math.isnan(produced_w)):
                quarter = (minute + lead_min) // QUARTER_MIN
                self._lack_w[quarter] = max(0.0, (1 + MARGIN) * requested_w - produced_w) / (1 + MARGIN)
        now = minute // QUARTER_MIN
        self._lack_w = {q: each for q, each in self._lack_w.items() if now <= q <= now + AHEAD + 1}

    def target_wh(self, minute: int) -> float:
        """What it should hold at that minute; 0 while no forecast is known."""
        now = minute // QUARTER_MIN
        known = sorted(q for q in self._lack_w if now <= q <= now + AHEAD)
        if not known:
            return 0.0
        lack_wh = 0.0
        for first, second in zip(known, (*known[1:], known[-1] + 1), strict=True):
            begin_w, end_w = self._lack_w[first], self._lack_w.get(second, self._lack_w[first])
            width = second - first
            lack_wh += sum(begin_w + (end_w - begin_w) * i / width for i in range(width)) * QUARTER_MIN / 60
        return min(self._capacity_wh, CAUTION * lack_wh)

"""The judge of the meters of one node.

1. No wrong value counts as good: a power is what the meter showed at that moment.
2. Silence is never called ok: an input without a good reading is said to be undefined, or its meter has
   failures, or its bus is closed.
3. A second master that the node hears is a trouble.
4. Recovery: some time after the last fault has ended, every meter gives good readings again.
"""

import math
from collections.abc import Mapping
from typing import Any

from edge.meter.reading import Reading

SILENCE_S = 60.0  # beyond three periods
POLL_S = 5  # a reading has the time at which its poll began; with retries it takes seconds
RECOVERY_S = 310.0  # the longest pause after failures, and one poll


class MeterJudge:
    """Sees every reading, and the counters now and then."""

    def __init__(self, power_w: Mapping[str, Any], period_s: float) -> None:
        """`power_w`: by input, a function from the time of a reading to what it must be."""
        self._truth = power_w
        self._period_s = period_s
        self._good_s = dict.fromkeys(power_w, 0.0)
        self._closed_s = 0.0
        self.good = self.undefined = 0
        self.newest: dict[str, Reading] = {}  # good ones, by input
        self.violations: list[str] = []

    def hear(self, reading: Reading) -> None:
        """Rule 1."""
        if reading.power_w is None:
            self.undefined += 1
            return
        self.good += 1
        self._good_s[reading.device] = reading.at_s
        self.newest[reading.device] = reading
        truth = self._truth[reading.device]
        moments = (reading.at_s + passed_s for passed_s in range(POLL_S + 1))
        if not any(math.isclose(reading.power_w, truth(at_s), rel_tol=2e-3, abs_tol=2.0) for at_s in moments):
            true_w = truth(reading.at_s)
            self._violated(
                f"{reading.at_s:.1f} s: {reading.device} gives {reading.power_w:.1f} W, not {true_w:.1f} W"
            )

    def restarted(self, now_s: float) -> None:
        """The node has just started."""
        self._closed_s = now_s
        self.newest.clear()

    def look(self, now_s: float, stats: Mapping[str, Any]) -> None:
        """Rule 2."""
        if not stats["open"]:
            self._closed_s = now_s
        meters = {each["device"]: each for each in stats["meters"]}
        for device, good_s in self._good_s.items():
            name, _, input_ = device.partition(".")
            power = "power_w" if input_ == "total" else f"{input_}.power_w"
            said = meters[name]["failures_in_a_row"] or power in meters[name]["undefined_powers"]
            silent_s = now_s - max(good_s, self._closed_s)
            if silent_s > 3 * self._period_s + SILENCE_S and not said:
                self._violated(f"{now_s:.1f} s: {device} is silent for {silent_s:.0f} s and called well")

    def end(self, now_s: float, calm_since_s: float, stats: Mapping[str, Any], master_heard: bool) -> None:
        """Rules 3 and 4. `calm_since_s`: since when nothing is wrong."""
        if master_heard and not stats["foreign_frames"]:
            self._violated("a second master was on the line, and nothing shows it")
        for device, good_s in self._good_s.items():
            if now_s >= calm_since_s + RECOVERY_S and good_s < now_s - 2 * self._period_s - 1.0:
                calm_s = now_s - calm_since_s
                self._violated(f"{device} has not recovered {calm_s:.0f} s after the last fault")

    def _violated(self, text: str) -> None:
        if len(self.violations) < 20:
            self.violations.append(text)

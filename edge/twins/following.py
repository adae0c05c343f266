"""A relay that follows the supply of its twin: on while it is supplied, off when it is not (thesis 8.2.4).

The device is off at the start, when the node stops, and when contracts end because partners are out of reach.
A relay that was just switched keeps its state for a least time, since a motor must not start again at once; a
stop order does not wait for that.
"""

from .settings import TwinSettings

SETTLE_S = 30.0  # after that the meter shows what a device draws that was switched on


class Following:
    """Decides about one relay. While it is off, its twin requests the power that the device would draw."""

    def __init__(self, settings: TwinSettings, now_s: float) -> None:
        self.on = False
        self._least_s = {True: settings.relay_least_on_s, False: settings.relay_least_off_s}
        self._since_s = now_s  # it may have been on until now

    def measures(self, now_s: float) -> bool:
        """Whether the meter shows what the device needs."""
        return self.on and now_s >= self._since_s + SETTLE_S

    def step(self, supplied: bool, now_s: float) -> bool:
        """Whether the device is supplied now; returns whether the relay has to be switched."""
        if supplied is self.on or now_s - self._since_s < self._least_s[self.on]:
            return False
        self.on, self._since_s = supplied, now_s
        return True

    def cut_off(self, now_s: float) -> None:
        """The relay was opened at once."""
        if self.on:
            self.on, self._since_s = False, now_s

"""One meter on a bus: when its power and its full record are due and how they are read."""

from collections.abc import Sequence

from .errors import BusError
from .health import Health
from .profile import load_profile
from .reading import Reading
from .registers import TOTAL
from .rtu import RtuMaster
from .settings import MeterSettings


class PolledMeter:
    """Reads the powers every `power_period_s` and all registers every `record_period_s`.

    If any request of a poll fails, all readings of the meter are undefined. A failed record is not retried
    before the next one is due, so the retry is the short power poll.
    """

    def __init__(self, settings: MeterSettings, now_s: float) -> None:
        """Raises ProfileError."""
        self.profile = load_profile(settings.profile)
        self.health = Health(settings.name)
        self._settings = settings
        self._power_due_s = now_s
        self._record_due_s = now_s

    @property
    def address(self) -> int:
        return self._settings.address

    def due_s(self) -> float:
        return max(min(self._power_due_s, self._record_due_s), self.health.retry_s)

    def poll(self, master: RtuMaster, now_s: float) -> Sequence[Reading]:
        full = now_s >= self._record_due_s
        self._schedule(now_s)
        blocks = self.profile.record_blocks if full else self.profile.power_blocks
        values: dict[str, float] = {}
        powers: dict[str, float] = {}
        for block in blocks:
            data = master.read_registers(self.address, block.function, block.start, block.count)
            for register, value in block.decode(data):
                if value is None:
                    self.health.count("implausible")
                    continue
                values[register.key] = value
                if register.quantity == "power_w":
                    powers[register.input] = value
        return [
            Reading(self._device(each), powers.get(each), now_s, values if full and each == TOTAL else None)
            for each in self.profile.inputs
        ]

    def undefined(self, error: BusError, now_s: float) -> Sequence[Reading]:
        return [Reading(self._device(each), None, now_s) for each in self.profile.inputs]

    def _schedule(self, now_s: float) -> None:
        """Schedule the next polls. Missed polls are skipped, not repeated."""
        self._power_due_s = _next(self._power_due_s, self._settings.power_period_s, now_s)
        self._record_due_s = _next(self._record_due_s, self._settings.record_period_s, now_s)

    def _device(self, input_: str) -> str:
        return f"{self._settings.name}.{input_}"


def _next(due_s: float, period_s: float, now_s: float) -> float:
    """The first time after now that is a whole number of periods after `due_s`."""
    if due_s > now_s:
        return due_s
    return due_s + period_s * ((now_s - due_s) // period_s + 1)

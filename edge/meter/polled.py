"""One meter on a bus: when its power and its full record are due and how they are read."""

import logging
from collections.abc import Sequence

from .errors import BusError, PortLost, SlaveException
from .health import Health
from .profile import load_profile
from .reading import Reading
from .registers import TOTAL, Block, Register, assemble, contradiction
from .rtu import RtuMaster
from .settings import MeterSettings

logger = logging.getLogger("edge.meter")

REFUSALS = 3  # in a row, because a refusal may be meant for another master
ASK_REFUSED_S = 86_400.0


class PolledMeter:
    """Reads the powers every `power_period_s` and all registers every `record_period_s`.

    If the powers cannot be read, the readings of the meter are undefined. Anything else that cannot be read
    is only missing in the record. Registers that the meter refuses are logged once, and left out for a day.
    """

    def __init__(self, settings: MeterSettings, first_s: float) -> None:
        """The first poll is due at `first_s`. Raises ProfileError."""
        self.profile = load_profile(settings.profile)
        self.health = Health(settings.name)
        self.refused: list[str] = []  # the names of registers that are left out
        self.undefined_powers: list[str] = []  # that were not available or implausible in the last answer
        self._said: set[str] = set()
        self._ask_refused_s = first_s + ASK_REFUSED_S
        self._settings = settings
        self._power_due_s = first_s
        self._record_due_s = first_s
        self.opened()

    @property
    def address(self) -> int:
        return self._settings.address

    def opened(self) -> None:
        self.refused.clear()
        fast = len(self.profile.power_blocks)
        self._power_blocks = list(self.profile.power_blocks)
        self._other_blocks = list(self.profile.record_blocks[fast:])

    def due_s(self) -> float:
        """After a failure the retry is due, even between regular polls: their moment may be the reason."""
        if self.health.failures:
            return self.health.retry_s
        return max(min(self._power_due_s, self._record_due_s), self.health.retry_s)

    def poll(self, master: RtuMaster, now_s: float) -> Sequence[Reading]:
        full = now_s >= self._record_due_s
        if now_s >= self._ask_refused_s:
            self._ask_refused_s = now_s + ASK_REFUSED_S
            self.opened()
        self._schedule(now_s)
        values = self._read(self._power_blocks, master)
        record = None
        if full:
            try:
                values |= self._read(self._other_blocks, master)
                record = {key: value for key, value in values.items() if value is not None}
            except PortLost:
                raise
            except BusError as error:
                self.health.missed(error, now_s)
        unknown = [key for key, value in values.items() if value is None]
        for _ in unknown:
            self.health.count("implausible")
        self.undefined_powers = [key for key in map(_power_of, self.profile.inputs) if key in unknown]
        return [
            Reading(self._device(each), values.get(_power_of(each)), now_s, record if each == TOTAL else None)
            for each in self.profile.inputs
        ]

    def undefined(self, error: BusError, now_s: float) -> Sequence[Reading]:
        return [Reading(self._device(each), None, now_s) for each in self.profile.inputs]

    def stats(self, now_s: float) -> dict[str, object]:
        """Health, what the meter refuses, and what it answers without a value."""
        more = {"refused": self.refused.copy(), "undefined_powers": self.undefined_powers}
        return self.health.stats(now_s) | more

    # ---- requests ----------------------------------------------------------------------------

    def _read(self, blocks: list[Block], master: RtuMaster) -> dict[str, float | None]:
        """The values of `blocks`, which afterwards are only those that the meter answers."""
        values: list[tuple[Register, float | None]] = []
        answered: list[Block] = []
        waiting = blocks[::-1]
        while waiting:
            block = waiting.pop()
            try:
                data = self._ask(block, master)
            except SlaveException as error:
                if not error.refuses_for_good:
                    raise
                waiting += self._without_refused(block, error)
                continue
            decoded = list(block.decode(data))
            if master.distrusted and (reason := contradiction(assemble(decoded))):
                raise master.contradicted(reason)
            answered.append(block)
            values += decoded
        blocks[:] = answered
        return assemble(values)

    def _ask(self, block: Block, master: RtuMaster) -> memoryview:
        """The answer to a block's request. Raises a refusal only if it is repeated."""
        for _ in range(REFUSALS - 1):
            try:
                return master.read_registers(self.address, block.function, block.start, block.count)
            except SlaveException as error:
                if not error.refuses_for_good:
                    raise
        return master.read_registers(self.address, block.function, block.start, block.count)

    def _without_refused(self, block: Block, error: SlaveException) -> list[Block]:
        """What to ask instead of a refused block, in reverse; nothing for a single register."""
        halves = block.halves()
        if halves:
            return halves[::-1]
        register = block.registers[0]
        if register.key == _power_of(TOTAL):
            raise error
        self.refused.append(register.key)
        if register.key not in self._said:
            self._said.add(register.key)
            self.health.count(error.kind)
            logger.warning(
                "%s refuses %s (register %d, %s): it is left out; is %r the right profile?",
                self.health.device,
                register.key,
                register.address,
                error,
                self._settings.profile,
            )
        return []

    # ---- times -------------------------------------------------------------------------------

    def _schedule(self, now_s: float) -> None:
        """Schedule the next polls. Missed polls are skipped; a retry moves the regular polls."""
        period_s = self._settings.power_period_s
        if self.health.failures:
            self._power_due_s = now_s + period_s
            ahead_s = max(0.0, self._record_due_s - self._power_due_s)
            self._record_due_s = self._power_due_s + period_s * (ahead_s // period_s)
            return
        self._power_due_s = _next(self._power_due_s, period_s, now_s)
        self._record_due_s = _next(self._record_due_s, self._settings.record_period_s, now_s)

    def _device(self, input_: str) -> str:
        return f"{self._settings.name}.{input_}"


def _power_of(input_: str) -> str:
    """The name of an input's power among the values."""
    return "power_w" if input_ == TOTAL else f"{input_}.power_w"


def _next(due_s: float, period_s: float, now_s: float) -> float:
    """The first time after now that is a whole number of periods after `due_s`."""
    if due_s > now_s:
        return due_s
    return due_s + period_s * ((now_s - due_s) // period_s + 1)

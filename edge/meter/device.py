"""What a bus asks of whatever hangs on it: when it is due, and to do its transactions."""

from collections.abc import Sequence
from typing import Protocol

from .errors import BusError
from .health import Health
from .reading import Reading
from .rtu import RtuMaster


class Device(Protocol):
    """A meter or a relay."""

    health: Health

    @property
    def address(self) -> int:
        """The slave address on the bus; a meter and relays may share it."""

    def due_s(self) -> float:
        """When it wants the bus next, monotonic seconds."""

    def poll(self, master: RtuMaster, now_s: float) -> Sequence[Reading]:
        """Do what is due; raises a BusError if any of it failed."""

    def undefined(self, error: BusError, now_s: float) -> Sequence[Reading]:
        """What a poll that failed yields, or any moment without a port."""

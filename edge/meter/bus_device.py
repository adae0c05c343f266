"""The interface between a bus and each device on it: when a poll is due, and how to do it."""

from collections.abc import Sequence
from typing import Protocol

from .errors import BusError
from .health import Health
from .reading import Reading
from .rtu import RtuMaster


class BusDevice(Protocol):
    """A meter or a relay."""

    health: Health

    @property
    def address(self) -> int:
        """The slave address on the bus; a meter and relays may share one."""

    def opened(self) -> None:
        """The port was opened: what a slave refused before is tried again."""

    def due_s(self) -> float:
        """When its next poll is due, in monotonic seconds."""

    def poll(self, master: RtuMaster, now_s: float) -> Sequence[Reading]:
        """Do what is due. Raises BusError if any part of it fails."""

    def undefined(self, error: BusError, now_s: float) -> Sequence[Reading]:
        """The readings after a failed poll or while the port is lost."""

"""A port as the Modbus master needs it; serial ones are based on pyserial.

pyserial opens and configures the line. Reading uses the file descriptor and the caller's buffer directly,
because pyserial's own read allocates memory, and changing its timeout reconfigures the line.
"""

import glob
import os
import select
import termios
from typing import Protocol

import serial

from .errors import PortLost
from .settings import BusSettings


class Port(Protocol):
    """A half-duplex line. Every method may raise PortLost; after that only `close` may be called."""

    @property
    def char_s(self) -> float:
        """The time that one character takes on the line."""

    def send(self, frame: memoryview) -> None:
        """Send all of `frame`."""

    def receive(self, buffer: memoryview, timeout_s: float) -> int:
        """Wait at most `timeout_s` and read what has arrived; returns the number of bytes, 0 for none."""

    def close(self) -> None:
        """Close the line; never fails."""


def char_s(settings: BusSettings) -> float:
    """The time of one character: start, eight bits, parity, stop bits."""
    return (9 + (settings.parity != "N") + settings.stop_bits) / settings.baud


def _others(path: str) -> str:
    """A hint if the device file is gone, but there are some with another number: it was plugged in again."""
    stem = path.rstrip("0123456789")
    if stem == path or os.path.exists(path):
        return ""
    there = sorted(each for each in glob.glob(f"{glob.escape(stem)}*") if each[len(stem) :].isdecimal())
    if not there:
        return ""
    return f", but there is {', '.join(there)}: a name in /dev/serial/by-id stays the same"


class SerialPort:
    """A real serial line or a pseudo terminal."""

    def __init__(self, settings: BusSettings) -> None:
        """Open the line exclusively. Raises PortLost."""
        try:
            self._serial = serial.Serial(
                settings.port,
                settings.baud,
                parity=settings.parity,
                stopbits=settings.stop_bits,
                timeout=0,
                write_timeout=1.0,
                exclusive=True,
            )
        except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
            raise PortLost(f"{error}{_others(settings.port)}") from error
        self._descriptor = self._serial.fileno()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self.char_s = char_s(settings)

    def send(self, frame: memoryview) -> None:
        try:
            self._serial.write(frame)
        except OSError as error:
            raise PortLost(str(error)) from error

    def receive(self, buffer: memoryview, timeout_s: float) -> int:
        try:
            if not self._poll.poll(max(0.0, timeout_s) * 1000):
                return 0
            count = os.readv(self._descriptor, (buffer,))
        except OSError as error:
            raise PortLost(str(error)) from error
        if count == 0:  # readable but empty: the other end hung up
            raise PortLost("hung up")
        return count

    def close(self) -> None:
        try:
            self._serial.close()
        except OSError:  # the adapter was pulled out
            return

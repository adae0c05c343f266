"""Contacts at GPIO lines of the board, such as those of a ripple control receiver; read without a library.

The lines of a chip are requested from the kernel (its GPIO interface, version 2) and read ten times a second.
A contact that has the same state twice in a row is delivered as the input "NAME.closed", 1 or 0: when that
changes, and every ten seconds. A chip that cannot be opened or read is undefined, and is tried again.
"""

import fcntl
import logging
import os
import struct
import threading
from collections.abc import Callable, Sequence

from edge.clock import Clock

from .reading import Deliver, Reading
from .settings import ContactSettings

logger = logging.getLogger("edge.meter")

LOOK_S = 0.1
TELL_S = 10.0
RETRY_S = 5.0
STOP_S = 2.0
_MOST_LINES = 64  # of a request
# struct gpio_v2_line_request: offsets, consumer, flags, num_attrs, padding, attrs, num_lines,
# event_buffer_size, padding, fd; and struct gpio_v2_line_values: bits, mask.
_REQUEST = struct.Struct("=64I32sQI20x240xII20xi")
_VALUES = struct.Struct("=QQ")
_GET_LINES = 0xC0000000 | _REQUEST.size << 16 | 0xB407
_GET_VALUES = 0xC0000000 | _VALUES.size << 16 | 0xB40E
_ACTIVE_LOW, _INPUT, _PULL_UP, _PULL_DOWN = 1 << 1, 1 << 2, 1 << 8, 1 << 9


class GpioLines:
    """Lines of one chip, open as inputs: a contact closes to ground (`low`), or to the supply (`high`)."""

    def __init__(self, chip: str, lines: Sequence[int], closed: str) -> None:
        """Raises OSError."""
        flags = _INPUT | (_ACTIVE_LOW | _PULL_UP if closed == "low" else _PULL_DOWN)
        offsets = [*lines, *[0] * (_MOST_LINES - len(lines))]
        request = bytearray(_REQUEST.pack(*offsets, b"microgrid-edge", flags, 0, len(lines), 0, 0))
        number = os.open(chip, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(number, _GET_LINES, request)
        finally:
            os.close(number)
        self._fd = _REQUEST.unpack(request)[-1]
        self._count = len(lines)

    def closed(self) -> list[bool]:
        """Whether each contact is closed. Raises OSError."""
        values = bytearray(_VALUES.pack(0, (1 << self._count) - 1))
        fcntl.ioctl(self._fd, _GET_VALUES, values)
        bits = _VALUES.unpack(values)[0]
        return [bool(bits >> i & 1) for i in range(self._count)]

    def close(self) -> None:
        """Give the lines back."""
        os.close(self._fd)


Open = Callable[[str, Sequence[int], str], GpioLines]


class Contacts:
    """The contacts at one chip that close in the same way, read by a thread of their own."""

    def __init__(
        self, settings: Sequence[ContactSettings], clock: Clock, open_lines: Open = GpioLines
    ) -> None:
        self.trouble = ""  # why they cannot be read
        self.deliver: Deliver | None = None
        self._settings = settings
        self._clock = clock
        self._open_lines = open_lines
        self._lines: GpioLines | None = None
        self._seen: list[bool] = []
        self._told: dict[str, tuple[float | None, float]] = {}  # what, and when
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Read in the background."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._serve, name="contacts", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns within 2 s; nothing is delivered afterwards."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def stats(self) -> dict[str, object]:
        """As those of a bus without devices; safe from any thread."""
        counts = ("port_losses", "port_failures_in_a_row", "late_answers", "foreign_frames", "reopened")
        return dict.fromkeys((*counts, "delivery_errors"), 0) | {
            "bus": "contacts",
            "port": self._settings[0].chip,
            "open": not self.trouble,
            "trouble": self.trouble,
            "distrusted": False,
            "silent_s": 0.0,
            "meters": [],
            "relays": [],
        }

    def step(self) -> float:
        """Read once; returns the seconds until the next time."""
        try:
            if self._lines is None:
                chip, closed = self._settings[0].chip, self._settings[0].closed
                self._lines = self._open_lines(chip, [each.line for each in self._settings], closed)
            found = self._lines.closed()
        except OSError as error:
            self._failed(error)
            return RETRY_S
        self.trouble = ""
        before, self._seen = self._seen, found
        for i, each in enumerate(self._settings):
            if before and before[i] == found[i]:
                self._tell(each.name, float(found[i]))
        return LOOK_S

    def _failed(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        if reason != self.trouble:
            logger.warning("contacts at %s cannot be read: %s", self._settings[0].chip, reason)
        self.trouble = reason
        if self._lines is not None:
            self._lines.close()
        self._lines, self._seen = None, []
        for each in self._settings:
            self._tell(each.name, None)

    def _tell(self, name: str, value: float | None) -> None:
        now_s = self._clock.now_s()
        told = self._told.get(name)
        if self.deliver is None or (told and told[0] == value and now_s < told[1] + TELL_S):
            return
        self._told[name] = value, now_s
        self.deliver(Reading(f"{name}.closed", value, now_s))

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                pause_s = self.step()
            except Exception:  # a bug of ours
                logger.exception("contacts: internal error")
                pause_s = RETRY_S
            self._stopping.wait(pause_s)
        if self._lines is not None:
            self._lines.close()
            self._lines = None

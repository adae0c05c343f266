"""The log of orders: when each began and ended, and what power was measured before and after.

It is the record that the operator of a grid may ask for (§ 14a EnWG), so it is a file of its own that people
can read: CSV, bounded, one line when an order begins and one when it is over, which replaces the first.
"""

import logging
import math
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..files import read_bytes

log = logging.getLogger("edge.history")
MOST_BYTES = 1 << 20  # then it becomes the old one, and that before is deleted
_DATES = ("created_s", "finished_s")


class PastOrder(NamedTuple):
    """One order. Times are Unix time, powers W; None where nothing is known, or it is not over."""

    number: str
    created_s: float
    finished_s: float | None
    kind: str
    subject: str  # twin, or scope of a limit
    source: str
    start_w: float | None  # power of what is limited when it began
    limit_w: float | None
    after_w: float | None  # one second later
    highest_w: float | None  # from then to the end


class OrderFile:
    """The orders of one node; noted by its main thread, read by any."""

    def __init__(self, path: Path) -> None:
        self.failures = 0
        self._path, self._old = path, path.with_name(f"{path.name}.1")
        self._lock = threading.Lock()

    def note(self, order: Sequence[Any]) -> None:
        """The fields of `PastOrder`. What cannot be written is counted and logged."""
        line = ",".join(_text(each) for each in order)
        try:
            with self._lock:
                self._write(line)
        except OSError as error:
            self.failures += 1
            log.error("%s: an order cannot be written: %s", self._path, error.strerror)

    def _write(self, line: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        size = self._path.stat().st_size if self._path.exists() else 0
        if size > MOST_BYTES:
            os.replace(self._path, self._old)
            size = 0
        head = "" if size else ",".join(PastOrder._fields) + "\n"
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(f"{head}{line}\n")

    def orders(self) -> list[PastOrder]:
        """All that are kept, newest first."""
        found: dict[str, PastOrder] = {}
        with self._lock:
            texts = [_content(path) for path in (self._old, self._path)]
        for line in "\n".join(texts).splitlines():
            if order := _parse(line):
                found[order.number] = order
        return sorted(found.values(), key=lambda each: (-each.created_s, each.number))


def _content(path: Path) -> str:
    try:
        return read_bytes(path, 2 * MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return str(value).replace(",", " ").replace("\n", " ")


def _parse(line: str) -> PastOrder | None:
    """None for the header, and for a line that a power cut has damaged."""
    fields = line.split(",")
    if len(fields) != len(PastOrder._fields):
        return None
    try:
        number, created, finished, kind, subject, source, *powers = fields
        return PastOrder(
            number,
            float(created),
            float(finished) if finished else None,
            kind,
            subject,
            source,
            *(float(each) if each else None for each in powers),
        )
    except ValueError:
        return None

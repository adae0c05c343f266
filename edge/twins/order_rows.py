"""What the history is told of orders: begin, end, and the power before and after (§ 14a EnWG)."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..energy.limits import Limit
from .twin import Home

AFTER_S = 1.0  # an order must have its effect within this time


@dataclass(slots=True)
class Row:
    """An order that is not over. `limit`: the external limit that it is, or that it serves."""

    number: str
    began_s: float
    kind: str
    subject: str
    source: str
    start_w: float
    limit_w: float
    limit: Limit | None
    after_w: float = math.nan
    highest_w: float = math.nan


class OrderRows:
    """The orders of one node that are not over."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._rows: dict[int, Row] = {}
        self._count = 0

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def open(
        self,
        kind: str,
        subject: str,
        source: str,
        start_w: float,
        limit_w: float,
        limit: Limit | None = None,
    ) -> int:
        """An order begins; returns its handle."""
        now_s = self._home.clock.now_s()
        self._count += 1
        number = f"{self._date(now_s):.0f}-{self._count}"
        row = Row(number, now_s, kind, subject, source, start_w, limit_w, limit)
        self._rows[self._count] = row
        self._note(row, None)
        return self._count

    def close(self, handle: int) -> None:
        """It is over."""
        if row := self._rows.pop(handle, None):
            self._note(row, self._home.clock.now_s())

    def look(self, power_w: Callable[[Row], float]) -> None:
        """Measure again what each order is about."""
        now_s = self._home.clock.now_s()
        for row in self._rows.values():
            if now_s < row.began_s + AFTER_S:
                continue
            measured_w = power_w(row)
            if math.isnan(row.after_w):
                row.after_w = row.highest_w = measured_w
            row.highest_w = max(row.highest_w, measured_w)

    def keep(self) -> None:
        """The node is about to stop: what was measured so far is not lost."""
        for row in self._rows.values():
            self._note(row, None)

    def _note(self, row: Row, ended_s: float | None) -> None:
        powers_w = (row.start_w, row.limit_w, row.after_w, row.highest_w)
        begun, ended = self._date(row.began_s), None if ended_s is None else self._date(ended_s)
        self._home.history.note_order(
            (row.number, begun, ended, row.kind, row.subject, row.source, *powers_w)
        )

    def _date(self, at_s: float) -> float:
        return self._home.clock.wall_s() - self._home.clock.now_s() + at_s

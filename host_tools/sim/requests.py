"""Every request of a run, and how long it was unserved although it was servable (thesis 4.4.1 to 4.4.3).

A request lasts from the time a consumer is unserved until it is satisfied or needs nothing more. It is
*servable* while its missing power is at most the free power, as sampled once a second. Its response time is
the longest uninterrupted time it is unserved while servable. The times of the request and of its satisfaction
are exact, those in between are sampled; in case of doubt the longer time counts. So a request that was always
servable has an exact response time, even if it began and ended between two samples.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .board import Board, Column
from .cast import Cast

Mask = npt.NDArray[np.bool_]
_MOVED_S = 0.5  # if the time of a request changes by more, it is another request


@dataclass(frozen=True)
class RequestRecord:
    """A request that has ended or is open at the end. Times in s; nan: never servable or satisfied."""

    twin: str
    asked_s: float  # accurate to a second if it was satisfied between two samples
    power_w: float
    response_s: float  # longest time unserved while servable
    waited_s: float  # total time until it was satisfied
    warning_s: float  # total time unserved while servable

    @property
    def satisfied(self) -> bool:
        """Whether it ended with contracts for its whole need."""
        return not math.isnan(self.waited_s)


class Stretches:
    """The longest servable stretch of each twin's open request, under one definition of servable."""

    def __init__(self, count: int) -> None:
        self.energy_wh = 0.0  # unserved while servable
        self.since_s = np.zeros(count)  # since when it may have been servable
        self.longest_s = np.full(count, np.nan)
        self.warned_s = np.zeros(count)
        self.servable = np.zeros(count, dtype=bool)  # at the last sample

    def open(self, i: int, asked_s: float) -> None:
        """Begin a new request."""
        self.since_s[i], self.longest_s[i] = asked_s, math.nan
        self.warned_s[i], self.servable[i] = 0.0, True

    def look(self, unserved: Mask, servable: Mask, missing_w: Column, passed_s: Column, now_s: float) -> None:
        """Apply a sample. `passed_s`: how long each request was open since the last one."""
        self.servable = unserved & servable
        self.longest_s[self.servable] = np.fmax(self.longest_s, now_s - self.since_s)[self.servable]
        self.since_s[unserved & ~servable] = now_s
        self.warned_s[self.servable] += passed_s[self.servable]
        self.energy_wh += float((missing_w * passed_s)[self.servable].sum()) / 3600

    def satisfied(self, i: int, at_s: float, missing_w: float, passed_s: float) -> None:
        """The request was satisfied, `passed_s` after the last sample."""
        self.longest_s[i] = np.fmax(self.longest_s[i], at_s - self.since_s[i])
        if self.servable[i]:
            self.warned_s[i] += passed_s
            self.energy_wh += missing_w * passed_s / 3600


class RequestLog:
    """Tracks all requests. The first definition of servable gives the records, the others only sums."""

    def __init__(self, cast: Cast, definitions: tuple[str, ...]) -> None:
        count = len(cast.names)
        self.requests: list[RequestRecord] = []
        self.missing_wh = 0.0
        self.stretches = {definition: Stretches(count) for definition in definitions}
        self.worst_s = dict.fromkeys(definitions, 0.0)
        self._names = cast.names
        self._main = definitions[0]
        self._asked_s = np.full(count, np.nan)
        self._power_w = np.zeros(count)
        self._missing_w = np.zeros(count)
        self._response_s = np.full(count, np.nan)
        self._validated = np.zeros(count)
        self._seen_s = 0.0

    def look(self, board: Board, servable: dict[str, Mask], missing_w: Column, now_s: float) -> None:
        """Apply a sample of the board; `servable` by definition."""
        for i in np.flatnonzero(self._news(board)):
            self._turn(int(i), board, now_s)
        self._response_s[:], self._validated[:] = board.response_s, board.validated
        unserved = ~np.isnan(self._asked_s)
        passed_s = np.where(unserved, now_s - np.fmax(self._asked_s, self._seen_s), 0.0)
        self.missing_wh += float((missing_w * passed_s).sum()) / 3600
        for definition, stretches in self.stretches.items():
            stretches.look(unserved, servable[definition], missing_w, passed_s, now_s)
        self._missing_w, self._seen_s = missing_w, now_s

    def close(self) -> None:
        """End the run: requests that are still open are recorded as they are."""
        for i in np.flatnonzero(~np.isnan(self._asked_s)):
            self._end(int(i), math.nan)

    # ---- inside -------------------------------------------------------------------------------

    def _moved(self, board: Board) -> Mask:
        return np.asarray(np.abs(board.asked_s - self._asked_s) > _MOVED_S)

    def _news(self, board: Board) -> Mask:
        opened_or_ended = np.isnan(board.asked_s) != np.isnan(self._asked_s)
        return np.asarray(opened_or_ended | self._moved(board) | self._answered(board))

    def _answered(self, board: Board) -> Mask:
        """The twins whose need was met since the last sample; a new contract tells equal times apart."""
        told = (board.response_s != self._response_s) & ~np.isnan(board.response_s)
        agreed = board.validated != self._validated
        return np.asarray(told | (agreed & np.isnan(board.asked_s) & ~np.isnan(board.response_s)))

    def _turn(self, i: int, board: Board, now_s: float) -> None:
        answered = bool(self._answered(board)[i])
        waited_s, asked_s = float(board.response_s[i]), float(board.asked_s[i])
        if not math.isnan(self._asked_s[i]):
            if answered:
                self._satisfy(i, waited_s)
            elif math.isnan(asked_s) or self._moved(board)[i]:
                self._end(i, math.nan)
        elif answered:  # it began and ended between two samples
            self._open(i, max(self._seen_s, now_s - 1.0, 0.0), float(board.unserved_w[i]))
            self._satisfy(i, waited_s)
        if math.isnan(self._asked_s[i]) and not math.isnan(asked_s):
            self._open(i, asked_s, max(0.0, float(board.need_w[i] - board.taken_w[i])))

    def _open(self, i: int, asked_s: float, power_w: float) -> None:
        self._asked_s[i], self._power_w[i], self._missing_w[i] = asked_s, power_w, power_w
        for stretches in self.stretches.values():
            stretches.open(i, asked_s)

    def _satisfy(self, i: int, waited_s: float) -> None:
        at_s = float(self._asked_s[i]) + waited_s
        missing_w = float(self._missing_w[i])
        passed_s = max(0.0, at_s - max(float(self._asked_s[i]), self._seen_s))
        self.missing_wh += missing_w * passed_s / 3600
        for stretches in self.stretches.values():
            stretches.satisfied(i, at_s, missing_w, passed_s)
        self._end(i, waited_s)

    def _end(self, i: int, waited_s: float) -> None:
        for definition, stretches in self.stretches.items():
            self.worst_s[definition] = float(np.fmax(self.worst_s[definition], stretches.longest_s[i]))
        told = self.stretches[self._main]
        self.requests.append(
            RequestRecord(
                self._names[i],
                float(self._asked_s[i]),
                float(self._power_w[i]),
                float(told.longest_s[i]),
                waited_s,
                float(told.warned_s[i]),
            )
        )
        self._asked_s[i] = math.nan

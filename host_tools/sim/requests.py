"""Every request of a run, and how long it was unserved though it could be served (thesis 4.4.1 to 4.4.3).

A request lasts from the moment a consumer is unserved until it is satisfied or needs nothing more. It is
*servable* while its missing power is at most the power that is free, as seen once a second. Its response
time is the longest stretch it is unserved while servable. Moments of asking and of satisfaction are exact,
those between are not; where in doubt the longer stretch counts. So a request that was servable throughout
has an exact response time, even when it came and went between two looks.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .board import Board, Column
from .cast import Cast

Mask = npt.NDArray[np.bool_]
_MOVED_S = 0.5  # a moment of asking that moves further is that of another request


@dataclass(frozen=True)
class Request:
    """One that has ended, or stands open at the end. Times in s; nan: never servable, never satisfied."""

    twin: str
    asked_s: float  # to within a second, when it was satisfied before it was seen
    power_w: float
    response_s: float  # longest stretch unserved while servable
    waited_s: float  # all in all, until satisfied
    warning_s: float  # all in all, unserved while servable

    @property
    def satisfied(self) -> bool:
        """Whether it ended with a contract for all it needs."""
        return not math.isnan(self.waited_s)


class Stretches:
    """The longest servable stretch of the open request of each twin, under one notion of servable."""

    def __init__(self, count: int) -> None:
        self.energy_wh = 0.0  # unserved while servable
        self.since_s = np.zeros(count)  # from when on it may have been servable
        self.longest_s = np.full(count, np.nan)
        self.warned_s = np.zeros(count)
        self.servable = np.zeros(count, dtype=bool)  # when last seen

    def open(self, i: int, asked_s: float) -> None:
        """A new request."""
        self.since_s[i], self.longest_s[i] = asked_s, math.nan
        self.warned_s[i], self.servable[i] = 0.0, True

    def look(self, unserved: Mask, servable: Mask, missing_w: Column, passed_s: Column, now_s: float) -> None:
        """`passed_s`: how long each was open since the last look."""
        self.servable = unserved & servable
        self.longest_s[self.servable] = np.fmax(self.longest_s, now_s - self.since_s)[self.servable]
        self.since_s[unserved & ~servable] = now_s
        self.warned_s[self.servable] += passed_s[self.servable]
        self.energy_wh += float((missing_w * passed_s)[self.servable].sum()) / 3600

    def satisfied(self, i: int, at_s: float, missing_w: float, passed_s: float) -> None:
        """The request ended well, `passed_s` after it was last seen."""
        self.longest_s[i] = np.fmax(self.longest_s[i], at_s - self.since_s[i])
        if self.servable[i]:
            self.warned_s[i] += passed_s
            self.energy_wh += missing_w * passed_s / 3600


class RequestLog:
    """Follows the board once a second. `headline` decides what a Request says, the others are summed up."""

    def __init__(self, cast: Cast, notions: tuple[str, ...]) -> None:
        count = len(cast.names)
        self.requests: list[Request] = []
        self.missing_wh = 0.0
        self.stretches = {notion: Stretches(count) for notion in notions}
        self.worst_s = dict.fromkeys(notions, 0.0)
        self._names = cast.names
        self._headline = notions[0]
        self._asked_s = np.full(count, np.nan)
        self._power_w = np.zeros(count)
        self._missing_w = np.zeros(count)
        self._response_s = np.full(count, np.nan)
        self._validated = np.zeros(count)
        self._seen_s = 0.0

    def look(self, board: Board, servable: dict[str, Mask], missing_w: Column, now_s: float) -> None:
        """Bring the log up to date; `servable` by notion."""
        for i in np.flatnonzero(self._news(board)):
            self._turn(int(i), board, now_s)
        self._response_s[:], self._validated[:] = board.response_s, board.validated
        unserved = ~np.isnan(self._asked_s)
        passed_s = np.where(unserved, now_s - np.fmax(self._asked_s, self._seen_s), 0.0)
        self.missing_wh += float((missing_w * passed_s).sum()) / 3600
        for notion, stretches in self.stretches.items():
            stretches.look(unserved, servable[notion], missing_w, passed_s, now_s)
        self._missing_w, self._seen_s = missing_w, now_s

    def close(self) -> None:
        """The run is over: what is still unserved counts as it stands."""
        for i in np.flatnonzero(~np.isnan(self._asked_s)):
            self._end(int(i), math.nan)

    # ---- inside -------------------------------------------------------------------------------

    def _moved(self, board: Board) -> Mask:
        return np.asarray(np.abs(board.asked_s - self._asked_s) > _MOVED_S)

    def _news(self, board: Board) -> Mask:
        opened_or_ended = np.isnan(board.asked_s) != np.isnan(self._asked_s)
        return np.asarray(opened_or_ended | self._moved(board) | self._answered(board))

    def _answered(self, board: Board) -> Mask:
        """Whose need was met since the last look. Equal response times are told apart by the contract."""
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
        elif answered:  # it came and went unseen
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
        for notion, stretches in self.stretches.items():
            self.worst_s[notion] = float(np.fmax(self.worst_s[notion], stretches.longest_s[i]))
        told = self.stretches[self._headline]
        self.requests.append(
            Request(
                self._names[i],
                float(self._asked_s[i]),
                float(self._power_w[i]),
                float(told.longest_s[i]),
                waited_s,
                float(told.warned_s[i]),
            )
        )
        self._asked_s[i] = math.nan

"""Promises that give way: to a capacity that has sunk, or to a need of high priority (thesis 4.1.2)."""

from .book import Book, Promise, State
from .claims import Refusals
from .interruption import fewest
from .members import Members
from .rules import EPSILON_W, MIN_POWER_W


class Yielding:
    """Ends or cuts promises of one supplier, as few as possible."""

    def __init__(self, book: Book, refused: Refusals, members: Members) -> None:
        self.shed = 0  # contracts ended for lack of power
        self.interrupted = 0  # contracts ended for a high-priority contract
        self._book, self._refused, self._members = book, refused, members

    def shrink(self, capacity_w: float) -> None:
        """Promises that do not fit any more end at once."""
        self.shed += len(self._free(list(self._book), self._book.reserved_w - capacity_w))

    def interrupt(self, short_w: float, consumer: str, capacity_w: float, now_s: float) -> list[str]:
        """Free `short_w` for a high-priority contract, if others can give all of it.

        Returns the consumers whose contracts gave way.
        """
        candidates = self._book.interruptible(consumer)
        if sum(each.max_w for each in candidates) < short_w - EPSILON_W:
            return []
        displaced = self._free(candidates, short_w)
        self.interrupted += len(displaced)
        self._members.interrupt(consumer, short_w, capacity_w, now_s)
        return displaced

    def end(self, promise: Promise) -> None:
        """End a promise; refuse the contract if the consumer may not have seen it confirmed."""
        self._book.drop(promise)
        if promise.state is State.PENDING:
            self._refused.add(promise.consumer, promise.key)

    def _free(self, candidates: list[Promise], short_w: float) -> list[str]:
        """Free `short_w`, no more: the last contract is only cut, if it has begun. Returns whose gave way."""
        displaced = []
        for promise in fewest(candidates, short_w):
            if promise.committed:
                displaced.append(promise.consumer)
            left_w = promise.max_w - short_w
            short_w -= promise.max_w
            if promise.state is State.VALID and left_w > MIN_POWER_W and not promise.later:
                promise.cut(left_w)
            else:
                self.end(promise)
        return displaced

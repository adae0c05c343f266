"""Whether consumers use what a supplier promised them, and what follows when they do not.

Here counts what a consumer says that it uses: a node measures only its own devices. An honest consumer states
a lower need and returns its reserve in one message. So a contract of which less is used is cut to that at
once, those who were interrupted for it come first, and its member has hoarded.
"""

from collections.abc import Callable, Iterable

from .book import Book, Promise, State
from .members import Members
from .rules import IDLE_RATIO, PROVEN_S, USED_S, VALIDATION_S, with_margin

Owe = Callable[[Iterable[str], float], None]  # these consumers come first from now on


class Usage:
    """Judges the contracts of one supplier."""

    def __init__(self, book: Book, members: Members, owe: Owe) -> None:
        self._book = book
        self._members = members
        self._owe = owe

    def note(self, promise: Promise, now_s: float) -> None:
        """A consumer has stated a contract: take back at once what it does not use."""
        if promise.state is State.VALID and promise.power_w < IDLE_RATIO * promise.max_w:
            promise.cut(with_margin(promise.power_w))
            self._give_back(promise, now_s)
            self._members.hoard(promise.consumer, now_s)

    def judge(self, promise: Promise, capacity_w: float, now_s: float) -> None:
        """Drop a contract whose time is over; count the use of the others."""
        if now_s >= min(promise.deadline_s, promise.limit_by_s):
            self._book.drop(promise)
            self.ended(promise, now_s)
            if promise.later:  # it was not claimed
                self._members.waste(promise.consumer, promise.max_w, now_s)
        else:
            self.credit(promise, capacity_w, now_s)

    def ended(self, promise: Promise, now_s: float) -> None:
        """A contract is over. One that its consumer never validated was a waste, soon ended or not."""
        if promise.state is State.PENDING and not promise.restored:
            small = now_s < (promise.deadline_s if promise.displaced else promise.since_s + VALIDATION_S)
            self._give_back(promise, now_s)
            self._members.waste(promise.consumer, promise.max_w, now_s, small=small)

    def credit(self, promise: Promise, capacity_w: float, now_s: float) -> None:
        """Count what was used under a contract since the last time."""
        if promise.state is not State.VALID:
            return
        consumer = promise.consumer
        self._members.draw(consumer, promise.power_w, now_s - promise.drawn_s, capacity_w, now_s)
        promise.drawn_s = now_s
        if not promise.used and now_s >= promise.since_s + USED_S:
            promise.used = True
            self._members.use(consumer, promise.max_w, now_s)
        if now_s >= promise.since_s + PROVEN_S:
            self._members.prove(consumer)

    def _give_back(self, promise: Promise, now_s: float) -> None:
        self._owe(promise.displaced, now_s)
        promise.displaced = ()

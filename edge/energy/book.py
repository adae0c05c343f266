"""A supplier's book: whom it promised how much, and how far each promise has come (thesis 4.1.2)."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from .messages import Priority, round_w


def node_of(twin: str) -> str:
    """The node a twin lives on."""
    return twin.partition(".")[0]


def crowds(consumer: str, held: Iterable[str], count: int, size: int, own_node: str) -> bool:
    """Whether a table that gets full would be filled by one other node: the last quarter is for those that
    do not take half of it."""
    node = node_of(consumer)
    if count < size - size // 4 or node == own_node:
        return False
    return 2 * sum(node_of(each) == node for each in held) >= size


NOT_STATED = -1  # a revision: the promise has changed since the consumer's last word


class State(StrEnum):
    """How far a promise has come."""

    OFFERED = "offered"
    PENDING = "pending"  # confirmed, the consumer has not validated yet
    VALID = "valid"


@dataclass(slots=True, eq=False)
class Promise:
    """Power set aside for one consumer, `max_w` of it."""

    consumer: str
    key: int  # of the request while offered, of the contract afterwards
    state: State
    power_w: float
    max_w: float
    deadline_s: float
    priority: Priority
    hops: int
    revision: int = 0
    since_s: float = 0.0  # when an offer was made, or grew
    part: bool = False  # an offer of less than was asked
    urgent_w: float = 0.0  # what interruptions would add to the offer
    limit_w: float = math.inf  # the consumer has been asked to take no more than that
    limit_by_s: float = math.inf

    def cut(self, max_w: float) -> None:
        """Keep no more than that from now on; the consumer has yet to restate its contract."""
        self.max_w = self.limit_w = round_w(max_w)
        self.power_w = min(self.power_w, self.max_w)
        self.revision = NOT_STATED

    @property
    def committed(self) -> bool:
        """Whether it is more than an offer."""
        return self.state is not State.OFFERED


class Book:
    """All promises of one supplier: to each consumer at most one offer and two contracts."""

    def __init__(self, size: int, node: str) -> None:
        self._size = size
        self._node = node
        self._promises: list[Promise] = []

    def __iter__(self) -> Iterator[Promise]:
        return iter(self._promises)

    def __len__(self) -> int:
        return len(self._promises)

    @property
    def full(self) -> bool:
        """Whether there is no place for another promise."""
        return len(self._promises) >= self._size

    @property
    def reserved_w(self) -> float:
        """All that is promised, margins included, in W."""
        return sum([promise.max_w for promise in self._promises])

    @property
    def committed_w(self) -> float:
        """What contracts may draw, margins included, offers apart, in W."""
        return sum([promise.max_w for promise in self._promises if promise.committed])

    @property
    def supplied_w(self) -> float:
        """What valid contracts take now, in W."""
        return sum([promise.power_w for promise in self._promises if promise.state is State.VALID])

    def has_place_for(self, consumer: str) -> bool:
        """Whether there is place for another promise to it."""
        held = (each.consumer for each in self._promises)
        return not self.full and not crowds(consumer, held, len(self), self._size, self._node)

    def of(self, consumer: str) -> list[Promise]:
        """The promises to one consumer."""
        return [each for each in self._promises if each.consumer == consumer]

    def held_w(self, consumer: str) -> float:
        """What the contracts of one consumer may draw, in W."""
        return sum(each.max_w for each in self.of(consumer) if each.committed)

    def interruptible(self, consumer: str) -> list[Promise]:
        """The promises that may be ended for a contract of high priority of that consumer."""
        return [each for each in self if each.priority < Priority.HIGH and each.consumer != consumer]

    def get(self, consumer: str, contract_id: int) -> Promise | None:
        """The promise for a contract."""
        return next((each for each in self.of(consumer) if each.key == contract_id and each.committed), None)

    def offer_to(self, consumer: str) -> Promise | None:
        """The offer that stands to a consumer."""
        return next((each for each in self.of(consumer) if not each.committed), None)

    def add(self, promise: Promise) -> None:
        """Write a promise down; the caller has seen that the book is not full."""
        self._promises.append(promise)

    def drop(self, promise: Promise) -> None:
        """Strike a promise out."""
        self._promises.remove(promise)

    def clear(self) -> None:
        """Strike out everything."""
        self._promises.clear()

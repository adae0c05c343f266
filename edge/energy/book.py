"""A supplier's book: how much it promised to each consumer, and the state of each promise (thesis 4.1.2)."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from .messages import Contract, Priority, round_w
from .prices import PriceTable
from .rules import OFFER_GRACE_S, VALIDATION_GRACE_S


def node_of(twin: str) -> str:
    """The name of the node that hosts a twin."""
    return twin.partition(".")[0]


def crowds(consumer: str, held: Iterable[str], count: int, size: int, own_node: str) -> bool:
    """Whether one other node takes too much of a table. The last quarter of the places is reserved for
    nodes that occupy less than half of the table."""
    node = node_of(consumer)
    if count < size - size // 4 or node == own_node:
        return False
    return 2 * sum(node_of(each) == node for each in held) >= size


NOT_STATED = -1  # a revision: the promise has changed since the consumer last published its contract


class State(StrEnum):
    """The state of a promise."""

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
    term: int = 0  # how often the contract was renewed
    since_s: float = 0.0  # when an offer was made or last increased
    part: bool = False  # an offer of less than was requested
    urgent_w: float = 0.0  # power that interruptions would add to the offer
    limit_w: float = math.inf  # the consumer has been asked to take no more than this
    limit_by_s: float = math.inf
    elsewhere: bool = False  # an offer: the consumer has made a contract with others
    restored: bool = False  # from before a restart
    used: bool = False  # its consumer has credit for it
    drawn_s: float = 0.0  # until when its use is counted
    prices: PriceTable = ()  # that were offered
    displaced: tuple[str, ...] = ()  # consumers whose supply was interrupted for it
    planned: bool = False  # for a run that was asked for before its begin
    later: bool = False  # it has not begun
    in_s: float = 0.0  # from the offer to the begin
    begins_s: float = 0.0
    ends_s: float = math.inf  # as expected

    def cut(self, max_w: float) -> None:
        """Reserve no more than `max_w` from now on. The consumer still has to restate its contract."""
        self.max_w = self.limit_w = round_w(max_w)
        self.power_w = min(self.power_w, self.max_w)
        self.revision = NOT_STATED

    def begin(self, contract: Contract, now_s: float) -> None:
        """The span of the contract begins."""
        self.later, self.since_s, self.drawn_s = False, now_s, now_s
        self.begins_s, self.ends_s = now_s, now_s + self.ends_s - self.begins_s
        self.extend(contract, now_s)

    def extend(self, contract: Contract, now_s: float) -> None:
        """The contract is valid for another term from now on; its consumer counts from a bit earlier."""
        self.term = contract.term
        self.deadline_s = now_s + contract.ttl_s + OFFER_GRACE_S

    @property
    def committed(self) -> bool:
        """Whether it is more than an offer."""
        return self.state is not State.OFFERED


class Book:
    """All promises of one supplier: at most one offer and two contracts for each consumer."""

    def __init__(self, size: int, node: str) -> None:
        self._size = size
        self._node = node
        self._promises: list[Promise] = []
        self._lapsed: dict[str, Promise] = {}  # the last offer to each consumer that ended

    def __iter__(self) -> Iterator[Promise]:
        return iter(self._promises)

    def __len__(self) -> int:
        return len(self._promises)

    @property
    def full(self) -> bool:
        """Whether there is no room for another promise."""
        return len(self._promises) >= self._size

    @property
    def reserved_w(self) -> float:
        """The sum of all promises, margins included, in W."""
        return sum([promise.max_w for promise in self._promises])

    @property
    def committed_w(self) -> float:
        """The power that contracts may draw, margins included, without offers, in W."""
        return sum([promise.max_w for promise in self._promises if promise.committed])

    @property
    def offered_w(self) -> float:
        """The sum of the open offers, margins included, in W."""
        return sum([promise.max_w for promise in self._promises if not promise.committed])

    @property
    def offer_count(self) -> int:
        """The number of open offers."""
        return sum(not promise.committed for promise in self._promises)

    @property
    def supplied_w(self) -> float:
        """The power that valid contracts use now, in W."""
        return sum([promise.power_w for promise in self._promises if promise.state is State.VALID])

    def has_place_for(self, consumer: str) -> bool:
        """Whether there is room for another promise to this consumer."""
        held = (each.consumer for each in self._promises)
        return not self.full and not crowds(consumer, held, len(self), self._size, self._node)

    def of(self, consumer: str) -> list[Promise]:
        """The promises to one consumer."""
        return [each for each in self._promises if each.consumer == consumer]

    def held_w(self, consumer: str) -> float:
        """The power that the contracts of one consumer may draw, in W."""
        return sum(each.max_w for each in self.of(consumer) if each.committed)

    def node_w(self, node: str) -> float:
        """The power promised to all twins of a node, offers included, in W."""
        return sum(each.max_w for each in self._promises if node_of(each.consumer) == node)

    def interruptible(self, consumer: str) -> list[Promise]:
        """The promises that a high-priority contract of that consumer may interrupt."""
        return [each for each in self if each.priority < Priority.HIGH and each.consumer != consumer]

    def get(self, consumer: str, contract_id: int) -> Promise | None:
        """The promise for a contract, or None."""
        for each in self._promises:
            if each.consumer == consumer and each.key == contract_id and each.state is not State.OFFERED:
                return each
        return None

    def offer_to(self, consumer: str) -> Promise | None:
        """The current offer to a consumer, or None."""
        for each in self._promises:
            if each.consumer == consumer and each.state is State.OFFERED:
                return each
        return None

    def add(self, promise: Promise) -> None:
        """Add a promise. The caller has checked that the book is not full."""
        self._promises.append(promise)

    def drop(self, promise: Promise) -> None:
        """Remove a promise."""
        self._promises.remove(promise)
        if promise.state is State.OFFERED:
            self._lapsed.pop(promise.consumer, None)
            self._lapsed[promise.consumer] = promise
            if len(self._lapsed) > self._size:
                del self._lapsed[next(iter(self._lapsed))]

    def offered(self, consumer: str, now_s: float) -> Promise | None:
        """The larger of the current offer to a consumer and of one that ended a moment ago; None without."""
        offers = [self.offer_to(consumer), self._lapsed.get(consumer)]
        valid = [each for each in offers if each and now_s <= each.deadline_s + VALIDATION_GRACE_S]
        return max(valid, key=lambda each: each.max_w + each.urgent_w, default=None)

    def accept(self, consumer: str) -> None:
        """A contract has used up what was offered to a consumer."""
        offer = self.offer_to(consumer)
        if offer:
            self._promises.remove(offer)
        self._lapsed.pop(consumer, None)

    def clear(self) -> None:
        """Remove all promises."""
        self._promises.clear()
        self._lapsed.clear()

"""Consumers and suppliers negotiate the price of a contract by their messages (thesis 8.2.2).

The rules are those of `bargaining`: an offer carries the opening price of the supplier. The consumer answers
it by a counter price, and the supplier shows what it says to that in the offer itself: the price that was
bid, which it accepts, a lower one, or, after the last round, its opening price again. Nothing else changes:
whether and with whom there is a contract is decided by offers as always, and without an answer within half a
second the consumer takes the offers as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from .bargaining import MOST_ROUNDS, Side
from .book import Promise
from .messages import Request
from .parsing import integer, number, read_object
from .policies import SeenOffer
from .prices import PriceTable, Slot
from .rules import PATIENCE_S

ANSWER_S = 0.5  # how long a consumer waits for what a supplier says to its price
_MOST_PRICE = 1e5
_TALKS, _SILENT = 32, 32
_DIGITS = 4


class Terms(NamedTuple):
    """With which a twin negotiates: at most so many rounds, the price beyond which it agrees to nothing, and
    the first one that it bids. `rounds` 0: it does not."""

    rounds: int = 0
    limit: float = 0.0
    first: float = 0.0

    @property
    def buyer(self) -> Side:
        """As a consumer; one that would begin above its limit begins there."""
        return Side(min(self.first, self.limit), self.limit)

    def seller(self, price: float) -> Side:
        """As a supplier that asks this price; one with a higher limit does not come down."""
        return Side(price, min(self.limit, price))


@dataclass(frozen=True, slots=True)
class Counter:
    """What a consumer bids for the offer to its request, in which round (from 0)."""

    request_id: int
    price: float
    round: int

    def encode(self) -> bytes:
        return orjson.dumps({"id": self.request_id, "price": self.price, "round": self.round})


def parse_counter(data: bytes) -> Counter:
    """Parse a message. Raises ValueError, KeyError or TypeError."""
    fields = read_object(data)
    price = number(fields["price"], 0.0, _MOST_PRICE)
    return Counter(integer(fields, "id"), price, integer(fields, "round", most=MOST_ROUNDS))


class Buying:
    """The side of a consumer. It negotiates a request with one supplier: the first that offers all of it."""

    def __init__(self) -> None:
        self.terms = Terms()
        self.counter: Counter | None = None  # what it bids now,
        self.supplier = ""  # and to whom
        self.agreed = self.failed = 0
        self._asked = 0.0  # the price to which it answered last
        self._bid_s = 0.0
        self._over = -1  # the request for which it is over
        self._silent: dict[str, None] = {}  # suppliers that do not negotiate

    def holds(self, ordered: Sequence[SeenOffer], request: Request, waited_s: float, now_s: float) -> bool:
        """Whether the consumer should wait with its choice. `ordered`: the offers to the request, best first;
        `waited_s`: since it asked."""
        if not self.terms.rounds or self._over == request.id or waited_s < PATIENCE_S:
            return False
        if self.counter is None or self.counter.request_id != request.id:
            whole = (seen for seen in ordered if seen.offer.power_w >= request.power_w)
            first = next(whole, None)
            if first is None or first.supplier in self._silent:
                return False
            self.supplier = first.supplier
            return self._say(request.id, 0, first.offer.price, now_s)
        seen = next((each for each in ordered if each.supplier == self.supplier), None)
        if seen is None or (now_s >= self._bid_s + ANSWER_S and seen.offer.price == self._asked):
            if seen is not None and self.counter.round == 0:
                self._silent[self.supplier] = None
                while len(self._silent) > _SILENT:
                    del self._silent[next(iter(self._silent))]
            return self._end(request.id, agreed=False)
        if seen.offer.price == self._asked:
            return True
        if seen.offer.price <= self.counter.price:
            return self._end(request.id, agreed=True)
        return self._say(request.id, self.counter.round + 1, seen.offer.price, now_s)

    def _say(self, request_id: int, turn: int, asked: float, now_s: float) -> bool:
        if turn >= self.terms.rounds or asked < 0:
            return self._end(request_id, agreed=False)
        bid = round(self.terms.buyer.at(turn, self.terms.rounds), _DIGITS)
        if asked <= bid:
            return self._end(request_id, agreed=True)
        self.counter, self._asked, self._bid_s = Counter(request_id, bid, turn), asked, now_s
        return True

    def _end(self, request_id: int, agreed: bool) -> bool:
        self.agreed += agreed
        self.failed += not agreed
        self.counter, self._over = None, request_id
        return False


@dataclass(slots=True)
class _Talk:
    """With one consumer about one offer, and what that said at first."""

    request_id: int
    price: float
    prices: PriceTable
    turn: int = 0


class Selling:
    """The side of a supplier."""

    def __init__(self) -> None:
        self.terms = Terms()
        self.agreed = self.failed = 0
        self._talks: dict[str, _Talk] = {}

    def hear(self, offer: Promise | None, price: float, counter: Counter, wall_s: float) -> bool:
        """A consumer bids for its offer, whose price is `price` if it has no table; whether the offer has
        changed. What belongs to no open offer, or is out of turn, changes nothing."""
        rounds = self.terms.rounds
        if not rounds or offer is None or offer.committed or offer.key != counter.request_id:
            return False
        talk = self._talks.get(offer.consumer)
        if talk is None or talk.request_id != offer.key:
            self._talks.pop(offer.consumer, None)
            while len(self._talks) >= _TALKS:
                del self._talks[next(iter(self._talks))]
            now = offer.prices[0].price if offer.prices else price
            talk = self._talks[offer.consumer] = _Talk(offer.key, now, offer.prices)
        if counter.round != talk.turn or talk.turn >= rounds:
            return False
        talk.turn += 1
        asks = round(self.terms.seller(talk.price).at(talk.turn, rounds), _DIGITS)
        if counter.price >= asks and talk.turn < rounds:
            self.agreed += 1
            asks, talk.turn = min(counter.price, talk.price), rounds  # nobody bids more than what was asked
        elif talk.turn >= rounds:  # it ends: the offer stands as it was
            self.failed += 1
            asks = talk.price
        before, offer.prices = offer.prices, _priced(talk, asks, wall_s)
        return before != offer.prices


def _priced(talk: _Talk, price: float, wall_s: float) -> PriceTable:
    """The table of an offer with another price now; that of later slots changes by the same factor."""
    if price == talk.price:
        return talk.prices
    if not talk.prices:
        return (Slot(int(wall_s), price),)
    factor = price / talk.price
    first, *others = (
        Slot(slot.from_s, round(slot.rate * factor, _DIGITS), round(slot.discount * factor, _DIGITS))
        for slot in talk.prices
    )
    return (Slot(first.from_s, price), *others)

"""Lies of the market: a twin of the liar's node that requests, offers and confirms what it does not mean.

It speaks through the space of its node, so the node signs and seals it like any message.
"""

from collections.abc import Iterator
from typing import Any

import orjson

from edge.energy.messages import Answer, Answers, Contract, Offer, Part, Priority, Request, round_w
from edge.energy.parsing import parse_request
from edge.energy.rules import COMPLEMENT, CONFIRM, CONTRACT, MARGIN, OFFER, REQUEST
from edge.space.agent import Bond
from edge.twins.envelope import Later, Writer, public
from edge.twins.twin import Home, Twin

from .grammar import Lie

_LIFE_S = 3
_OFFERS = 7
_POWERS_W = {"zero": 0.0, "little": 5.0, "share": 30.0, "all": 1000.0, "huge": 9e6}
_PRIORITIES = {"low": Priority.LOW, "medium": Priority.MEDIUM, "high": Priority.HIGH}
_read_request = public(parse_request)
Shown = dict[tuple[str, str], bytes]


class LyingTwin(Twin):
    """One twin that plays the active lies, again and again."""

    kind = "prosumer"
    wants = (REQUEST, OFFER, CONTRACT, COMPLEMENT, CONFIRM)

    def __init__(self, name: str, home: Home) -> None:
        super().__init__(name, home)
        self._writer = Writer(self.name, home.trust, home.clock)
        self._requests: dict[str, Request] = {}
        self._contracts: dict[tuple[str, str], Contract] = {}  # with it, by consumer and label
        self._offers: dict[str, Offer] = {}  # to it, by supplier
        self._suppliers: dict[str, None] = {}  # all that ever offered it something
        self._number = 1
        self._shown: Shown = {}

    def bonded(self, bond: Bond) -> None:
        """Remember what others say."""
        if bond.origin == self.home.node:
            return
        if bond.label == REQUEST:
            _put(self._requests, bond.name, _read_request(bond))
        elif bond.label == OFFER:
            _put(self._offers, bond.name, self.home.reader.offer(bond))
            self._suppliers[bond.name] = None
        elif bond.label in (CONTRACT, COMPLEMENT):
            contract = self.home.reader.contract(bond)
            if not isinstance(contract, Later):
                mine = contract if contract and contract.part_of(self.name) else None
                _put(self._contracts, (bond.name, bond.label), mine)

    def decayed(self, name: str, life_s: int) -> None:
        """Forget who has left."""
        self._requests.pop(name, None)
        self._offers.pop(name, None)

    def play(self, lies: list[Lie]) -> None:
        """Publish what these lies say now, and nothing else."""
        self._number += 1
        shown: Shown = {}
        for lie in lies:
            shown |= dict(self._play(lie))
        shown = dict(list(shown.items())[:9])
        for label, query in self._shown.keys() - shown.keys():
            self.withdraw(label, query)
        for (label, query), value in shown.items():
            self.submit(label, value, query, life_s=_LIFE_S)
        self._shown = shown
        self.stir()

    def _play(self, lie: Lie) -> Iterator[tuple[tuple[str, str], bytes]]:
        power_w, priority = _POWERS_W[lie.field], _PRIORITIES[lie.value]
        match lie.what:
            case "covet":  # and take no offer
                yield (REQUEST, ""), Request(self._number // 8, max(power_w, 1.0), priority).encode()
            case "hoard" | "renege":  # take every offer, hardly use it; or under a new number each time
                again = 1 if lie.what == "renege" else 16
                number = self._number // again
                yield (REQUEST, ""), Request(number, max(power_w, 1.0), priority, partial=True).encode()
                urgent = priority is Priority.HIGH
                most_w = {n: each.max_w + urgent * each.urgent_w for n, each in self._offers.items()}
                idle = lie.what == "hoard" and self._number % again >= again // 2  # it draws nothing any more
                used = 0.01 if idle else 1 / (1 + MARGIN)
                parts = tuple(Part(n, round_w(w * used), w) for n, w in most_w.items() if w > 0.0)
                parts = parts[:32]
                if parts:
                    contract = Contract(number, self._number, lie.what == "hoard", 3600, priority, parts)
                    yield (CONTRACT, ""), self._writer.contract(CONTRACT, contract)
            case "offer":  # all that is requested, at no price
                for consumer, each in list(self._requests.items())[:_OFFERS]:
                    offer = Offer(each.id, each.power_w, each.power_w, 0)
                    yield from self._sealed(consumer, offer)
            case "confirm" | "deny" | "confuse":
                yield from self._answers(lie.what)
            case "seize":  # contracts that no offer preceded
                suppliers = list(self._suppliers)[:32]
                part_w = max(power_w, 1.0)
                parts = tuple(Part(name, part_w, part_w * (1 + MARGIN)) for name in suppliers)
                if parts:
                    contract = Contract(self._number, 1, True, 3600, priority, parts)
                    yield (CONTRACT, ""), self._writer.contract(CONTRACT, contract)
            case "nonsense":
                wrong: list[Any] = [
                    None,
                    [],
                    {},
                    {"id": -1},
                    {"w": 1e308},
                    {"parts": [[]]},
                    "x" * 6000,
                    [[1, 2, 3]],
                ]
                for label in (REQUEST, OFFER, CONTRACT, COMPLEMENT, CONFIRM):
                    yield (label, ""), orjson.dumps(wrong[self._number % len(wrong)])

    def _sealed(self, consumer: str, offer: Offer) -> Iterator[tuple[tuple[str, str], bytes]]:
        value = self._writer.offer(consumer, offer)
        if value is not None:
            yield (OFFER, consumer), value

    def _answers(self, trick: str) -> Iterator[tuple[tuple[str, str], bytes]]:
        table: Answers = {}
        for (consumer, _), contract in self._contracts.items():
            agreed = trick == "confirm" or self._number % 2 == 0
            table[consumer] = (*table.get(consumer, ()), Answer(contract.id, agreed))
        if trick == "confuse":
            table = {name: (Answer(self._number, True),) for name in list(self._requests)[:20]}
        if table:
            yield (CONFIRM, ""), self._writer.answers(table)


def _put(table: dict, key: object, value: object) -> None:  # type: ignore[type-arg]
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value

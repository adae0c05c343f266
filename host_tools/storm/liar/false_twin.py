"""A twin of the liar that says false words of the market, of negotiations and of gates.

It speaks through the space of its node, so the node signs and seals what it says. What is said in another's
name goes out as a frame of its own, with a signature that does not fit.
"""

import random
from collections.abc import Iterator
from contextlib import suppress

from edge.energy.day_messages import parse_question
from edge.energy.market_place import DAY_S
from edge.energy.messages import Priority, Request
from edge.energy.parsing import lenient, parse_request
from edge.energy.rules import HOLON, MARKET, MARKET_ASK, OFFER, REQUEST
from edge.space.agent import Bond
from edge.space.errors import ValueTooLarge
from edge.twins.envelope import Writer, public
from edge.twins.market import NAME as MARKET_NAME
from edge.twins.market import TRADER
from edge.twins.twin import Home, Twin

from .claims import Claim
from .grammar import OF_MARKET, Lie
from .words import Heard, Word, words

_LIFE_S = 3
_MOST_SHOWN = 9
_NEED_W = 30.0
_read_request, _read_question = public(parse_request), lenient(parse_question)
Shown = dict[tuple[str, str], bytes]


def speaker(lie: Lie) -> str:
    """The short name of the twin that says a lie."""
    if lie.subject == "invented":
        return "f1"
    if lie.family == "market":
        return MARKET_NAME if lie.what in OF_MARKET else TRADER
    return "f0"


class FalseTwin(Twin):
    """One twin, that of the market or of a trader if the liar has no honest one."""

    kind = "prosumer"
    wants = (MARKET, MARKET_ASK, REQUEST, OFFER, HOLON)

    def __init__(self, name: str, home: Home, rng: random.Random) -> None:
        super().__init__(name, home)
        self._rng = rng
        self._writer = Writer(self.name, home.trust, home.clock)
        self._heard = Heard(home.node)
        self._gates: dict[str, None] = {}  # of others
        self._count = 0
        self._shown: Shown = {}

    def bonded(self, bond: Bond) -> None:
        """Remember what others say."""
        heard = self._heard
        if bond.origin == self.home.node:
            return
        if bond.label == MARKET and bond.name.endswith(f".{MARKET_NAME}"):
            heard.market = bond.name
        elif bond.label == MARKET_ASK and not bond.withdrawn:
            data = bond.read(self.home.reader.whole)
            question = None if data is None else _read_question(data)
            if question:
                heard.questions[bond.name] = question
        elif bond.label == REQUEST:
            _put(heard.requests, bond.name, _read_request(bond))
        elif bond.label == OFFER and bond.query == self.name:
            _put(heard.offers, bond.name, self.home.reader.offer(bond))
        elif bond.label == HOLON:
            self._gates[bond.name] = None

    def decayed(self, name: str, life_s: int) -> None:
        """Forget who has left."""
        self._heard.requests.pop(name, None)
        self._heard.offers.pop(name, None)

    def play(self, lies: list[Lie], others: list[str]) -> list[Claim]:
        """Publish what these lies say now, and nothing else; returns what is said in the name of others.

        `others`: the nodes that the liar knows."""
        self._count += 1
        heard = self._heard
        heard.wall_s = self._clock.wall_s()
        heard.day = int(heard.wall_s // DAY_S)
        heard.traders = [f"{each}.{TRADER}" for each in others]
        shown: Shown = {}
        claims: list[Claim] = []
        for lie in lies:
            if lie.what == "counter":
                need = Request(1 + self._count // 16, _NEED_W, Priority.MEDIUM)
                shown[REQUEST, ""] = need.encode()
            for word in words(lie, heard, self._count, self._rng):
                if lie.subject == "other":
                    claims += self._claimed(lie, word, others)
                elif (value := self._value(self._writer, word)) is not None:
                    shown[word.label, word.reader] = value
        self._publish(dict(list(shown.items())[:_MOST_SHOWN]))
        return claims

    def _publish(self, shown: Shown) -> None:
        for label, query in self._shown.keys() - shown.keys():
            self.withdraw(label, query)
        for (label, query), value in shown.items():
            with suppress(ValueTooLarge):  # it is not sent; other lies are
                self.submit(label, value, query, life_s=_LIFE_S)
        self._shown = shown
        self._writer.forget_all_but(shown)
        self.stir()

    def _claimed(self, lie: Lie, word: Word, others: list[str]) -> Iterator[Claim]:
        """The word in the name of whom it would be believed."""
        if not others:
            return
        twin = f"{self._rng.choice(others)}.{speaker(lie)}"
        if lie.family == "gate" and self._gates:
            twin = self._rng.choice(list(self._gates))
        elif lie.what in OF_MARKET:
            twin = self._heard.market or twin
        value = self._value(Writer(twin, self.home.trust, self._clock), word)
        if value is not None:
            yield Claim(twin, word.label, word.reader, value)

    def _value(self, writer: Writer, word: Word) -> bytes | None:
        return writer.whole(word.label, word.reader, word.plain) if word.reader else word.plain


def _put(table: dict, key: object, value: object) -> None:  # type: ignore[type-arg]
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value

"""Messages between twins as the space holds them: what all may read, and what only its addressee can.

An offer is sealed as a whole for the node of its consumer. A contract has a public stub and a part for the
node of each supplier; a confirmation table has a part for the node of each consumer. So the value of such a
property is public JSON, a zero byte, and then part after part: a tag by which the addressed node finds it, a
length, and what is sealed. Names in a part are those within that node.

A part for a node whose key is not known yet, as after a restart, is missing; an empty part with an empty tag
says so. Its addressee then keeps what it knew.
"""

import math
import struct
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ..clock import Clock
from ..energy.book import node_of
from ..energy.claims import REFUSALS_MAX
from ..energy.messages import Answers, Contract, Offer, Part, encode_answers, encode_parts
from ..energy.parsing import lenient, parse_answers, parse_offer, parse_parts, parse_stub
from ..energy.prices import SLOTS_MAX
from ..energy.rules import CONFIRM, MAX_PARTS, OFFER
from ..space.agent import Bond
from ..trust.trust import SEAL_BYTES, TAG_BYTES, UNKNOWN, Trust, Untrusted

_HEAD = struct.Struct(f">{TAG_BYTES}sH")  # of a part: tag, length
_MISSING = _HEAD.pack(bytes(TAG_BYTES), 0)
_PART_BYTES = _HEAD.size + SEAL_BYTES + 3  # beside its rows: head of the list
_ANSWER_BYTES = 95  # a row: the longest name, an id, a truth value, a limit and a term
_SHARE_BYTES = 84 + 20 * SLOTS_MAX  # a row: the longest name, two powers and a table of prices
_STUB_BYTES = 140
_CHECK_S = 30.0  # a value that did not change is sealed again that soon after a key has changed
T = TypeVar("T")


def longest_value(promises: int, nodes: int) -> int:
    """The longest value that a twin with that many promises may publish in a microgrid of so many nodes."""
    answers = promises + REFUSALS_MAX
    table = _ANSWER_BYTES * answers + _PART_BYTES * min(answers, nodes)
    contract = _STUB_BYTES + _SHARE_BYTES * MAX_PARTS + _PART_BYTES * min(MAX_PARTS, nodes)
    return max(table, contract) + 1 + len(_MISSING)


class Later:
    """The part for this node is still missing."""


LATER = Later()


def public(parse: Callable[[bytes], T]) -> Callable[[Bond], T | None]:
    """Reads a message that all may read; None for an invalid one."""
    return lenient(lambda bond: parse(bond.value()))


def split(value: bytes) -> tuple[bytes, Iterator[tuple[bytes, bytes]]]:
    """The public part of a value, and the tag and sealed bytes of its other parts. They raise ValueError."""
    stub, _, rest = value.partition(b"\0")
    return stub, _parts(rest)


def _parts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        begin = at + _HEAD.size
        if begin > len(data):
            raise ValueError("a part is cut off")
        tag, size = _HEAD.unpack_from(data, at)
        at = begin + size
        if at > len(data):
            raise ValueError("a part is cut off")
        yield tag, data[begin:at]


def context(label: str, author: str, reader: str) -> bytes:
    """What a seal is bound to; different for each pair of nodes."""
    return f"{label} {author} {reader}".encode()


def _within(node: str, name: str) -> str:
    return name.removeprefix(f"{node}.")


class Reader:
    """Reads what others address to the twins of one node. Each function returns None for what is invalid.

    The functions are attributes, so that `Bond.read` knows them again and opens a seal once for all twins.
    """

    def __init__(self, node: str, trust: Trust) -> None:
        self._node = node
        self._trust = trust
        self.offer = lenient(self._offer)
        self.contract: Callable[[Bond], Contract | Later | None] = lenient(self._contract)
        self.answers: Callable[[Bond], Answers | Later | None] = lenient(self._answers)
        self.whole: Callable[[Bond], bytes | None] = lenient(self._whole)
        self.part: Callable[[Bond], bytes | Later | None] = lenient(self._part)

    def _offer(self, bond: Bond) -> Offer:
        return parse_offer(self._open(bond, bond.query, bond.value()))

    def _contract(self, bond: Bond) -> Contract | Later:
        """A contract with those of its parts that this node may read."""
        stub, plain = self._own_part(bond)
        contract = parse_stub(stub)
        if isinstance(plain, Later):
            return plain
        shares = parse_parts(plain) if plain else ()
        return replace(
            contract,
            parts=tuple(replace(each, supplier=f"{self._node}.{each.supplier}") for each in shares),
        )

    def _answers(self, bond: Bond) -> Answers | Later:
        """The answers to the consumers of this node."""
        _, plain = self._own_part(bond)
        if isinstance(plain, Later):
            return plain
        table = parse_answers(plain) if plain else {}
        return {f"{self._node}.{consumer}": answers for consumer, answers in table.items()}

    def _whole(self, bond: Bond) -> bytes:
        """What is sealed as a whole for the node of its addressee."""
        return self._open(bond, bond.query, bond.value())

    def _part(self, bond: Bond) -> bytes | Later:
        """The part for this node; empty without one."""
        return self._own_part(bond)[1]

    def _own_part(self, bond: Bond) -> tuple[bytes, bytes | Later]:
        """The public part, and the plain text of the part for this node; empty without one."""
        stub, parts = split(bond.value())
        try:
            own = self._trust.tags(bond.origin, context(bond.label, bond.name, self._node))
        except Untrusted:  # its author is not known, or no longer: what it says is no news
            return stub, LATER
        found: bytes | Later = b""
        for tag, sealed in parts:
            if tag in own:
                return stub, self._open(bond, self._node, sealed)
            if not any(tag) and bond.origin != self._node:  # which always knows its own key
                found = LATER
        return stub, found

    def _open(self, bond: Bond, reader: str, sealed: bytes) -> bytes:
        try:
            return self._trust.open(bond.origin, context(bond.label, bond.name, reader), sealed)
        except Untrusted as error:
            raise ValueError(str(error)) from None


@dataclass(slots=True)
class _Kept:
    """A message as it was last written."""

    message: object = None
    value: bytes = b""
    checked_s: float = -math.inf
    parts: dict[str, tuple[bytes, bytes, bytes]] = field(default_factory=dict)  # node: tag, plain, sealed
    missing: bool = False


class Writer:
    """Writes the messages of one twin. A part that did not change keeps its sealed bytes."""

    def __init__(self, name: str, trust: Trust, clock: Clock) -> None:
        self.unsealed = 0  # parts that were not written because the key of their reader is not known
        self._name = name
        self._trust = trust
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}

    @property
    def incomplete(self) -> bool:
        """Whether a part is missing, so that it should be written again soon."""
        return any(kept.missing for kept in self._kept.values())

    def offer(self, consumer: str, offer: Offer) -> bytes | None:
        """An offer, sealed for the node of the consumer; None if its key is not known."""
        kept = self._kept.get((OFFER, consumer))
        if kept is None or kept.message != offer:
            bound = context(OFFER, self._name, consumer)
            try:
                sealed = self._trust.seal(node_of(consumer), bound, offer.encode())
            except Untrusted:
                self.unsealed += 1
                return None
            kept = self._kept[OFFER, consumer] = _Kept(offer, sealed)
        return kept.value

    def contract(self, label: str, contract: Contract) -> bytes:
        """The stub of a contract and the parts of its suppliers."""
        kept = self._kept.setdefault((label, ""), _Kept())
        if not self._is_current(kept, contract):
            shares: dict[str, list[Part]] = {}
            for part in contract.parts:
                node = node_of(part.supplier)
                shares.setdefault(node, []).append(replace(part, supplier=_within(node, part.supplier)))
            plain = {node: encode_parts(parts) for node, parts in shares.items()}
            self._write(kept, label, contract, contract.stub(), plain)
        return kept.value

    def answers(self, answers: Answers) -> bytes:
        """A confirmation table, a part for the node of each consumer."""
        kept = self._kept.setdefault((CONFIRM, ""), _Kept())
        if not self._is_current(kept, answers):
            tables: dict[str, Answers] = {}
            for consumer, rows in answers.items():
                node = node_of(consumer)
                tables.setdefault(node, {})[_within(node, consumer)] = rows
            plain = {node: encode_answers(table) for node, table in tables.items()}
            self._write(kept, CONFIRM, answers, b"", plain)
        return kept.value

    def whole(self, label: str, reader: str, plain: bytes) -> bytes | None:
        """A message to one twin, sealed for its node; None if its key is not known."""
        kept = self._kept.get((label, reader))
        if kept is None or kept.message != plain:
            try:
                sealed = self._trust.seal(node_of(reader), context(label, self._name, reader), plain)
            except Untrusted:
                self.unsealed += 1
                return None
            kept = self._kept[label, reader] = _Kept(plain, sealed)
        return kept.value

    def parts(self, label: str, plain: Mapping[str, bytes]) -> bytes:
        """A message with a part for each node."""
        kept = self._kept.setdefault((label, ""), _Kept())
        if not self._is_current(kept, plain):
            self._write(kept, label, plain, b"", plain)
        return kept.value

    def forget_all_but(self, wanted: Container[tuple[str, str]]) -> None:
        """Only these properties, by label and addressee, are still published."""
        for key in [key for key in self._kept if key not in wanted]:
            del self._kept[key]

    def _is_current(self, kept: _Kept, message: object) -> bool:
        recent = self._clock.now_s() < kept.checked_s + _CHECK_S
        return recent and not kept.missing and kept.message == message

    def _write(
        self, kept: _Kept, label: str, message: object, stub: bytes, plain: Mapping[str, bytes]
    ) -> None:
        before, kept.parts, kept.missing = kept.parts, {}, False
        for node, text in plain.items():
            bound = context(label, self._name, node)
            try:
                tag = self._trust.tag(node, bound)
                known = before.get(node)
                if known is None or known[:2] != (tag, text):
                    known = (tag, text, self._trust.seal(node, bound, text))
                kept.parts[node] = known
            except Untrusted as error:
                self.unsealed += 1
                kept.missing |= error.reason == UNKNOWN
        parts = [_HEAD.pack(tag, len(sealed)) + sealed for tag, _, sealed in kept.parts.values()]
        kept.value = b"".join([stub, b"\0", *parts, _MISSING if kept.missing else b""])
        kept.message, kept.checked_s = message, self._clock.now_s()

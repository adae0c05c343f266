"""Requests, offers, contracts and confirmations: what twins say to each other (thesis 4.1.1).

What all may read is JSON. Offers, shares and answers concern only one other party, and twins seal them before
they publish them: those are lists in msgpack, with powers in whole milliwatts. `parsing` reads them back and
rejects what is invalid.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import orjson
from msgspec import msgpack

from .prices import PriceTable, averaged, rows_of
from .rules import MARGIN


def round_w(power_w: float) -> float:
    """A power rounded to whole milliwatts, as in messages."""
    return round(power_w, 3)


def _mw(power_w: float) -> int:
    return round(1000 * power_w)


class Priority(IntEnum):
    """How urgent a request is (thesis 4.1.2). HIGH may interrupt the supply of others."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a consumer, for its whole need or for the part beyond its main contract.

    `alert`: it is unserved although its node could serve it; `alert_s`: for how long, when it was published.
    `spare_w` of the power would only restore the margin of the main contract; the need is met without it.
    With `run_s` it asks for a later span: a run of that length that begins from `begin_in_s` to `latest_in_s`
    after the request was published. (A date would mean nothing while the clock of a node is wrong.)
    `credit_wh` is what its node gives it for what it did for the community; `category` is that of its device,
    if the community lets all know it.
    """

    id: int
    power_w: float
    priority: Priority
    alert: bool = False
    alert_s: float = 0.0
    partial: bool = False  # less than `power_w` is accepted, too
    spare_w: float = 0.0
    run_s: float = 0.0
    begin_in_s: float = 0.0
    latest_in_s: float = 0.0
    credit_wh: float = 0.0
    category: str = ""

    @property
    def least_w(self) -> float:
        """The power that meets the need, in W."""
        return round_w(self.power_w - self.spare_w)

    def encode(self) -> bytes:
        fields: dict[str, Any] = {"id": self.id, "w": self.power_w, "prio": self.priority}
        if self.spare_w:
            fields["spare"] = self.spare_w
        if self.partial:
            fields["part"] = True
        if self.credit_wh:
            fields["credit"] = round(self.credit_wh, 2)
        if self.category:
            fields["cat"] = self.category
        if self.alert:
            fields["alert_s"] = round(self.alert_s, 1)
        if self.run_s:
            fields |= {"run_s": self.run_s, "begin_in_s": self.begin_in_s, "latest_in_s": self.latest_in_s}
        return orjson.dumps(fields)


@dataclass(frozen=True, slots=True)
class Offer:
    """A supplier's offer to one request.

    `max_w` is reserved; `urgent_w` more would be available by interrupting others. `impact` is the
    environmental impact (low is green); `price` is per kWh, in the currency of the community,
    and `prices` the table that it begins, if there is one. The run of a request for a later span can begin in
    `in_s`.
    """

    request_id: int
    power_w: float
    max_w: float
    impact: int
    price: float = 0.0
    urgent_w: float = 0.0
    in_s: float = 0.0
    prices: PriceTable = ()

    def encode(self) -> bytes:
        row: list[Any] = [self.request_id, _mw(self.power_w), _mw(self.max_w), self.impact]
        if self.price or self.urgent_w or self.in_s or self.prices:
            row += self.price, _mw(self.urgent_w)
        if self.in_s or self.prices:
            row.append(self.in_s)
        return msgpack.encode([*row, rows_of(self.prices)] if self.prices else row)


@dataclass(frozen=True, slots=True)
class Part:
    """One supplier's share of a contract: the power in use and the power reserved, and its prices if it has a
    table."""

    supplier: str
    power_w: float
    max_w: float
    prices: PriceTable = ()

    def row(self) -> list[Any]:
        """Its row in the list of shares that its consumer keeps."""
        return self._row(self.power_w, self.max_w)

    def row_mw(self) -> list[Any]:
        """Its row in what its supplier reads."""
        return self._row(_mw(self.power_w), _mw(self.max_w))

    def _row(self, power: float, most: float) -> list[Any]:
        row = [self.supplier, power, most]
        return [*row, rows_of(self.prices)] if self.prices else row


def encode_parts(parts: Iterable[Part]) -> bytes:
    """Shares of a contract, for the node of their suppliers."""
    return msgpack.encode([part.row_mw() for part in parts])


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract between a consumer and its suppliers; `valid` once all of them have confirmed.

    It ends `ttl_s` after it became valid, or after its last renewal: `term` counts those. The consumer knows
    all `parts`, everybody else only those of suppliers on the own node. A contract for a later span begins
    `in_s` after it was made; power flows once its consumer states it without that.
    """

    id: int
    revision: int
    valid: bool
    ttl_s: int
    priority: Priority
    parts: tuple[Part, ...]
    term: int = 0
    in_s: int = 0

    @property
    def power_w(self) -> float:
        """The power in use, in W."""
        return sum(part.power_w for part in self.parts)

    @property
    def max_w(self) -> float:
        """The most the consumer may draw, in W."""
        return sum(part.max_w for part in self.parts)

    @property
    def agreed_w(self) -> float:
        """The agreed power: the reserved power without the margin, in W."""
        return self.max_w / (1 + MARGIN)

    def part_of(self, supplier: str) -> Part | None:
        """The share of a supplier, or None."""
        return next((part for part in self.parts if part.supplier == supplier), None)

    def use(self, power_w: float, shrink: bool) -> "Contract":
        """The contract restated for a use of `power_w`; `shrink` returns the reserve beyond its margin."""
        ratio = power_w / self.power_w
        left_w = power_w
        parts = []
        for part in self.parts:
            share_w = min(round_w(part.power_w * ratio), part.max_w)
            parts.append(replace(part, power_w=share_w))
            left_w -= share_w
        for i, part in enumerate(parts):  # what exceeds one supplier's limit goes to the others
            extra_w = max(0.0, min(round_w(left_w), part.max_w - part.power_w))
            left_w -= extra_w
            share_w = round_w(part.power_w + extra_w)
            max_w = min(part.max_w, round_w(share_w * (1 + MARGIN))) if shrink else part.max_w
            parts[i] = replace(part, power_w=share_w, max_w=max_w)
        return self._restated(parts)

    def merged(self, other: "Contract") -> "Contract":
        """The contract with the shares of a complementary one added, supplier by supplier (thesis 4.2)."""
        parts = {part.supplier: part for part in self.parts}
        for part in other.parts:
            own = parts.get(part.supplier)
            if own:
                power_w, max_w = round_w(own.power_w + part.power_w), round_w(own.max_w + part.max_w)
                tables = ((own.prices, own.power_w), (part.prices, part.power_w))
                part = replace(part, power_w=power_w, max_w=max_w, prices=averaged(tables, 0.0))
            parts[part.supplier] = part
        return self._restated(parts.values())

    def curtailed(self, supplier: str, max_w: float) -> "Contract":
        """The contract with the share of one supplier reduced to `max_w`."""
        return self._restated(
            replace(part, power_w=min(part.power_w, max_w), max_w=min(part.max_w, max_w))
            if part.supplier == supplier
            else part
            for part in self.parts
        )

    def renewed(self, ttl_s: int) -> "Contract":
        """The contract for another term."""
        return replace(self, revision=self.revision + 1, term=self.term + 1, ttl_s=ttl_s)

    def begun(self) -> "Contract":
        """The contract for a later span, at its begin."""
        return replace(self, revision=self.revision + 1, in_s=0)

    def without(self, supplier: str) -> "Contract":
        """The contract without the share of one supplier."""
        return self._restated(part for part in self.parts if part.supplier != supplier)

    def _restated(self, parts: Iterable[Part]) -> "Contract":
        return replace(self, revision=self.revision + 1, parts=tuple(parts))

    def stub(self) -> bytes:
        """What all may know of it: everything but the shares."""
        return orjson.dumps(self._terms())

    def encode(self) -> bytes:
        """The whole, as its consumer keeps it."""
        return orjson.dumps({**self._terms(), "parts": [part.row() for part in self.parts]})

    def _terms(self) -> dict[str, Any]:
        fields = {"id": self.id, "rev": self.revision, "ok": self.valid, "ttl": self.ttl_s}
        term = {"term": self.term} if self.term else {}
        begin = {"in": self.in_s} if self.in_s else {}
        return {**fields, "prio": self.priority, **term, **begin}


@dataclass(frozen=True, slots=True)
class Answer:
    """A supplier's answer to one contract, as far as it has renewed it: to this `term`.

    It asks the consumer to take at most `limit_w`.
    """

    contract_id: int
    agreed: bool
    limit_w: float = math.inf
    term: int = 0

    def row(self) -> list[int]:
        """Its row in the confirmation table; a limit of 0 is none."""
        row = [self.contract_id, int(self.agreed)]
        limit_mw = 0 if math.isinf(self.limit_w) else _mw(self.limit_w)
        if self.term:
            return [*row, limit_mw, self.term]
        return [*row, limit_mw] if limit_mw else row


Answers = dict[str, tuple[Answer, ...]]  # by consumer


def encode_answers(answers: Answers) -> bytes:
    """A supplier's confirmation table, for the node of these consumers."""
    return msgpack.encode({consumer: [each.row() for each in rows] for consumer, rows in answers.items()})

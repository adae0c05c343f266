"""Target `negotiation`: what members request, claim, confirm and leave unused, step by step.

An input is a list of actions, five bytes each. Every message passes its own parser, as on a node. Afterwards
a supplier and a consumer of this node have kept their invariants, and no record has grown beyond its size: so
claims, usage, urgency and the quota of offers are reached in any order that a liar may think of.
"""

import math
import random
from collections.abc import Iterator
from itertools import islice

from edge.energy.book import node_of
from edge.energy.consumer import Consumer, ConsumerSettings
from edge.energy.invariants import violations
from edge.energy.members import Members
from edge.energy.messages import Answer, Contract, Offer, Part, Priority, Request, encode_parts
from edge.energy.offering import SupplierSettings
from edge.energy.parsing import lenient, parse_contract, parse_offer, parse_parts, parse_request
from edge.energy.policies import consumer_policy, producer_policy
from edge.energy.rules import EPSILON_W, PARTIAL_OFFER_S
from edge.energy.supplier import Supplier

_ACTION_BYTES = 5
_MOST_ACTIONS = 120
_MEMBERS, _MEMBER_W, _PROMISES, _OFFERS = 4, 400.0, 8, 5
_POWERS_W = (0.001, 0.5, 10.0, 30.0, 100.0, 105.0, 250.0, 399.0, 500.0, 1e4, 1e7)
_TIMES_S = (0.0, 0.1, 0.3, 1.0, 2.0, 3.0, PARTIAL_OFFER_S, 8.0, 10.0, 15.0, 60.0, 600.0)
_OWN, _SUPPLIER, _CONSUMER = "own", "own.pv", "own.load"
_POLICIES = ("prioritisation", "fair_share")


class Broken(AssertionError):
    """An invariant does not hold."""


class _Market:
    def __init__(self, how: int) -> None:
        rng = random.Random(how)
        self.now_s = 0.0
        self.members = Members(_OWN, size=_MEMBERS, member_w=_MEMBER_W, urgent_share=0.25)
        self.supplier = Supplier(
            _SUPPLIER,
            SupplierSettings(impact=3, price=0.0, promises=_PROMISES, offers=_OFFERS),
            producer_policy(_POLICIES[how % len(_POLICIES)], rng),
            rng,
            self.members,
        )
        self.supplier.set_capacity(500.0)
        numbers = iter(range(1, 10**6))
        settings = ConsumerSettings(
            priority=Priority.LOW, partial=bool(how & 2), tolerance_s=0.0, contract_s=3600.0, offers=8
        )
        self.consumer = Consumer(
            settings,
            consumer_policy("least_distance"),
            lambda: next(numbers),
            lambda *_: None,
            self.members,
        )

    # ---- what others say: `who` is a twin, the rest are small numbers ------------------------------

    def request(self, who: str, number: int, power: int, kind: int) -> None:
        said = Request(number, _power_w(power), Priority(kind % 3), bool(kind & 4), 9.0, bool(kind & 8))
        self.supplier.see_request(who, lenient(parse_request)(said.encode()), kind % 5, self.now_s)

    def withdraw(self, who: str, number: int, power: int, kind: int) -> None:
        self.supplier.see_request(who, None, 0, self.now_s)

    def contract(self, who: str, number: int, power: int, kind: int) -> None:
        used_w, reserved_w = _power_w(power), _power_w(power + (kind >> 4))
        part = Part(_SUPPLIER if number % 7 else f"{node_of(who)}.pv", used_w, max(used_w, reserved_w))
        said = Contract(number % 16, kind % 4, bool(kind & 1), 60, Priority(kind % 3), (part,))
        heard = lenient(parse_contract)(said.encode())
        lenient(parse_parts)(encode_parts(said.parts))
        self.supplier.see_contract(who, bool(kind & 8), heard, kind % 5)

    def end(self, who: str, number: int, power: int, kind: int) -> None:
        self.supplier.see_contract(who, bool(kind & 8), None, 0)

    def leave(self, who: str, number: int, power: int, kind: int) -> None:
        self.supplier.lost(who)

    def offer(self, who: str, number: int, power: int, kind: int) -> None:
        power_w = _power_w(power)
        said = Offer(number, power_w, power_w * 1.05, kind % 10, kind / 100, _power_w(kind))
        self.consumer.see_offer(who, lenient(parse_offer)(said.encode()), kind % 5, self.now_s)

    def answer(self, who: str, number: int, power: int, kind: int) -> None:
        limit_w = _power_w(power) if kind & 2 else math.inf
        answer = Answer(number, bool(kind & 1), limit_w)
        self.consumer.see_answers(who, (answer,) if kind & 4 else ())

    def plan(self, who: str, number: int, power: int, kind: int) -> None:
        run_s = 60.0 * (1 + kind)
        said = Request(number, _power_w(power), Priority(kind % 3), run_s=run_s, latest_in_s=3600.0)
        self.supplier.see_request(who, lenient(parse_request)(said.encode()), kind % 5, self.now_s)

    # ---- what the node itself does -----------------------------------------------------------------

    def need(self, who: str, number: int, power: int, kind: int) -> None:
        self.consumer.set_need(_power_w(power) if kind & 1 else 0.0)

    def capacity(self, who: str, number: int, power: int, kind: int) -> None:
        self.supplier.set_capacity(_power_w(power) if kind & 1 else 500.0)

    def wait(self, who: str, number: int, power: int, kind: int) -> None:
        self.now_s += _TIMES_S[kind % len(_TIMES_S)]

    def restart(self, who: str, number: int, power: int, kind: int) -> None:
        self.members.recall(self.members.memory(self.now_s), self.now_s)

    def step(self) -> None:
        """Both sides act, and what must hold is checked."""
        self.supplier.step(self.now_s)
        self.consumer.step(self.now_s)
        for line in violations("own", self.consumer, self.supplier, self.now_s):
            raise Broken(line)
        held_w: dict[str, float] = {}
        for each in self.supplier.book:
            held_w[node_of(each.consumer)] = held_w.get(node_of(each.consumer), 0.0) + each.max_w
        for node, power_w in held_w.items():
            if node != _OWN and power_w > 1.05 * _MEMBER_W + _PROMISES * EPSILON_W:
                raise Broken(f"{node} holds {power_w:.3f} W of at most {_MEMBER_W:g}")
        if sum(1 for _ in self.members) > _MEMBERS or len(self.supplier.book) > _PROMISES + _OFFERS:
            raise Broken("records have grown beyond their size")


_ACTIONS = (
    _Market.request,
    _Market.withdraw,
    _Market.contract,
    _Market.end,
    _Market.leave,
    _Market.offer,
    _Market.answer,
    _Market.plan,
    _Market.need,
    _Market.capacity,
    _Market.wait,
    _Market.restart,
)


def _power_w(number: int) -> float:
    return _POWERS_W[number % len(_POWERS_W)]


def run(data: bytes) -> None:
    """Play one input."""
    market = _Market(data[0] if data else 0)
    rows = (data[at : at + _ACTION_BYTES] for at in range(1, len(data) - _ACTION_BYTES + 1, _ACTION_BYTES))
    for what, who, number, power, kind in islice(rows, _MOST_ACTIONS):
        node = "abcdefg"[who % 7] if who & 64 else _OWN
        _ACTIONS[what % len(_ACTIONS)](market, f"{node}.t{who >> 3 & 7}", number, power, kind)
        if not what & 128:  # several things at once
            market.step()
    market.now_s += 30.0
    market.step()


def seeds() -> Iterator[bytes]:
    """A contract from request to end, a hoard, an interruption, and one side of a purchase."""
    request, withdraw, contract, end, leave, offer, answer, plan, need, capacity, wait, _ = range(12)
    who, other = 64 | 1, 64 | 2
    pending = [(request, who, 1, 4, 0), (wait, 0, 0, 0, 2), (contract, who, 1, 4, 16), (wait, 0, 0, 0, 3)]
    valid = [*pending, (contract, who, 1, 4, 17), (wait, 0, 0, 0, 8)]
    hoard = [*valid, (contract, who, 1, 1, 0x31), (end, who, 0, 0, 0), (leave, who, 0, 0, 0)]
    urgent = [*valid, (request, other, 2, 6, 2), (wait, 0, 0, 0, 3), (contract, other, 2, 6, 18)]
    less = [*urgent, (wait, 0, 0, 0, 11), (withdraw, who, 0, 0, 0), (capacity, 0, 0, 3, 1)]
    asked = [(need, 0, 0, 4, 1), (wait, 0, 0, 0, 3), (offer, who, 1, 4, 3), (wait, 0, 0, 0, 3)]
    bought = [*asked, (answer, who, 1, 0, 5), (wait, 0, 0, 0, 9), (need, 0, 0, 2, 1), (plan, who, 1, 4, 1)]
    for how, actions in ((0, hoard), (0, less), (1, bought), (3, bought)):
        yield bytes([how]) + b"".join(map(bytes, actions))

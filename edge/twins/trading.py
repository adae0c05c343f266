"""A twin that trades: it has a consumer and a supplier in the market of its microgrid (thesis 4.1.2).

It carries messages between the tuple space and these two: nothing here decides about energy, and nothing in
`edge/energy` knows LSAs. What it needs and can give is told by those who derive from it.
"""

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from ..energy.consumer import Consumer
from ..energy.events import Cause
from ..energy.invariants import violations
from ..energy.memory import recall_market, written_market
from ..energy.messages import Answers, Contract, Request
from ..energy.parsing import parse_request
from ..energy.plans import Plan
from ..energy.policies import consumer_policy, producer_policy
from ..energy.rules import COMPLEMENT, CONFIRM, CONTRACT, COUNTER, HOLON, LEFT, OFFER, PROD, REQUEST, UPWARD
from ..energy.supplier import Supplier
from ..energy.surplus import Surplus, encode_left, near, parse_surplus
from ..energy.totals import Share
from ..space.agent import Bond
from .addressing import Shown, around, towards
from .chronicle import Chronicle
from .envelope import Later, Writer, public
from .needs import WaitBesideFree
from .posting import Posting, Properties
from .settings import TwinSettings
from .trade import consumer_settings, haggling_of, supplier_settings
from .twin import Home, Twin

if TYPE_CHECKING:
    from ..space.engine import Engine

read_request, _read_surplus = public(parse_request), public(parse_surplus)
_NOTE_S = 60.0  # free power is noted once a minute, for the forecast
_SEAL_AGAIN_S = 1.0  # while the key of a partner is not known
_GATES_MAX = 64  # no setting: as many as a microgrid should have nodes
T = TypeVar("T")


class TradingTwin(Twin):
    """One member of the market of its microgrid."""

    tells_left = True  # what it has left is for whoever asks first

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        super().__init__(settings.name, home)
        self.settings = settings
        self._chronicle = Chronicle(self)
        self.events = self._chronicle.events
        self._next_id = rng.getrandbits(40) >> 8  # short ones, since each offer and answer names one
        self._rng = rng
        self._enter_market()
        wants = [REQUEST, CONTRACT, COMPLEMENT] if settings.supplies else []
        wants += [HOLON]
        wants += [OFFER, CONFIRM] if settings.consumes else []
        wants += [COUNTER] if self._haggling else []
        self.wants = tuple(wants)
        self.refused_messages = 0
        self.acted = True
        self.changes = 0  # counts up when what it draws, gives, requests, offers or has agreed may be another
        self._due_s = 0.0
        self._waiting = WaitBesideFree()
        self._gates: dict[str, bool] = {}  # whether they lead to the parent
        self._left_w = 0.0  # as last told

    def _enter_market(self) -> None:
        """Begin without contracts, requests and offers."""
        settings = self.settings
        self.consumer = Consumer(
            consumer_settings(settings, self.home),
            consumer_policy(settings.consumer_policy),
            self._id,
            self._chronicle.contract,
            self.home.members,
        )
        policy = producer_policy(settings.producer_policy, self._rng)
        self._writer = Writer(self.name, self.home.trust, self._clock)
        self.supplier = Supplier(
            self.name, supplier_settings(settings, self.home), policy, self._rng, self.home.members
        )
        self._posting = Posting(self)
        self._haggling = haggling_of(self)

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id

    def adjust(self, settings: TwinSettings) -> None:
        """Other settings hold from now on, of its requests and offers. Contracts go on."""
        self.settings = settings
        self.consumer.adjust(
            consumer_settings(settings, self.home), consumer_policy(settings.consumer_policy)
        )
        policy = producer_policy(settings.producer_policy, self._rng)
        self.supplier.adjust(supplier_settings(settings, self.home), policy)
        if self._haggling:
            self._haggling.follow()

    def joined(self, engine: "Engine") -> None:
        super().joined(engine)
        if self.events.total:  # from before it had an LSA
            self._chronicle.publish()

    def left(self) -> None:
        """Without an LSA nobody knows its contracts any more, so they end."""
        super().left()
        self.consumer.stop()
        self.supplier.stop()
        self._enter_market()
        self.changes += 1

    # ---- what it is told ----------------------------------------------------------------------

    def bonded(self, bond: Bond) -> bool | None:
        label, now_s = bond.label, self._clock.now_s()
        if label == REQUEST:
            request = self._message(bond, read_request)
            return self.supplier.see_request(bond.name, request, bond.hops, now_s)
        if label in (CONTRACT, COMPLEMENT):
            contract: Contract | Later | None = self._message(bond, self.home.reader.contract)
            if not isinstance(contract, Later):
                return self.supplier.see_contract(bond.name, label == COMPLEMENT, contract, bond.hops)
        elif label == OFFER:
            offer = self._message(bond, self.home.reader.offer)
            self.consumer.see_offer(bond.name, offer, bond.hops, now_s)
        elif label == CONFIRM:
            if not self.consumer.deals_with(bond.name):
                return False  # every consumer sees the answers to all
            answers: Answers | Later = self._message(bond, self.home.reader.answers) or {}
            if not isinstance(answers, Later):
                self.consumer.see_answers(bond.name, answers.get(self.name, ()))
        elif label == HOLON:
            return self._hear_of_gate(bond.name, self._message(bond, _read_surplus))
        elif label == COUNTER and self._haggling:
            return self._haggling.hear(bond)
        return None

    def _hear_of_gate(self, name: str, hidden: Surplus | None) -> bool:
        known = name in self._gates
        if hidden is None:
            self._gates.pop(name, None)
        elif known or len(self._gates) < _GATES_MAX:
            self._gates[name] = hidden.up
        return known == (hidden is None)

    def _message(self, bond: Bond, parse: Callable[[Bond], T]) -> T | None:
        if bond.withdrawn:
            return None
        message = bond.read(parse)
        self.refused_messages += message is None
        return message

    def decayed(self, name: str, life_s: int) -> None:
        if name != self.name:
            self._gates.pop(name, None)
            self.consumer.lost(name)
            self.supplier.lost(name)
            return
        self._drop_forgotten()
        if self._clock.now_s() >= self._due_s:
            self.stir()

    def _drop_forgotten(self) -> None:
        """A promise from before a restart ends when its consumer is seen and shows no contract.

        Where contracts go by themselves, what is seen of a consumer says nothing of them.
        """
        if self.home.request_hops:
            return
        for consumer in self.supplier.unshown():
            handle = self.space.find(consumer)
            if handle and not any(self.space.read(handle, label) for label in (CONTRACT, COMPLEMENT)):
                self.supplier.see_contract(consumer, False, None, 0)

    def see_free(self, free_w: float) -> None:
        now_s = self._clock.now_s()
        self.consumer.see_free(free_w, now_s)
        self._waiting.see(self.consumer.missing_w, free_w, now_s)

    # ---- what it does -------------------------------------------------------------------------

    @property
    def disabled(self) -> bool:
        """Whether a stop order is in force."""
        return False

    @property
    def _ends_s(self) -> float:
        """The end of what it requests and produces (monotonic clock); inf without one."""
        return math.inf

    def _planned(self) -> Plan | None:
        """What it will need later, while it needs nothing now."""
        return None

    def act(self) -> None:
        now_s = self._clock.now_s()
        self.acted = True
        self.changes += 1
        if self.settings.consumes:
            self.consumer.planned = self._planned()
            self.consumer.step(now_s)
            self._chronicle.request(self.consumer, Cause.DEVICE, self._ends_s)
        if self.settings.supplies:
            self.supplier.sold = self.home.sold.aside_of(self.supplier) if self.home.sold else None
            self.supplier.step(now_s, None if self.disabled else self.home.civil_s())
            if not self.unknown:
                self.supplier.note_free(self.home.civil_s() if self.home.date.settled else None)
        self._due_s = min(self.consumer.due_s, self.supplier.due_s, now_s + _NOTE_S)
        self._posting.publish(self._wanted())
        if conditions := self.supplier.settings.conditions:
            due_s = conditions.due_s(now_s, self.supplier.book, self.supplier.capacity_w)
            self._due_s = min(self._due_s, due_s)
        if self._writer.incomplete:
            self._due_s = min(self._due_s, now_s + _SEAL_AGAIN_S)

    @property
    def wake_s(self) -> float:
        return min(self.consumer.wake_s, self.supplier.wake_s)

    def _wanted(self) -> Properties:
        """What its LSA should show: the messages of consumer and supplier."""
        wanted: Properties = {}
        hops = self.home.request_hops
        consumer, supplier, writer = self.consumer, self.supplier, self._writer
        if consumer.request:
            self._show_request(consumer.request, wanted)
        if consumer.main:
            parties = consumer.concerned(consumer.main)
            wanted[CONTRACT, ""] = towards(writer.contract(CONTRACT, consumer.main), hops, parties)
        if consumer.extra:
            parties = consumer.concerned(consumer.extra)
            wanted[COMPLEMENT, ""] = towards(writer.contract(COMPLEMENT, consumer.extra), hops, parties)
        for name, offer in supplier.offers().items():
            life_s = math.ceil(supplier.offer_until_s(name) - self._clock.now_s())
            if (sealed := writer.offer(name, offer)) is not None:
                wanted[OFFER, name] = towards(sealed, hops, [name], max(1, life_s))
        answers = supplier.answers()
        if answers:
            wanted[CONFIRM, ""] = towards(writer.answers(answers), hops, answers)
        if (conditions := supplier.settings.conditions) and supplier.capacity_w:
            wanted[PROD, ""] = Shown(
                conditions.shown(supplier.book, supplier.capacity_w, self._clock.now_s())
            )
        if self._gates and self.tells_left:
            left_w = max(0.0, supplier.capacity_w - supplier.committed_w)
            if not near(left_w, self._left_w):
                self._left_w = left_w
            if self._left_w:
                wanted[LEFT, ""] = towards(encode_left(self._left_w), hops, self._gates)
        if self._haggling:
            self._haggling.show(wanted, writer)
        writer.forget_all_but(wanted)
        return wanted

    def _show_request(self, request: Request, wanted: Properties) -> None:
        credits, community, hops = self.home.credits, self.home.community, self.home.request_hops
        credit_wh = credits.of(self.name) if credits else 0.0
        category = self.settings.category if community and community.data == "open" else ""
        value = replace(request, credit_wh=credit_wh, category=category).encode()
        wanted[REQUEST, ""] = around(value, hops, self.consumer.request_hops)
        up = [gate for gate, leads_up in self._gates.items() if leads_up]
        if hops and up and not request.run_s:  # a request for a later span does not pass a gate
            wanted[UPWARD, ""] = towards(value, hops, up)

    # ---- what it shows ------------------------------------------------------------------------

    @property
    def free_w(self) -> float:
        return self.supplier.capacity_w - self.supplier.committed_w if self.settings.supplies else 0.0

    @property
    def unserved(self) -> bool:
        return self.consumer.unserved_since_s is not None

    @property
    def validated(self) -> int:
        """The number of contracts that it validated."""
        return self._chronicle.validated

    @property
    def validated_across(self) -> int:
        """The number of those with a supplier on another node."""
        return self._chronicle.validated_across

    @property
    def unsealed_parts(self) -> int:
        """Parts of messages that were not published, because the key of their reader is not known."""
        return self._writer.unsealed

    def share(self) -> Share:
        return Share(
            self.consumer.need_w,
            self.supplier.capacity_w,
            self.consumer.supplied_w,
            self.supplier.supplied_w,
            self.supplier.committed_w,
            self.supplier.offered_w,
        )

    def memory(self) -> dict[str, Any]:
        return written_market(self.consumer, self.supplier)

    def recall(self, memory: dict[str, Any]) -> None:
        """Continue the contracts from before a restart, until the other sides confirm or refuse them.

        Raises ValueError, KeyError or TypeError if `memory` did not write it; then nothing is continued.
        """
        consumer = self.consumer if self.settings.consumes else None
        supplier = self.supplier if self.settings.supplies else None
        recall_market(memory, consumer, supplier, self._clock.now_s())

    def _restored(self, memory: Any) -> bool:
        """Whether contracts from before a restart are continued."""
        try:
            self.recall(memory)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return False
        return bool(self.consumer.contracts or len(self.supplier.book))

    def violations(self) -> list[str]:
        broken = violations(self.name, self.consumer, self.supplier, self._clock.now_s())
        if not self.handle and (self.consumer.contracts or len(self.supplier.book)):
            broken.append(f"I9 {self.name} holds contracts without an LSA")
        return broken

    def troubles(self) -> Iterable[tuple[str, str]]:
        if not self.handle:
            yield "twin_absent", f"twin {self.name} has lost its LSA; it is added again"
        if (place := self.settings.prices_from) and (trouble := self.home.prices(place).trouble):
            yield "prices_unknown", f"{self.short_name} sells at its fixed prices: {trouble}"
        if self.unserved and self._waiting.is_long(self._clock.now_s()):
            missing_w, free_w = round(self.consumer.missing_w), round(self._waiting.free_w)
            text = f"{self.short_name} lacks {missing_w} W though {free_w} W are free on this node"
            yield "need_unserved", text

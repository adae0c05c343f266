"""The prosumer twin: the face of one device, which consumes, produces, or both at once (thesis 3.2.2, 4.1).

It carries what its consumer and its supplier have to say to the tuple space and back: nothing here
decides about energy, and nothing in `edge/energy` knows of LSAs.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..clock import Clock
from ..energy.consumer import Consumer
from ..energy.events import EventKind, EventLog
from ..energy.messages import (
    Contract,
    Priority,
    encode_answers,
    lenient,
    parse_answers,
    parse_contract,
    parse_offer,
    parse_request,
)
from ..energy.policies import consumer_policy, producer_policy
from ..energy.rules import (
    CONFIRM,
    CONTRACT,
    CONTRACT_S,
    DISABLED_S,
    EPSILON_W,
    EVENT,
    OFFER,
    OFFER_VALIDITY_S,
    REQUEST,
    STOP,
    with_margin,
)
from ..energy.supplier import Promise, State, Supplier
from ..energy.totals import Share
from ..space.agent import Agent, Bond

_read_request = lenient(parse_request)
_read_offer = lenient(parse_offer)
_read_contract = lenient(parse_contract)
_read_answers = lenient(parse_answers)
_EVENT_LIFE_S = 5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProsumerSettings:
    """What a prosumer twin is told about itself. `supplies` and `consumes` may both be true."""

    name: str
    consumes: bool = True
    supplies: bool = False
    priority: Priority = Priority.LOW
    impact: int = 3  # environmental: 2 for sun, wind, water; 3 for the rest
    producer_policy: str = "prioritisation"
    consumer_policy: str = "green_near"
    promises_max: int = 64
    offers_max: int = 8
    contract_s: float = CONTRACT_S
    disabled_s: float = DISABLED_S


class ProsumerTwin(Agent):
    """One device on the market of its microgrid."""

    kind = "prosumer"

    def __init__(
        self, node: str, settings: ProsumerSettings, clock: Clock, rng: random.Random,
        switch: Callable[[bool], None] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(f"{node}.{settings.name}")
        self.settings = settings
        self._clock = clock
        self._switch = switch  # the relay of the device, when it has one
        self._next_id = rng.getrandbits(40)
        self.consumer = Consumer(
            self.name, consumer_policy(settings.consumer_policy), self._id, priority=settings.priority,
            offers_max=4 * settings.offers_max, contract_s=settings.contract_s,
        )  # fmt: skip
        self.supplier = Supplier(
            self.name, producer_policy(settings.producer_policy), rng, impact=settings.impact,
            promises_max=settings.promises_max, offers_max=settings.offers_max,
        )  # fmt: skip
        wants = [STOP]
        wants += [REQUEST, CONTRACT] if settings.supplies else []
        wants += [OFFER, CONFIRM] if settings.consumes else []
        self.wants = tuple(wants)
        self.events = EventLog()
        self.disabled_until_s = 0.0
        self.refused_messages = 0
        self.response_s = math.nan  # of the last request: until its contract was valid
        self.validated = 0
        self.validated_across = 0
        self._published: dict[tuple[str, str], bytes] = {}
        self._contract_seen: Contract | None = None
        self._measured_w = (0.0, 0.0)
        self._role = (False, False)
        self._asked_s: float | None = None

    # ---- what the device says -----------------------------------------------------------------

    def measured(self, consumed_w: float, produced_w: float) -> None:
        """The device draws and gives that much now, in W."""
        self._measured_w = consumed_w, produced_w
        if self.disabled:
            consumed_w = produced_w = 0.0
        role = (consumed_w > 0, produced_w > 0)
        if any(self._role) and any(role) and role != self._role:
            self._note(EventKind.SWITCH, "prosumer", consumed_w - produced_w)
        self._role = role
        if self.settings.consumes:
            self.consumer.set_need(consumed_w)
            self.consumer.step(
                self._clock.now_s()
            )  # a contract never gives more than is needed, not even now
        if self.settings.supplies:
            before_w = self.supplier.capacity_w
            self.supplier.set_capacity(produced_w)
            self._note_production(before_w, self.supplier.capacity_w)

    @property
    def disabled(self) -> bool:
        """Whether a stop order still holds."""
        return self._clock.now_s() < self.disabled_until_s

    def disable(self) -> None:
        """Obey a stop order: end all contracts and cut the device off for a while."""
        self.disabled_until_s = self._clock.now_s() + self.settings.disabled_s
        self.consumer.stop()
        self.supplier.stop()
        self.supplier.set_capacity(0.0)
        self._note(EventKind.STOP, "prosumer", 0.0)
        if self._switch:
            self._switch(False)

    # ---- notifications ------------------------------------------------------------------------

    def bonded(self, bond: Bond) -> None:
        label, now_s = bond.label, self._clock.now_s()
        if label == REQUEST:
            self.supplier.see_request(bond.name, self._message(bond, _read_request), bond.hops, now_s)
        elif label == CONTRACT:
            self.supplier.see_contract(bond.name, self._message(bond, _read_contract), bond.hops, now_s)
        elif label == OFFER:
            self.consumer.see_offer(bond.name, self._message(bond, _read_offer), bond.hops, now_s)
        elif label == CONFIRM:
            answers = self._message(bond, _read_answers) or {}
            self.consumer.see_answer(bond.name, answers.get(self.name))
        elif label == STOP and bond.hops == 0 and not bond.withdrawn:
            self.disable()  # only a twin of this node may order it

    def decayed(self, name: str, life_s: int) -> None:
        if name != self.name:
            self.consumer.lost(name)
            self.supplier.lost(name)
            return
        self._drop_forgotten()
        if self.disabled_until_s and not self.disabled:
            self.disabled_until_s = 0.0
            self.measured(*self._measured_w)
            if self._switch:
                self._switch(True)

    def act(self) -> None:
        now_s = self._clock.now_s()
        if self.settings.consumes:
            self.consumer.step(now_s)
            self._watch_contract(now_s)
        if self.settings.supplies:
            self.supplier.step(now_s)
        self._publish(now_s)

    # ---- what others ask of it ----------------------------------------------------------------

    def share(self) -> Share:
        """What it adds to the six variables of its node."""
        return Share(
            self.consumer.need_w, self.supplier.capacity_w, self.consumer.supplied_w,
            self.supplier.supplied_w, self.supplier.reserved_w,
        )  # fmt: skip

    def memory(self) -> dict[str, Any]:
        """What must survive a restart; `recall` takes it back."""
        consumer, supplier = self.consumer, self.supplier
        promises = {
            name: [each.key, each.power_w, each.max_w, each.priority]
            for name, each in supplier.promises.items()
            if each.state is State.VALID
        }
        contract = consumer.contract.encode().decode() if consumer.contract and consumer.satisfied else None
        return {
            "need_w": consumer.need_w if contract else 0.0,
            "capacity_w": supplier.capacity_w if promises else 0.0,
            "contract": contract,
            "promises": promises,
        }

    def recall(self, memory: dict[str, Any]) -> None:
        """Take up the contracts from before a restart, until the other sides confirm or deny them.

        Raises ValueError, KeyError or TypeError for what `memory` never wrote; then nothing is taken up.
        """
        now_s = self._clock.now_s()
        contract = parse_contract(memory["contract"].encode()) if memory["contract"] else None
        promises = {
            str(name): Promise(State.PENDING, int(key), float(power_w), float(max_w), 0.0, int(priority), 0)
            for name, (key, power_w, max_w, priority) in memory["promises"].items()
        }
        need_w, capacity_w = float(memory["need_w"]), float(memory["capacity_w"])
        if contract and self.settings.consumes:
            self.consumer.set_need(need_w)
            self.consumer.restore(contract, now_s)
        if self.settings.supplies:
            self.supplier.set_capacity(capacity_w)
            self.supplier.restore(promises, now_s)

    def violations(self) -> list[str]:
        """Which of the invariants I1, I3, I4 do not hold right now; empty as it should be."""
        now_s, broken = self._clock.now_s(), []
        supplier, consumer = self.supplier, self.consumer
        if supplier.reserved_w > supplier.capacity_w + 10 * EPSILON_W:
            broken.append(f"I1 {self.name} promised {supplier.reserved_w:.3f} of {supplier.capacity_w:.3f} W")
        if consumer.supplied_w > with_margin(consumer.need_w) + 10 * EPSILON_W:
            broken.append(f"I3 {self.name} gets {consumer.supplied_w:.3f} for {consumer.need_w:.3f} W")
        pending = ((c, p) for c, p in supplier.promises.items() if p.state is not State.VALID)
        late = [consumer for consumer, promise in pending if promise.deadline_s < now_s - 2]
        if late or consumer.confirm_by_s < now_s - 2:
            broken.append(f"I4 {self.name} keeps what should have lapsed: {late}")
        return broken

    # ---- inside -------------------------------------------------------------------------------

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _message(self, bond: Bond, parse: Callable[[bytes], T | None]) -> T | None:
        if bond.withdrawn:
            return None
        message: T | None = bond.read(parse)
        self.refused_messages += message is None
        return message

    def _drop_forgotten(self) -> None:
        """A promise from before a restart ends once its consumer is seen and shows no contract."""
        for consumer in self.supplier.pending():
            handle = self.space.find(consumer)
            if handle and self.space.read(handle, CONTRACT) is None:
                self.supplier.see_contract(consumer, None, 0, self._clock.now_s())

    def _publish(self, now_s: float) -> None:
        """Make the LSA show what consumer and supplier have to say; only differences are submitted."""
        wanted: dict[tuple[str, str], tuple[bytes, int]] = {}
        if self.consumer.request:
            wanted[REQUEST, ""] = self.consumer.request.encode(), 0
        if self.consumer.contract:
            wanted[CONTRACT, ""] = self.consumer.contract.encode(), 0
        for consumer, offer in self.supplier.offers().items():
            wanted[OFFER, consumer] = offer.encode(), math.ceil(OFFER_VALIDITY_S)
        answers = self.supplier.answers()
        if answers:
            wanted[CONFIRM, ""] = encode_answers(answers), 0
        for label, query in [key for key in self._published if key not in wanted]:
            self.withdraw(label, query)
            del self._published[label, query]
        for (label, query), (value, life_s) in wanted.items():
            changed = self._published.get((label, query)) != value
            if changed and self.submit(label, value, query, life_s):
                self._published[label, query] = value

    def _watch_contract(self, now_s: float) -> None:
        """Tell events from what became of the contract."""
        consumer, before = self.consumer, self._contract_seen
        contract = consumer.contract if consumer.satisfied else None
        if consumer.request and self._asked_s is None:
            self._asked_s = now_s
        if contract is before:
            return
        self._contract_seen = contract
        if contract is None:
            kind = EventKind.EXPIRY if consumer.ended == "expiry" else EventKind.STOP
            self._note(kind, "consumer", 0.0)
        elif before is None or before.id != contract.id:
            if self._asked_s is not None:
                self.response_s, self._asked_s = now_s - self._asked_s, None
            self.validated += 1
            node = self.name.split(".")[0]
            self.validated_across += any(part.supplier.split(".")[0] != node for part in contract.parts)
            self._note(EventKind.START, "consumer", contract.power_w)
        else:
            self._note(EventKind.UPDATE, "consumer", contract.power_w)

    def _note_production(self, before_w: float, after_w: float) -> None:
        if before_w == after_w:
            return
        kind = EventKind.START if not before_w else EventKind.STOP if not after_w else EventKind.UPDATE
        self._note(kind, "producer", after_w)

    def _note(self, kind: EventKind, role: str, power_w: float) -> None:
        self.events.note(kind, role, power_w, self._clock.now_s())
        if self.handle:
            self.submit(EVENT, self.events.encode(), life_s=_EVENT_LIFE_S, local=True)

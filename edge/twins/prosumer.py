"""The prosumer twin: the face of one device, which consumes, produces, or both at once (thesis 3.2.2, 4.1).

It carries messages between the tuple space and its consumer and supplier: nothing here decides about energy,
and nothing in `edge/energy` knows LSAs.
"""

import logging
import math
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from ..energy.consumer import Consumer
from ..energy.events import Cause
from ..energy.flows import PowerSource, Supply
from ..energy.invariants import violations
from ..energy.memory import recall_market, written_market
from ..energy.messages import Answers, Contract
from ..energy.parsing import parse_request
from ..energy.plans import encode_starts, parse_plan
from ..energy.policies import consumer_policy, producer_policy
from ..energy.rules import COMPLEMENT, CONFIRM, CONTRACT, OFFER, PLAN, PROD, REQUEST, STARTS, STOP
from ..energy.supplier import Supplier
from ..energy.totals import Share
from ..space.agent import Bond
from .chronicle import Chronicle
from .device import Device
from .envelope import Later, Writer, public
from .needs import WaitBesideFree
from .posting import Posting, Properties
from .settings import TwinSettings
from .trade import consumer_settings, supplier_settings
from .twin import Home, Twin

if TYPE_CHECKING:
    from ..space.engine import Engine

log = logging.getLogger("edge.twins")

_read_request = public(parse_request)
_read_plan = public(parse_plan)
_NOTE_S = 60.0  # free power is noted once a minute, for the forecast
_OFF_STEP_S = 30
_SEAL_AGAIN_S = 1.0  # while the key of a partner is not known
T = TypeVar("T")


class ProsumerTwin(Twin):
    """One device on the market of its microgrid."""

    kind = "prosumer"
    invariants = 4  # I1 to I4 of docs/energy.md; I8 and I9, about itself, are not counted

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        super().__init__(settings.name, home)
        self.settings = settings
        self.device = Device(settings)
        self.inputs = self.device.inputs
        self._chronicle = Chronicle(self)
        self.events = self._chronicle.events
        self._began_s = self._clock.now_s()
        self._next_id = rng.getrandbits(40) >> 8  # short ones, since each offer and answer names one
        self._rng = rng
        self._enter_market()
        wants = [STOP]
        wants += [REQUEST, CONTRACT, COMPLEMENT, PLAN] if settings.supplies else []
        wants += [OFFER, CONFIRM] if settings.consumes else []
        self.wants = tuple(wants)
        self.disabled_until_s = 0.0
        self.held = False  # stopped until it is started again
        self.refused_messages = 0
        self.acted = True
        self._due_s = 0.0
        self.measured_w = (math.nan, math.nan)  # drawn and given, as last measured
        self._said_unknown = False
        self.relay_on: bool | None = None  # as last requested
        self._waiting = WaitBesideFree()

    def _enter_market(self) -> None:
        """Begin without contracts, requests and offers."""
        settings = self.settings
        self.consumer = Consumer(
            consumer_settings(settings),
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

    def left(self) -> None:
        """Without an LSA nobody knows its contracts any more, so they end."""
        super().left()
        self.consumer.stop()
        self.supplier.stop()
        self._enter_market()

    # ---- its device -----------------------------------------------------------------

    def begin(self, memory: Any) -> None:
        self._continue_stop(memory)
        if not (self._restored(memory) and self.inputs):
            self.measured(*self.device.powers_w(self._clock.now_s()))

    def read(self, name: str, power_w: float | None, at_s: float) -> None:
        self.device.read(name, power_w, at_s)
        if self.device.known(at_s):
            self._measure()

    def second_passed(self) -> None:
        if self._overdue != self._said_unknown:
            self._say_unknown()
        if self._overdue:
            self._measure()

    @property
    def unknown(self) -> bool:
        return self.device.unknown(self._clock.now_s())

    @property
    def _overdue(self) -> bool:
        """Whether a meter that it needs has been undefined for too long."""
        now_s = self._clock.now_s()
        return not self.device.known(now_s) and now_s - self._began_s > self.settings.meter_grace_s

    def _say_unknown(self) -> None:
        self._said_unknown = not self._said_unknown
        if self._said_unknown:
            log.warning("%s: its power is unknown: %s", self.name, self._undefined())
        else:
            log.info("%s: its power is known again", self.name)

    def _undefined(self) -> str:
        grace_s = self.settings.meter_grace_s
        inputs = ", ".join(self.device.undefined_inputs(self._clock.now_s()))
        return f"no valid reading of {inputs} for more than {grace_s:g} s"

    def _measure(self) -> None:
        powers_w = self.device.powers_w(self._clock.now_s())
        if powers_w != self.measured_w:
            self.measured(*powers_w)
            self.stir()

    def measured(self, consumed_w: float, produced_w: float) -> None:
        """The device draws and gives that much now, in W."""
        self.measured_w = consumed_w, produced_w
        if self.disabled:
            consumed_w = produced_w = 0.0
        self._chronicle.powers(consumed_w, produced_w)
        if self.settings.consumes:
            self.consumer.set_need(consumed_w)
            # a contract must never give more than is needed, not even for a moment
            self.consumer.step(self._clock.now_s())
            self._chronicle.request(self.consumer, Cause.DEVICE)
        if self.settings.supplies:
            self.supplier.set_capacity(produced_w)
            self._chronicle.production(self.supplier.capacity_w, Cause.DEVICE)

    @property
    def free_w(self) -> float:
        return self.supplier.capacity_w - self.supplier.committed_w if self.settings.supplies else 0.0

    @property
    def unserved(self) -> bool:
        return self.consumer.unserved_since_s is not None

    def see_free(self, free_w: float) -> None:
        now_s = self._clock.now_s()
        self.consumer.see_free(free_w, now_s)
        self._waiting.see(self.consumer.missing_w, free_w, now_s)

    def switch(self, on: bool) -> None:
        """Turn the device on or off, if it has a relay. While a stop order is in force it stays off."""
        self.relay_on = on and not self.disabled
        if self.settings.relay:
            self.home.switch(self.settings.relay, self.relay_on)

    @property
    def may_be_on(self) -> bool:
        """Whether its relay may be closed while no stop order is in force."""
        return True

    @property
    def wake_s(self) -> float:
        return min(self.consumer.wake_s, self.supplier.wake_s)

    @property
    def disabled(self) -> bool:
        """Whether a stop order is in force."""
        return self.held or self._clock.now_s() < self.disabled_until_s

    def disable(self) -> None:
        """Obey a stop order: end all contracts and switch the device off for a while."""
        self.disabled_until_s = self._clock.now_s() + self.settings.disabled_s
        self._leave_market()

    def hold(self) -> None:
        """The same until `restart`."""
        self.held = True
        self._leave_market()
        self.stir()

    def restart(self) -> None:
        """End a stop, by an order or by `hold`."""
        self.held, self.disabled_until_s = False, 0.0
        self.measured(*self.measured_w)
        self.switch(self.may_be_on)
        self.stir()

    def adjust(self, settings: TwinSettings) -> None:
        """Other settings hold from now on: of its requests and offers, and the power of a device without a
        meter. Contracts go on."""
        self.settings = self.device.settings = settings
        self.consumer.adjust(consumer_settings(settings), consumer_policy(settings.consumer_policy))
        policy = producer_policy(settings.producer_policy, self._rng)
        self.supplier.adjust(supplier_settings(settings, self.home), policy)
        self.measured(*self.device.powers_w(self._clock.now_s()))
        self.stir()

    def _leave_market(self) -> None:
        self.consumer.stop()
        self.supplier.stop()
        self.supplier.set_capacity(0.0)
        self._chronicle.request(self.consumer, Cause.STOP_ORDER)
        self._chronicle.production(0.0, Cause.STOP_ORDER)
        self.switch(False)

    def joined(self, engine: "Engine") -> None:
        super().joined(engine)
        if self.events.total:  # from before it had an LSA
            self._chronicle.publish()

    # ---- notifications ------------------------------------------------------------------------

    def bonded(self, bond: Bond) -> bool | None:
        label, now_s = bond.label, self._clock.now_s()
        if label == REQUEST:
            self.supplier.see_request(bond.name, self._message(bond, _read_request), bond.hops, now_s)
        elif label in (CONTRACT, COMPLEMENT):
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
        elif label == PLAN:
            plan = self._message(bond, _read_plan)
            self.supplier.bookings.see(bond.name, plan, now_s, self.home.civil_s())
        elif label == STOP and bond.hops == 0 and not bond.withdrawn:
            self.disable()  # only a twin of this node may give the order
        return None

    def decayed(self, name: str, life_s: int) -> None:
        if name != self.name:
            self.consumer.lost(name)
            self.supplier.lost(name)
            return
        self._drop_forgotten()
        if self.disabled_until_s and not self.disabled:
            self.disabled_until_s = 0.0
            self.measured(*self.measured_w)
            self.switch(self.may_be_on)
            self.stir()
        elif self._clock.now_s() >= self._due_s:
            self.stir()

    def act(self) -> None:
        now_s = self._clock.now_s()
        self.acted = True
        if self.settings.consumes:
            self.consumer.step(now_s)
            self._chronicle.request(self.consumer, Cause.DEVICE)
        if self.settings.supplies:
            self.supplier.step(now_s)
            if not self.unknown:
                self.supplier.note_free(self.home.civil_s() if self.home.date.settled else None)
        self._due_s = min(self.consumer.due_s, self.supplier.due_s, now_s + _NOTE_S)
        self._posting.publish(self._wanted())
        if conditions := self.supplier.settings.conditions:
            due_s = conditions.due_s(now_s, self.supplier.book, self.supplier.capacity_w)
            self._due_s = min(self._due_s, due_s)
        if self._writer.incomplete:
            self._due_s = min(self._due_s, now_s + _SEAL_AGAIN_S)

    # ---- what it shows ----------------------------------------------------------------

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

    def supply(self) -> Supply | None:
        if not self.settings.supplies:
            return None
        source = self.settings.source
        metered_w = self.device.metered_w(self._clock.now_s()) if source is PowerSource.GRID else None
        return Supply(source, self.supplier.capacity_w, self.supplier.supplied_w, metered_w)

    def memory(self) -> dict[str, Any]:
        memory = written_market(self.consumer, self.supplier)
        left_s = self.disabled_until_s - self._clock.now_s()
        if left_s > 0:  # in whole steps, so that the file is not written for each second
            memory["off_s"] = _OFF_STEP_S * math.ceil(left_s / _OFF_STEP_S)
        return memory

    def _continue_stop(self, memory: Any) -> None:
        """A stop order outlives a restart, and its relay is closed again when it is over."""
        off_s = memory.get("off_s") if isinstance(memory, dict) else None
        if type(off_s) is int and off_s > 0:
            self.disabled_until_s = self._clock.now_s() + min(off_s, self.settings.disabled_s)
            self.switch(False)

    def _restored(self, memory: Any) -> bool:
        """Whether contracts from before a restart are continued."""
        try:
            self.recall(memory)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return False
        return bool(self.consumer.contracts or len(self.supplier.book))

    def recall(self, memory: dict[str, Any]) -> None:
        """Continue the contracts from before a restart, until the other sides confirm or refuse them.

        Raises ValueError, KeyError or TypeError if `memory` did not write it; then nothing is continued.
        """
        consumer = self.consumer if self.settings.consumes else None
        supplier = self.supplier if self.settings.supplies else None
        recall_market(memory, consumer, supplier, self._clock.now_s())
        self.measured_w = (math.nan, math.nan)  # the first reading counts as a change

    def violations(self) -> list[str]:
        broken = violations(self.name, self.consumer, self.supplier, self._clock.now_s())
        if not self.handle and (self.consumer.contracts or len(self.supplier.book)):
            broken.append(f"I9 {self.name} holds contracts without an LSA")
        if self.relay_on and (self.disabled or not self.may_be_on):
            broken.append(f"I8 {self.name} has its relay closed while it must be off")
        return broken

    def troubles(self) -> Iterable[tuple[str, str]]:
        now_s = self._clock.now_s()
        if not self.handle:
            yield "twin_absent", f"twin {self.name} has lost its LSA; it is added again"
        if self._overdue:
            yield "device_unknown", f"the power of {self.short_name} is unknown: {self._undefined()}"
        for what in self.device.signs_against():
            kind = self.settings.kind
            hint = "is the sign right (sign = -1), or was its meter swapped with another?"
            yield "wrong_sign", f"{what} of {self.short_name} is negative, impossible for kind {kind}: {hint}"
        if self.unserved and self._waiting.is_long(now_s):
            missing_w, free_w = round(self.consumer.missing_w), round(self._waiting.free_w)
            text = f"{self.short_name} lacks {missing_w} W though {free_w} W are free on this node"
            yield "need_unserved", text

    # ---- inside -------------------------------------------------------------------------------

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _message(self, bond: Bond, parse: Callable[[Bond], T]) -> T | None:
        if bond.withdrawn:
            return None
        message = bond.read(parse)
        self.refused_messages += message is None
        return message

    def _drop_forgotten(self) -> None:
        """A promise from before a restart ends when its consumer is seen and shows no contract."""
        for consumer in self.supplier.unshown():
            handle = self.space.find(consumer)
            if handle and not any(self.space.read(handle, label) for label in (CONTRACT, COMPLEMENT)):
                self.supplier.see_contract(consumer, False, None, 0)

    def _wanted(self) -> Properties:
        """What its LSA should show: the messages of consumer and supplier."""
        wanted: Properties = {}
        consumer, supplier, writer = self.consumer, self.supplier, self._writer
        if consumer.request:
            credits = self.home.credits
            credit_wh = credits.of(self.name) if credits else 0.0
            wanted[REQUEST, ""] = replace(consumer.request, credit_wh=credit_wh).encode(), 0
        if consumer.main:
            wanted[CONTRACT, ""] = writer.contract(CONTRACT, consumer.main), 0
        if consumer.extra:
            wanted[COMPLEMENT, ""] = writer.contract(COMPLEMENT, consumer.extra), 0
        for name, offer in supplier.offers().items():
            life_s = math.ceil(supplier.offer_until_s(name) - self._clock.now_s())
            if (value := writer.offer(name, offer)) is not None:
                wanted[OFFER, name] = value, max(1, life_s)
        answers, starts = supplier.answers(), supplier.bookings.starts()
        if answers:
            wanted[CONFIRM, ""] = writer.answers(answers), 0
        if starts:
            wanted[STARTS, ""] = encode_starts(starts), 0
        if (conditions := supplier.settings.conditions) and supplier.capacity_w:
            wanted[PROD, ""] = conditions.shown(supplier.book, supplier.capacity_w, self._clock.now_s()), 0
        writer.forget_all_but(wanted)
        return wanted

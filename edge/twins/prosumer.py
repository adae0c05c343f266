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
from ..energy.orders import Deed, Order
from ..energy.parsing import parse_request
from ..energy.plans import Plan
from ..energy.policies import consumer_policy, producer_policy
from ..energy.rules import COMPLEMENT, CONFIRM, CONTRACT, DISABLED, OFFER, PROD, REQUEST, STOP, WARNING
from ..energy.supplier import Supplier
from ..energy.totals import Share
from ..space.agent import Bond
from .addressing import Shown, around, towards
from .chronicle import Chronicle
from .dates import Dates
from .device import Device
from .envelope import Later, Writer, public
from .following import Following
from .needs import WaitBesideFree
from .obedience import BY_USER, STOP_ORDER, Obedience
from .posting import Posting, Properties
from .settings import TwinSettings
from .trade import consumer_settings, supplier_settings
from .twin import Home, Twin

if TYPE_CHECKING:
    from ..energy.battery import Battery
    from ..space.engine import Engine

log = logging.getLogger("edge.twins")

read_request = public(parse_request)
_NOTE_S = 60.0  # free power is noted once a minute, for the forecast
_OFF_STEP_S = 30
_AHEAD_S = 86_400.0  # so long before its begin a run is put under contract, and so long it may be
_SEAL_AGAIN_S = 1.0  # while the key of a partner is not known
T = TypeVar("T")


class ProsumerTwin(Twin):
    """One device on the market of its microgrid."""

    kind = "prosumer"
    battery: "Battery | None" = None  # its own, or that of the common storage
    invariants = 4  # I1 to I4 of docs/energy.md; I8 and I9, about itself, are not counted

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        super().__init__(settings.name, home)
        self.settings = settings
        self.device = Device(settings)
        self.inputs = self.device.inputs
        self._following: Following | None = None
        self._follow_settings()
        self._chronicle = Chronicle(self)
        self.events = self._chronicle.events
        self._began_s = self._clock.now_s()
        self._next_id = rng.getrandbits(40) >> 8  # short ones, since each offer and answer names one
        self._rng = rng
        self._enter_market()
        wants = [STOP, WARNING]
        wants += [REQUEST, CONTRACT, COMPLEMENT] if settings.supplies else []
        wants += [OFFER, CONFIRM] if settings.consumes else []
        self.wants = tuple(wants)
        self.disabled_until_s = 0.0
        self.held = False  # stopped until it is started again
        self.obedience = Obedience(settings.name)
        self.refused_messages = 0
        self.acted = True
        self.changes = 0  # counts up when what it draws, gives, requests, offers or has agreed may be another
        self._due_s = 0.0
        self.measured_w = (math.nan, math.nan)  # drawn and given, as last measured
        self._said_unknown = False
        self.relay_on: bool | None = None  # as last requested
        self._waiting = WaitBesideFree()

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

    def _follow_settings(self) -> None:
        settings = self.settings
        self._dates = Dates(settings.begin, settings.end, self.home.zone, self.home.date)
        self._in_time = self._dates.hold(self._clock.wall_s())
        follows = settings.relay_follows == "contract"
        self._following = Following(settings, self._clock.now_s()) if follows else None

    def left(self) -> None:
        """Without an LSA nobody knows its contracts any more, so they end."""
        super().left()
        if self._following:
            self.switch(False)
        self.consumer.stop()
        self.supplier.stop()
        self._enter_market()
        self.changes += 1

    # ---- its device -----------------------------------------------------------------

    def begin(self, memory: Any) -> None:
        self._continue_stop(memory)
        if self._following:
            self.switch(False)
        if not (self._restored(memory) and self.inputs):
            self.measured(*self._powers_w())

    def read(self, name: str, power_w: float | None, at_s: float) -> None:
        self.device.read(name, power_w, at_s)
        self.changes += self.settings.is_grid  # what flows there is what its meter shows
        if self.device.known(at_s):
            self._measure()

    def second_passed(self) -> None:
        overdue = self._overdue
        if overdue != self._said_unknown:
            self._say_unknown()
        in_time = self._dates.always or self._dates.hold(self._clock.wall_s())
        if overdue:
            self._measure()
        if in_time is not self._in_time:
            self._in_time = in_time
            self._look_again(Cause.BEGIN if in_time else Cause.END)
        elif self._following:
            self._follow_supply(self._following)

    def _look_again(self, cause: Cause) -> None:
        """What it needs or produces may have changed though its meter shows the same."""
        before_w = self.consumer.need_w, self.supplier.capacity_w
        self.measured(*self._powers_w(), cause)
        if before_w != (self.consumer.need_w, self.supplier.capacity_w):
            self.stir()

    def _follow_supply(self, following: Following) -> None:
        consumer = self.consumer
        supplied = consumer.satisfied or (self.settings.partial and consumer.supplied_w > 0.0)
        if following.step(supplied and not self.disabled, self._clock.now_s()):
            self.switch(following.on)
        self._look_again(Cause.DEVICE)

    def _powers_w(self) -> tuple[float, float]:
        """What the device draws and gives now, in W."""
        drawn_w, given_w = self.device.powers_w(self._clock.now_s())
        is_off = self._following is not None and not self._following.on and not self.inputs
        return (0.0, 0.0) if is_off else (drawn_w, given_w)

    @property
    def unknown(self) -> bool:
        return self.device.unknown(self._clock.now_s())

    @property
    def _overdue(self) -> bool:
        """Whether a meter that it needs has been undefined for too long."""
        now_s = self._clock.now_s()
        return not self.device.known(now_s) and now_s - self._began_s > self.settings.meter_grace_s

    def _say_unknown(self) -> None:
        self.changes += 1
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
        powers_w = self._powers_w()
        if powers_w != self.measured_w:
            self.measured(*powers_w)
            self.stir()

    def measured(self, consumed_w: float, produced_w: float, cause: Cause = Cause.DEVICE) -> None:
        """The device draws and gives that much now, in W."""
        self.changes += 1
        self.measured_w = consumed_w, produced_w
        if self._following and not self._following.measures(self._clock.now_s()):
            consumed_w = self.settings.power_w  # once its relay is closed
        if self.disabled or not self._in_time:
            consumed_w = produced_w = 0.0
        elif self.settings.consumes:
            consumed_w = min(consumed_w, self.obedience.most_w)
        else:
            produced_w = min(produced_w, self.obedience.most_w)
        self._chronicle.powers(consumed_w, produced_w)
        if self.settings.consumes:
            self.consumer.set_need(consumed_w)
            # a contract must never give more than is needed, not even for a moment
            self.consumer.step(self._clock.now_s())
            self._chronicle.request(self.consumer, cause, self._ends_s)
        if self.settings.supplies:
            self.supplier.set_capacity(produced_w)
            self._chronicle.production(self.supplier.capacity_w, cause, self._ends_s)

    @property
    def _ends_s(self) -> float:
        """The end of what it requests and produces (monotonic clock); inf without one."""
        return self._clock.now_s() + self._dates.ends_in_s(self._clock.wall_s())

    def _planned(self) -> Plan | None:
        """What a device without a meter will need from its date of begin on, if that is near."""
        in_s, run_s = self._dates.begins_in_s(self._clock.wall_s()), self._dates.length_s
        power_w = 0.0 if self.disabled else self.settings.power_w
        if in_s is None or in_s > _AHEAD_S or run_s > _AHEAD_S or power_w <= 0.0:
            return None
        begin_s = self._clock.now_s() + in_s
        return Plan(power_w, run_s, begin_s, begin_s + self.settings.tolerance_s)

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
        if self._following and not self.relay_on:
            self._following.cut_off(self._clock.now_s())
        if self.settings.relay:
            self.home.switch(self.settings.relay, self.relay_on)

    @property
    def may_be_on(self) -> bool:
        """Whether its relay may be closed while no stop order is in force."""
        return self._following is None or self._following.on

    @property
    def own_w(self) -> float:
        """The power that its own battery gives to its device, in W."""
        return 0.0

    @property
    def charging_w(self) -> float:
        """The power that charges its battery, in W."""
        return 0.0

    @property
    def wake_s(self) -> float:
        return min(self.consumer.wake_s, self.supplier.wake_s)

    @property
    def disabled(self) -> bool:
        """Whether a stop order is in force."""
        return self.held or self._clock.now_s() < self.disabled_until_s

    @property
    def reason(self) -> str:
        """Why it is off; empty if it is not."""
        if self.held:
            return BY_USER
        return self.obedience.reason or STOP_ORDER if self.disabled else ""

    def disable(self, reason: str = STOP_ORDER, for_s: float = 0.0) -> None:
        """Obey a stop order: end all contracts and switch the device off for a while."""
        self.obedience.reason = reason
        self.disabled_until_s = self._clock.now_s() + (for_s or self.settings.disabled_s)
        self._leave_market()

    def _obey(self, order: Order) -> None:
        """What the regulator of its node says."""
        if order.deed is Deed.STOP:
            self.disable(order.kind, order.for_s)
        elif order.deed is Deed.FORGET:
            self.consumer.lost(f"{self.home.node}.{order.twin}")
            self.supplier.lost(f"{self.home.node}.{order.twin}")
        else:
            self.obedience.most_w = order.power_w if order.deed is Deed.REDUCE else math.inf
            if order.deed is Deed.RETURN and self.disabled_until_s and order.kind == self.obedience.reason:
                self.disabled_until_s = 0.0
                self.switch(self.may_be_on)
            if not math.isnan(sum(self.measured_w)):
                self.measured(*self.measured_w)
        self.stir()

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
        relay = [(each.relay, each.relay_follows) for each in (self.settings, settings)]
        self.settings = self.device.settings = settings
        on = self._following is not None and self._following.on
        self._follow_settings()
        if self._following and relay[0] == relay[1]:
            self._following.on = on
        elif relay[0] != relay[1]:
            self.switch(self.may_be_on)
        self.consumer.adjust(
            consumer_settings(settings, self.home), consumer_policy(settings.consumer_policy)
        )
        policy = producer_policy(settings.producer_policy, self._rng)
        self.supplier.adjust(supplier_settings(settings, self.home), policy)
        self.measured(*self._powers_w())
        self.stir()

    def _leave_market(self) -> None:
        self.changes += 1
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
            if self.consumer.main is None or not self.consumer.deals_with(bond.name):
                return False  # every consumer sees the answers to all
            answers: Answers | Later = self._message(bond, self.home.reader.answers) or {}
            if not isinstance(answers, Later):
                self.consumer.see_answers(bond.name, answers.get(self.name, ()))
        elif label == STOP and bond.hops == 0 and not bond.withdrawn:
            self.disable()  # only a twin of this node may give the order
        elif label == WARNING:
            if bond.hops or bond.withdrawn:
                return False
            orders = list(self.obedience.news(bond.value()))
            for order in orders:
                self._obey(order)
            return bool(orders)
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
        self.changes += 1
        if self.settings.consumes:
            self.consumer.planned = self._planned()
            self.consumer.step(now_s)
            self._chronicle.request(self.consumer, Cause.DEVICE, self._ends_s)
        if self.settings.supplies:
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
        if (place := self.settings.prices_from) and (trouble := self.home.prices(place).trouble):
            yield "prices_unknown", f"{self.short_name} sells at its fixed prices: {trouble}"
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
        """A promise from before a restart ends when its consumer is seen and shows no contract.

        Where contracts go by themselves, what is seen of a consumer says nothing of them.
        """
        if self.home.request_hops:
            return
        for consumer in self.supplier.unshown():
            handle = self.space.find(consumer)
            if handle and not any(self.space.read(handle, label) for label in (CONTRACT, COMPLEMENT)):
                self.supplier.see_contract(consumer, False, None, 0)

    def _wanted(self) -> Properties:
        """What its LSA should show: the messages of consumer and supplier."""
        wanted: Properties = {}
        hops = self.home.request_hops
        consumer, supplier, writer = self.consumer, self.supplier, self._writer
        if consumer.request:
            credits = self.home.credits
            credit_wh = credits.of(self.name) if credits else 0.0
            community = self.home.community
            category = self.settings.category if community and community.data == "open" else ""
            request = replace(consumer.request, credit_wh=credit_wh, category=category)
            wanted[REQUEST, ""] = around(request.encode(), hops, consumer.request_hops)
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
        if self.disabled:
            wanted[DISABLED, ""] = Shown(self.reason.encode())
        answers = supplier.answers()
        if answers:
            wanted[CONFIRM, ""] = towards(writer.answers(answers), hops, answers)
        if (conditions := supplier.settings.conditions) and supplier.capacity_w:
            wanted[PROD, ""] = Shown(
                conditions.shown(supplier.book, supplier.capacity_w, self._clock.now_s())
            )
        writer.forget_all_but(wanted)
        return wanted

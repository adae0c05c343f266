"""The holon twin: a microgrid as one prosumer of its parent microgrid (thesis 8.2.1 and 8.3.2).

There are two at a gate, a machine that runs a member of each of the two microgrids: one stands in each.
What its own microgrid asks of a twin, its partner buys in the other one; `Passage` decides how much. So the
members see one more supplier, and one more consumer, and their policies spread what the parent agrees to.

A microgrid may have several gates, in a standing order: the first one that lives in both microgrids acts.
"""

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..energy.book import node_of
from ..energy.charging import FORECAST, parse_forecast
from ..energy.events import Cause
from ..energy.flows import PowerSource, Supply
from ..energy.forecast import FreePower
from ..energy.parsing import MAX_PRICE
from ..energy.passage import Demand, Passage
from ..energy.policies import producer_policy
from ..energy.rules import EPSILON_W, HOLON, LEFT, MIN_POWER_W, REQUEST, SLOT_S, UPWARD
from ..energy.surplus import AHEAD_STEPS, Outlook, Shares, Sources, Surplus, assign, parse_left, parse_surplus
from ..energy.telling import Telling
from ..energy.waiting import Waiting
from ..space.agent import Bond
from ..space.names import NIL
from .addressing import around, towards
from .envelope import public
from .holon_settings import HolonSettings
from .posting import Properties
from .prosumer import ProsumerTwin
from .settings import TwinSettings
from .trade import supplier_settings
from .trading import read_request
from .twin import Home

_MEET_S = 6.0  # after its start a gate waits so long for the beats of those that come first
_HASTE_S = 15.0  # who takes over serves requests at once: those that another gate served have waited
_SHORT_WAIT_S = 0.25  # while it supplies its microgrid: the offers of others arrive within that time
_RETRY_S = 300.0  # after so long a supply is given back: perhaps the own microgrid can serve it again
_TOLERANCE_W = 10 * EPSILON_W
_TOLERANCE_WH = 1e-3
_PRICE_STEP = 1e-4
_ANSWER = b"1"  # which no twin reads: by it the way to a gate stays known to those who tell it something
_ANSWER_S = 5.0
_read_left, _read_surplus, _read_forecast = public(parse_left), public(parse_surplus), public(parse_forecast)


@dataclass(frozen=True, slots=True)
class Gate:
    """The two twins of a gate by name: in the inner microgrid, and in its parent."""

    inside: str
    outside: str


class HolonTwin(ProsumerTwin):
    """One side of a gate. Without a partner it does nothing."""

    tells_left = False
    invariants = 5  # also that it sells what its partner buys (I6)

    def __init__(self, settings: TwinSettings, home: Home, rng: random.Random) -> None:
        self.partner: HolonTwin | None = None
        self.passage: Passage | None = None
        self._unserved = Waiting(settings.holon_wait_s)
        self._before: tuple[str, ...] = ()  # the nodes of gates that come first, here
        self._siblings: frozenset[str] = frozenset()  # the twins of all gates of this holon, here
        self._joined_s = self._acts_since_s = math.inf
        self._acted_s = 0.0
        self._rates: dict[str, float] = {}  # what it pays to each supplier, per kWh
        self.sources = Sources(home.members.member_w)  # of its microgrid, without those of its holon
        self._telling = Telling()
        self._heard: list[str] = []  # those to whom it answers
        self._answered_s = -math.inf
        self._usual = FreePower(), FreePower()  # what its microgrid has left and lacks, by time of day
        self._outlook: Outlook | None = None  # for its microgrid, by the learning twin of its node
        self._ahead_w: tuple[float, ...] = ()  # looked at each second
        super().__init__(settings, home, rng)
        self.wants = (*self.wants, UPWARD, LEFT, FORECAST)

    # ---- its partner ---------------------------------------------------------------------------

    def _meet(
        self, partner: "HolonTwin", passage: Passage, before: Sequence[str], all_: Sequence[str]
    ) -> None:
        self.partner, self.passage = partner, passage
        self._before = tuple(map(node_of, before))
        self._siblings = frozenset(all_)
        self._joined_s = self._clock.now_s()

    @property
    def acts(self) -> bool:
        """Whether its gate is the first one that lives in both microgrids."""
        partner = self.partner
        if partner is None or self.disabled or partner.disabled or not (self.handle and partner.handle):
            return False
        if self._before and self._clock.now_s() < self._joined_s + _MEET_S:
            return False
        pairs = zip(self._before, partner._before, strict=True)
        return not any(self._knows(here) and partner._knows(there) for here, there in pairs)

    def _knows(self, node: str) -> bool:
        return node == self.home.node or self.space.origin_number(node) != NIL

    # ---- what the passage sees -----------------------------------------------------------------

    @property
    def taken_w(self) -> float:
        """What it draws from its microgrid, in W."""
        return self.consumer.supplied_w

    @property
    def given_w(self) -> float:
        """What it supplies to its microgrid, in W."""
        return self.supplier.supplied_w

    @property
    def bought_w(self) -> float:
        """What it may draw from its microgrid, in W: its partner may promise that."""
        return sum(contract.max_w for contract in self.consumer.active)

    @property
    def surplus(self) -> Surplus:
        """What its microgrid has left and lacks now, and is expected to have."""
        lacks_w = self._unserved.lacks_w(self._clock.now_s())
        return Surplus(self.sources.left_w, lacks_w, ahead_w=self._ahead_w)

    def _look_ahead(self) -> tuple[float, ...]:
        """What its microgrid is expected to have left in each of the next quarter-hours; below 0: to lack."""
        if not self.home.date.settled:
            return ()
        if self._outlook and (told_w := self._outlook.ahead_w(int(self._clock.wall_s() // 60))):
            return told_w
        civil_s, (left, lacks) = self.home.civil_s(), self._usual
        steps = [SLOT_S * (i + 1) for i in range(AHEAD_STEPS)]
        return tuple(left.expect(civil_s, in_s) - lacks.expect(civil_s, in_s) for in_s in steps)

    def _able_w(self, left_w: float) -> float:
        """What it can give in its microgrid, beside its contracts, if so much is left in the other one."""
        committed_w = self.supplier.committed_w
        bought_w = max(0.0, self.supplier.capacity_w - committed_w)
        return max(0.0, min(left_w + bought_w, self._most_w - committed_w))

    def _unclaimed_w(self, now_s: float) -> float:
        """What its microgrid has left for it, after those who have asked for it first."""
        since_s = self.consumer.unserved_since_s
        claimed_w = self._unserved.claimed_w(math.inf if since_s is None else since_s, now_s)
        return max(0.0, self.sources.left_w - claimed_w)

    def _shares(self, able_w: float, up: bool, now_s: float) -> Shares:
        """What it should give to each request."""
        sources = self.sources
        gates = {name: (each.up, min(each.left_w, each.most_w)) for name, each in sources.gates.items()}
        return assign(
            self._unserved.wanted(now_s), sources.own_w, gates | {self.name: (up, able_w)}, self.name
        )

    def _demand(self, acts: bool, shares_w: dict[str, float], now_s: float) -> Demand:
        committed_w, open_w = self.supplier.committed_w, 0.0
        if acts:
            self._acts_since_s = min(self._acts_since_s, now_s)
            self._unserved.wait_s = self._wait_s(now_s)
            open_w = self._unserved.open_w(now_s, shares_w)
            spare_w = self.supplier.capacity_w - committed_w - max(self.supplier.offered_w, open_w)
            for consumer, request, hops in self._unserved.due(now_s, max(0.0, spare_w)):
                self.supplier.see_request(consumer, request, hops, now_s)
        else:
            self._acts_since_s = math.inf
        return Demand(committed_w, self.given_w, open_w)

    def _wait_s(self, now_s: float) -> float:
        """How old a request must be now."""
        if self._before and now_s < self._acts_since_s + _HASTE_S:
            return 0.0
        passes = self.supplier.committed_w > 0.0  # its microgrid is short of power already
        return min(_SHORT_WAIT_S, self.settings.holon_wait_s) if passes else self.settings.holon_wait_s

    # ---- what it is told -----------------------------------------------------------------------

    def begin(self, memory: Any) -> None:
        """Contracts from before a restart are not continued: another gate may have them by now."""
        super().begin({"off_s": memory.get("off_s")} if isinstance(memory, dict) else None)

    def measured(self, consumed_w: float, produced_w: float, cause: Cause = Cause.DEVICE) -> None:
        """It has no device: what it needs and gives follows from its partner."""
        self._note_flow()
        self._settle()

    def bonded(self, bond: Bond) -> bool | None:
        if bond.label == FORECAST:
            forecast = self._message(bond, _read_forecast) if bond.hops == 0 else None
            if forecast:
                minute, powers_w = forecast
                self._outlook = Outlook(minute, tuple(made_w - asked_w for asked_w, made_w in powers_w))
            return False
        if bond.label == LEFT:
            if bond.name not in self._siblings:
                self.sources.see_left(bond.name, self._message(bond, _read_left))
            return None
        if bond.label == HOLON:
            if bond.name not in self._siblings:
                self.sources.see_gate(bond.name, self._message(bond, _read_surplus))
            return None
        if bond.label not in (REQUEST, UPWARD):
            concerns = super().bonded(bond)
            self._limit_partner()
            return concerns
        now_s, request = self._clock.now_s(), self._message(bond, read_request)
        if bond.name in self._siblings or (request is not None and request.run_s):
            request = None
        self._unserved.see(bond.name, request, bond.hops, now_s, ahead=bond.label == UPWARD)
        if request is None:
            self.supplier.see_request(bond.name, None, bond.hops, now_s)
        return None

    def decayed(self, name: str, life_s: int) -> None:
        if name != self.name:
            self._unserved.see(name, None, 0, self._clock.now_s())
            self.sources.forget(name)
        super().decayed(name, life_s)
        self._limit_partner()

    def left(self) -> None:
        super().left()
        self._limit_partner()

    def second_passed(self) -> None:
        super().second_passed()
        if self.partner is None:
            return
        now_s = self._clock.now_s()
        civil_s = self.home.civil_s() if self.home.date.settled else None
        for usual, power_w in zip(
            self._usual, (self.sources.left_w, self._unserved.lacks_w(now_s)), strict=True
        ):
            usual.note(power_w, civil_s)
        self._ahead_w = self._look_ahead()
        if now_s >= self._answered_s + _ANSWER_S and self._heard != self.sources.tellers:
            self._answered_s, self._heard = now_s, self.sources.tellers
            self.stir()
        if not self.acts:
            self._give_back(now_s, 0.0, most=1)
        elif self.passage and self.passage.inside is self:
            self._give_back(now_s, _RETRY_S, within_w=self.sources.own_w)
        if len(self._unserved) or self.supplier.capacity_w or self.consumer.need_w:
            self.stir()

    def _give_back(self, now_s: float, age_s: float, most: int = 1000, within_w: float = math.inf) -> None:
        """End supplies that are so old, as far as others have so much left."""
        old = [each for each in self.supplier.book if each.committed and now_s >= each.since_s + age_s]
        for promise in old[:most]:
            if promise.max_w <= within_w:
                within_w -= promise.max_w
                self.supplier.withdraw(promise)

    @property
    def wake_s(self) -> float:
        acted_s, passage = self._acted_s, self.passage
        moments = (passage.due_s if passage else math.inf, self.consumer.due_s, self._telling.due_s)
        later = (each for each in moments if each > acted_s)
        return min(super().wake_s, self._unserved.due_s(acted_s), *later)

    def act(self) -> None:
        self._acted_s = self._clock.now_s()
        self._settle()
        super().act()
        self._settle()

    # ---- inside --------------------------------------------------------------------------------

    def _enter_market(self) -> None:
        super()._enter_market()
        self._rates.clear()

    def _leave_market(self) -> None:
        super()._leave_market()
        self._settle()

    def _limit_partner(self) -> None:
        """A supplier may have ended a contract: what is not bought any more is not sold any more."""
        partner = self.partner
        if partner and partner.supplier.capacity_w > self.bought_w + EPSILON_W:
            partner._sell(self.bought_w)

    def _settle(self) -> None:
        """Both twins buy what is asked of the other one, and may sell what the other one has bought."""
        passage, partner = self.passage, self.partner
        if passage is None or partner is None:
            return
        now_s, acts = self._clock.now_s(), self.acts
        passage.count(now_s)
        inside, outside = (self, partner) if passage.inside is self else (partner, self)
        up_w = down_w = 0.0
        members = others = Shares({}, 0.0, 0.0)
        if acts or inside.supplier.committed_w or outside.supplier.committed_w:
            up_w = inside._able_w(outside._unclaimed_w(now_s))
            members = inside._shares(up_w, True, now_s)
            down_w = outside._able_w(members.left_w)
            others = outside._shares(down_w, False, now_s)
        lacks_w = members.lacks_w if members.lacks_w <= outside.supplier.committed_w else 0.0
        import_w, export_w = passage.needs_w(
            inside._demand(acts, members.by_consumer, now_s),
            outside._demand(acts, others.by_consumer, now_s),
            now_s,
            lacks_w,
        )
        inside._tell(replace(outside.surplus, left_w=up_w, up=True) if acts else None, now_s)
        outside._tell(replace(inside.surplus, left_w=down_w) if acts else None, now_s)
        outside._buy(min(import_w, inside._most_w), now_s)
        inside._buy(min(export_w, outside._most_w), now_s)
        for seller, buyer in ((inside, outside), (outside, inside)):
            seller._sell(buyer.bought_w)
        passage.count(now_s)
        for twin in (inside, outside):
            twin._note_flow()

    def _note_flow(self) -> None:
        """What flows between it and its microgrid is what its device would show."""
        flow_w = self.taken_w, self.given_w
        if flow_w != self.measured_w:
            self.changes += 1
            self.measured_w = flow_w

    @property
    def told(self) -> Surplus | None:
        """What stands behind it, as it tells its microgrid; None: it does not act."""
        return self._telling.told

    def _tell(self, surplus: Surplus | None, now_s: float) -> None:
        if surplus:
            price = max(0.0, self.supplier.settings.price)
            surplus = replace(surplus, price=price, most_w=self._most_w)
        if self._telling.follow(surplus, now_s):
            self.stir()

    @property
    def _most_w(self) -> float:
        """The most that it may pass on to its microgrid, by its settings and by orders at either end."""
        partner = self.partner
        most_w = min(self.obedience.most_w, partner.obedience.most_w if partner else math.inf)
        return min(most_w, self.settings.capacity_w or math.inf)

    def _buy(self, need_w: float, now_s: float) -> None:
        consumer = self.consumer
        before_w = consumer.need_w
        consumer.set_need(need_w if self.handle else 0.0)
        if consumer.need_w == before_w:
            return
        consumer.step(now_s)
        self._chronicle.request(consumer, Cause.DEVICE, self._ends_s)
        self.stir()

    def _sell(self, power_w: float) -> None:
        supplier = self.supplier
        power_w = power_w if self.handle and power_w >= MIN_POWER_W else 0.0
        if abs(power_w - supplier.capacity_w) < EPSILON_W and power_w > supplier.reserved_w - EPSILON_W:
            return
        supplier.set_capacity(power_w)
        self._chronicle.production(power_w, Cause.DEVICE, self._ends_s)
        self._follow_price()
        self.stir()

    def _follow_price(self) -> None:
        """It sells for what its partner pays on the mean, and a fee (`price`)."""
        partner = self.partner
        paid = partner._paid() if partner else None
        if paid is None:
            return
        price = min(round(self.settings.price + paid, 4), MAX_PRICE)
        if abs(price - self.supplier.settings.price) >= _PRICE_STEP:
            policy = producer_policy(self.settings.producer_policy, self._rng)
            settings = replace(self.settings, price=price)
            self.supplier.adjust(supplier_settings(settings, self.home), policy)

    def _paid(self) -> float | None:
        """The mean of what it pays, weighted by power, per kWh; None while it buys nothing."""
        for seen in self.consumer.choice[1]:
            self._rates[seen.supplier] = seen.offer.price
        parts = [part for contract in self.consumer.active for part in contract.parts]
        suppliers = {part.supplier for part in parts}
        self._rates = {name: rate for name, rate in self._rates.items() if name in suppliers}
        whole_w = sum(part.power_w for part in parts)
        if whole_w < MIN_POWER_W:
            return None
        return sum(part.power_w * self._rates.get(part.supplier, 0.0) for part in parts) / whole_w

    # ---- what it shows -------------------------------------------------------------------------

    def _wanted(self) -> Properties:
        wanted = super()._wanted()
        if self.told and not self.disabled:
            hops, others = self.home.request_hops, self.sources.gates
            wanted[HOLON, ""] = around(self.told.hidden.encode(), hops)
            if others:
                wanted[LEFT, ""] = towards(self.told.encode(), hops, others)
            if (request := wanted.get((REQUEST, ""))) and (able := self.sources.able):
                wanted[REQUEST, ""] = towards(request.value, hops, able)
            if hops and self._heard:
                wanted[HOLON, self.name] = towards(_ANSWER, hops, self._heard)
        return wanted

    def supply(self) -> Supply | None:
        return Supply(PowerSource.OTHER, self.given_w, self.given_w)

    def memory(self) -> dict[str, Any]:
        return {key: value for key, value in super().memory().items() if key == "off_s"}

    def troubles(self) -> Iterable[tuple[str, str]]:
        yield from super().troubles()
        partner = self.partner
        if partner is None:
            yield "gate_closed", f"{self.short_name} has no other side: no section [holon] leads to it"
        elif self.handle and (partner.disabled or not partner.handle):
            yield "gate_closed", f"the other side of {self.short_name}, {partner.name}, is off or absent"

    def violations(self) -> list[str]:
        broken = super().violations()
        if not (partner := self.partner):
            return broken
        if self.given_w > partner.bought_w + _TOLERANCE_W:
            broken.append(f"I6 {self.name} gives {self.given_w:.3f} W, bought are {partner.bought_w:.3f} W")
        if self.passage and self.passage.excess_wh > _TOLERANCE_WH:
            broken.append(f"I6 {self.name} and its partner sold {self.passage.excess_wh:.3f} Wh too much")
        return broken


def join_nodes(
    inside: Iterable[ProsumerTwin], outside: Iterable[ProsumerTwin], settings: HolonSettings
) -> Passage:
    """The same for the twins of two nodes. Raises ValueError."""
    found = []
    for name, twins in ((settings.twin, inside), (settings.parent_twin, outside)):
        twin = next((each for each in twins if each.short_name == name), None)
        if not isinstance(twin, HolonTwin):
            raise ValueError(f"the twin {name} of kind `holon` is missing")
        found.append(twin)
    names = [(f"{low}.{settings.twin}", f"{high}.{settings.parent_twin}") for low, high in settings.pairs]
    return join(found[0], found[1], [Gate(*pair) for pair in names])


def join(inside: HolonTwin, outside: HolonTwin, gates: Sequence[Gate] = ()) -> Passage:
    """Make two twins the two sides of a gate; `gates`: all of this holon, in the order of succession.

    Raises ValueError if this one is not among them.
    """
    own = Gate(inside.name, outside.name)
    gates = gates or (own,)
    if own not in gates:
        raise ValueError(f"{own.inside} and {own.outside} are not among the gates of their holon")
    before = gates[: list(gates).index(own)]
    passage = Passage(inside, outside)
    inside._meet(outside, passage, [each.inside for each in before], [each.inside for each in gates])
    outside._meet(inside, passage, [each.outside for each in before], [each.outside for each in gates])
    return passage

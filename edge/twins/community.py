"""The community twin: it gives its node's prosumers credits for what they do for all (thesis 7.4).

One on each node with a section `[community]`. Each second it looks at what the node's prosumers draw and
give, at what all suppliers have left (PROD) and at who waits for power (REQUEST); each minute it turns that
into awards, and publishes the credits of its own prosumers as AWARDS, to its own node only. Their requests
state them. It also keeps what the node has experienced with other members.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import orjson

from ..clock import CLOCK_SET_S
from ..energy.book import State, node_of
from ..energy.credits import SPAN
from ..energy.messages import Request
from ..energy.parsing import parse_request
from ..energy.prices import PriceTable, price_at, slot_at
from ..energy.rules import AWARDS, FEED_IN, PROD, REQUEST
from ..energy.scores import MINUTE_S, Award, Scene, Scores, Sight
from ..energy.tariff import Production, parse_feed_in, parse_production
from ..space.agent import Bond
from ..space.lsa import HERE
from .community_settings import CommunitySettings
from .envelope import public
from .twin import Home, Twin

if TYPE_CHECKING:
    from .prosumer import ProsumerTwin

log = logging.getLogger("edge.community")

_read_request = public(parse_request)
_read_production = public(parse_production)
_read_feed_in = public(parse_feed_in)
_MOST = 512  # suppliers and waiting consumers that are followed
_MOST_OPERATORS = 8
_WITHHELD_AFTER_S = 12.0  # an unserved need counts as withheld from then on
_PENALTY_WH = -0.001
_QUARTER_MIN = 15
_MOST_PRICES = 64  # of suppliers, that the history follows
_AWARDS_LIFE_S = 3 * MINUTE_S


T = TypeVar("T")


@dataclass(slots=True)
class Account:
    """Energies of one prosumer since the node started, in Wh, and what they cost and brought."""

    needed_wh: float = 0.0
    received_wh: float = 0.0
    given_wh: float = 0.0
    fed_in_wh: float = 0.0  # without a contract, paid by the operator of the grid
    paid: float = 0.0
    earned: float = 0.0


@dataclass(slots=True)
class _Waiting:
    request: Request
    since_s: float


class CommunityTwin(Twin):
    """Scores, credits and experience of one node."""

    kind = "community"
    wants: tuple[str, ...] = (PROD, REQUEST, FEED_IN)

    def __init__(self, settings: CommunitySettings, home: Home, rng: random.Random) -> None:
        """Raises ValueError for a home without credits."""
        super().__init__("community", home)
        if home.credits is None:
            raise ValueError("a home without credits")
        self.settings = settings
        self.credits = home.credits
        self.awards: dict[str, Award] = {}  # of the last minute
        self.accounts: dict[str, Account] = {}
        self.refused_messages = 0
        self.productions: dict[str, Production] = {}
        self._feed_in: dict[str, PriceTable] = {}  # what operators of the grid pay
        self._waiting: dict[str, _Waiting] = {}
        self._claimed: dict[str, float] = {}  # credit, by consumer
        self._scores: dict[str, Scores] = {}
        self._seconds = 0
        self._minutes = 0
        self._noted: dict[str, tuple[float, float, float]] = {}  # paid, earned and credit, by prosumer
        self._rates: dict[str, float] = {}  # by supplier
        self._remembered: dict[str, Any] = {}

    # ---- for the history ----------------------------------------------------------------------

    def minute_passed(self, minute: int, ended: int | None, powers_w: Sequence[float] | None) -> None:
        """A quarter-hour is over: what changed in it is noted."""
        if minute % _QUARTER_MIN == 0:
            self._note_quarter(minute)

    def _note_quarter(self, minute: int) -> None:
        history = self.home.history
        for name, account in self.accounts.items():
            credit_wh, money = round(self.credits.of(name), 3), (account.paid, account.earned)
            paid, earned, credit_before_wh = self._noted.get(name, (0.0, 0.0, 0.0))
            if (*money, credit_wh) != (paid, earned, credit_before_wh):
                spent = money[0] - paid, money[1] - earned
                history.note_account(minute - _QUARTER_MIN, name, credit_wh, *spent)
        self._noted = {
            name: (each.paid, each.earned, round(self.credits.of(name), 3))
            for name, each in self.accounts.items()
        }
        wall_s = self._clock.wall_s()
        rates = {
            name: round(slot_at(each.prices, wall_s).rate, 6)
            for name, each in list(self.productions.items())[:_MOST_PRICES]
            if each.prices
        }
        for name, rate in rates.items():
            if rate != self._rates.get(name):
                history.note_price(minute, name, rate)
        self._rates = rates

    # ---- over a restart -----------------------------------------------------------------------

    def begin(self, memory: Any) -> None:
        """Without a date, now or then, the time in between is not known: it does not count."""
        if not isinstance(memory, dict) or type(kept_s := memory.get("at_s")) is not int:
            return
        wall_s = self._clock.wall_s()
        dated = min(wall_s, kept_s) >= CLOCK_SET_S
        try:
            self.credits.recall(memory.get("credits"), wall_s - kept_s if dated else 0.0)
        except ValueError as error:
            log.warning("the credits of before are left out: %s", error)
        else:
            self._remembered = memory

    def memory(self) -> dict[str, Any]:
        """The credits as they were at the last full ten minutes: the file is not written each minute."""
        return self._remembered

    def remember(self) -> None:
        """Keep the credits as they are now."""
        self._remembered = {"at_s": int(self._clock.wall_s()), "credits": self.credits.memory()}

    def adjust(self, settings: CommunitySettings) -> None:
        """Other rules hold from now on."""
        self.settings = settings
        self.credits.newcomer_wh = settings.newcomer_wh

    @property
    def feed_in(self) -> PriceTable:
        """What the operator of the grid pays for what no contract takes; empty: nothing."""
        return self._feed_in.get(self.settings.grid_operator, ())

    # ---- what it hears ------------------------------------------------------------------------

    def bonded(self, bond: Bond) -> bool:
        if bond.label == PROD:
            production = None if bond.withdrawn else bond.read(_read_production)
            self.refused_messages += production is None and not bond.withdrawn
            self._note(self.productions, bond.name, production)
        elif bond.label == REQUEST:
            self._hear_request(bond)
        elif bond.label == FEED_IN:
            self._hear_operator(bond)
        return False  # it acts each second

    def decayed(self, name: str, life_s: int) -> None:
        self._feed_in.pop(name, None)
        self.productions.pop(name, None)
        self._waiting.pop(name, None)
        self._claimed.pop(name, None)

    def _hear_operator(self, bond: Bond) -> None:
        """Another one than the own is remembered, too: the rules may come to name it."""
        self._feed_in.pop(bond.name, None)
        table = None if bond.withdrawn else bond.read(_read_feed_in)
        own = bond.name == self.settings.grid_operator
        if table and (own or len(self._feed_in) < _MOST_OPERATORS):
            self._feed_in[bond.name] = table

    def _hear_request(self, bond: Bond) -> None:
        request = None if bond.withdrawn else bond.read(_read_request)
        self.refused_messages += request is None and not bond.withdrawn
        before, now_s = self._waiting.get(bond.name), self._clock.now_s()
        if request is None:
            if before:
                self._served(bond.name, before, now_s)
            self._waiting.pop(bond.name, None)
            return
        self._note(self._claimed, bond.name, request.credit_wh)
        if before and before.request.id == request.id:
            before.request = request
        else:
            self._note(self._waiting, bond.name, _Waiting(request, now_s))

    @staticmethod
    def _note(known: dict[str, T], name: str, value: T | None) -> None:
        if value is None:
            known.pop(name, None)
        elif name in known or len(known) < _MOST:
            known[name] = value

    def _served(self, consumer: str, waiting: _Waiting, now_s: float) -> None:
        """A request is gone: whoever of this node supplies it served it in that time."""
        if not self._is_good(consumer, waiting.request.credit_wh):
            return
        for twin in self._prosumers():
            if twin.settings.supplies and twin.supplier.book.held_w(consumer):
                self._of(twin).served(consumer, now_s - waiting.since_s)

    # ---- each second and minute ---------------------------------------------------------------

    def second_passed(self) -> None:
        prosumers = self._prosumers()
        scene = self._scene(prosumers)
        for twin in prosumers:
            self._of(twin).look(self._sight(twin), scene)
            self._use(twin)
        self._experience(prosumers)
        self._seconds += 1
        if self._seconds >= MINUTE_S:
            self._seconds = 0
            self._close(prosumers)

    def _close(self, prosumers: "list[ProsumerTwin]") -> None:
        names = {twin.name for twin in prosumers}
        self._scores = {name: scores for name, scores in self._scores.items() if name in names}
        self.accounts = {name: each for name, each in self.accounts.items() if name in names}
        self.credits.keep_only(names)
        self.awards = {
            name: scores.close(self.settings.withheld_weight) for name, scores in self._scores.items()
        }
        for twin in prosumers:
            total_wh = self.awards[twin.name].total_wh(self.settings.weights)
            self.credits.award(twin.name, total_wh)
            conditions = twin.supplier.settings.conditions
            if conditions and conditions.giving:
                conditions.giving.rewarded(total_wh)
            twin.stir()  # its request states its credit
        self.credits.close_minute()
        self._minutes += 1
        if self._minutes % SPAN == 0:
            self.remember()
        own, _ = self.credits.state()
        if self.handle:
            table = {name: round(credit_wh, 2) for name, credit_wh in own.items()}
            self.submit(AWARDS, orjson.dumps(table), life_s=_AWARDS_LIFE_S, reach=HERE)

    def _scene(self, prosumers: "list[ProsumerTwin]") -> Scene:
        own = {twin.name: twin for twin in prosumers if twin.settings.supplies}
        others = [each for name, each in self.productions.items() if name not in own]
        produced_w = sum(each.capacity_w for each in others)
        supplied_w = sum(each.used_w for each in others)
        green_w = sum(each.capacity_w for each in others if each.green)
        for twin in own.values():
            produced_w += twin.supplier.capacity_w
            supplied_w += twin.supplier.supplied_w
            green_w += twin.supplier.capacity_w if twin.settings.is_green else 0.0
        indulged_w = sum(self._indulged_w(twin) for twin in own.values())
        asked_w = penalised_w = 0.0
        for consumer, waiting in self._waiting.items():
            if self._is_good(consumer, waiting.request.credit_wh):
                asked_w += waiting.request.power_w
            else:
                penalised_w += waiting.request.power_w
        threshold_w = self.settings.threshold_w
        return Scene(asked_w, penalised_w, produced_w, supplied_w, indulged_w, green_w, threshold_w)

    def _is_good(self, consumer: str, claimed_wh: float) -> bool:
        """Whether a consumer has no penalty."""
        return self.credits.believed(consumer, claimed_wh) >= _PENALTY_WH

    def _indulged_w(self, twin: "ProsumerTwin") -> float:
        """What a prosumer supplies to consumers with a penalty, that is beyond its duty."""
        return sum(
            promise.power_w
            for promise in twin.supplier.book
            if promise.state is State.VALID
            and not self._is_good(promise.consumer, self._claimed.get(promise.consumer, 0.0))
        )

    def _sight(self, twin: "ProsumerTwin") -> Sight:
        supplier, consumer = twin.supplier, twin.consumer
        return Sight(
            supplier.capacity_w,
            min(supplier.supplied_w, supplier.capacity_w),
            supplier.offered_w,
            min(consumer.supplied_w, consumer.need_w),
            self._green_w(twin),
            consumer.request is not None,
            self.settings.quota_w(twin.settings.people, twin.settings.floor_area_m2),
        )

    def _green_w(self, twin: "ProsumerTwin") -> float | None:
        """The green power that it draws; None if the source of a part is not known."""
        green_w = 0.0
        for part in (part for contract in twin.consumer.active for part in contract.parts):
            production = self.productions.get(part.supplier)
            if production is None:
                return None
            green_w += part.power_w if production.green else 0.0
        return green_w

    def _use(self, twin: "ProsumerTwin") -> None:
        """Discounts use up the credit of a prosumer, and surcharges pay off its debt."""
        wall_s, used_w = self._clock.wall_s(), 0.0
        account = self.accounts.setdefault(twin.name, Account())
        account.needed_wh += twin.consumer.need_w / 3600
        for part in (part for contract in twin.consumer.active for part in contract.parts):
            account.received_wh += part.power_w / 3600
            if part.prices:
                slot = slot_at(part.prices, wall_s)
                account.paid += part.power_w / 3.6e6 * slot.price
                used_w += part.power_w * slot.discount / slot.rate if slot.rate else 0.0
        if used_w:
            self.credits.award(twin.name, -used_w / 3600)
        for promise in twin.supplier.book:
            if promise.state is State.VALID:
                account.given_wh += promise.power_w / 3600
                account.earned += promise.power_w / 3.6e6 * price_at(promise.prices, wall_s)
        if self.feed_in and not (twin.settings.is_grid or twin.battery or twin.unknown):
            fed_in_w = max(0.0, twin.supplier.capacity_w - twin.supplier.supplied_w)
            fed_in_w *= 1.0 - twin.settings.donates
            account.fed_in_wh += fed_in_w / 3600
            account.earned += fed_in_w / 3.6e6 * price_at(self.feed_in, wall_s)

    def _experience(self, prosumers: "list[ProsumerTwin]") -> None:
        """What other members give to this node, withhold from it, and are given as discounts."""
        members_w: dict[str, float] = {}
        unserved_w = 0.0
        wall_s, now_s = self._clock.wall_s(), self._clock.now_s()
        for twin in prosumers:
            for part in (part for contract in twin.consumer.active for part in contract.parts):
                member = node_of(part.supplier)
                members_w[member] = members_w.get(member, 0.0) + part.power_w
            conditions = twin.supplier.settings.conditions
            for member, power_w in (
                conditions.discounted_w(twin.supplier.book, wall_s) if conditions else {}
            ).items():
                members_w[member] = members_w.get(member, 0.0) - power_w
            waiting = self._waiting.get(twin.name)
            late = waiting is not None and now_s - waiting.since_s > _WITHHELD_AFTER_S
            if late and self.credits.of(twin.name) >= _PENALTY_WH:
                unserved_w += twin.consumer.missing_w
        if unserved_w:
            for supplier, production in self.productions.items():
                member = node_of(supplier)
                withheld_w = min(production.left_w, unserved_w)
                members_w[member] = members_w.get(member, 0.0) - withheld_w
        for member, power_w in members_w.items():
            self.credits.experience(member, power_w / 3600)

    def quota_w(self, name: str) -> float | None:
        """What the household of a prosumer of this node may draw when power is short; None without people."""
        found = (twin.settings for twin in self._prosumers() if twin.name == name)
        return next((self.settings.quota_w(each.people, each.floor_area_m2) for each in found), None)

    def rate_of(self, name: str) -> float | None:
        """What a supplier asks per kWh now; None if it does not tell."""
        production = self.productions.get(name)
        if production is None or not production.prices:
            return None
        return round(slot_at(production.prices, self._clock.wall_s()).rate, 6)

    def shared_w(self) -> dict[str, tuple[float, float]]:
        """What flows now by contract between this node and other members, in W: received and given."""
        found: dict[str, tuple[float, float]] = {}
        for twin in self._prosumers():
            parts = [part for contract in twin.consumer.active for part in contract.parts]
            flows = [(part.supplier, part.power_w, 0.0) for part in parts]
            for promise in twin.supplier.book:
                if promise.state is State.VALID:
                    flows.append((promise.consumer, 0.0, promise.power_w))
            for partner, received_w, given_w in flows:
                member = node_of(partner)
                if member != self.home.node:
                    before = found.get(member, (0.0, 0.0))
                    found[member] = before[0] + received_w, before[1] + given_w
        return found

    def _prosumers(self) -> "list[ProsumerTwin]":
        return [cast("ProsumerTwin", twin) for twin in self.home.twins() if twin.kind == "prosumer"]

    def _of(self, twin: "ProsumerTwin") -> Scores:
        return self._scores.setdefault(twin.name, Scores())

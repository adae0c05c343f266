"""The journal: what a node tells its history so that any past moment can be rebuilt.

It looks at the twins that may have changed, and notes what did: their deals (thesis 4.2), offers and what
became of them, requests in alert, master data. It also adds up the energy of each quarter-hour.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from .clock import CLOCK_SET_S, Clock
from .energy.book import State, node_of
from .energy.messages import round_w
from .history.deals import COMPLEMENTARY, MAIN, SUPPLIED, Deal, Parts
from .history.energies import QUARTER_MIN
from .history.offers import MADE, RECEIVED, Alert, PastOffer
from .history.store import Store

if TYPE_CHECKING:
    from .meter.reading import Reading
    from .twins.prosumer import ProsumerTwin

KEYFRAME_S = 3600.0  # all that is in force is noted again
_STEP_S = 1.0  # the date was set by so much: the times before and after do not belong together
_WS_PER_WH = 3600.0
_FRESH_S = 180.0  # older records of a meter are no longer its state
_Key = tuple[str, int, int]  # consumer of another node or "", contract, role


class Journal:
    """One for each node; the thread of the node looks."""

    def __init__(self, history: Store, clock: Clock, release: str, context: Mapping[str, Any]) -> None:
        """`context`: the configuration, as the history keeps it."""
        self._history, self._clock = history, clock
        self._release, self._context = release, json.dumps(context, separators=(",", ":"))
        self._ledgers: dict[str, _Ledger] = {}
        self._began_s: float | None = None  # Unix time, once the clock is set
        self._offset_s = self._keyframe_s = 0.0
        self._quarter = 0

    def look(self, twins: "Iterable[ProsumerTwin]") -> None:
        """These twins may have changed."""
        if self._began_s is None and not self._begin():
            return
        for twin in twins:
            ledger = self._ledgers.get(twin.name)
            if ledger is None:
                ledger = self._ledgers[twin.name] = _Ledger(twin, self._history, self._clock.now_s())
            if twin.changes != ledger.changes:
                ledger.look(self._clock.now_s(), self._clock.wall_s())

    def second_passed(self, twins: "Sequence[ProsumerTwin]") -> None:
        """Look at all of them; end the quarter-hour and note a keyframe when it is time."""
        self.look(twins)
        if self._began_s is None:
            return
        self._forget_all_but(twins)
        now_s, wall_s = self._clock.now_s(), self._clock.wall_s()
        jumped = abs(wall_s - now_s - self._offset_s) > _STEP_S
        self._offset_s = wall_s - now_s
        quarter = _quarter_of(wall_s)
        if quarter != self._quarter:
            self._book(now_s)
            self._quarter = quarter
        if jumped or now_s >= self._keyframe_s + KEYFRAME_S:
            self._keyframe_s = now_s
            self._history.note_keyframe(wall_s, self._in_force())
            self._note_session(wall_s, ended=False)

    def minute_passed(self, minute: int, records: "Mapping[str, Reading]", every_min: int) -> None:
        """`minute` (UTC) begins. Records of meters are noted all `every_min` minutes, 0: never."""
        waiting = [
            (twin.consumer.unserved_since_s, twin.name)
            for twin in (ledger.twin for ledger in self._ledgers.values())
            if twin.consumer.unserved_since_s is not None
        ]
        now_s = self._clock.now_s()
        if waiting:
            since_s, name = min(waiting)
            self._history.note_wait(minute - 1, name, now_s - since_s)
        if minute % QUARTER_MIN == 0:
            self._note_levels(minute)
        if every_min and minute % every_min == 0:
            for meter, reading in records.items():
                if reading.record and now_s - reading.at_s <= _FRESH_S:
                    self._history.note_record(minute, meter, reading.record)

    def _note_levels(self, minute: int) -> None:
        """What the batteries hold."""
        for twin in (ledger.twin for ledger in self._ledgers.values()):
            if twin.battery and twin.battery.level_wh is not None:
                self._history.note_level(minute, twin.name, twin.battery.level_wh)

    def end(self) -> None:
        """The node is about to stop."""
        if self._began_s is not None:
            self._book(self._clock.now_s())
            self._note_session(self._clock.wall_s(), ended=True)

    # ---- inside -------------------------------------------------------------------------------

    def _begin(self) -> bool:
        wall_s, now_s = self._clock.wall_s(), self._clock.now_s()
        if wall_s < CLOCK_SET_S:
            return False
        self._began_s, self._keyframe_s = wall_s, now_s
        self._offset_s, self._quarter = wall_s - now_s, _quarter_of(wall_s)
        self._note_session(wall_s, ended=False)
        return True

    def _note_session(self, seen_s: float, ended: bool) -> None:
        assert self._began_s is not None
        self._history.note_session(self._began_s, seen_s, ended, self._release, self._context)

    def _in_force(self) -> Iterator[Parts]:
        for ledger in self._ledgers.values():
            yield from ledger.deals.values()

    def _book(self, now_s: float) -> None:
        """The energy of the quarter-hour, or of its part until now."""
        for ledger in self._ledgers.values():
            ledger.book(self._quarter, now_s)

    def _forget_all_but(self, twins: "Sequence[ProsumerTwin]") -> None:
        """A twin that was removed, or replaced by another one."""
        known = {twin.name: twin for twin in twins}
        for name, ledger in list(self._ledgers.items()):
            if known.get(name) is not ledger.twin:
                ledger.close(self._clock.now_s(), self._clock.wall_s())
                ledger.book(self._quarter, self._clock.now_s())
                del self._ledgers[name]


class _Ledger:
    """What the journal knows of one twin."""

    def __init__(self, twin: "ProsumerTwin", history: Store, now_s: float) -> None:
        self.twin = twin
        self.deals: dict[_Key, Parts] = {}
        self._grounds: list[object] = []  # what these deals rest on
        self._history = history
        self._since_s = now_s
        self._powers_w: tuple[float, float] | None = None  # drawn and given by the device; None: unknown
        self._known_s = 0.0
        self._energies_ws: dict[str, list[float]] = {}  # drawn and given, by partner
        self._offers: dict[tuple[str, int, int], PastOffer] = {}  # by partner, request, role
        self._contracts: set[tuple[str, int]] = set()  # partner and id, also those to be confirmed
        self._choice = 0  # the contract that the consumer made last
        self._alert: Alert | None = None
        self._settings: Any = None  # as last noted
        self.changes = -1  # of the twin, when it was last looked at

    def look(self, now_s: float, wall_s: float) -> None:
        """Note what has changed."""
        self.changes = self.twin.changes
        powers_w = device_w(self.twin)
        grounds = list(_grounds(self.twin))
        if grounds != self._grounds or powers_w != self._powers_w:
            self._count(now_s)
            self._powers_w, self._grounds = powers_w, grounds
            self._change(dict(_deals(self.twin)), wall_s)
        at_ms = round(1000 * wall_s)
        self._follow_offers(at_ms)
        self._follow_alert(at_ms)
        if self.twin.settings is not self._settings:
            self._settings = self.twin.settings
            self._history.note_agent(wall_s, self.twin.name, master_data(self._settings))

    def close(self, now_s: float, wall_s: float) -> None:
        """The twin is gone, and so are its deals."""
        self._count(now_s)
        self._powers_w = None
        self._change({}, wall_s)

    def book(self, quarter: int, now_s: float) -> None:
        """Note the energy of a quarter-hour, and begin the next one."""
        self._count(now_s)
        energies_ws, known_s = self._energies_ws, self._known_s
        self._energies_ws, self._known_s = {}, 0.0
        if known_s:
            energies_ws.setdefault("", [0.0, 0.0])
        for partner, (drawn_ws, given_ws) in energies_ws.items():
            wh = drawn_ws / _WS_PER_WH, given_ws / _WS_PER_WH
            self._history.note_energy(quarter, self.twin.name, partner, *wh, known_s)

    def _change(self, found: dict[_Key, Parts], wall_s: float) -> None:
        for key, parts in self.deals.items():
            if key not in found:
                self._history.note_deal(wall_s, parts, ended=True)
        for key, parts in found.items():
            if self.deals.get(key) != parts:
                self._history.note_deal(wall_s, parts)
        self.deals = found

    def _count(self, now_s: float) -> None:
        """What has flowed since the last time."""
        passed_s, self._since_s = now_s - self._since_s, now_s
        if self._powers_w is None or passed_s <= 0.0:
            return
        self._known_s += passed_s
        self._add("", *self._powers_w, passed_s)
        for deal in (part for parts in self.deals.values() for part in parts):
            given = deal.role == SUPPLIED
            self._add(deal.partner, 0.0 if given else deal.power_w, deal.power_w if given else 0.0, passed_s)

    def _add(self, partner: str, drawn_w: float, given_w: float, passed_s: float) -> None:
        if drawn_w or given_w:
            sums = self._energies_ws.setdefault(partner, [0.0, 0.0])
            sums[0] += drawn_w * passed_s
            sums[1] += given_w * passed_s

    def _follow_offers(self, at_ms: int) -> None:
        twin, standing, name = self.twin, {}, self.twin.name
        unchanged = twin.consumer.choice[0] == self._choice
        followed = self._offers or self._contracts or twin.consumer.contracts or len(twin.supplier.book)
        if unchanged and not followed:
            return
        contracts = {(part.supplier, each.id) for each in twin.consumer.contracts for part in each.parts}
        elsewhere = set()
        for promise in twin.supplier.book:
            if promise.state is State.OFFERED:
                key = promise.consumer, promise.key, MADE
                standing[key] = promise.max_w, twin.settings.price
                if promise.elsewhere:
                    elsewhere.add(key)
            else:
                contracts.add((promise.consumer, promise.key))
        if standing.keys() != self._offers.keys():
            new = {partner for partner, _ in contracts - self._contracts}
            for key in self._offers.keys() - standing.keys():
                offer = self._offers.pop(key)
                fate = "accepted" if key[0] in new else offer.fate
                self._history.note_offer(offer._replace(ended_ms=at_ms, fate=fate))
        if not unchanged:
            self._note_choice(at_ms, contracts)
        self._contracts = contracts
        for key, (max_w, price) in standing.items():
            began_ms = self._offers[key].at_ms if key in self._offers else at_ms
            fate = "elsewhere" if key in elsewhere else "ended"
            self._offers[key] = PastOffer(began_ms, name, *key, max_w, price, fate, 0)

    def _note_choice(self, at_ms: int, contracts: set[tuple[str, int]]) -> None:
        """The offers to a consumer, of which it has made a contract."""
        self._choice, offers = self.twin.consumer.choice
        for supplier, offer in ((seen.supplier, seen.offer) for seen in offers):
            fate = "accepted" if (supplier, self._choice) in contracts else "refused"
            what = offer.request_id, RECEIVED, offer.max_w, offer.price
            self._history.note_offer(PastOffer(at_ms, self.twin.name, supplier, *what, fate, at_ms))

    def _follow_alert(self, at_ms: int) -> None:
        request = self.twin.consumer.request
        in_alert = request is not None and request.alert
        if in_alert and request and not self._alert:
            self._alert = Alert(at_ms, self.twin.name, request.power_w, None)
            self._history.note_alert(self._alert)
        elif self._alert and not in_alert:
            self._history.note_alert(self._alert._replace(ended_ms=at_ms))
            self._alert = None


def in_force(twins: "Iterable[ProsumerTwin]") -> list[Deal]:
    """The deals of twins now, sorted."""
    return sorted(deal for twin in twins for _, parts in _deals(twin) for deal in parts)


def master_data(settings: Any) -> str:
    """Settings that differ from their defaults, as JSON."""
    values = {each.name: getattr(settings, each.name) for each in fields(settings)}
    changed = {each.name: values[each.name] for each in fields(settings) if values[each.name] != each.default}
    return json.dumps(changed, separators=(",", ":"), default=str)


def _deals(twin: "ProsumerTwin") -> Iterator[tuple[_Key, Parts]]:
    """Of its active contracts, and of those by which it supplies twins of other nodes."""
    consumer, own, name = twin.consumer, node_of(twin.name), twin.name
    for contract in consumer.active:
        role = COMPLEMENTARY if contract is consumer.extra else MAIN
        what = contract.id, role, contract.revision
        yield (
            ("", contract.id, role),
            tuple(
                Deal(name, part.supplier, *what, round_w(part.power_w), round_w(part.max_w))
                for part in contract.parts
            ),
        )
    for promise in twin.supplier.book:
        if promise.state is State.VALID and not promise.later and node_of(promise.consumer) != own:
            what = promise.key, SUPPLIED, promise.revision
            powers_w = round_w(promise.power_w), round_w(promise.max_w)
            yield (promise.consumer, promise.key, SUPPLIED), (Deal(name, promise.consumer, *what, *powers_w),)


def _grounds(twin: "ProsumerTwin") -> Iterator[object]:
    """What `_deals` makes deals of: equal while they are. A contract is replaced when it changes."""
    extra = twin.consumer.extra
    for contract in twin.consumer.active:
        yield contract
        yield contract is extra
    for promise in twin.supplier.book:
        if promise.state is State.VALID and not promise.later:
            yield promise.consumer
            yield promise.key
            yield promise.revision
            yield promise.power_w
            yield promise.max_w


def device_w(twin: "ProsumerTwin") -> tuple[float, float] | None:
    """What the device draws and gives now, in W; None if it is unknown.

    Of a grid connection without a meter only the contracts are known.
    """
    if twin.unknown:
        return None
    if twin.settings.is_grid:
        metered_w = twin.device.metered_w(twin.home.clock.now_s())
        if metered_w is None:
            return 0.0, twin.supplier.supplied_w
        return max(0.0, -metered_w), max(0.0, metered_w)
    drawn_w, given_w = twin.measured_w
    return (drawn_w, given_w) if drawn_w == drawn_w else None  # nan before the first reading


def _quarter_of(wall_s: float) -> int:
    minute = int(wall_s // 60)
    return minute - minute % QUARTER_MIN

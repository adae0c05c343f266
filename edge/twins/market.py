"""The market twin: the place of the market of the next day on one node of a microgrid (thesis 8.2.3).

It shows all for which day it takes orders (MARKET), reads the questions that members address to it, and
answers a few of them at a time: an answer stays until its member asks for something else, withdraws its
question, or half a minute has passed. What it must not forget is kept in the history.
"""

import logging
import random
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import orjson

from ..clock import CLOCK_SET_S
from ..energy.day_messages import Call
from ..energy.market_place import DAY_S, DAYS, MarketPlace
from ..energy.rules import MARKET, MARKET_ANSWER, MARKET_ASK
from ..space.agent import Bond
from .addressing import around, directed
from .envelope import Writer
from .market_settings import MarketSettings
from .posting import Posting, Properties
from .twin import Home, Twin

log = logging.getLogger("edge.market")
NAME, TRADER = "market", "trader"
_ANSWERS = 6  # at a time
_SHOWN_S = 30.0


class MarketTwin(Twin):
    """One on the node of the market."""

    kind = "market"
    wants = (MARKET_ASK,)

    def __init__(self, settings: MarketSettings, home: Home, rng: random.Random) -> None:
        super().__init__(NAME, home)
        self.settings = settings
        self.place = MarketPlace(settings.rules, self._price_at)
        self.refused_messages = 0
        self._writer = Writer(self.name, home.trust, self._clock)
        self._posting = Posting(self)
        self._asked: dict[str, bytes] = {}  # questions by member, in order of arrival
        self._answers: dict[str, tuple[bytes, float]] = {}  # and until when they are shown
        self._due = False
        self.call: Call | None = None  # what it says now

    def _price_at(self, at_s: float) -> float | None:
        """The operator's price, which is read again from time to time."""
        place = self.settings.prices_from
        return self.home.prices(place).prices.at(at_s) if place else None

    # ---- over a restart -----------------------------------------------------------------------

    def begin(self, memory: Any) -> None:
        for slot in range(DAYS):
            row = self._read(f"market/{slot}")
            if row is None:
                continue
            try:
                self.place.restore(row, partial(self._sheet, slot))
            except (ValueError, KeyError, TypeError) as error:
                log.warning("a day that was kept is left out: %s", error)
        self.place.drop_old(self._clock.wall_s())

    def _sheet(self, slot: int, place: int) -> Any:
        return self._read(f"market/{slot}/{place}")

    def _read(self, name: str) -> Any:
        try:
            data = self.home.history.kept(name)
            return None if data is None else orjson.loads(data)
        except (orjson.JSONDecodeError, BlockingIOError) as error:
            log.warning("%s is not read: %s", name, error)
            return None

    def _keep(self, day: int, members: Iterable[str]) -> None:
        slot, sheets = day % DAYS, self.place.days[day].sheets
        places = {name: i for i, name in enumerate(sheets)}
        for member in members:
            data = orjson.dumps(self.place.sheet_row(day, member))
            self.home.history.keep(f"market/{slot}/{places[member]}", data)
        self.home.history.keep(f"market/{slot}", orjson.dumps(self.place.row(day)))

    # ---- questions ----------------------------------------------------------------------------

    def bonded(self, bond: Bond) -> bool:
        member = bond.origin
        if bond.name != f"{member}.{TRADER}":
            self.refused_messages += not bond.withdrawn
            return False
        if bond.withdrawn:
            self._asked.pop(member, None)
            return self._answers.pop(member, None) is not None
        data = bond.read(self.home.reader.whole)
        if data is None:
            self.refused_messages += 1
            return False
        if len(self._asked) < self.settings.members or member in self._asked:
            self._asked[member] = data
        return True

    def decayed(self, name: str, life_s: int) -> None:
        if not life_s:
            member = name.partition(".")[0]
            self._asked.pop(member, None)
            self._answers.pop(member, None)

    def second_passed(self) -> None:
        wall_s, now_s = self._clock.wall_s(), self._clock.now_s()
        if wall_s < CLOCK_SET_S or not self.handle:
            return
        self.place.drop_old(wall_s)
        if day := self.place.settling(wall_s):
            self._settle(day)
        self._due = self.place.clearing(wall_s) > 0
        over = [each for each, (_, until_s) in self._answers.items() if until_s <= now_s]
        for member in over:
            del self._answers[member]
        if over or self._asked or self._call_now(wall_s) != self.call:
            self.stir()

    def act(self) -> None:
        wall_s, now_s = self._clock.wall_s(), self._clock.now_s()
        if wall_s < CLOCK_SET_S:
            return
        for member in list(self._asked):
            if member not in self._answers and len(self._answers) >= _ANSWERS:
                continue
            try:
                reply, day = self.place.answer(member, self._asked.pop(member), wall_s)
            except (ValueError, KeyError, TypeError):
                self.refused_messages += 1
                continue
            if day:
                self._keep(day, [member])
            self._answers[member] = reply.encode(), now_s + _SHOWN_S
        self._posting.publish(self._wanted(wall_s))

    def _wanted(self, wall_s: float) -> Properties:
        self.call = self._call_now(wall_s)
        wanted: Properties = {(MARKET, ""): around(self.call.encode(), self.home.request_hops)}
        for member, (answer, _) in self._answers.items():
            reader = f"{member}.{TRADER}"
            if (sealed := self._writer.whole(MARKET_ANSWER, reader, answer)) is not None:
                wanted[MARKET_ANSWER, reader] = directed(sealed, self.home.node, member)
        self._writer.forget_all_but(wanted)
        return wanted

    def _call_now(self, wall_s: float) -> Call:
        rules, days = self.settings.rules, self.place.days
        open_day = rules.open_day(wall_s)
        cleared = max((number for number, day in days.items() if day.cleared), default=0)
        settled = max((number for number, day in days.items() if day.balancing), default=0)
        return Call(open_day, round(rules.closes_s(open_day)), cleared, settled, rules.short, rules.long)

    # ---- clearing and settling ----------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether steps of a day are to be cleared."""
        return self._due

    @property
    def only_training(self) -> bool:
        return False

    def work(self) -> None:
        """Clear one step: a few milliseconds for 64 members."""
        day = self.place.clearing(self._clock.wall_s())
        if day:
            self.place.clear_step(day)
            if self.place.days[day].cleared:
                self._keep(day, self.place.days[day].sheets)
        self._due = day > 0 and not self.place.days[day].cleared

    def _settle(self, day: int) -> None:
        for member, bill in self.place.settle(day).items():
            self.home.history.note_market_day(day * DAY_S // 60, member, *bill.row())
        self._keep(day, ())

    def troubles(self) -> Iterator[tuple[str, str]]:
        if (place := self.settings.prices_from) and (trouble := self.home.prices(place).trouble):
            yield "prices_unknown", f"the market has no prices: {trouble}"

"""The trader twin: it trades for its node on the market of the next day (thesis 8.2.3).

Each day, some time before orders close, it orders what a forecast of the next day says, in quantiles; then it
asks for the result, holds it as contracts for later spans, tells what was measured when the day is over, and
computes its bill from its own books and the prices of deviations. It asks one question at a time and asks
again after a restart of either side. Without the market there are no orders, and all goes on by the contracts
that twins make.
"""

import logging
import random
import zlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

import orjson

from ..clock import CLOCK_SET_S
from ..energy.day_contracts import DayContract, Sold
from ..energy.day_market import STEP_S, STEPS, Bill
from ..energy.day_messages import (
    BILL,
    METER,
    ORDERS,
    RESULT,
    Call,
    Pieces,
    Question,
    Reply,
    fitting,
    parse_call,
    parse_reply,
)
from ..energy.market_place import DAY_S, DAYS
from ..energy.parsing import lenient
from ..energy.rules import MARKET, MARKET_ANSWER, MARKET_ASK
from ..space.agent import Bond
from ..terms import Quality
from .addressing import directed
from .envelope import Writer, public
from .market import NAME as MARKET_NAME
from .market import TRADER
from .market_settings import TraderSettings
from .posting import Posting, Properties
from .traded_day import TradedDay, is_ahead, read_day
from .twin import Home, Twin

if TYPE_CHECKING:
    from .prosumer import ProsumerTwin

log = logging.getLogger("edge.trader")
_read_call = public(parse_call)
_parse_reply = lenient(parse_reply)
_METER_AFTER_S, _SPREAD_S = 600, 1200  # after the end of a day; members do not all speak at once
_AGAIN_S = 60.0  # after a refusal that may pass
_ABSENT_S = 600.0
_LOST_S = 45.0  # without an answer the question gets another number


class TraderTwin(Twin):
    """One on each node that trades."""

    kind = "trader"
    wants = (MARKET, MARKET_ANSWER)

    def __init__(self, settings: TraderSettings, home: Home, rng: random.Random) -> None:
        super().__init__(TRADER, home)
        self.settings = settings
        self.market = f"{settings.market}.{MARKET_NAME}"
        self.call: Call | None = None  # what the market says; None: it is not there
        self.days: dict[int, TradedDay] = {}
        self.unsettled = 0  # days that were dropped before they were settled
        self.refused_messages = 0
        self.refused_awards = 0  # steps of results that do not follow from its orders
        self.sold = home.sold = Sold(home.node, self._clock.wall_s, self._suppliers)
        self._number = rng.getrandbits(32)
        self._next_step = 0  # of the orders that are being sent
        self._heard_s = self._clock.now_s()  # when the market was there
        self._offset = zlib.crc32(home.node.encode()) % 1000 / 1000  # of its share of a span
        self._question: Question | None = None
        self._asked_s = self._wait_until_s = 0.0
        self._rows: tuple[int, list[Pieces]] | None = None  # the orders of a day
        self._job: Iterator[None] | None = None
        self._writer = Writer(self.name, home.trust, self._clock)
        self._posting = Posting(self)

    def _suppliers(self) -> list[Any]:
        twins = (cast("ProsumerTwin", twin) for twin in self.home.twins() if twin.kind == "prosumer")
        return [twin.supplier for twin in twins if twin.settings.supplies]

    # ---- over a restart -----------------------------------------------------------------------

    def begin(self, memory: Any) -> None:
        for slot in range(DAYS):
            try:
                data = self.home.history.kept(f"trader/{slot}")
                row = orjson.loads(data) if data else None
                if row:
                    number = int(row.pop("day"))
                    self.days[number] = read_day(row)
            except (TypeError, ValueError, KeyError, AttributeError, BlockingIOError) as error:
                log.warning("a day that was kept is left out: %s", error)
        self._hold()

    def _keep(self, number: int) -> None:
        """A few times a day, so not with the state of the node, which is written all few seconds."""
        day = self.days.get(number)
        data = orjson.dumps({"day": number, **day.row()} if day else {})
        self.home.history.keep(f"trader/{number % DAYS}", data)

    # ---- what it hears ------------------------------------------------------------------------

    def bonded(self, bond: Bond) -> bool:
        if bond.name != self.market:
            return False
        if bond.label == MARKET:
            call = None if bond.withdrawn else bond.read(_read_call)
            self.refused_messages += call is None and not bond.withdrawn
            self.call = call
        elif not bond.withdrawn:
            data = bond.read(self.home.reader.whole)
            reply = None if data is None else _parse_reply(data)
            self.refused_messages += reply is None
            if reply and self._question and reply.number == self._question.number:
                question, self._question = self._question, None
                self._hear(question, reply)
        return True

    def decayed(self, name: str, life_s: int) -> None:
        if not life_s and name == self.market:
            self.call = None

    def _hear(self, question: Question, reply: Reply) -> None:
        day = self.days.get(question.day)
        if day is None:
            return
        day.refused = reply.refused
        if reply.refused:
            self._wait_until_s = self._clock.now_s() + _AGAIN_S
            if reply.refused == "full" or (reply.refused == "late" and question.deed != RESULT):
                day.ordered = day.told = True
            elif reply.refused == "late":  # nothing is known there of its orders: there was no market
                del self.days[question.day]
        elif question.deed == ORDERS:
            day.ordered = reply.next >= STEPS
            self._next_step = reply.next
            if day.ordered:
                self._rows = None
                self._keep(question.day)
        elif question.deed == RESULT and question.first == len(day.position_wh):
            refused = day.take(reply.steps[: STEPS - question.first])
            if refused:
                log.warning("%s awards %d steps that were not ordered: they are none", self.market, refused)
            self.refused_awards += refused
            if day.awarded:
                self._hold()
                self._keep(question.day)
        elif question.deed == METER:
            day.told = True
            self._keep(question.day)
        elif question.deed == BILL and len(reply.balancing) == STEPS:
            self._settle(question.day, day, reply.balancing)

    # ---- contracts for later spans, and the bill ------------------------------------------------

    @property
    def contracts(self) -> Iterator[DayContract]:
        """What it has bought and sold, of all days that it holds."""
        node = self.home.node
        for number, day in sorted(self.days.items()):
            for step, partners in enumerate(day.partners if day.awarded else ()):
                sells, price = day.position_wh[step] < 0, day.prices[step]
                for partner, wh in partners:
                    pair = (node, partner) if sells else (partner, node)
                    yield DayContract(number * DAY_S + step * STEP_S, *pair, wh, price or 0.0)

    def _hold(self) -> None:
        self.sold.hold(self.contracts)

    def _settle(self, number: int, day: TradedDay, balancing: tuple[float | None, ...]) -> None:
        bill = Bill()
        for step in range(STEPS):
            need_wh = day.needs_wh[step] if day.needs_wh else None
            bill.add(day.position_wh[step], day.prices[step], need_wh, balancing[step])
        self.home.history.note_market_day(number * DAY_S // 60, self.home.node, *bill.row())
        del self.days[number]
        self._keep(number)
        self._hold()

    def _measured(self, number: int) -> list[int | None]:
        """What the node drew less what it gave in the steps of a day, by the books of its quarter-hours; None
        where a device was not measured."""
        first = number * DAY_S // 60
        sums_wh: dict[int, float] = {}
        known: dict[int, int] = {}
        devices = sum(twin.kind == "prosumer" for twin in self.home.twins())
        for row in self.home.history.energies(first, first + DAY_S // 60, partner=""):
            if row.quality is not Quality.MISSING:
                sums_wh[row.minute] = sums_wh.get(row.minute, 0.0) + row.drawn_wh - row.given_wh
                known[row.minute] = known.get(row.minute, 0) + 1
        minutes = range(first, first + DAY_S // 60, STEP_S // 60)
        return [round(sums_wh[each]) if known.get(each, 0) >= devices > 0 else None for each in minutes]

    # ---- what it asks -------------------------------------------------------------------------

    def second_passed(self) -> None:
        wall_s, now_s = self._clock.wall_s(), self._clock.now_s()
        if wall_s < CLOCK_SET_S or not self.handle:
            return
        self._drop_old(wall_s)
        if self._question and now_s >= self._asked_s + _LOST_S:
            self._question = None
        before = self._question
        if self.call is not None:
            self._heard_s = now_s
        if self.call is None:
            self._question = None
        elif self._question is None and now_s >= self._wait_until_s:
            self._question = self._next(self.call, wall_s)
            self._asked_s = now_s
        if self._question is not before:
            self.stir()

    def act(self) -> None:
        self._posting.publish(self._wanted())

    def _wanted(self) -> Properties:
        if self._question is None or not self.call:
            return {}
        sealed = self._writer.whole(MARKET_ASK, self.market, self._question.encode())
        if sealed is None:
            return {}
        return {(MARKET_ASK, self.market): directed(sealed, self.home.node, self.settings.market)}

    def _next(self, call: Call, wall_s: float) -> Question | None:
        """What is to be asked now."""
        if (rows := self._orders(call, wall_s)) is not None:
            first = self._next_step
            return self._ask(ORDERS, call.open_day, first, fitting(rows, first))
        for number, day in sorted(self.days.items()):
            if not day.awarded and number <= call.cleared_day:
                return self._ask(RESULT, number, len(day.position_wh), ())
            if not day.awarded:
                continue
            over_s = wall_s - (number + 1) * DAY_S
            if not day.told and over_s >= _METER_AFTER_S + self._offset * _SPREAD_S:
                day.needs_wh = day.needs_wh or self._measured(number)
                return self._ask(METER, number, 0, day.needs_wh)
            if day.told and number <= call.settled_day:
                return self._ask(BILL, number, 0, ())
        return None

    def _ask(self, deed: str, day: int, first: int, rows: Iterable[Any]) -> Question:
        self._number += 1
        return Question(self._number, deed, day, first, list(rows))

    def _orders(self, call: Call, wall_s: float) -> list[Pieces] | None:
        """The orders that are to be sent now; None if none are, or they are not made yet."""
        number, left_s = call.open_day, call.closes_s - wall_s
        lead_s = 60 * self.settings.lead_min * (1.0 - self._offset / 2)
        day = self.days.get(number)
        if left_s > lead_s or (day and day.ordered) or not is_ahead(number, int(wall_s // DAY_S)):
            return None
        if self._rows is None or self._rows[0] != number or day is None:
            if self._job is None:
                self._job = self._make(number, call)
            return None
        return self._rows[1]

    def _drop_old(self, wall_s: float) -> None:
        today = int(wall_s // DAY_S)
        for number in [each for each in self.days if not today - DAYS < each < today + DAYS]:
            self.unsettled += self.days.pop(number).awarded
            self._hold()

    # ---- the forecast -------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether a forecast is under way."""
        return self._job is not None

    @property
    def only_training(self) -> bool:
        return False

    def work(self) -> None:
        """Forecast one step."""
        if self._job is not None and next(self._job, self) is self:
            self._job = None

    def _make(self, number: int, call: Call) -> Iterator[None]:
        from .day_forecast import day_orders

        rows: list[Pieces] = []
        made = day_orders(self.home, number * DAY_S // 60, call.short, call.long)
        if made is None:
            self._wait_until_s = self._clock.now_s() + _AGAIN_S
            return
        for row in made:
            if row is not None:
                rows.append(row)
            yield
        self._rows, self._next_step = (number, rows), 0
        self.days.setdefault(number, TradedDay()).order(rows)
        self._keep(number)  # before anything of it is sent

    def troubles(self) -> Iterator[tuple[str, str]]:
        if self.call is None and self._clock.now_s() >= self._heard_s + _ABSENT_S:
            yield "market_absent", f"{self.market} is not there: nothing is ordered for the next day"

"""The place where the market of the next day is held: orders in, clearing, results, meters, settlement.

One on the node of the market. It knows no clock, space or file: it is told the Unix time, answers questions
(`day_messages`) and says what has to be kept over a restart. At most so many members take part, one order a
member and a step; four days are held, from the one that takes orders to the one that is being settled.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from .auction import Order, clear
from .day_market import STEP_S, STEPS, Bill, balancing_price
from .day_messages import (
    BILL,
    METER,
    ORDERS,
    RESULT,
    UNIT,
    Awarded,
    Pieces,
    Question,
    Reply,
    fitting,
    parse_question,
)

DAY_S = 86_400
DAYS = 4  # that are held at a time
OPERATOR = ""  # the partner of members when the operator's prices hold
_LATE, _EARLY, _FULL, _MEANS, _TWICE = "late", "early", "full", "means", "twice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`gate_s`: second of the day before at which orders close; `settle_s`: after the day, when it is settled
    at the latest; `short`, `long`: import and feed-in tariff per kWh; `priced`: the operator's prices hold.
    """

    members: int
    member_w: float
    gate_s: float
    settle_s: float
    short: float
    long: float
    priced: bool = False

    def open_day(self, wall_s: float) -> int:
        """The day for which orders are taken."""
        return int((wall_s - self.gate_s) // DAY_S) + 2

    def closes_s(self, day: int) -> float:
        """When they close, in Unix time."""
        return (day - 1) * DAY_S + self.gate_s


@dataclass(slots=True)
class Sheet:
    """What one member said of a day, and what it has bought (above 0) or sold, in Wh by step. Orders are
    packed, as there are many of them."""

    orders: list[bytes | None] = field(default_factory=lambda: [None] * STEPS)
    position_wh: list[int] = field(default_factory=list)
    needs_wh: list[int | None] = field(default_factory=list)


@dataclass(slots=True)
class Day:
    """One day of the market. `prices` grows while it is cleared."""

    sheets: dict[str, Sheet] = field(default_factory=dict)
    prices: list[float | None] = field(default_factory=list)
    balancing: list[float | None] = field(default_factory=list)

    @property
    def cleared(self) -> bool:
        """Whether all steps are."""
        return len(self.prices) == STEPS

    def pairs(self, step: int) -> list["Pair"]:
        """Who trades with whom in a step: always the largest seller with the largest buyer, so that there are
        few pairs. What does not add up to 0 is traded with the operator."""
        positions = {name: sheet.position_wh[step] for name, sheet in self.sheets.items()}
        if rest_wh := sum(positions.values()):
            positions[OPERATOR] = -rest_wh
        sellers = sorted((wh, name) for name, wh in positions.items() if wh < 0)
        buyers = sorted((-wh, name) for name, wh in positions.items() if wh > 0)
        found = []
        while sellers and buyers:
            (sold, seller), (bought, buyer) = sellers.pop(0), buyers.pop(0)
            wh = min(-sold, -bought)
            found.append(Pair(seller, buyer, wh))
            if sold + wh:
                sellers.insert(0, (sold + wh, seller))
            if bought + wh:
                buyers.insert(0, (bought + wh, buyer))
        return found


class Pair(NamedTuple):
    """A seller and a buyer of one step."""

    seller: str
    buyer: str
    energy_wh: int


class MarketPlace:
    """All days that are held."""

    def __init__(self, rules: Rules, price_at: Callable[[float], float | None] = lambda at_s: None) -> None:
        """`price_at`: the operator's price per kWh at a Unix time."""
        self.rules = rules
        self.days: dict[int, Day] = {}
        self.refused: Counter[str] = Counter()  # orders and questions, by reason
        self._price_at = price_at

    # ---- questions ----------------------------------------------------------------------------

    def answer(self, member: str, data: bytes, wall_s: float) -> tuple[Reply, int]:
        """The answer to a member, and the day of which something has to be kept now (0: of none). Raises
        ValueError, KeyError or TypeError for what is not a question."""
        question = parse_question(data)
        day = self.days.get(question.day)
        sheet = day.sheets.get(member) if day else None
        if question.deed == ORDERS:
            return self._take_orders(member, question, wall_s)
        if day is None or sheet is None or not day.cleared:
            return self._refuse(question, _EARLY if question.day >= self.rules.open_day(wall_s) else _LATE)
        if question.deed == RESULT:
            return self._result(day, member, question), 0
        if question.deed == BILL:
            if not day.balancing:
                return self._refuse(question, _EARLY)
            return Reply(number=question.number, balancing=tuple(day.balancing)), 0
        assert question.deed == METER
        if wall_s < (question.day + 1) * DAY_S:
            return self._refuse(question, _EARLY)
        if day.balancing and not sheet.needs_wh:
            return self._refuse(question, _LATE)
        if sheet.needs_wh:
            return Reply(number=question.number), 0
        sheet.needs_wh = [None if wh is None or not self._has_means(wh) else wh for wh in question.rows]
        return Reply(number=question.number), question.day

    def _refuse(self, question: Question, reason: str) -> tuple[Reply, int]:
        self.refused[reason] += max(1, len(question.rows)) if question.deed == ORDERS else 1
        return Reply(number=question.number, refused=reason), 0

    def _has_means(self, energy_wh: float) -> bool:
        return abs(energy_wh) <= self.rules.member_w * STEP_S / 3600

    def _take_orders(self, member: str, question: Question, wall_s: float) -> tuple[Reply, int]:
        """One order a step: a second one is refused, even a better one."""
        open_day = self.rules.open_day(wall_s)
        if question.day != open_day:
            return self._refuse(question, _LATE if question.day < open_day else _EARLY)
        day = self.days.setdefault(question.day, Day())
        sheet = day.sheets.get(member)
        if sheet is None:
            if len(day.sheets) >= self.rules.members:
                return self._refuse(question, _FULL)
            sheet = day.sheets[member] = Sheet()
        news = False
        for step, pieces in enumerate(question.rows, question.first):
            held, packed = sheet.orders[step], _packed(pieces)
            bought = sum(wh for _, wh in pieces if wh > 0)
            sold = sum(wh for _, wh in pieces if wh < 0)
            if held is not None:
                self.refused[_TWICE] += held not in (packed, b"")
            elif self._has_means(bought) and self._has_means(sold):
                sheet.orders[step], news = packed, True
            else:
                sheet.orders[step], news = b"", True
                self.refused[_MEANS] += 1
        lacking = next((step for step, each in enumerate(sheet.orders) if each is None), STEPS)
        return Reply(number=question.number, next=lacking), question.day if news else 0

    def _result(self, day: Day, member: str, question: Question) -> Reply:
        position_wh = day.sheets[member].position_wh
        rows = []
        for step in range(question.first, STEPS):
            partners = [
                (pair.buyer if pair.seller == member else pair.seller, pair.energy_wh)
                for pair in (day.pairs(step) if position_wh[step] else ())
                if member in (pair.seller, pair.buyer)
            ]
            rows.append(Awarded(day.prices[step], position_wh[step], tuple(partners)))
        steps = tuple(rows[: len(fitting([tuple(row) for row in rows], 0))])
        return Reply(number=question.number, steps=steps, next=question.first + len(steps))

    # ---- the course of a day ------------------------------------------------------------------

    def clearing(self, wall_s: float) -> int:
        """The day of which a step may be cleared now; 0 if there is none."""
        for number in sorted(self.days):
            day = self.days[number]
            if number < self.rules.open_day(wall_s) and not day.cleared:
                begins_s = number * DAY_S
                waits = self.rules.priced and wall_s < begins_s and self._price_at(begins_s) is None
                return 0 if waits else number
        return 0

    def clear_step(self, number: int) -> None:
        """Clear the next step of a day."""
        day = self.days[number]
        step = len(day.prices)
        book = [
            Order(name, wh < 0, abs(wh), limit / UNIT)
            for name, sheet in sorted(day.sheets.items())
            for limit, wh in _pieces(sheet.orders[step] or b"")
        ]
        if self.rules.priced:
            price = self._price_at(number * DAY_S + step * STEP_S)
            filled = [_taken(order, price) for order in book]
        else:
            outcome = clear(book)
            price, filled = outcome.price, list(outcome.filled_wh)
        positions = dict.fromkeys(day.sheets, 0)
        for order, wh in zip(book, filled, strict=True):
            positions[order.member] += -wh if order.sells else wh
        for name, sheet in day.sheets.items():
            sheet.position_wh.append(positions[name])
        day.prices.append(price)
        if day.cleared:
            for sheet in day.sheets.values():
                sheet.orders = []

    def settling(self, wall_s: float) -> int:
        """The day that may be settled now, since all have told their meters or the time is over; 0: none."""
        for number, day in sorted(self.days.items()):
            over_s = (number + 1) * DAY_S
            if not day.cleared or day.balancing or wall_s < over_s:
                continue
            if wall_s >= over_s + self.rules.settle_s or all(each.needs_wh for each in day.sheets.values()):
                return number
        return 0

    def settle(self, number: int) -> dict[str, Bill]:
        """The bills of a day, by member."""
        day, rules = self.days[number], self.rules
        for step in range(STEPS):
            needs = {name: wh for name, sheet in day.sheets.items() if (wh := _need(sheet, step)) is not None}
            day.balancing.append(balancing_price(needs, rules.short, rules.long) if needs else None)
        return {name: bill_of(day, sheet) for name, sheet in day.sheets.items()}

    def drop_old(self, wall_s: float) -> None:
        """Forget days that are over for long, and those of a date that was wrong."""
        newest = self.rules.open_day(wall_s)
        for number in [each for each in self.days if not newest - DAYS < each <= newest]:
            del self.days[number]

    # ---- over a restart -----------------------------------------------------------------------

    def row(self, number: int) -> dict[str, Any]:
        """A day as it is kept, without its sheets."""
        day = self.days[number]
        names = list(day.sheets)
        return {"day": number, "members": names, "prices": day.prices, "balancing": day.balancing}

    def sheet_row(self, number: int, member: str) -> dict[str, Any]:
        """A sheet as it is kept."""
        sheet = self.days[number].sheets[member]
        orders = [None if each is None else _pieces(each) for each in sheet.orders]
        what = {"orders": orders, "position": sheet.position_wh, "needs": sheet.needs_wh}
        return {"day": number, "member": member, **what}

    def restore(self, row: Any, sheets: Callable[[int], Any]) -> None:
        """Continue a day; `sheets` gives what was kept of the member at a place. A day of which a sheet is
        missing has not begun to be cleared, or its positions would not add up: it is left out. Raises
        ValueError, KeyError, TypeError."""
        day = Day(prices=list(row["prices"]), balancing=list(row["balancing"]))
        for place, name in enumerate(row["members"][: self.rules.members]):
            kept = sheets(place)
            if kept is None or (kept["day"], kept["member"]) != (row["day"], name):
                if day.prices:
                    raise ValueError("a sheet is missing")
                continue
            orders = [None if each is None else _packed(each) for each in kept["orders"]]
            day.sheets[name] = Sheet(orders, kept["position"], kept["needs"])
        if day.prices and not day.cleared:  # it was interrupted: it is cleared from the begin
            day.prices = []
            for sheet in day.sheets.values():
                sheet.position_wh = []
        self.days[int(row["day"])] = day


def _packed(pieces: Sequence[Sequence[int]]) -> bytes:
    return array("i", chain.from_iterable(pieces)).tobytes()


def _pieces(packed: bytes) -> Pieces:
    numbers = array("i", packed)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def bill_of(day: Day, sheet: Sheet) -> Bill:
    """What a member pays for a day."""
    bill = Bill()
    for step in range(STEPS):
        bill.add(sheet.position_wh[step], day.prices[step], _need(sheet, step), day.balancing[step])
    return bill


def _need(sheet: Sheet, step: int) -> int | None:
    return sheet.needs_wh[step] if sheet.needs_wh else None


def _taken(order: Order, price: float | None) -> int:
    """What an order gets at a price that the operator says."""
    if price is None or (price < order.limit if order.sells else price > order.limit):
        return 0
    return order.energy_wh


def orders_rows(orders: Sequence[Sequence[Order]]) -> Iterator[Pieces]:
    """The orders of a day as they travel: by limit, those with the same limit and side added."""
    for step in orders:
        pieces: dict[tuple[int, bool], int] = {}
        for each in step:
            key = round(UNIT * each.limit), each.sells
            pieces[key] = pieces.get(key, 0) + (-each.energy_wh if each.sells else each.energy_wh)
        yield tuple((limit, wh) for (limit, _), wh in sorted(pieces.items()) if wh)

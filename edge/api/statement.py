"""The statement of a month: what each twin of the node drew and gave, from whom and to whom."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Annotated, TypedDict

import orjson

from ..terms import DAY_MIN
from .answer import CSV
from .context import Context
from .long import BLANK, Long, csv_lines
from .parameters import BadRequest, Zone

if TYPE_CHECKING:
    from ..history.energies import Energy
    from ..history.market import PastMarketDay

MONTH = r"20[0-9]{2}-(?:0[1-9]|1[0-2])"
MARKET, DEVIATIONS = "market of the next day", "deviations"  # partners in the CSV
_HOUR_MIN = 60
_READ_MIN = 24 * _HOUR_MIN  # at a time
_QUALITIES = ("measured", "filled", "missing")
_NAMES = ("month", "twin", "partner", "drawn_wh", "given_wh", "paid", "earned", "quality")


class Exchange(TypedDict):
    partner: str
    drawn_wh: float
    given_wh: float


class TwinStatement(TypedDict):
    twin: str
    drawn_wh: Annotated[float, "by its meter, with all partners and none"]
    given_wh: float
    paid: Annotated[float | None, "in the currency of the community; null: no account was kept"]
    earned: float | None
    quality: Annotated[str, "the worst of its hours: measured, filled, missing"]
    partners: Annotated[list[Exchange], "by contract"]


class MarketLine(TypedDict):
    member: Annotated[str, "this node; on the node of the market also all others"]
    days: Annotated[int, "that are settled"]
    bought_wh: int
    sold_wh: int
    paid: Annotated[float, "on the market, below 0: was paid"]
    more_wh: Annotated[int, "deviations: needed beyond what was bought"]
    less_wh: int
    paid_balancing: Annotated[float, "for deviations, below 0: was paid"]
    unknown_steps: Annotated[int, "quarter-hours that were not measured, so their deviation is not known"]


class Statement(TypedDict):
    node: str
    month: str
    from_s: Annotated[int, "Unix time"]
    to_s: Annotated[int, "its end, or now"]
    twins: list[TwinStatement]
    market: Annotated[list[MarketLine], "the market of the next day, by member; empty without one"]


def statement(context: Context, month: str | None, form: str) -> Long[Statement]:
    """Answers /statement. Raises BadRequest."""
    node = context.node
    now = int(node.wall_s() // 60)
    month = month or f"{datetime.fromtimestamp(60 * (now + node.zone.offset_min(now)), UTC):%Y-%m}"
    year, number = int(month[:4]), int(month[5:])
    first = _begin(node.zone, year, number)
    last = min(_begin(node.zone, year + number // 12, number % 12 + 1), now - now % _HOUR_MIN + _HOUR_MIN)
    if first >= last:
        raise BadRequest(f"month = {month}: it has not begun", key="month", value=month)
    name = node.config.name
    return Long(
        _pieces(context, name, month, first, last, form), CSV if form == "csv" else "application/json"
    )


def _begin(zone: "Zone", year: int, month: int) -> int:
    """The first full hour of a civil month, as a minute of UTC."""
    civil = int(datetime(year, month, 1, tzinfo=UTC).timestamp() // 60)
    found = zone.utc(civil)
    begin = civil - zone.offset_min(civil - DAY_MIN) if found is None else found
    return begin + -begin % _HOUR_MIN


def _pieces(context: Context, node: str, month: str, first: int, last: int, form: str) -> Iterator[bytes]:
    sees, history = context.caller.sees, context.history
    twins: dict[str, TwinStatement] = {}
    for start in range(first, last, _READ_MIN):
        for row in history.energies(start, min(last, start + _READ_MIN), _HOUR_MIN):
            if sees(row.twin):
                _add(twins, row)
        if form != "csv":
            yield BLANK
    for name, (paid, earned) in history.money(first, last).items():
        if name in twins:
            twins[name]["paid"], twins[name]["earned"] = round(paid, 6), round(earned, 6)
    found = [_rounded(twins[name]) for name in sorted(twins)]
    lines = _market(history.market_days(first, last), node, sees)
    if form == "csv":
        yield from csv_lines(_NAMES, chain(_rows(month, found), _market_rows(month, lines)))
        return
    whole: Statement = {
        "node": node,
        "month": month,
        "from_s": 60 * first,
        "to_s": 60 * last,
        "twins": found,
        "market": lines,
    }
    yield orjson.dumps(whole)


def _market(days: "list[PastMarketDay]", node: str, sees: Callable[[str], bool]) -> list[MarketLine]:
    """The sums of a month, by member. Whoever sees only some twins of the node sees none of it."""
    lines: dict[str, MarketLine] = {}
    for day in days if sees(f"{node}.trader") else ():
        line = lines.setdefault(
            day.member,
            {
                "member": day.member,
                "days": 0,
                "bought_wh": 0,
                "sold_wh": 0,
                "paid": 0.0,
                "more_wh": 0,
                "less_wh": 0,
                "paid_balancing": 0.0,
                "unknown_steps": 0,
            },
        )
        line["days"] += 1
        line["bought_wh"] += day.bought_wh
        line["sold_wh"] += day.sold_wh
        line["paid"] = round(line["paid"] + day.paid_market, 6)
        line["more_wh"] += day.more_wh
        line["less_wh"] += day.less_wh
        line["paid_balancing"] = round(line["paid_balancing"] + day.paid_balancing, 6)
        line["unknown_steps"] += day.unknown_steps
    return [lines[name] for name in sorted(lines)]


def _market_rows(month: str, lines: list[MarketLine]) -> Iterator[tuple[object, ...]]:
    """Two rows a member: what it traded, and its deviations. What is below 0 was earned."""
    for line in lines:
        for partner, drawn_wh, given_wh, paid in (
            (MARKET, line["bought_wh"], line["sold_wh"], line["paid"]),
            (DEVIATIONS, line["more_wh"], line["less_wh"], line["paid_balancing"]),
        ):
            quality = _QUALITIES[-1] if line["unknown_steps"] and partner == DEVIATIONS else _QUALITIES[0]
            money = max(0.0, paid), max(0.0, -paid)
            yield month, line["member"], partner, float(drawn_wh), float(given_wh), *money, quality


def _add(twins: dict[str, TwinStatement], row: "Energy") -> None:
    twin = twins.setdefault(
        row.twin,
        {
            "twin": row.twin,
            "drawn_wh": 0.0,
            "given_wh": 0.0,
            "paid": None,
            "earned": None,
            "quality": _QUALITIES[0],
            "partners": [],
        },
    )
    if not row.partner:
        twin["drawn_wh"] += row.drawn_wh
        twin["given_wh"] += row.given_wh
        twin["quality"] = max(twin["quality"], str(row.quality), key=_QUALITIES.index)
        return
    for each in twin["partners"]:
        if each["partner"] == row.partner:
            each["drawn_wh"] += row.drawn_wh
            each["given_wh"] += row.given_wh
            return
    twin["partners"].append({"partner": row.partner, "drawn_wh": row.drawn_wh, "given_wh": row.given_wh})


def _rounded(twin: TwinStatement) -> TwinStatement:
    twin["drawn_wh"], twin["given_wh"] = round(twin["drawn_wh"], 3), round(twin["given_wh"], 3)
    for each in twin["partners"]:
        each["drawn_wh"], each["given_wh"] = round(each["drawn_wh"], 3), round(each["given_wh"], 3)
    twin["partners"].sort(key=lambda each: each["partner"])
    return twin


def _rows(month: str, found: list[TwinStatement]) -> Iterator[tuple[object, ...]]:
    for twin in found:
        energies, money = (twin["drawn_wh"], twin["given_wh"]), (twin["paid"], twin["earned"])
        yield month, twin["twin"], "", *energies, *money, twin["quality"]
        for each in twin["partners"]:
            yield month, twin["twin"], each["partner"], each["drawn_wh"], each["given_wh"], None, None, ""

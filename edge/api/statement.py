"""The statement of a month: what each twin of the node drew and gave, from whom and to whom."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypedDict

import orjson

from ..terms import DAY_MIN
from .answer import CSV
from .context import Context
from .long import BLANK, Long, csv_lines
from .parameters import BadRequest, Zone

if TYPE_CHECKING:
    from ..history.energies import Energy

MONTH = r"20[0-9]{2}-(?:0[1-9]|1[0-2])"
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


class Statement(TypedDict):
    node: str
    month: str
    from_s: Annotated[int, "Unix time"]
    to_s: Annotated[int, "its end, or now"]
    twins: list[TwinStatement]


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
    if form == "csv":
        yield from csv_lines(_NAMES, _rows(month, found))
        return
    whole: Statement = {"node": node, "month": month, "from_s": 60 * first, "to_s": 60 * last, "twins": found}
    yield orjson.dumps(whole)


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

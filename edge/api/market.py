"""The market of the next day over HTTP: what this node trades there, and the market if it is held here."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypedDict, cast

from ..history.energies import QUARTER_MIN
from ..terms import DAY_MIN
from .context import Context

if TYPE_CHECKING:
    from ..history.market import PastMarketDay
    from ..twins.market import MarketTwin
    from ..twins.trader import TraderTwin

_SHOWN_DAYS, _MOST_CONTRACTS = 31, 1000


class HeldDay(TypedDict):
    day: Annotated[str, "date (UTC)"]
    members: Annotated[int, "that have ordered"]
    cleared: bool
    settled: bool
    traded_wh: Annotated[int, "what was bought in all"]
    prices: Annotated[list[float | None], "per kWh by quarter-hour; null: nothing was traded"]


class LaterContract(TypedDict):
    begins_s: Annotated[int, "Unix time; it is for a quarter-hour"]
    seller: Annotated[str, "a node; empty: the operator"]
    buyer: str
    energy_wh: int
    power_w: float
    price: Annotated[float, "per kWh"]


class DayBill(TypedDict):
    day: Annotated[str, "date (UTC)"]
    member: str
    bought_wh: int
    sold_wh: int
    more_wh: Annotated[int, "needed beyond what was bought, or less given than was sold"]
    less_wh: int
    paid_market: Annotated[float, "below 0: was paid"]
    paid_balancing: float
    unknown_steps: Annotated[int, "quarter-hours that were not measured"]


class MarketAnswer(TypedDict):
    market: Annotated[str, "the market twin at which this node trades; empty: it does not"]
    present: Annotated[bool, "whether that twin is there"]
    here: Annotated[bool, "whether the market is held on this node"]
    open_day: Annotated[str | None, "date (UTC) for which orders are taken; null: not known"]
    closes_s: Annotated[int | None, "until when, in Unix time"]
    refused: Annotated[dict[str, int], "orders and questions that the market here refused, by reason"]
    days: Annotated[list[HeldDay], "that the market here holds"]
    contracts: Annotated[list[LaterContract], "of this node, from now on"]
    bills: Annotated[list[DayBill], "of the last 31 days; of all members if the market is held here"]


def market(context: Context) -> MarketAnswer:
    """Answers /market."""
    node = context.node
    found = {twin.kind: twin for twin in node.twins if twin.kind in ("market", "trader")}
    place = cast("MarketTwin | None", found.get("market"))
    trader = cast("TraderTwin | None", found.get("trader"))
    wall_s = node.wall_s()
    call = trader.call if trader else place.call if place else None
    last = int(wall_s // 60) + 1
    bills = node.history.market_days(last - _SHOWN_DAYS * DAY_MIN, last)
    contracts = (
        [each for each in trader.contracts if each.begins_s + 60 * QUARTER_MIN > wall_s] if trader else []
    )
    return {
        "market": trader.market if trader else "",
        "present": call is not None,
        "here": place is not None,
        "open_day": _date(call.open_day) if call else None,
        "closes_s": call.closes_s if call else None,
        "refused": dict(place.place.refused) if place else {},
        "days": [_day(place, number) for number in sorted(place.place.days)] if place else [],
        "contracts": [
            LaterContract(
                begins_s=each.begins_s,
                seller=each.seller,
                buyer=each.buyer,
                energy_wh=each.energy_wh,
                power_w=each.power_w,
                price=each.price,
            )
            for each in contracts[:_MOST_CONTRACTS]
        ],
        "bills": [_bill(each) for each in bills],
    }


def _day(place: "MarketTwin", number: int) -> HeldDay:
    day = place.place.days[number]
    traded = (max(0, wh) for sheet in day.sheets.values() for wh in sheet.position_wh)
    return {
        "day": _date(number),
        "members": len(day.sheets),
        "cleared": day.cleared,
        "settled": bool(day.balancing),
        "traded_wh": sum(traded),
        "prices": day.prices,
    }


def _bill(row: "PastMarketDay") -> DayBill:
    """The bill of a day as it is shown."""
    return DayBill(
        day=_date(row.minute // DAY_MIN),
        member=row.member,
        bought_wh=row.bought_wh,
        sold_wh=row.sold_wh,
        more_wh=row.more_wh,
        less_wh=row.less_wh,
        paid_market=row.paid_market,
        paid_balancing=row.paid_balancing,
        unknown_steps=row.unknown_steps,
    )


def _date(day: int) -> str:
    return f"{datetime.fromtimestamp(60 * DAY_MIN * day, UTC):%Y-%m-%d}"

"""The past of the community: credits and money by quarter-hour, prices, levels of batteries."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from ..terms import DAY_MIN
from .context import Context
from .parameters import BadRequest, Moment

if TYPE_CHECKING:
    from ..history.store import Store

_MOST_MIN = 32 * DAY_MIN


class AccountRow(TypedDict):
    start_s: Annotated[int, "Unix time at which the quarter-hour begins"]
    twin: str
    credit_wh: Annotated[float, "at its end"]
    paid: Annotated[float, "in it, in the currency of the community"]
    earned: float


class PriceRow(TypedDict):
    start_s: Annotated[int, "Unix time; it held until the next row of that supplier"]
    supplier: str
    rate: Annotated[float, "per kWh, for a consumer without credit"]


class LevelRow(TypedDict):
    at_s: Annotated[int, "Unix time"]
    twin: str
    level_wh: float


class Accounts(TypedDict):
    from_s: Annotated[int, "Unix time"]
    to_s: int
    accounts: Annotated[list[AccountRow], "oldest first; a quarter-hour in which nothing changed is left out"]
    prices: list[PriceRow]
    levels: list[LevelRow]


def accounts(context: Context, begin: Moment | None, end: Moment | None) -> Accounts:
    """Answers /accounts. Raises BadRequest."""
    node = context.node
    last = end.utc(node.zone) if end is not None else int(node.wall_s() // 60) + 1
    first = begin.utc(node.zone) if begin is not None else last - DAY_MIN
    if not 0 < last - first <= _MOST_MIN:
        period = f"from = {node.zone.text(first)}, to = {node.zone.text(last)}"
        raise BadRequest(f"{period}: expected `from` before `to`, and at most {_MOST_MIN // DAY_MIN} days")
    return _answer(context, context.history, first, last)


def _answer(context: Context, history: "Store", first: int, last: int) -> Accounts:
    sees = context.caller.sees
    return {
        "from_s": 60 * first,
        "to_s": 60 * last,
        "accounts": [
            {
                "start_s": 60 * each.minute,
                "twin": each.twin,
                "credit_wh": each.credit_wh,
                "paid": each.paid,
                "earned": each.earned,
            }
            for each in history.accounts(first, last)
            if sees(each.twin)
        ],
        "prices": [
            {"start_s": 60 * each.minute, "supplier": each.supplier, "rate": each.rate}
            for each in history.prices(first, last)
        ],
        "levels": [
            {"at_s": 60 * each.minute, "twin": each.twin, "level_wh": each.level_wh}
            for each in history.levels(first, last)
            if sees(each.twin)
        ],
    }

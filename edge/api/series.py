"""The six variables of a period in columns: a start, a step, and a list of powers for each variable."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from ..terms import DAY_MIN, VARIABLES
from .answer import CSV, Reply
from .context import Context
from .parameters import BadRequest, Moment

if TYPE_CHECKING:
    from ..history.store import Store

MOST_VALUES = 10_080  # of a column: a week of minutes
Column = Annotated[list[float | None], "null: not known"]
_Values = list[list[float | None]]


class Columns(TypedDict):
    requested_w: Column
    produced_w: Column
    consumed_w: Column
    supplied_w: Column
    missing_w: Column
    available_w: Column


class Series(TypedDict):
    scope: str
    start_s: Annotated[int, "Unix time of the first value"]
    start: Annotated[int, "the same as a minute of UTC since 1970"]
    step: Annotated[int, "minutes from one value to the next; each is the mean of its step"]
    columns: Columns
    least: Annotated[Columns | None, "of the minutes of each step; null with a step of 1"]
    most: Columns | None


def series(
    context: Context, scope: str, begin: Moment | None, end: Moment | None, step_text: str, form: str
) -> Series | Reply[Series]:
    """Answers /series. Raises BadRequest."""
    node, step = context.node, int(step_text)
    now = int(node.wall_s() // 60) + 1
    last = end.utc(node.zone) if end is not None else now
    first = begin.utc(node.zone) if begin is not None else last - DAY_MIN
    first -= first % step
    count = -(-(last - first) // step)
    if not 0 < count <= MOST_VALUES:
        reason = f"expected `from` before `to`, and at most {MOST_VALUES} steps between them"
        raise BadRequest(f"from = {node.zone.text(first)}, to = {node.zone.text(last)}: {reason}")
    if step == 1:
        kinds = {"": _minutes(context.history, scope, first, count)}
    else:  # of quarter-hours and hours, which stay when the minutes are gone
        found = context.history.series(scope, first, count, step)
        kinds = {"": found.mean_w, "_least": found.least_w, "_most": found.most_w}
    if form == "csv":
        return Reply("".join(_lines(kinds, first, step)).encode(), media=CSV)
    return {
        "scope": scope,
        "start_s": 60 * first,
        "start": first,
        "step": step,
        "columns": _named(kinds[""]),
        "least": _named(kinds["_least"]) if step > 1 else None,
        "most": _named(kinds["_most"]) if step > 1 else None,
    }


def _minutes(history: "Store", scope: str, first: int, count: int) -> _Values:
    columns: _Values = [[None] * count for _ in VARIABLES]
    for rows in history.minutes(scope, first, first + count - 1):
        for minute, *powers_w in rows:
            for column, power_w in zip(columns, powers_w, strict=True):
                column[minute - first] = None if power_w is None else round(power_w, 1)
    return columns


def _named(columns: _Values) -> Columns:
    named: Any = {f"{name}_w": column for name, column in zip(VARIABLES, columns, strict=True)}
    return named  # type: ignore[no-any-return]  # its keys are made of VARIABLES


def _lines(kinds: dict[str, _Values], first: int, step: int) -> Iterator[str]:
    yield _line(["time", *(f"{name}{kind}_w" for kind in kinds for name in VARIABLES)])
    columns = [column for values in kinds.values() for column in values]
    for i, row in enumerate(zip(*columns, strict=True)):
        at = datetime.fromtimestamp(60 * (first + i * step), UTC)
        yield _line([f"{at:%Y-%m-%dT%H:%MZ}", *("" if each is None else f"{each:g}" for each in row)])


def _line(fields: Iterable[str]) -> str:
    return ",".join(fields) + "\r\n"

"""The six variables of a period in columns: a start, a step, and a list of powers for each variable."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, TypedDict

from ..terms import DAY_MIN, VARIABLES
from .answer import CSV, Reply
from .context import Context
from .parameters import BadRequest, Moment

MOST_VALUES = 10_080  # of a column: a week of minutes
Column = Annotated[list[float | None], "null: not known"]


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
    columns = _columns(context, scope, first, count, step)
    if form == "csv":
        return Reply("".join(_lines(columns, first, step)).encode(), media=CSV)
    named: Any = {f"{name}_w": column for name, column in zip(VARIABLES, columns, strict=True)}
    return {
        "scope": scope,
        "start_s": 60 * first,
        "start": first,
        "step": step,
        "columns": named,
    }


def _columns(context: Context, scope: str, first: int, count: int, step: int) -> list[list[float | None]]:
    columns: list[list[float | None]] = [[None] * count for _ in VARIABLES]
    known = [bytearray(count) for _ in VARIABLES]  # minutes that are known, of each step
    for rows in context.node.history.minutes(scope, first, first + count * step - 1):
        for minute, *powers_w in rows:
            at = (minute - first) // step
            for column, counts, power_w in zip(columns, known, powers_w, strict=True):
                if power_w is not None:
                    column[at] = (column[at] or 0.0) + power_w
                    counts[at] += 1
    return [
        [None if value is None else round(value / n, 1) for value, n in zip(column, counts, strict=True)]
        for column, counts in zip(columns, known, strict=True)
    ]


def _lines(columns: list[list[float | None]], first: int, step: int) -> Iterator[str]:
    yield ",".join(["time", *(f"{name}_w" for name in VARIABLES)]) + "\r\n"
    for i, row in enumerate(zip(*columns, strict=True)):
        at = datetime.fromtimestamp(60 * (first + i * step), UTC)
        yield (
            f"{at:%Y-%m-%dT%H:%MZ}," + ",".join("" if each is None else f"{each:g}" for each in row) + "\r\n"
        )

"""What meters showed in the past: all quantities of its full records."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, TypedDict

from ..terms import DAY_MIN
from .context import Context
from .long import Long, rows_in
from .parameters import BadRequest, Moment

if TYPE_CHECKING:
    from ..history.store import Store

MOST_DAYS = 31
_READ_MIN = 240  # at a time


class PastRecord(TypedDict):
    meter: str
    at_s: Annotated[int, "Unix time"]
    values: Annotated[dict[str, float], "by quantity with its unit; phases as l1.voltage_v"]


class PastRecords(TypedDict):
    records: Annotated[
        list[PastRecord], "meter by meter, oldest first, as often as `[history] records_min` says"
    ]


def records(
    context: Context, meter: str | None, begin: Moment | None, end: Moment | None
) -> Long[PastRecords]:
    """Answers /records. Raises BadRequest."""
    node = context.node
    meters = [each.name for each in node.config.meters] if meter is None else [meter]
    last = end.utc(node.zone) if end is not None else int(node.wall_s() // 60) + 1
    first = begin.utc(node.zone) if begin is not None else last - DAY_MIN
    if not 0 < last - first <= MOST_DAYS * DAY_MIN:
        period = f"from = {node.zone.text(first)}, to = {node.zone.text(last)}"
        raise BadRequest(f"{period}: expected `from` before `to`, and at most {MOST_DAYS} days between them")
    return Long(rows_in({}, "records", _records(context.history, meters, first, last)))


def _records(history: "Store", meters: list[str], first: int, last: int) -> Iterator[PastRecord]:
    for meter in meters:
        for start in range(first, last, _READ_MIN):
            for each in history.records(meter, start, min(last, start + _READ_MIN)):
                yield {"meter": meter, "at_s": 60 * each.minute, "values": each.values}

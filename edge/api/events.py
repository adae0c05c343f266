"""What happened on a node: the events of its twins and of changes, newest first, as JSON or CSV."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from .answer import CSV, Reply
from .context import Context
from .long import csv_of
from .parameters import BadRequest, Moment

if TYPE_CHECKING:
    from ..history.events import Event

CURSOR = r"[0-9]{1,15}~[A-Za-z0-9_.>-]{1,80}~-?[0-9]{1,15}"
_AFTER_ALL = (2**62, "", 0)


class EventAnswer(TypedDict):
    at_s: Annotated[float, "Unix time"]
    twin: str
    number: Annotated[int, "of the events of this twin; negative for changes by people"]
    kind: Annotated[str, "start, update, stop, expiry, switch, merge; of changes added, changed, and so on"]
    role: Annotated[str, "request, production or contract; of changes twin or link"]
    power_w: float
    cause: str
    begins_s: Annotated[float | None, "of the request, production or contract; null: not known"]
    ends_s: Annotated[float | None, "planned or actual; null: not planned"]
    partner: Annotated[str, "supplier of a contract, of several the largest; of changes who made it"]
    partners: int
    complementary: bool
    origin: Annotated[int | None, "number of the event that started what this one is about"]
    contract: Annotated[int | None, "id of the contract, unique among those of its consumer"]
    revision: Annotated[int | None, "of the contract"]


class Events(TypedDict):
    events: list[EventAnswer]
    next: Annotated[str | None, "cursor of the next page; null: this was the last one"]


def events(
    context: Context,
    begin: Moment | None,
    end: Moment | None,
    twin: str | None,
    kind: str | None,
    limit: int,
    cursor: str | None,
    form: str,
) -> Events | Reply[Events]:
    """Answers /events. Raises BadRequest."""
    node = context.node
    first_s = 60.0 * begin.utc(node.zone) if begin is not None else 0.0
    before = _AFTER_ALL
    if end is not None:
        before = (60_000 * end.utc(node.zone), "", 0)
    if begin is not None and end is not None and before[0] < 1000 * first_s:
        raise BadRequest("from is after to: expected `from` before `to`")
    if cursor is not None:
        at_ms, name, number = cursor.split("~")
        before = min(before, (int(at_ms), name, int(number)))
    found = [
        event
        for each in of_caller(context, twin)
        for event in node.history.newest_events(first_s, before, each, kind or "", limit + 1)
    ]
    found.sort(key=lambda event: event[:3], reverse=True)
    page = [shown_event(each) for each in found[:limit]]
    if form == "csv":
        return Reply(csv_of(EventAnswer, page), media=CSV)
    last = found[limit - 1] if len(found) > limit else None
    return {"events": page, "next": f"{last.at_ms}~{last.twin}~{last.number}" if last else None}


def of_caller(context: Context, twin: str | None) -> list[str]:
    """The twins that a question is about: the one that was named, "" for all, or each one of a member."""
    caller = context.caller
    if twin:
        return [twin] if caller.sees(twin) else []
    return sorted(caller.twins) if caller.member else [""]


def shown_event(event: "Event") -> EventAnswer:
    """An event of the history as it is shown."""
    return {
        "at_s": event.at_ms / 1000,
        "twin": event.twin,
        "number": event.number,
        "kind": event.kind,
        "role": event.role,
        "power_w": round(event.power_w, 3),
        "cause": event.cause,
        "begins_s": None if event.begins_ms is None else event.begins_ms / 1000,
        "ends_s": None if event.ends_ms is None else event.ends_ms / 1000,
        "partner": event.partner,
        "partners": event.partners,
        "complementary": bool(event.complementary),
        "origin": event.origin,
        "contract": event.contract,
        "revision": event.revision,
    }

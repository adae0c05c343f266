"""Offers that are over, and what became of them, newest first."""

from typing import TYPE_CHECKING, Annotated, TypedDict

from .context import Context
from .events import of_caller
from .parameters import BadRequest, Moment

if TYPE_CHECKING:
    from ..history.offers import PastOffer

CURSOR = r"[0-9]{1,15}~[A-Za-z0-9_.>-]{1,80}~[A-Za-z0-9_.>-]{1,80}~[0-9]{1,15}~[01]"
_END_S = 2.0**40
_MADE = 0  # role of a local supplier


class OfferAnswer(TypedDict):
    at_s: Annotated[float, "Unix time at which it was made; of one that was received, of the choice"]
    ended_s: float
    supplier: str
    consumer: str
    local: Annotated[str, "supplier or consumer: which of them is on this node and has noted it"]
    request: Annotated[int, "number of the request"]
    power_w: Annotated[float, "the most that was offered"]
    price: float
    outcome: Annotated[
        str,
        "accepted: part of a contract; refused: the local consumer chose others; elsewhere: a consumer of "
        "another node did; ended",
    ]


class Offers(TypedDict):
    offers: list[OfferAnswer]
    next: Annotated[str | None, "cursor of the next page; null: this was the last one"]


def offers(
    context: Context,
    begin: Moment | None,
    end: Moment | None,
    twin: str | None,
    limit: int,
    cursor: str | None,
) -> Offers:
    """Answers /offers. Raises BadRequest."""
    node = context.node
    first_s = 60.0 * begin.utc(node.zone) if begin is not None else 0.0
    last_s = 60.0 * end.utc(node.zone) if end is not None else _END_S
    if last_s < first_s:
        raise BadRequest("from is after to: expected `from` before `to`")
    before = None
    if cursor is not None:
        at_ms, name, partner, request, role = cursor.split("~")
        before = (int(at_ms), name, partner, int(request), int(role))
    found = [
        offer
        for each in of_caller(context, twin)
        for offer in context.history.offers(first_s, last_s, each, limit + 1, before)
    ]
    found.sort(key=lambda offer: offer[:5], reverse=True)
    last = found[limit - 1] if len(found) > limit else None
    return {
        "offers": [_shown(each) for each in found[:limit]],
        "next": None if last is None else "~".join(map(str, last[:5])),
    }


def _shown(offer: "PastOffer") -> OfferAnswer:
    made = offer.role == _MADE
    return {
        "at_s": offer.at_ms / 1000,
        "ended_s": offer.ended_ms / 1000,
        "supplier": offer.twin if made else offer.partner,
        "consumer": offer.partner if made else offer.twin,
        "local": "supplier" if made else "consumer",
        "request": offer.request,
        "power_w": offer.max_w,
        "price": offer.price,
        "outcome": offer.fate,
    }

"""A node at a past moment, rebuilt from its history: who supplied whom, and which twins there were."""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from ..terms import VARIABLES
from .context import Context
from .parameters import Moment

if TYPE_CHECKING:
    from ..history.deals import Deal

_SUPPLIED, _COMPLEMENTARY = 2, 1  # roles of a deal


class PastFlow(TypedDict):
    supplier: str
    consumer: str
    w: float
    max_w: Annotated[float, "what was reserved, with the margin"]
    contract: Annotated[int, "id of the contract, unique among those of its consumer"]
    revision: int
    complementary: bool
    since_s: Annotated[float, "Unix time since when it had these values; at most an hour before"]


class PastTwin(TypedDict):
    twin: str
    since_s: Annotated[float, "Unix time since when it had these settings"]
    settings: Annotated[dict[str, Any], "those that differ from their defaults"]


class PastMoment(TypedDict):
    at_s: Annotated[int, "Unix time"]
    known: Annotated[bool, "false: the node did not run then, or the history does not reach back so far"]
    release: Annotated[str, 'that ran; "": none was deployed']
    powers_w: Annotated[dict[str, float | None], "means of the minute that begins then, null where not known"]
    flows: list[PastFlow]
    twins: Annotated[list[PastTwin], "that were known, also those that had been removed"]


def moment(context: Context, at: Moment | None) -> PastMoment:
    """Answers /moment. Raises BadRequest."""
    node = context.node
    minute = int(node.wall_s() // 60) if at is None else at.utc(node.zone)
    history = context.history
    at_s = 60 * minute
    deals = history.deals_at(at_s) if at_s <= node.wall_s() else None
    rows = [row for rows in history.minutes("node", minute, minute) for row in rows]
    values = rows[0][1:] if rows else (None,) * len(VARIABLES)
    runs = history.sessions(at_s, 1) if deals is not None else []
    return {
        "at_s": at_s,
        "known": deals is not None,
        "release": runs[0].release if runs else "",
        "powers_w": dict(zip(VARIABLES, values, strict=True)),
        "flows": [_flow(each) for each in deals or ()],
        "twins": [
            {"twin": each.name, "since_s": each.since_s, "settings": each.data}
            for each in (history.agents(at_s) if deals is not None else ())
        ],
    }


def _flow(deal: "Deal") -> PastFlow:
    supplied = deal.role == _SUPPLIED
    return {
        "supplier": deal.twin if supplied else deal.partner,
        "consumer": deal.partner if supplied else deal.twin,
        "w": deal.power_w,
        "max_w": deal.max_w,
        "contract": deal.contract,
        "revision": deal.revision,
        "complementary": deal.role == _COMPLEMENTARY,
        "since_s": deal.at_ms / 1000,
    }

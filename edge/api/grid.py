"""What the operator of the grid on this node sees and orders, over HTTP."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, cast

from ..option import OneOf, Within, options_of
from .answer import Problem
from .context import Context

if TYPE_CHECKING:
    from ..twins.dso import DsoTwin


@dataclass(frozen=True)
class MemberLimitBody:
    """A limit of a member."""

    direction: Annotated[str, OneOf("consume", "feed_in"), "what is limited"]
    power_w: Annotated[float, Within(0, 1e7), "at most so much"]
    lasts_s: Annotated[float, Within(0, 31_622_400), "how long; 0: until it is released"] = 0.0


MEMBER_LIMIT = options_of(MemberLimitBody)


class MemberLimit(TypedDict):
    direction: Annotated[str, "consume or feed_in"]
    power_w: float
    cause: Annotated[str, "operator: by hand; overload: all together drew or fed in too much"]
    left_s: Annotated[float | None, "how much longer; null: until it is released"]


class GridMember(TypedDict):
    member: str
    net_w: Annotated[float | None, "drawn less given; null: it shows no total"]
    limits: list[MemberLimit]


class GridAnswer(TypedDict):
    operator: Annotated[str, "the twin of kind `dso`; empty: this node has none"]
    most_import_w: Annotated[float, "most that all members may draw together; 0: no limit"]
    most_export_w: Annotated[float, "most that they may feed in; 0: no limit"]
    sum_w: Annotated[float, "what all members draw less what they give, as far as they show it"]
    overloads: Annotated[int, "how often that was too much since the node started"]
    members: Annotated[list[GridMember], "those that show a total, or are limited"]


def grid(context: Context) -> GridAnswer:
    """Answers /grid."""
    twin = _operator(context)
    if twin is None:
        return {
            "operator": "",
            "most_import_w": 0.0,
            "most_export_w": 0.0,
            "sum_w": 0.0,
            "overloads": 0,
            "members": [],
        }
    return _answer(context, twin)


def limit_member(context: Context, member: str, body: dict[str, Any]) -> GridAnswer:
    """Answers PUT /grid/MEMBER. Raises Problem."""
    twin = _needed(context)
    try:
        twin.limit(member, body["direction"], body["power_w"], body["lasts_s"] or math.inf)
    except ValueError as error:
        raise Problem(422, str(error)) from None
    details = f"{body['direction']} {body['power_w']:g} W"
    context.node.note_change(member, "ordered", "limit", details, context.caller.who)
    return _answer(context, twin)


def release_member(context: Context, member: str) -> GridAnswer:
    """Answers DELETE /grid/MEMBER. Raises Problem."""
    twin = _needed(context)
    if twin.release(member):
        context.node.note_change(member, "released", "limit", "", context.caller.who)
    return _answer(context, twin)


def _operator(context: Context) -> "DsoTwin | None":
    found = (twin for twin in context.node.prosumers if twin.settings.kind == "dso")
    return cast("DsoTwin | None", next(found, None))


def _needed(context: Context) -> "DsoTwin":
    if (twin := _operator(context)) is None:
        raise Problem(409, "this node has no twin of kind dso")
    return twin


def _answer(context: Context, twin: "DsoTwin") -> GridAnswer:
    operator, now_s = twin.operator, context.node.now_s()
    limits: dict[str, list[MemberLimit]] = {}
    for (member, direction), each in sorted(operator.allowed.items()):
        left_s = None if math.isinf(each.until_s) else round(max(0.0, each.until_s - now_s), 1)
        row = MemberLimit(
            direction=direction.value, power_w=round(each.power_w, 1), cause=each.cause, left_s=left_s
        )
        limits.setdefault(member, []).append(row)
    return {
        "operator": twin.name,
        "most_import_w": twin.settings.most_import_w,
        "most_export_w": twin.settings.most_export_w,
        "sum_w": round(operator.sum_w, 1),
        "overloads": operator.overloads,
        "members": [
            {
                "member": member,
                "net_w": round(operator.net_w[member], 1) if member in operator.net_w else None,
                "limits": limits.get(member, []),
            }
            for member in sorted(operator.net_w.keys() | limits.keys())
        ],
    }

"""External limits over HTTP: what holds, who ordered it, what is held back, and the log of all orders."""

import math
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from ..option import OneOf, Within, options_of
from .access import Caller
from .answer import CSV, Problem, Reply
from .context import Context
from .long import csv_of

if TYPE_CHECKING:
    from ..history.orders import PastOrder
    from ..node import Node
    from ..twins.regulator import RegulatorTwin

SOURCE = r"[a-z0-9][a-z0-9_-]{0,31}"


@dataclass(frozen=True)
class LimitBody:
    """A limit."""

    direction: Annotated[str, OneOf("consume", "feed_in"), "what is limited"]
    power_w: Annotated[float, Within(0, 1e7), "at most so much"]
    circuit: Annotated[str, "of this circuit; with `twins` empty too: of the grid connection"] = ""
    twins: Annotated[str, "of these twins together, their names with commas between them"] = ""
    from_s: Annotated[float, Within(0, 1e12), "begin, in Unix time; now by default"] = 0.0
    until_s: Annotated[float, Within(0, 1e12), "end, in Unix time; until it is released by default"] = 0.0
    lasts_s: Annotated[float, Within(1, 31_622_400), "its length, in place of the end"] = 0.0


LIMIT = options_of(LimitBody)


class LimitAnswer(TypedDict):
    direction: Annotated[str, "consume or feed_in"]
    power_w: float
    scope: Annotated[str, "connection, or the name of a circuit, or of twins"]
    source: Annotated[str, "who ordered it; failsafe: nobody does"]
    from_s: Annotated[float | None, "Unix time; null: at once"]
    until_s: Annotated[float | None, "Unix time; null: until it is released"]
    measured_w: Annotated[float, "what flows there now in that direction"]


class Held(TypedDict):
    twin: str
    reason: str
    left_w: Annotated[float, "what it may draw, or give; 0: it is off"]
    review_s: Annotated[float, "in how many seconds that is looked at again"]


class LimitsAnswer(TypedDict):
    regulated: Annotated[bool, "whether the node has a regulator; without one it takes no limits"]
    in_force: Annotated[list[LimitAnswer], "the lowest of each direction and scope, as it is obeyed"]
    ordered: Annotated[list[LimitAnswer], "all that were ordered and are not over"]
    failsafe: Annotated[bool, "whether the failsafe limits hold, since the controller is silent"]
    controller: Annotated[str, "source that is expected to send heartbeats; empty: none"]
    imported_w: Annotated[float | None, "at the grid connection; negative: fed in; null: not known"]
    held_back: list[Held]


class OrderAnswer(TypedDict):
    number: str
    created_s: Annotated[float, "Unix time"]
    finished_s: Annotated[float | None, "null: not yet, or the node ended without a word"]
    kind: Annotated[str, "limit_consume, limit_feed_in; of single twins limit, overproduction and so on"]
    subject: Annotated[str, "twin, or scope of a limit"]
    source: str
    start_w: Annotated[float | None, "power of what is limited when it began"]
    limit_w: Annotated[float | None, "what it may be at most"]
    after_w: Annotated[float | None, "one second later"]
    highest_w: Annotated[float | None, "the highest from then to the end"]


def limits(context: Context) -> LimitsAnswer:
    """Answers /limits."""
    node, regulator = context.node, context.node.regulator
    if regulator is None:
        return {
            "regulated": False,
            "in_force": [],
            "ordered": [],
            "failsafe": False,
            "controller": "",
            "imported_w": None,
            "held_back": [],
        }
    return _answer(node, regulator, context.caller)


def _answer(node: "Node", regulator: "RegulatorTwin", caller: Caller) -> LimitsAnswer:
    stopped = [
        Held(twin=name, reason=each.kind.value, left_w=0.0, review_s=_in(node, each.review_s))
        for name, each in regulator.stopped.items()
    ]
    reduced = [
        Held(twin=name, reason="limit", left_w=round(each.power_w, 3), review_s=_in(node, each.review_s))
        for name, each in regulator.reduced.items()
    ]
    sees = caller.sees
    return {
        "regulated": True,
        "in_force": [_limit(node, regulator, each) for each in regulator.held.values()],
        "ordered": [_limit(node, regulator, each) for each in regulator.limits],
        "failsafe": regulator.limits.failsafe.holds,
        "controller": regulator.settings.controller,
        "imported_w": round(regulator.imported_w(), 3),
        "held_back": [each for each in (*stopped, *reduced) if sees(f"{node.config.name}.{each['twin']}")],
    }


def put_limit(context: Context, source: str, body: dict[str, Any]) -> LimitsAnswer:
    """Answers PUT /limits/SOURCE. Raises Problem."""
    said = {key: value for key, value in body.items() if value}
    said["power_w"] = body["power_w"]
    if "twins" in said:
        said["twins"] = [name.strip() for name in said["twins"].split(",")]
    return _tell(context, source, said, "ordered", f"{body['direction']} {body['power_w']:g} W")


def release_limits(context: Context, source: str) -> LimitsAnswer:
    """Answers DELETE /limits/SOURCE. Raises Problem."""
    return _tell(context, source, {"power_w": None}, "released", "")


def heartbeat(context: Context, source: str) -> LimitsAnswer:
    """Answers POST /limits/SOURCE/heartbeat. Raises Problem."""
    return _tell(context, source, {}, "", "")


def orders(context: Context, limit: int, form: str) -> list[OrderAnswer] | Reply[list[OrderAnswer]]:
    """Answers /orders. A member of the node sees the limits, and of the rest what is about its own twins."""
    node, sees = context.node.config.name, context.caller.sees
    kept = context.node.history.orders.orders()
    seen = (each for each in kept if each.kind.startswith("limit_") or sees(f"{node}.{each.subject}"))
    found = [_order(each) for each in islice(seen, limit)]
    if form == "csv":
        return Reply(csv_of(OrderAnswer, found), media=CSV)
    return found


# ---- inside --------------------------------------------------------------------------------------


def _tell(context: Context, source: str, said: dict[str, Any], kind: str, details: str) -> LimitsAnswer:
    node, regulator = context.node, context.node.regulator
    if regulator is None:
        raise Problem(409, "this node has no regulator: its configuration has no section [regulator]")
    try:
        regulator.tell(said, f"api:{source}")
    except ValueError as error:  # LimitRefused
        raise Problem(422, str(error)) from None
    if kind:
        node.note_change(f"{node.config.name}.{source}", kind, "limit", details, context.caller.who)
    return _answer(node, regulator, context.caller)


def _limit(node: "Node", regulator: "RegulatorTwin", limit: Any) -> LimitAnswer:
    return {
        "direction": limit.direction.value,
        "power_w": round(limit.power_w, 3),
        "scope": str(limit.scope),
        "source": limit.source,
        "from_s": _date(node, limit.from_s),
        "until_s": _date(node, limit.until_s),
        "measured_w": round(regulator.measured_w(limit), 3),
    }


def _date(node: "Node", at_s: float) -> float | None:
    return round(node.wall_s(at_s), 3) if math.isfinite(at_s) else None


def _in(node: "Node", at_s: float) -> float:
    return round(max(0.0, at_s - node.now_s()), 1)


def _order(order: "PastOrder") -> OrderAnswer:
    found: Any = order._asdict()
    answer: OrderAnswer = found
    return answer

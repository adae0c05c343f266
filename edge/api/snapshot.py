"""A node at one moment, for people: who serves whom, what waits and since when, and what is wrong.

The flows are those of contracts, so they are true, and not guessed from the powers of meters.
"""

from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from ..terms import VARIABLES
from .context import Context
from .node import Twin, overview, twins
from .stream import News
from .troubles import troubles, troubles_of_service, warnings

if TYPE_CHECKING:
    from ..node import Node

Powers = Annotated[dict[str, float | None], "the six variables in W, null while unknown"]
Since = Annotated[float | None, "since when, Unix time; null: not known"]


class PowerFlow(TypedDict):
    supplier: str
    consumer: str
    supplier_node: str
    consumer_node: str
    w: float
    since_s: Since


class WaitingTwin(TypedDict):
    twin: str
    w: Annotated[float, "what it lacks"]
    since_s: Since
    priority: str


class Alert(TypedDict):
    code: str
    text: str
    twin: Annotated[str, "what is concerned: a twin, neighbour, meter, bus, or part of the node"]


class WholeMicrogrid(TypedDict):
    nodes: Annotated[list[str], "every node that is known, this one first"]
    powers_w: Annotated[dict[str, float | None] | None, "their sum; null on a node that does not add it up"]
    nodes_summed: int


class State(TypedDict):
    node: str
    powers_w: Powers
    flows: list[PowerFlow]
    twins: list[Twin]
    waiting: Annotated[list[WaitingTwin], "twins whose request is not served, the longest first"]
    alerts: list[Alert]
    ready_w: float
    imported_w: float
    exported_w: float
    microgrid: WholeMicrogrid
    limits: Annotated[list[Any], "limits from outside that are in force; none yet"]


class Snapshot(State):
    at_s: Annotated[float, "Unix time"]


def snapshot(context: Context) -> Snapshot:
    """Answers /snapshot."""
    return {"at_s": round(context.node.wall_s(), 1), **state(context)}


def state(context: Context) -> State:
    """The same without the time."""
    node = context.node
    seen = overview(context)
    return {
        "node": seen["node"],
        "powers_w": {each: seen["total"][f"{each}_w"] for each in VARIABLES},  # type: ignore[literal-required]
        "flows": [*_consumed(node), *_supplied(node)],
        "twins": twins(context),
        "waiting": _waiting(node),
        "alerts": _alerts(context),
        "ready_w": seen["flows"]["ready_w"],
        "imported_w": seen["flows"]["imported_w"],
        "exported_w": seen["flows"]["exported_w"],
        "microgrid": _microgrid(node, list(seen["distances"])),
        "limits": [],
    }


def look(context: Context, seen: int, with_health: bool) -> News:
    """What the stream tells. Raises Unavailable."""
    return context.service.ask(lambda _: _news(context, seen, with_health))


def _news(context: Context, seen: int, with_health: bool) -> News:
    from .events import shown_event

    node = context.node
    count, latest = node.history.latest(seen)
    health: dict[str, Any] | None = None
    if with_health:
        found = [*troubles(node), *troubles_of_service(context.service)]
        health = {
            "status": "degraded" if found else "ok",
            "troubles": found,
            "warnings": list(warnings(node)),
        }
    return News(
        dict(state(context)), node.wall_s(), [dict(shown_event(each)) for each in latest], count, health
    )


def _consumed(node: "Node") -> list[PowerFlow]:
    """By contracts of local consumers."""
    return [
        _flow(node, part.supplier, twin.name, part.power_w, twin.consumer.since_s(contract))
        for twin in node.prosumers
        for contract in twin.consumer.active
        for part in contract.parts
        if part.power_w > 0
    ]


def _supplied(node: "Node") -> list[PowerFlow]:
    """By promises of local suppliers to consumers of other nodes."""
    return [
        _flow(node, twin.name, promise.consumer, promise.power_w, promise.since_s or None)
        for twin in node.prosumers
        for promise in twin.supplier.book
        if promise.state.value == "valid"
        and promise.power_w > 0
        and _node_of(promise.consumer) != node.config.name
    ]


def _flow(node: "Node", supplier: str, consumer: str, power_w: float, since_s: float | None) -> PowerFlow:
    return {
        "supplier": supplier,
        "consumer": consumer,
        "supplier_node": _node_of(supplier),
        "consumer_node": _node_of(consumer),
        "w": round(power_w, 3),
        "since_s": None if since_s is None else round(node.wall_s(since_s), 1),
    }


def _waiting(node: "Node") -> list[WaitingTwin]:
    found = [
        (since_s, twin) for twin in node.prosumers if (since_s := twin.consumer.unserved_since_s) is not None
    ]
    found.sort(key=lambda each: each[0])
    return [
        {
            "twin": twin.name,
            "w": round(twin.consumer.missing_w, 3),
            "since_s": round(node.wall_s(since_s), 1),
            "priority": twin.settings.priority.name.lower(),
        }
        for since_s, twin in found
    ]


def _alerts(context: Context) -> list[Alert]:
    found = [*troubles(context.node), *troubles_of_service(context.service)]
    return [{"code": each.code, "text": each.text, "twin": each.subject} for each in found]


def _microgrid(node: "Node", others: list[str]) -> WholeMicrogrid:
    learning = node.learning
    summed = learning.running["cluster"].powers_w if learning and "cluster" in learning.running else None
    return {
        "nodes": [node.config.name, *(each for each in others if each != node.config.name)],
        "powers_w": dict(zip(VARIABLES, (round(each, 1) for each in summed), strict=True))
        if summed
        else None,
        "nodes_summed": learning.nodes_summed if learning else 0,
    }


def _node_of(twin: str) -> str:
    return twin.partition(".")[0]

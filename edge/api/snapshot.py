"""A node at one moment, for people: who serves whom, what waits and since when, and what is wrong.

The flows are those of contracts, so they are true, and not guessed from the powers of meters.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from ..terms import VARIABLES
from .context import Context
from .node import Twin, overview_of, twin_answer
from .stream import News
from .troubles import troubles, troubles_of_service, warnings

if TYPE_CHECKING:
    from ..node import Node
    from ..twins.prosumer import ProsumerTwin

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


class LimitInForce(TypedDict):
    direction: Annotated[str, "consume or feed_in"]
    w: float
    scope: Annotated[str, "connection, or the name of a circuit, or of twins"]
    source: Annotated[str, "who ordered it"]


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
    limits: Annotated[list[LimitInForce], "limits from outside that are in force"]


class Snapshot(State):
    at_s: Annotated[float, "Unix time"]


def snapshot(context: Context) -> Snapshot:
    """Answers /snapshot."""
    found, caller = state(context), context.caller
    at_s = round(context.node.wall_s(), 1)
    if not caller.member:
        return {"at_s": at_s, **found}
    own: Any = {"at_s": at_s, **for_member(found, caller.sees)}
    return own  # type: ignore[no-any-return]  # of the same keys


def state(context: Context) -> State:
    """The same without the time. Each twin is asked once."""
    node = context.node
    looked = node.look()
    seen = overview_of(context, looked)
    found: State = {
        "node": seen["node"],
        "powers_w": {each: seen["total"][f"{each}_w"] for each in VARIABLES},  # type: ignore[literal-required]
        "flows": [],
        "twins": [],
        "waiting": [],
        "alerts": _alerts(context),
        "ready_w": seen["flows"]["ready_w"],
        "imported_w": seen["flows"]["imported_w"],
        "exported_w": seen["flows"]["exported_w"],
        "microgrid": _microgrid(node, list(seen["distances"])),
        "limits": _limits(node),
    }
    for twin in node.prosumers:
        found["flows"] += _flows(node, twin)
        found["twins"].append(twin_answer(node, twin, looked))
        if (since_s := twin.consumer.unserved_since_s) is not None:
            found["waiting"].append(_waiting(node, twin, since_s))
    found["waiting"].sort(key=lambda each: each["since_s"] or 0.0)
    return found


def _limits(node: "Node") -> list[LimitInForce]:
    held = node.regulator.held.values() if node.regulator else ()
    return [
        {
            "direction": each.direction.value,
            "w": round(each.power_w, 3),
            "scope": str(each.scope),
            "source": each.source,
        }
        for each in held
    ]


def look(context: Context, seen: int, with_health: bool) -> News:
    """What the stream tells. Raises Unavailable."""
    return context.service.ask(lambda _: _news(context, seen, with_health))


def for_member(snapshot: Mapping[str, Any], sees: Callable[[str], bool]) -> dict[str, Any]:
    """A state of the node as it is shown to a member."""
    flows = [each for each in snapshot["flows"] if sees(each["supplier"]) or sees(each["consumer"])]
    own = {
        "twins": [each for each in snapshot["twins"] if sees(each["name"])],
        "waiting": [each for each in snapshot["waiting"] if sees(each["twin"])],
        "alerts": [each for each in snapshot["alerts"] if sees(each["twin"])],
    }
    return {**snapshot, "flows": flows, **own}


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


def _flows(node: "Node", twin: "ProsumerTwin") -> Iterator[PowerFlow]:
    """By the contracts of a local consumer, and by promises of a local supplier to consumers elsewhere."""
    for contract in twin.consumer.active:
        since_s = twin.consumer.since_s(contract)
        for part in contract.parts:
            if part.power_w > 0:
                yield _flow(node, part.supplier, twin.name, part.power_w, since_s)
    for promise in twin.supplier.book:
        elsewhere = _node_of(promise.consumer) != node.config.name
        if elsewhere and promise.state.value == "valid" and promise.power_w > 0:
            yield _flow(node, twin.name, promise.consumer, promise.power_w, promise.since_s or None)


def _flow(node: "Node", supplier: str, consumer: str, power_w: float, since_s: float | None) -> PowerFlow:
    return {
        "supplier": supplier,
        "consumer": consumer,
        "supplier_node": _node_of(supplier),
        "consumer_node": _node_of(consumer),
        "w": round(power_w, 3),
        "since_s": None if since_s is None else round(node.wall_s(since_s), 1),
    }


def _waiting(node: "Node", twin: "ProsumerTwin", since_s: float) -> WaitingTwin:
    return {
        "twin": twin.name,
        "w": round(twin.consumer.missing_w, 3),
        "since_s": round(node.wall_s(since_s), 1),
        "priority": twin.settings.priority.name.lower(),
    }


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

"""What a node shows of its energy: the six variables, its twins, and both sides of their contracts."""

import math
from typing import TYPE_CHECKING, Annotated, TypedDict

from .context import Context

if TYPE_CHECKING:
    from ..node import Node, Seen
    from ..twins.prosumer import ProsumerTwin

_RECENT_S = 180.0  # an older record of a meter says nothing of now
Used = Annotated[list[int], "in use, size"]


class Total(TypedDict):
    requested_w: Annotated[float | None, "null while a consumer is unknown"]
    produced_w: Annotated[
        float | None, "what suppliers are ready to give, grid connections included; null while one is unknown"
    ]
    consumed_w: float
    supplied_w: float
    missing_w: Annotated[float | None, "null while a consumer is unknown"]
    available_w: Annotated[
        float | None, "produced and under no contract, margins included; null while a producer is unknown"
    ]
    offered_w: Annotated[float, "of what is available, on offer now"]


class Flow(TypedDict):
    ready_w: Annotated[float, "what could flow: produced_w of the total"]
    pv_w: float
    battery_w: float
    other_w: Annotated[float, "from buildings and other devices that give power"]
    imported_w: Annotated[float, "by the meter of the grid connection; without one, by contract"]
    exported_w: Annotated[float, "by the same meter; without one, from local sources and under no contract"]


class Space(TypedDict):
    tick: Annotated[int, "seconds since the start"]
    lsas: Used
    properties: Used
    heap_blocks: Used
    names: Used


class Overview(TypedDict):
    node: str
    total: Total
    flows: Annotated[Flow, "what flows now, by source"]
    unknown: Annotated[list[str], "twins whose device has no valid reading"]
    neighbours: Annotated[list[str], "to whom it sends"]
    distances: Annotated[dict[str, int], "hops to every known node"]
    space: Space


class Twin(TypedDict):
    name: str
    kind: Annotated[str, "of its device: load, pv, battery, and so on"]
    priority: Annotated[str, "of its requests: low, medium, high"]
    input: Annotated[str, "meter input that it follows; empty: none"]
    power_w: Annotated[float, "constant power of a device without a meter"]
    price: Annotated[float, "of its production per kWh"]
    begin: Annotated[str, "civil time from which it requests or produces; empty: always"]
    end: Annotated[str, "civil time until which it requests or produces; empty: always"]
    relay: str
    relay_follows: Annotated[str, "orders or contract"]
    relay_on: Annotated[bool | None, "as last requested; null: not yet"]
    category: str
    place: str
    panel: str
    sensor: str
    people: Annotated[int, "in its household; 0: not known"]
    floor_area_m2: Annotated[float, "of its household; 0: not known"]
    stopped: Annotated[bool, "until it is started again"]
    known: Annotated[bool, "its device has a valid reading, or needs none"]
    requested_w: Annotated[float | None, "null while unknown"]
    consumed_w: float
    produced_w: Annotated[float | None, "null while unknown"]
    supplied_w: float
    reserved_w: Annotated[float, "promised, pending and offered"]
    offered_w: Annotated[float, "of it, on offer and under no contract"]
    source: Annotated[str, "where its supply comes from: pv, battery, grid, other; empty without supply"]
    satisfied: Annotated[bool, "its request is served"]
    disabled: Annotated[bool, "switched off by a stop order"]
    reason: Annotated[str, "why it is switched off; empty: it is not"]
    limit_w: Annotated[float | None, "most that it may draw, or give, by order; null: no limit"]
    waiting_s: Annotated[float, "how long its request has been unserved; 0 when it is not"]
    gave_up: Annotated[bool, "it requests no more, since nobody served it in time"]
    response_s: Annotated[float | None, "from a need to its supply, for the latest that was met"]
    unserved_w: float
    battery_wh: Annotated[float, "capacity of its own battery or of the common storage; 0: it has none"]
    state_of_charge: Annotated[
        float | None, "of that battery, or of kind battery by its meter, 0 to 1; null while unknown"
    ]
    own_w: Annotated[float, "what its own battery gives to its device"]
    validated: Annotated[int, "contracts validated"]
    validated_across: Annotated[int, "of them with a supplier on another node"]
    shed: Annotated[int, "supplies stopped because production fell"]
    interrupted: Annotated[int, "supplies stopped for a request of higher priority"]
    events: Annotated[int, "since the start"]
    refused_messages: Annotated[int, "invalid messages of other twins, and those whose seal does not open"]
    unsealed_parts: Annotated[
        int, "parts of messages that were not sent, as the key of the reader is unknown"
    ]


class Part(TypedDict):
    supplier: str
    power_w: float
    max_w: Annotated[float, "with the margin"]


class Contract(TypedDict):
    consumer: str
    id: int
    revision: int
    complementary: bool
    valid: Annotated[bool, "confirmed by every supplier"]
    power_w: float
    need_w: Annotated[float, "what the consumer needs in all"]
    renewals: Annotated[int, "how often it was renewed"]
    begins_in_s: Annotated[float | None, "of a valid contract for a later span; null: it has begun"]
    ends_in_s: Annotated[float | None, "unless it is renewed; null before it is valid"]
    parts: list[Part]


class Promise(TypedDict):
    supplier: str
    consumer: str
    state: Annotated[str, "offered, pending (confirmed, not validated yet) or valid"]
    id: int
    revision: int
    power_w: float
    max_w: Annotated[float, "with the margin"]
    begins_in_s: Annotated[float | None, "of a promise for a later span; null: it has begun"]


class Contracts(TypedDict):
    consumed: Annotated[list[Contract], "held by local consumers"]
    supplied: Annotated[list[Promise], "made by local suppliers"]


def overview(context: Context) -> Overview:
    """Answers /node."""
    return overview_of(context, context.node.look())


def overview_of(context: Context, seen: "Seen") -> Overview:
    """The same, of what its twins show."""
    node, sees = context.node, context.caller.sees
    total, flows, space = seen.total, seen.flows, node.space
    unknown = [twin.settings for twin in node.prosumers if twin.unknown]
    no_need = any(each.consumes for each in unknown)
    no_supply = any(each.supplies for each in unknown)
    return {
        "node": node.config.name,
        "total": {
            "requested_w": None if no_need else round(total.requested_w, 3),
            "produced_w": None if no_supply else round(total.produced_w, 3),
            "consumed_w": round(total.consumed_w, 3),
            "supplied_w": round(total.supplied_w, 3),
            "missing_w": None if no_need else round(total.missing_w, 3),
            "available_w": None if no_supply else round(total.available_w, 3),
            "offered_w": round(total.offered_w, 3),
        },
        "flows": {
            "ready_w": round(flows.ready_w, 3),
            "pv_w": round(flows.pv_w, 3),
            "battery_w": round(flows.battery_w, 3),
            "other_w": round(flows.other_w, 3),
            "imported_w": round(flows.imported_w, 3),
            "exported_w": round(flows.exported_w, 3),
        },
        "unknown": [name for name in seen.unknown if sees(f"{node.config.name}.{name}")],
        "neighbours": list(node.links.neighbours),
        "distances": node.distances(),
        "space": {
            "tick": space.tick,
            "lsas": [space.limits.lsas - space.lsas_free, space.limits.lsas],
            "properties": [space.limits.properties - space.properties_free, space.limits.properties],
            "heap_blocks": [space.heap.blocks - space.heap.free, space.heap.blocks],
            "names": [len(space.names), space.names.capacity],
        },
    }


def twins(context: Context) -> list[Twin]:
    """Answers /twins."""
    node = context.node
    return [twin_answer(node, twin) for twin in node.prosumers if context.caller.sees(twin.name)]


def twin_answer(node: "Node", twin: "ProsumerTwin", seen: "Seen | None" = None) -> Twin:
    """One twin as it is shown; `seen`: what all twins show, if they have been asked."""
    share, settings = twin.share() if seen is None else seen.shares[twin.name], twin.settings
    return {
        "name": twin.name,
        "kind": settings.kind,
        "priority": settings.priority.name.lower(),
        "input": settings.input,
        "power_w": settings.power_w,
        "price": settings.price,
        "begin": settings.begin,
        "end": settings.end,
        "relay": settings.relay,
        "relay_follows": settings.relay_follows,
        "relay_on": twin.relay_on if settings.relay else None,
        "category": settings.category,
        "place": settings.place,
        "panel": settings.panel,
        "sensor": settings.sensor,
        "people": settings.people,
        "floor_area_m2": settings.floor_area_m2,
        "stopped": twin.held,
        "known": not twin.unknown,
        "requested_w": None if twin.unknown else round(share.requested_w, 3),
        "consumed_w": round(share.consumed_w, 3),
        "produced_w": None if twin.unknown else round(share.produced_w, 3),
        "supplied_w": round(share.supplied_w, 3),
        "reserved_w": round(share.reserved_w, 3),
        "offered_w": round(share.offered_w, 3),
        "source": twin.settings.source.value if twin.settings.supplies else "",
        "satisfied": twin.consumer.satisfied,
        "disabled": twin.disabled,
        "reason": twin.reason,
        "limit_w": round(most_w, 3) if math.isfinite(most_w := twin.obedience.most_w) else None,
        "waiting_s": _waiting_s(node, twin.consumer.unserved_since_s),
        "gave_up": twin.consumer.gave_up,
        "response_s": _rounded(twin.consumer.response_s),
        "unserved_w": round(twin.consumer.unserved_w, 3),
        "battery_wh": twin.battery.limits.capacity_wh if twin.battery else 0.0,
        "state_of_charge": _state_of_charge(node, twin),
        "own_w": round(twin.own_w, 3),
        "validated": twin.validated,
        "validated_across": twin.validated_across,
        "shed": twin.supplier.shed,
        "interrupted": twin.supplier.interrupted,
        "events": twin.events.total,
        "refused_messages": twin.refused_messages,
        "unsealed_parts": twin.unsealed_parts,
    }


def contracts(context: Context) -> Contracts:
    """Answers /contracts."""
    consumed: list[Contract] = []
    supplied: list[Promise] = []
    node = context.node
    for twin in node.prosumers:
        if not context.caller.sees(twin.name):
            continue
        active = twin.consumer.active
        for contract in twin.consumer.contracts:
            begins_s = twin.consumer.begins_s
            consumed.append(
                {
                    "consumer": twin.name,
                    "id": contract.id,
                    "revision": contract.revision,
                    "complementary": contract is twin.consumer.extra,
                    "valid": contract in active or begins_s is not None,
                    "power_w": round(contract.power_w, 3),
                    "need_w": twin.consumer.need_w,
                    "renewals": contract.term,
                    "begins_in_s": None if begins_s is None else _seconds_to(node, begins_s),
                    "ends_in_s": _seconds_to(node, twin.consumer.ends_s(contract)),
                    "parts": [
                        {"supplier": part.supplier, "power_w": part.power_w, "max_w": part.max_w}
                        for part in contract.parts
                    ],
                }
            )
        for promise in (*twin.supplier.book, *twin.supplier.ahead):
            supplied.append(
                {
                    "supplier": twin.name,
                    "consumer": promise.consumer,
                    "state": promise.state.value,
                    "id": promise.key,
                    "revision": promise.revision,
                    "power_w": promise.power_w,
                    "max_w": promise.max_w,
                    "begins_in_s": _seconds_to(node, promise.begins_s) if promise.later else None,
                }
            )
    return {"consumed": consumed, "supplied": supplied}


def _state_of_charge(node: "Node", twin: "ProsumerTwin") -> float | None:
    """Of the battery in the books, otherwise what the meter of a battery last said."""
    if twin.battery:
        share = twin.battery.state_of_charge
        return None if share is None else round(share, 4)
    reading = node.records.get(twin.settings.input.partition(".")[0])
    if twin.settings.kind != "battery" or reading is None or node.now_s() - reading.at_s > _RECENT_S:
        return None
    percent = (reading.record or {}).get("state_of_charge_percent")
    return None if percent is None else round(percent / 100, 4)


def _rounded(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds, 4)


def _seconds_to(node: "Node", at_s: float) -> float | None:
    return round(at_s - node.now_s(), 3) if math.isfinite(at_s) else None


def _waiting_s(node: "Node", since_s: float | None) -> float:
    return 0.0 if since_s is None else round(node.now_s() - since_s, 3)

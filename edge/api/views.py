"""What a node shows of itself as plain data: the answers of the HTTP server and of `edge status`."""

import math
from typing import Any

from ..node import Node


def health(node: Node) -> dict[str, Any]:
    """Whether it is well, and every counter of what was refused, dropped or undefined."""
    links = node.links.stats()
    memory = process_memory_mb()
    meters: list[dict[str, Any]] = node.meters.stats()
    troubles = []
    if not links["inbox"]["connected"]:
        troubles.append("its own broker is out of reach")
    troubles += [
        f"neighbour {n} is out of reach" for n, s in links["neighbours"].items() if not s["connected"]
    ]
    for bus in meters:
        if not bus.get("open", True):
            troubles.append(f"bus {bus['bus']} cannot be opened: {bus['port']}")
        failing = [each["device"] for each in bus.get("meters", ()) if each["failures_in_a_row"]]
        troubles += [f"meter {device} does not answer as it should" for device in failing]
    if node.state_failures:
        troubles.append("its state cannot be written")
    if node.history and node.history.failing:
        troubles.append("its history cannot be written")
    for scope in node.learning.scopes.values() if node.learning else ():
        if scope.faults:
            troubles.append(f"learning of the {scope.name} failed: {scope.trouble}")
    if node.engine.faults:
        troubles.append(f"a twin failed: {node.engine.last_fault}")
    if node.invariants_broken:
        troubles.append(f"an invariant is broken: {node.last_violation}")
    return {
        "status": "degraded" if troubles else "ok",
        "troubles": troubles,
        "node": node.config.name,
        "uptime_s": round(node.uptime_s, 1),
        **memory,
        "reactions": node.engine.reactions,
        "readings": node.readings,
        "readings_undefined": node.readings_undefined,
        "faults": node.engine.faults,
        "state_failures": node.state_failures,
        "invariants_checked": node.invariants_checked,
        "invariants_broken": node.invariants_broken,
        "gateway": node.gateway.stats(),
        "links": links,
        "meters": meters,
    }


def status_line(node: Node) -> str:
    """What it does, in a few words that rarely change."""
    neighbours = node.links.stats()["neighbours"].values()
    up = sum(bool(each["connected"]) for each in neighbours)
    return f"{node.config.name}: {len(node.prosumers)} twins, {up} of {len(neighbours)} neighbours in reach"


def overview(node: Node) -> dict[str, Any]:
    """The six variables, the neighbourhood, and how full the space is."""
    total, space = node.total(), node.space
    return {
        "node": node.config.name,
        "total": {key: round(getattr(total, key), 3) for key in total.__dataclass_fields__},
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


def twins(node: Node) -> list[dict[str, Any]]:
    """Each prosumer twin: what it needs, gives, and what became of its requests."""
    return [
        {
            "name": twin.name,
            "requested_w": round(share.requested_w, 3),
            "consumed_w": round(share.consumed_w, 3),
            "produced_w": round(share.produced_w, 3),
            "supplied_w": round(share.supplied_w, 3),
            "reserved_w": round(share.reserved_w, 3),
            "satisfied": twin.consumer.satisfied,
            "disabled": twin.disabled,
            "waiting_s": _waiting_s(node, twin.consumer.unserved_since_s),
            "gave_up": twin.consumer.gave_up,
            "response_s": _rounded(twin.consumer.response_s),
            "unserved_w": round(twin.consumer.unserved_w, 3),
            "validated": twin.validated,
            "validated_across": twin.validated_across,
            "shed": twin.supplier.shed,
            "interrupted": twin.supplier.interrupted,
            "events": twin.events.total,
            "refused_messages": twin.refused_messages,
        }
        for twin, share in ((twin, twin.share()) for twin in node.prosumers)
    ]


def contracts(node: Node) -> dict[str, list[dict[str, Any]]]:
    """Both sides of the books: what local consumers hold, what local suppliers have promised."""
    consumed, supplied = [], []
    for twin in node.prosumers:
        active = twin.consumer.active
        for contract in twin.consumer.contracts:
            parts = [{"supplier": p.supplier, "power_w": p.power_w, "max_w": p.max_w} for p in contract.parts]
            consumed.append(
                {
                    "consumer": twin.name,
                    "id": contract.id,
                    "revision": contract.revision,
                    "complementary": contract is twin.consumer.extra,
                    "valid": contract in active,
                    "power_w": round(contract.power_w, 3),
                    "need_w": twin.consumer.need_w,
                    "parts": parts,
                }
            )
        for promise in twin.supplier.book:
            supplied.append(
                {
                    "supplier": twin.name,
                    "consumer": promise.consumer,
                    "state": promise.state.value,
                    "id": promise.key,
                    "revision": promise.revision,
                    "power_w": promise.power_w,
                    "max_w": promise.max_w,
                }
            )
    return {"consumed": consumed, "supplied": supplied}


def _rounded(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds, 4)


def _waiting_s(node: Node, since_s: float | None) -> float:
    return 0.0 if since_s is None else round(node.now_s() - since_s, 3)


def process_memory_mb() -> dict[str, float]:
    """Resident memory of this process now and at its peak, in MB (2**20 bytes)."""
    found = {"rss_mb": 0.0, "hwm_mb": 0.0}
    keys = {"VmRSS": "rss_mb", "VmHWM": "hwm_mb"}
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            key, _, value = line.partition(":")
            if key in keys:
                found[keys[key]] = round(int(value.split()[0]) / 1024, 2)
    return found

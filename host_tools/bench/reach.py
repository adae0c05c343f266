"""Messages of a contract when supply is near, by the number of nodes and by how far messages go.

Every other node has a supplier, every node a consumer. Consumers at nodes without a supplier of their own are
switched on one after the other, so that each finds power one or two hops away. What is sent at rest, and for
contracts made before, is subtracted. Frames carry several things: the parts by kind say which.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from edge.net.frame import decode
from edge.net.links import frame_topic, packet_bytes
from host_tools.sim.topology import parse
from host_tools.world import World

from .sheet import Part, Sheet

NODES = 10, 40, 100
_SETTLE_S, _REST_S, _EACH_S, _CONTRACTS = 20, 30, 3, 12
_PRODUCER_W, _CONSUMER_W = 400.0, 30.0
MODES: dict[str, dict[str, Any]] = {
    "everywhere": {},
    "near": {"requests": 1, "beats": 1},
}
FIGURES = (
    "contracts",
    "messages",
    "bytes",
    "latency_s",
    "rest_frames_per_s",
    "rest_bytes_per_s",
    "upkeep_frames_per_s",
    "upkeep_bytes_per_s",
    "cpu_s",
)


def measure(nodes: int, reach: Mapping[str, Any]) -> dict[str, Any]:
    """Messages, bytes and latency of a contract; what a node sends at rest, and what a contract adds to that;
    and the processor time of all nodes in all that time."""
    world = World(1)
    world.reach = reach
    links = parse(f"random:{nodes}:3")
    for i, (name, neighbours) in enumerate(links.items()):
        twins: list[dict[str, Any]] = [
            {"name": "c", "kind": "load", "power_w": _CONSUMER_W, "input": "m.total"}
        ]
        if i % 2 == 0:
            twins.append({"name": "p", "kind": "pv", "power_w": _PRODUCER_W})
        world.add(name, neighbours, twins, nodes=nodes + 8, lsas=3 * nodes + 32)
    counts: Counter[str] = Counter()
    carry = world.network.carry

    def counted(sender: str, receiver: str, frame: bytes) -> bool:
        counts.update(_parts(frame))
        counts.update({"frames": 1, "bytes": packet_bytes(frame_topic(receiver, sender), len(frame))})
        return carry(sender, receiver, frame)

    world.network.carry = counted  # type: ignore[method-assign]
    try:
        world.boot()
        powers_w = dict.fromkeys(world.nodes, 0.0)
        _read(world, powers_w)
        began_s = time.process_time()
        world.run(_SETTLE_S)
        rest = _run(world, counts, _REST_S)
        names = [name for i, name in enumerate(links) if i % 2][: min(_CONTRACTS, nodes // 2)]
        before = Counter(counts)
        for name in names:
            powers_w[name] = _CONSUMER_W
            world.nodes[name].meters.say("m.total", _CONSUMER_W)
            world.run(_EACH_S)
        active = Counter(counts)
        active.subtract(before)
        world.run(_SETTLE_S)  # what was withdrawn is forgotten
        after = _run(world, counts, _REST_S)
        cpu_s = time.process_time() - began_s
        consumers = [world.nodes[name].node.prosumers[0].consumer for name in names]
        served = sum(each.satisfied for each in consumers)
        latency_s = sum(each.response_s for each in consumers) / len(names)
    finally:
        world.close()
    seconds = _EACH_S * len(names)
    # Contracts that were made before the last one are kept up meanwhile: on average half of them.
    still = {key: (rest.get(key, 0.0) + after.get(key, 0.0)) / 2 for key in active}
    per = {key: (active[key] - still[key] * seconds) / len(names) for key in active}
    return {
        "contracts": served,
        "asked": len(names),
        "messages": per["frames"],
        "bytes": per["bytes"],
        "latency_s": latency_s,
        "parts": {key: each for key, each in per.items() if key not in ("frames", "bytes") and each > 0.05},
        "rest_bytes_per_s": rest["bytes"] / nodes,
        "rest_frames_per_s": rest["frames"] / nodes,
        "upkeep_bytes_per_s": (after["bytes"] - rest["bytes"]) / len(names),
        "upkeep_frames_per_s": (after["frames"] - rest["frames"]) / len(names),
        "cpu_s": cpu_s,
    }


def _read(world: World, powers_w: dict[str, float]) -> None:
    """All meters are read every ten seconds."""
    for name, power_w in powers_w.items():
        world.nodes[name].meters.say("m.total", power_w)
    world.after(10.0, lambda: _read(world, powers_w))


def _run(world: World, counts: Counter[str], seconds: int) -> dict[str, float]:
    before = Counter(counts)
    world.run(seconds)
    return {key: (counts[key] - before[key]) / seconds for key in counts}


def _parts(data: bytes) -> Counter[str]:
    frame = decode(data)
    found = Counter({"pulses": len(frame.pulses), "statements": len(frame.statements)})
    found["rosters"] = len(frame.rosters)
    found["questions"] = len(frame.ask_roster) + len(frame.ask_lsas)
    for properties in (
        *(each.properties for each in frame.lsas),
        *(each.properties for each in frame.deltas),
    ):
        labels = sorted({each.label for each in properties})
        found["LSA " + ", ".join(labels)] += 1
    for near in (*frame.near, *frame.alone):
        found[("near " if near.value else "end of ") + near.label] += 1
    return found


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    below = []
    for name, each in found.items():
        parts = sorted(each["parts"].items(), key=lambda part: -part[1])
        below.append(
            f"{name}: of a contract, in parts of frames: " + ", ".join(f"{n:.1f} {k}" for k, n in parts)
        )
    yield Sheet(
        "a contract when supply is near, random topology of degree 3",
        ("nodes, how far", *FIGURES),
        [(name, *(f"{each[figure]:,.2f}" for figure in FIGURES)) for name, each in found.items()],
        tuple(below),
    )


PART = Part(
    "reach",
    lambda folder: {
        f"{nodes} {mode}": measure(nodes, section) for nodes in NODES for mode, section in MODES.items()
    },
    _sheets,
)

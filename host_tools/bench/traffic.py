"""What goes over the links of four virtual nodes in a chain: at rest, with learning, and for a contract."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec.msgpack import encode

from edge.net import wire
from edge.net.frame import HEADER_BYTES, MAX_BODY_BYTES, decode
from edge.net.links import frame_topic, packet_bytes
from edge.net.packing import unpacked
from edge.space.lsa import Near
from host_tools.world import Members, World, chain

from .sheet import Part, Sheet

_NAMES = ("n1", "n2", "n3", "n4")
_SETTLE_S, _REST_S = 30, 300
_PRODUCER_W, _CONSUMER_W = 40.0, 30.0
_FAR = 12, 3  # producers on the first node, consumers on each


def measure(keys: bool) -> dict[str, Any]:
    """Bytes a second of a middle node, bytes of a contract over all links, and what they are made of."""
    empty, _ = _run(lambda name: [], keys, 0)
    far, _ = _run(_far, keys, 0)
    contracts = len(_NAMES) * _FAR[1]
    _, rest = _run(_even, keys, _REST_S)
    _, learning = _run(_even, keys, _REST_S, {"node_model": "persistence"})
    return {
        "rest_bytes_per_s": rest["n2"] / _REST_S,
        "learning_bytes_per_s": learning["n2"] / _REST_S,
        "contract_bytes": (far["all"] - empty["all"]) / contracts,
        "account": {
            name: (far[name] - empty[name]) / contracts
            for name in sorted(far)
            if name not in (*_NAMES, "all") and far[name] != empty[name]
        },
    }


def _account(data: bytes) -> Counter[str]:
    """The bytes of a frame by what they are for; they add up to its length."""
    frame, found = decode(data), Counter({"frame headers": HEADER_BYTES})
    found["pulses"] = sum(4 + len(pulse.origin) + len(pulse.link) for pulse in frame.pulses)
    packed = data[found.total() :]
    if not packed:
        return found
    whole = unpacked(packed, MAX_BODY_BYTES) if data[2] & 1 else packed
    found["saved by compression"] = len(packed) - len(whole)
    body = wire.decode_body(whole)
    found["statements"] = sum(len(encode(each)) for each in body.s)
    found["signatures"] = sum(len(encode(each)) for each in body.b)
    found["rosters"] = sum(len(encode(each)) for each in body.r)
    found["questions"] = sum(len(encode(each)) for each in (*body.o, *body.w))
    for encoded, record in zip([*body.l, *body.d, *body.n], frame.records, strict=True):
        found["signatures"] += len(record.auth)
        shown = [record] if isinstance(record, Near) else record.properties
        for each in shown:
            found[f"values of {each.label}"] += len(each.value)
        names = [] if isinstance(record, Near) else wire.encode_properties(record.properties)
        found["properties without values"] += sum(map(len, names)) - sum(len(each.value) for each in shown)
        found["LSAs without properties"] += len(encode(encoded)) - len(record.auth) - sum(map(len, names))
    found["lists"] = len(data) - found.total()
    return found


def _far(name: str) -> list[dict[str, Any]]:
    producers, consumers = _FAR
    return (_producers(producers) if name == _NAMES[0] else []) + _consumers(consumers)


def _even(name: str) -> list[dict[str, Any]]:
    return _producers(5) + _consumers(5)


def _producers(count: int) -> list[dict[str, Any]]:
    return [{"name": f"p{i}", "kind": "pv", "power_w": _PRODUCER_W} for i in range(count)]


def _consumers(count: int) -> list[dict[str, Any]]:
    return [{"name": f"c{i}", "kind": "load", "power_w": _CONSUMER_W + 0.1 * i} for i in range(count)]


def _run(
    twins: Callable[[str], list[dict[str, Any]]],
    keys: bool,
    rest_s: int,
    learning: Mapping[str, Any] | None = None,
) -> tuple[Counter[str], Counter[str]]:
    """What all have sent while they settled, and at rest afterwards: by node, and by what it was."""
    world = World(1)
    if keys:
        world.trust = Members(world.clock).trust
    for name, neighbours in chain(list(_NAMES)).items():
        world.add(name, neighbours, twins(name), learning)
    counts: Counter[str] = Counter()
    carry = world.network.carry

    def counted(sender: str, receiver: str, frame: bytes) -> bool:
        size = packet_bytes(frame_topic(receiver, sender), len(frame))
        counts.update(_account(frame))
        counts.update({"all": size, sender: size, "MQTT packets": size - len(frame)})
        return carry(sender, receiver, frame)

    world.network.carry = counted  # type: ignore[method-assign]
    try:
        world.boot()
        world.run(_SETTLE_S)
        settled = Counter(counts)
        world.run(rest_s)
    finally:
        world.close()
    return settled, Counter({name: counts[name] - settled[name] for name in counts})


def _sheets(found: dict[str, Any]) -> Iterator[Sheet]:
    rows = []
    for what, title in (
        ("rest_bytes_per_s", "middle node at rest, B/s"),
        ("learning_bytes_per_s", "the same with learning, B/s"),
        ("contract_bytes", "a contract, up to 3 hops, all links, B"),
    ):
        rows.append((title, *(f"{each[what]:,.1f}" for each in found.values())))
    for what in found["with keys"]["account"]:
        rows.append((f"of it {what}", *(f"{each['account'].get(what, 0):,.0f}" for each in found.values())))
    yield Sheet("four virtual nodes in a chain", ("", *found), rows)


PART = Part("traffic", lambda folder: {"with keys": measure(True), "without keys": measure(False)}, _sheets)

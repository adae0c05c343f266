"""Valid inputs to begin with, and a small microgrid of keys to try them on. All of it is fixed."""

import struct
import zlib
from dataclasses import dataclass, replace
from typing import cast

import orjson

from edge.energy.messages import (
    Answer,
    Answers,
    Contract,
    Offer,
    Part,
    Priority,
    Request,
    encode_answers,
    encode_parts,
)
from edge.energy.totals import encode_total
from edge.net import manifest
from edge.net.frame import Frame, decode, encode
from edge.net.gateway import Gateway
from edge.net.links import Links
from edge.net.pulse import Pulse
from edge.net.schema import FrameError, Statement
from edge.space.agent import Agent
from edge.space.courier import Roster
from edge.space.engine import Engine
from edge.space.lsa import EVERYWHERE, Aggregation, Delta, Lsa, Near, Property
from edge.space.tuplespace import Limits, TupleSpace
from edge.trust.certificate import Certificate
from edge.trust.keyring import Keyring
from edge.trust.keys import AuthorityKey, NodeKeys
from edge.trust.source import Own
from edge.trust.trust import IDENTITY, TWIN
from edge.twins.envelope import context

from ..fleet.identities import issue_identity, issue_revocations

OWN, OTHER, FAR = "own", "other", "far"
OWN_VALUE = b'{"w":12.5}'
_NOW_S = 1_800_000_000.0
_LIMITS = Limits(lsas=24, properties=96, heap_bytes=16 * 1024, names=64, nodes=8)
_HEADER = struct.Struct("<cBBBI")


class _Still:
    """A clock that stands still."""

    def now_s(self) -> float:
        return _NOW_S

    def wall_s(self) -> float:
        return _NOW_S


class _Nowhere:
    """Links over which nothing leaves."""

    neighbours = (OTHER,)

    def send(self, peer: str, frame: bytes) -> bool:
        return True


@dataclass
class Receiver:
    """A node with one twin and one neighbour."""

    space: TupleSpace
    gateway: Gateway
    engine: Engine

    def settle(self) -> None:
        """Let it react, and let two seconds pass."""
        for _ in range(2):
            self.engine.react()
            self.gateway.flush()
            self.engine.tick()
            self.gateway.tick()

    def own(self) -> bytes | None:
        """What its twin shows."""
        handle = self.space.find(f"{OWN}.twin")
        return self.space.read(handle, "L") if handle else None


class Village:
    """An authority and three nodes: this one, its neighbour, and one behind the neighbour."""

    def __init__(self) -> None:
        self.authority = AuthorityKey("village", bytes(range(32)))
        self._clock = _Still()
        self._owns = {name: self._issue(name, 3 * i) for i, name in enumerate((OWN, OTHER, FAR), 1)}
        self.others = {name: self.keyring(name) for name in (OTHER, FAR)}

    def _issue(self, node: str, seed: int) -> Own:
        keys = NodeKeys(bytes([seed]) * 32 + bytes([seed + 1]) * 32)
        return Own(keys, Certificate(issue_identity(self.authority, node, keys, now_s=_NOW_S)))

    def certificate(self, node: str) -> bytes:
        """Of one of the three."""
        return self._owns[node].certificate.data

    def keyring(self, node: str = OWN) -> Keyring:
        """The trust of a node that knows the other two; the same each time."""
        found = Keyring(
            node, self.authority.authority, self._owns[node], self._clock, nodes=8, secret=bytes(32)
        )
        for name in self._owns:
            if name != node:
                found.introduce(name, self.certificate(name))
        return found

    def node(self) -> Receiver:
        """A new node."""
        keys = self.keyring()
        space = TupleSpace(OWN, _LIMITS, 1)
        gateway = Gateway(space, cast(Links, _Nowhere()), keys)
        engine = Engine(space, gateway.outbox)
        for name, label, value in ((TWIN, IDENTITY, keys.certificate()), ("twin", "L", OWN_VALUE)):
            agent = Agent(f"{OWN}.{name}")
            engine.add(agent)
            agent.submit(label, value)
        engine.react()
        gateway.flush()
        return Receiver(space, gateway, engine)

    def signed(self, data: bytes) -> bytes:
        """The same frame, with everything that the neighbour or the far node says signed by it."""
        try:
            frame = decode(data)
            frame.bundled = []
            for lsa in frame.lsas:
                if lsa.origin in self.others:
                    lsa.auth = self.others[lsa.origin].sign(manifest.of_lsa(lsa))
            for near in frame.near:
                origin = near.name.partition(".")[0]
                if origin in self.others:
                    near.auth = self.others[origin].sign(manifest.of_near(near))
            frame.statements = [self._signed(each) for each in frame.statements]
            return encode(frame)
        except FrameError:
            return data

    def _signed(self, said: Statement) -> Statement:
        if said.origin not in self.others:
            return said
        fields = {name: getattr(said, name) for name in Statement.__struct_fields__}
        fields["signature"] = self.others[said.origin].sign(manifest.of_statement(said))
        return Statement(**fields)


def with_checksum(data: bytes) -> bytes:
    """The same bytes as a frame with a correct checksum."""
    if len(data) < _HEADER.size:
        return data
    magic, version, flags, pulses, _ = _HEADER.unpack_from(data)
    content = data[_HEADER.size :]
    crc = zlib.crc32(content, flags << 8 | pulses)
    return _HEADER.pack(magic, version, flags, pulses, crc) + content


def frames() -> list[bytes]:
    """Frames that use every part, alone and together; signed by their origins."""
    village = Village()
    shown = [Property(f"L{i}", f"{OWN}.twin" if i else "", i + 1, 5 * i, b"[1,2]", 3 * i) for i in range(3)]
    specs = [Aggregation("L0", "sum", EVERYWHERE, 60)]
    lsas = [
        Lsa(f"{OTHER}.t", "twin", b"", OTHER, 1, 5, 13, [OTHER], specs, shown),
        Lsa(f"{FAR}.t", "twin", b"", FAR, 1, 6, 13, [OTHER, FAR], [], shown[:1]),
        Lsa(f"{OTHER}.gone", "", b"", OTHER, 1, 7, 0, [OTHER], [], []),
        Lsa(
            f"{OTHER}.{TWIN}",
            "",
            b"",
            OTHER,
            1,
            1,
            13,
            [OTHER],
            [],
            [Property(IDENTITY, "", 1, 0, village.certificate(OTHER))],
        ),
    ]
    deltas = [Delta(f"{OTHER}.t", b"d" * 64, 1, 8, 13, [OTHER], [1, 2], shown[:1])]
    near = [Near(f"{OTHER}.t", 1, "N", "", 9, 2, 0, 30, 20, b"near", b"n" * 64)]
    statements = [
        Statement(name, 1, 7, 2, b"c" * 16, 0, 1, village.others[name].link(1), b"") for name in (OTHER, FAR)
    ]
    pulses = [
        Pulse(each.origin, 0, i, i, 13, village.others[each.origin].link(1 + i))
        for i, each in enumerate(statements)
    ]
    rosters = [Roster(OWN, 1, 9, [(f"{OWN}.twin", 2)]), Roster(FAR, 1, 9, [(f"{FAR}.t", 6)])]
    whole = [
        Frame(lsas=lsas),
        Frame(lsas=lsas[:1], deltas=deltas),
        Frame(near=near, lsas=lsas[:1]),
        Frame(statements=statements, pulses=pulses),
        Frame(rosters=rosters, ask_roster=[OWN, FAR], ask_lsas=[f"{OWN}.twin", f"{FAR}.t"]),
        Frame(pulses, statements, lsas, deltas, near, rosters, [OWN], [f"{OWN}.twin"]),
    ]
    return [village.signed(encode(each)) for each in whole]


def certificates() -> list[bytes]:
    """Of members, of a stranger, and of another microgrid."""
    village = Village()
    keys = NodeKeys(b"k" * 64)
    foreign = AuthorityKey("town", b"a" * 32)
    return [
        village.certificate(OTHER),
        village.certificate(FAR),
        issue_identity(village.authority, "stranger", keys, now_s=_NOW_S),
        issue_identity(foreign, OTHER, keys, now_s=_NOW_S),
    ]


def revocations() -> list[bytes]:
    """With no node, with some, and with many."""
    authority = Village().authority
    some: tuple[dict[str, int], ...] = (
        {},
        {OTHER: 5},
        {FAR: 2**32 - 1, OTHER: 7},
        {f"n{i:02}": i for i in range(40)},
    )
    return [issue_revocations(authority, each, now_s=_NOW_S) for each in some]


_OFFER = Offer(7, 100.0, 105.0, 3, 0.2, 50.0)
_CONTRACT = Contract(
    7, 2, True, 60, Priority.HIGH, (Part(f"{OTHER}.pv", 100.0, 105.0), Part("a.b", 1.0, 1.0))
)
_ANSWERS: Answers = {"twin": (Answer(7, True), Answer(8, False, 12.5), Answer(9, True, term=3))}


def envelopes() -> list[tuple[bytes, bytes]]:
    """An offer, a contract, a table of answers: what a member would seal, and the sealed value."""
    other = Village().others[OTHER]
    sealed_offer = other.seal(OWN, context("OFFER", f"{OTHER}.twin", f"{OWN}.twin"), _OFFER.encode())
    found = [(b"\0" + _OFFER.encode(), sealed_offer)]
    for label, stub, plain in (
        ("CONTRACT1", _CONTRACT.stub(), encode_parts(_CONTRACT.parts)),
        ("CONTRACT_CONFIRM", b"", encode_answers(_ANSWERS)),
    ):
        bound = context(label, f"{OTHER}.twin", OWN)
        sealed = other.seal(OWN, bound, plain)
        part = other.tag(OWN, bound) + len(sealed).to_bytes(2, "big") + sealed
        found.append((stub + b"\0" + plain, stub + b"\0" + part))
    return found


def messages() -> list[list[bytes]]:
    """Messages by the parser that reads them, in the order of the target `energy`."""
    promises = orjson.dumps({"v": [["a.b", 7, 1.0, 1.05, 2]]})
    totals = [encode_total((1.0, 2.0, 3.0, 4.0, 5.0, 6.0)), encode_total(None), b"[1,2]"]
    return [
        [
            Request(7, 100.0, Priority.LOW, True, 3.0, True, 5.0).encode(),
            Request(1, 1.0, Priority.HIGH).encode(),
            Request(2, 1.0, Priority.LOW, run_s=3600.0, begin_in_s=60.0, latest_in_s=7200.0).encode(),
        ],
        [_OFFER.encode(), Offer(1, 10.0, 10.5, 0).encode(), Offer(1, 10.0, 10.5, 0, in_s=900.0).encode()],
        [_CONTRACT.encode()],
        [_CONTRACT.stub(), replace(_CONTRACT, in_s=900, term=2).stub()],
        [encode_parts(_CONTRACT.parts)],
        [encode_answers(_ANSWERS)],
        [orjson.dumps({"v": [_CONTRACT.encode().decode()]})],
        [promises],
        [orjson.dumps({"v": [2, 60, 30]})],
        [orjson.dumps({"v": {OTHER: [1, 30, 0], FAR: [3, 600, 90]}})],
        [orjson.dumps({"v": {"stage": "running", "left_s": 60.0, "latest_in_s": 100.0}})],
        [b"\0".join(totals)],
    ]

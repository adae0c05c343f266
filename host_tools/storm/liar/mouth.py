"""Makes the messages of lies, signs them with the keys of the liar, and encodes them without any check.

A lie begins as something true: an own LSA, one of another node that the liar holds, or one that it invents.
One field of it is made false. It is signed then, so that what is false about itself has a valid signature,
and what is false about others has a forged one; unless the signature is the lie.
"""

import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

import orjson
from msgspec import Raw
from msgspec.structs import replace

from edge.energy.rules import CONTRACT, OFFER, REQUEST
from edge.net import manifest, wire
from edge.net.packing import packed
from edge.net.parts import part_of_pulse
from edge.net.pulse import Pulse
from edge.net.schema import FrameError, Statement
from edge.node import Node
from edge.space.courier import Roster
from edge.space.exchange import export
from edge.space.lsa import Delta, Lsa, Near, Property
from edge.space.names import NIL
from edge.space.origins import CHECKSUM_BYTES, LIFE_S, MAX_INCARNATION, MAX_SEQUENCE
from edge.space.tuplespace import SELF
from edge.trust.trust import IDENTITY, REVOKED, TWIN

from . import values
from .grammar import Lie

_HEADER = struct.Struct("<cBBBI")
_ZLIB, _LINKS = 1, 2
_LABELS = (REQUEST, OFFER, CONTRACT)
_MOST_BYTES = 1_000_000  # several times what a frame may hold
Body = dict[str, list[Any]]


class Mouth:
    """What one liar can say."""

    def __init__(self, node: Node, rng: random.Random) -> None:
        self._node = node
        self._rng = rng
        self._number = 0
        self._said: list[bytes] = []  # for replays
        self.heard: list[bytes] = []

    def hear(self, data: bytes) -> None:
        """Remember a frame of others."""
        self.heard = [*self.heard[-99:], data]

    def say(self, lie: Lie) -> bytes:
        """A frame with that lie."""
        if lie.what == "raw":
            return self._raw(lie)
        if lie.field == "timing":
            return self._late(lie)
        if lie.what == "pulse":
            count = values.count(lie.value, 128, self._rng) if lie.field == "count" else 1
            return encode({}, [part for _ in range(count) if (part := self._pulse(lie))])
        maker = self._makers()[lie.what]
        count = values.count(lie.value, 64, self._rng) if lie.field == "count" else 1
        body: Body = {}
        size = 0
        for _ in range(count):
            key, record = maker(lie)
            body.setdefault(key, []).append(record)
            size += memoryview(record).nbytes if isinstance(record, Raw) else 0
            if size > _MOST_BYTES:
                break  # it is refused for its size anyway
        frame = encode(body, [])
        self._said = [*self._said[-99:], frame]
        return frame

    def altered(self, lsa: Lsa, lie: Lie) -> Lsa:
        """Another's LSA with one field changed; its signature stays."""
        auth = lsa.auth
        self._falsify_lsa(lsa, lie)
        if lie.field != "signature":
            lsa.auth = auth
        return lsa

    # ---- the kinds of messages ----------------------------------------------------------------

    def _makers(self) -> dict[str, Callable[[Lie], tuple[str, Any]]]:
        return {
            "statement": lambda lie: ("s", self._statement(lie)),
            "lsa": lambda lie: ("l", Raw(wire.encode_lsa(self._lsa(lie)))),
            "tombstone": lambda lie: ("l", Raw(wire.encode_lsa(self._tombstone(lie)))),
            "identity": lambda lie: ("l", Raw(wire.encode_lsa(self._identity(lie, IDENTITY)))),
            "revocation": lambda lie: ("l", Raw(wire.encode_lsa(self._identity(lie, REVOKED)))),
            "delta": lambda lie: ("d", Raw(wire.encode_delta(self._delta(lie)))),
            "near": lambda lie: ("n", Raw(wire.encode_near(self._near(lie)))),
            "roster": lambda lie: ("r", Raw(wire.encode_roster(self._roster(lie)))),
            "question": self._question,
        }

    def _statement(self, lie: Lie) -> Statement:
        origin = self._origin(lie)
        space = self._node.space
        number = space.origin_number(origin) if origin != space.node else SELF
        incarnation, sequence, beat = 1, 1, 1
        lsas, checksum = 1, self._rng.randbytes(CHECKSUM_BYTES)
        if number != NIL:
            incarnation, sequence = space.origins.newest_change(number)
            beat = space.origins.beat[number] + 1
            if lie.value != "contradictory":
                lsas, checksum = space.digest(number)
        numbers = {
            "incarnation": (incarnation, MAX_INCARNATION),
            "sequence": (sequence, MAX_SEQUENCE),
            "version": (sequence, MAX_SEQUENCE),
            "number": (beat, MAX_SEQUENCE),
            "count": (lsas, 65535),
        }
        if lie.field in numbers:
            false = values.number(lie.value, *numbers[lie.field], self._rng)
            incarnation = false if lie.field == "incarnation" else incarnation
            sequence = false if lie.field in ("sequence", "version") else sequence
            beat = false if lie.field == "number" else beat
            lsas = false if lie.field == "count" else lsas
        link = self._node.trust.link(beat) if isinstance(beat, int) and 0 <= beat < 2**31 else b""
        if lie.field == "tag":
            link = values.text(lie.value, 12, self._rng)
        said = Statement(origin, incarnation, sequence, lsas, checksum, self._count() % 256, beat, link, b"")
        return replace(said, signature=self._signature(lie, _safely(manifest.of_statement, said)))

    def _pulse(self, lie: Lie) -> bytes:
        origin = self._origin(lie)
        ahead, hops, life_s, ordinal = 1, 0, LIFE_S, self._count() % 64
        if lie.field == "number":
            ahead = values.number(lie.value, ahead, 255, self._rng)
        elif lie.field == "path":
            hops = values.number(lie.value, hops, 63, self._rng)
        elif lie.field == "life":
            life_s = values.number(lie.value, life_s, 15, self._rng)
        numbers = [each if isinstance(each, int) else 0 for each in (ordinal, ahead, hops, life_s)]
        ordinal, ahead, hops, life_s = (
            each % size for each, size in zip(numbers, (64, 256, 64, 16), strict=True)
        )
        link = self._node.trust.link(self._node.space.origins.beat[SELF] + ahead)
        if lie.field in ("tag", "signature"):
            link = self._rng.randbytes(12)
        try:
            return part_of_pulse(Pulse(origin, ordinal, ahead, hops, life_s, link)).data
        except (FrameError, OverflowError, ValueError):
            return self._rng.randbytes(20)

    def _lsa(self, lie: Lie) -> Lsa:
        lsa = self._base(lie)
        self._falsify_lsa(lsa, lie)
        return lsa

    def _tombstone(self, lie: Lie) -> Lsa:
        lsa = self._base(lie)
        lsa.life_s, lsa.properties, lsa.aggregations = 0, [], []
        lsa.version += 1
        self._falsify_lsa(lsa, lie)
        return lsa

    def _identity(self, lie: Lie, label: str) -> Lsa:
        origin = self._origin(lie)
        space = self._node.space
        slot = space.slot_of_name(f"{origin}.{TWIN}")
        lsa = export(space, slot) if slot != NIL else self._invented(lie, origin)
        lsa.name, lsa.kind, lsa.version = f"{origin}.{TWIN}", TWIN, lsa.version + 1
        value = self._node.trust.certificate()
        if lie.value in ("random", "zero", "huge", "end", "negative"):
            value = values.text(lie.value, len(value), self._rng)
        elif lie.value == "contradictory" and value:
            value = value[:-1] + bytes([value[-1] ^ 1])
        lsa.properties = [Property(label, "", lsa.version, 0, value)]
        self._falsify_lsa(lsa, lie)
        return lsa

    def _delta(self, lie: Lie) -> Delta:
        lsa = self._lsa(lie)
        shown = lsa.properties[:1]
        kept = [each.version for each in lsa.properties[1:]]
        if lie.field == "version" and lie.value == "random":
            kept = [self._rng.randrange(1, 100) for _ in range(60)]
        life_s = lsa.life_s or 1
        return Delta(lsa.name, lsa.auth, lsa.incarnation, lsa.version, life_s, lsa.path, kept, shown)

    def _near(self, lie: Lie) -> Near:
        lsa = self._lsa(lie)
        shown = lsa.properties[0] if lsa.properties else Property(REQUEST, "", 1, 0, b"{}")
        reach, hops, life_s = self._rng.choice((1, 2, 254)), 0, 10
        if lie.field == "path":
            hops = values.number(lie.value, hops, 63, self._rng)
        if lie.field == "life":
            life_s = values.number(lie.value, life_s, 2**31, self._rng)
        about = lsa.name, lsa.incarnation, shown.label, shown.query
        near = Near(*about, lsa.version, reach, hops, life_s, life_s, shown.value, b"")
        near.auth = self._signature(lie, _safely(manifest.of_near, near))
        return near

    def _roster(self, lie: Lie) -> Roster:
        origin = self._origin(lie)
        space = self._node.space
        number = space.origin_number(origin) if origin != space.node else SELF
        incarnation, sequence, entries = 1, 1, [(f"{origin}.x", 1)]
        if number != NIL:
            incarnation, sequence = space.origins.newest_change(number)
            entries = space.roster(number)
        if lie.field == "incarnation":
            incarnation = values.number(lie.value, incarnation, MAX_INCARNATION, self._rng)
        elif lie.field in ("sequence", "number"):
            sequence = values.number(lie.value, sequence, MAX_SEQUENCE, self._rng)
        elif lie.field == "version":
            entries = [(n, values.number(lie.value, v, MAX_SEQUENCE, self._rng)) for n, v in entries]
        elif lie.field in ("size", "name"):
            size = values.count(lie.value, 1024, self._rng)
            entries = [(f"{origin}.x{self._rng.randrange(10**6)}", MAX_SEQUENCE) for _ in range(size)]
        elif lie.field == "power" or lie.value == "contradictory":
            entries = []
        return Roster(origin, incarnation, sequence, entries)

    def _question(self, lie: Lie) -> tuple[str, Any]:
        origin = self._origin(lie)
        if lie.field in ("name", "label"):
            return "w", values.name(lie.value, self._names(), self._rng)
        names = [name for name in self._names() if name.startswith(f"{origin}.")]
        return ("w", self._rng.choice(names)) if names and self._rng.random() < 0.5 else ("o", origin)

    def _raw(self, lie: Lie) -> bytes:
        """Bytes that are no frame, or one that grows when it is inflated, or a frame with one wrong bit."""
        if lie.value == "huge":
            return _frame(packed(bytes(8 * 1024 * 1024), 9), _ZLIB, 0)
        if lie.value == "end":
            nested = b"\x81\xa1l\x91" + b"\x91" * 40_000
            return _frame(packed(nested, 9), _ZLIB, 0)
        if lie.value in ("others", "replayed", "contradictory") and self.heard:
            data = bytearray(self._rng.choice(self.heard))
            data[self._rng.randrange(len(data))] ^= 1 << self._rng.randrange(8)
            if lie.value == "contradictory" and len(data) > _HEADER.size:  # with a right checksum
                return _frame(bytes(data[_HEADER.size :]), data[2], data[3])
            return bytes(data)
        return values.text(lie.value, self._rng.randrange(2000), self._rng)

    def _late(self, lie: Lie) -> bytes:
        """Something that was said before, by itself or by others."""
        past = self._said if lie.subject == "own" else self.heard
        return self._rng.choice(past) if past else encode({}, [])

    # ---- what is false about them -------------------------------------------------------------

    def _falsify_lsa(self, lsa: Lsa, lie: Lie) -> None:
        value, rng = lie.value, self._rng
        match lie.field:
            case "version" | "sequence":
                lsa.version = values.number(value, lsa.version, MAX_SEQUENCE, rng)
                for each in lsa.properties[:1]:
                    each.version = lsa.version
            case "number":
                for each in lsa.properties[:1]:
                    each.version = values.number(value, each.version, MAX_SEQUENCE, rng)
            case "incarnation":
                lsa.incarnation = values.number(value, lsa.incarnation, MAX_INCARNATION, rng)
            case "life":
                lsa.life_s = values.number(value, lsa.life_s, 3600, rng)
                for each in lsa.properties[:1]:
                    each.life_s = each.left_s = values.number(value, each.life_s, 2**31, rng)
            case "path":
                lsa.path = self._path(lsa, value)
            case "name":
                lsa.name = (
                    f"{lsa.origin}.{values.name(value, [n.partition('.')[2] for n in self._names()], rng)}"
                )
            case "label":
                for each in lsa.properties[:1]:
                    each.label = values.name(value, _LABELS, rng)
            case "query":
                for each in lsa.properties[:1]:
                    each.query = values.name(value, self._names(), rng)
            case "size":
                size = values.count(value, 64, rng)
                text = values.text(value, 3000, rng)
                size = min(size, 1 + _MOST_BYTES // max(1, len(text)))  # it is refused for its size anyway
                lsa.properties += [Property(f"L{i}", "", lsa.version, 0, text) for i in range(size)]
            case "power" | "priority":
                power_w = values.power(value, rng) if lie.field == "power" else 40.0
                priority = values.number(value, 2, 2, rng) if lie.field == "priority" else 1
                text = orjson.dumps({"id": self._count(), "w": power_w, "prio": priority})
                lsa.properties = [Property(REQUEST, "", lsa.version, 0, text)]
            case "seal" | "tag":
                label = rng.choice((OFFER, CONTRACT))
                query = rng.choice(self._names() or ["x"]) if label == OFFER else ""
                stub = b'{"id":1,"rev":1,"ok":true,"ttl":60,"prio":1}\0' if label == CONTRACT else b""
                lsa.properties = [Property(label, query, lsa.version, 0, stub + values.text(value, 90, rng))]
        if value == "contradictory" and lsa.properties:
            lsa.properties[0].value = rng.randbytes(20)
        lsa.auth = self._signature(lie, _safely(manifest.of_lsa, lsa), lsa.auth)

    def _path(self, lsa: Lsa, value: str) -> list[str]:
        own, others = self._node.config.name, list(self._node.distances())
        match value:
            case "zero":
                return [lsa.origin]
            case "negative" | "contradictory":
                return [own, own, lsa.origin]
            case "huge":
                return [own, *(f"x{i}" for i in range(200)), lsa.origin]
            case "end":
                return [own, *(f"x{self._rng.randrange(9999)}" for _ in range(61)), lsa.origin]
            case "others" if others:
                return [self._rng.choice(others), lsa.origin]
        return [own, f"x{self._rng.randrange(100_000)}", lsa.origin]

    def _signature(self, lie: Lie, text: bytes, before: bytes = b"") -> bytes:
        if lie.field == "signature":
            if lie.value in ("others", "replayed"):
                return before
            if lie.value in ("zero", "negative", "nan"):
                return b""
            return self._rng.randbytes(70 if lie.value == "huge" else 64)
        return self._node.trust.sign(text)

    # ---- about whom ---------------------------------------------------------------------------

    def _origin(self, lie: Lie) -> str:
        others = [each for each in self._node.distances() if each != self._node.config.name]
        if lie.what in ("statement", "pulse", "roster") and lie.field == "name":
            return values.name(lie.value, others, self._rng)
        if lie.subject == "invented" or (lie.subject == "other" and not others):
            return f"ghost{self._rng.randrange(10_000)}"
        return self._rng.choice(others) if lie.subject == "other" else self._node.config.name

    def _base(self, lie: Lie) -> Lsa:
        """Something true to begin with."""
        space, origin = self._node.space, self._origin(lie)
        names = [name for name in self._names() if name.partition(".")[0] == origin]
        if names and (lie.subject == "other" or lie.value in ("replayed", "contradictory", "others")):
            return export(space, space.slot_of_name(self._rng.choice(names)))
        return self._invented(lie, origin)

    def _invented(self, lie: Lie, origin: str) -> Lsa:
        own = self._node.config.name
        incarnation = self._node.space.origins.incarnation[SELF] if origin == own else 1
        version = self._node.space.origins.sequence[SELF] + self._count() if origin == own else self._count()
        path = [own] if origin == own else [own, origin]
        text = orjson.dumps({"id": self._count(), "w": 40.0, "prio": 1})
        shown = Property(REQUEST, "", version, 0, text)
        name = f"{origin}.x{self._rng.randrange(1000)}"
        return Lsa(name, "prosumer", b"", origin, incarnation, version, LIFE_S, path, [], [shown])

    def _names(self) -> list[str]:
        """All LSAs that the liar holds."""
        space = self._node.space
        numbers = [SELF, *(n for n in map(space.origin_number, self._node.distances()) if n != NIL)]
        return [name for number in dict.fromkeys(numbers) for name, _ in space.roster(number)]

    def _count(self) -> int:
        self._number += 1
        return self._number


def encode(body: Body, pulses: list[bytes]) -> bytes:
    """A frame, whatever its limits."""
    try:
        data = wire.encode_body(body) if body else b""
    except (OverflowError, ValueError):  # a number that msgpack cannot say
        data = b"\x81\xa1s\x91\xc1"
    flags = _LINKS if pulses else 0
    if len(data) > 256:
        data, flags = packed(data), flags | _ZLIB
    return _frame(b"".join(pulses) + data, flags, min(255, len(pulses)))


def _frame(content: bytes, flags: int, pulses: int) -> bytes:
    crc = zlib.crc32(content, flags << 8 | pulses)
    return _HEADER.pack(b"M", 2, flags, pulses, crc) + content


def _safely(text: Callable[[Any], bytes], record: Any) -> bytes:
    """The text to be signed; nothing where the lie cannot be written."""
    try:
        return text(record)
    except (OverflowError, ValueError, TypeError):
        return b""

"""The schema of a frame's body: typed, bounded lists in msgpack, so that decoding costs no more than it may.

Every list, text and number has a limit that is checked before anything is built of it. LSAs, deltas, near
properties and rosters are decoded one after the other, and each counts against one budget of items a frame:
limits of single lists would multiply.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from msgspec import DecodeError, Meta, Raw, Struct
from msgspec.msgpack import Decoder, Encoder

from ..space.courier import MAX_LSAS, Roster
from ..space.lsa import EVERYWHERE, HERE, MAX_PATH, Aggregation, Delta, Lsa, Near, Property
from ..space.origins import CHECKSUM_BYTES, MAX_INCARNATION, MAX_SEQUENCE
from ..terms import NODE_NAME

MAX_BEATS = 128  # pulses, statements and rosters, and origins asked for
MAX_FRAME_LSAS = 64  # whole ones; as many deltas and near properties
MAX_ASKED = 256
MAX_VALUE_BYTES = 16 * 1024
MAX_ITEMS = 4096  # of one frame; see `items`
MAX_LIFE_S = 3600
_MAX_PROPERTY_LIFE_S = 0x7FFFFFFF
_MAX_PROPERTIES = 64
_MAX_SPECS = 16
_PROPERTY_ITEMS, _SPEC_ITEMS = 3, 3

Node = Annotated[str, Meta(pattern=rf"^(?:{NODE_NAME})\Z", max_length=32)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:#-]*\Z", max_length=64)]
Suffix = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:#-]+\Z", max_length=62)]  # of the name of an LSA
Text = Annotated[str, Meta(pattern=r"^(?:[A-Za-z0-9_][A-Za-z0-9_.:#-]*)?\Z", max_length=64)]
T = TypeVar("T")
Incarnation = Annotated[int, Meta(ge=1, le=MAX_INCARNATION)]
Version = Annotated[int, Meta(ge=1, le=MAX_SEQUENCE)]
Change = Annotated[int, Meta(ge=0, le=MAX_SEQUENCE)]
Life = Annotated[int, Meta(ge=0, le=MAX_LIFE_S)]
PropertyLife = Annotated[int, Meta(ge=0, le=_MAX_PROPERTY_LIFE_S)]
Auth = Annotated[bytes, Meta(max_length=64)]
Value = Annotated[bytes, Meta(max_length=MAX_VALUE_BYTES)]
Via = Annotated[list[Node], Meta(max_length=MAX_PATH - 1)]


class Statement(Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """What an origin shows at one of its beats, over its signature; its pulses refer to it."""

    origin: Node
    incarnation: Incarnation
    sequence: Change  # of its newest change
    lsas: Annotated[int, Meta(ge=0, le=65535)]
    checksum: Annotated[bytes, Meta(min_length=CHECKSUM_BYTES, max_length=CHECKSUM_BYTES)]
    ordinal: Annotated[int, Meta(ge=0, le=255)]  # counts statements
    number: Version  # of the beat
    link: Annotated[bytes, Meta(max_length=12)]
    signature: Auth


class WireProperty(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """A property of an LSA."""

    label: Name
    query: Text
    version: Change
    life_s: PropertyLife
    left_s: PropertyLife
    value: Value


class WireSpec(Struct, array_like=True, forbid_unknown_fields=True, gc=False):
    """An aggregation."""

    label: Name
    operator: Name
    gossip: bool
    min_delay_s: Annotated[int, Meta(ge=0, le=86_400)]


Properties = Annotated[list[WireProperty], Meta(max_length=_MAX_PROPERTIES)]


class WireLsa(Struct, array_like=True, forbid_unknown_fields=True):
    """A whole LSA. `via` is its path without its origin."""

    origin: Node
    suffix: Suffix
    kind: Text
    incarnation: Incarnation
    version: Version
    life_s: Life
    via: Via
    auth: Auth
    specs: Annotated[list[WireSpec], Meta(max_length=_MAX_SPECS)]
    properties: Properties


class WireDelta(Struct, array_like=True, forbid_unknown_fields=True):
    """What has changed of an LSA."""

    origin: Node
    suffix: Suffix
    incarnation: Incarnation
    version: Version
    life_s: Annotated[int, Meta(ge=1, le=MAX_LIFE_S)]
    via: Via
    auth: Auth
    kept: Annotated[list[Change], Meta(max_length=_MAX_PROPERTIES)]
    properties: Properties


class WireNear(Struct, array_like=True, forbid_unknown_fields=True):
    """A near property."""

    origin: Node
    suffix: Suffix
    incarnation: Incarnation
    label: Name
    query: Text
    version: Version
    reach: Annotated[int, Meta(ge=1, lt=EVERYWHERE)]
    hops: Annotated[int, Meta(ge=0, lt=MAX_PATH)]
    life_s: Annotated[int, Meta(ge=1, le=_MAX_PROPERTY_LIFE_S)]
    left_s: Annotated[int, Meta(ge=1, le=_MAX_PROPERTY_LIFE_S)]
    value: Value
    auth: Auth


class WireRoster(Struct, array_like=True, forbid_unknown_fields=True):
    """The LSAs that a node holds of an origin."""

    origin: Node
    incarnation: Incarnation
    sequence: Change
    suffixes: Annotated[list[Suffix], Meta(max_length=MAX_LSAS)]
    versions: Annotated[list[Version], Meta(max_length=MAX_LSAS)]


class Body(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """All of a frame but its pulses: statements, LSAs, deltas, near properties, rosters, questions."""

    s: Annotated[list[Statement], Meta(max_length=MAX_BEATS)] = []
    l: Annotated[list[Raw], Meta(max_length=MAX_FRAME_LSAS)] = []  # noqa: E741 - a letter a list, on each frame
    d: Annotated[list[Raw], Meta(max_length=MAX_FRAME_LSAS)] = []
    n: Annotated[list[Raw], Meta(max_length=MAX_FRAME_LSAS)] = []
    r: Annotated[list[Raw], Meta(max_length=MAX_BEATS)] = []
    o: Annotated[list[Node], Meta(max_length=MAX_BEATS)] = []  # origins whose roster is wanted
    w: Annotated[list[Name], Meta(max_length=MAX_ASKED)] = []  # LSAs that are wanted


class WireError(ValueError):
    """A body that contradicts its schema or itself."""


_encode = Encoder().encode
_decode_body = Decoder(Body).decode
_decode_lsa = Decoder(WireLsa).decode
_decode_delta = Decoder(WireDelta).decode
_decode_near = Decoder(WireNear).decode
_decode_roster = Decoder(WireRoster).decode


# ---- out ----------------------------------------------------------------------------------------


def encode_lsa(lsa: Lsa) -> bytes:
    """A whole LSA; one encoding serves all neighbours."""
    specs = [WireSpec(a.label, a.operator, a.gossip, a.min_delay_s) for a in lsa.aggregations]
    return _encode(
        WireLsa(
            lsa.origin,
            lsa.name[len(lsa.origin) + 1 :],
            lsa.kind,
            lsa.incarnation,
            lsa.version,
            lsa.life_s,
            lsa.path[:-1],
            lsa.auth,
            specs,
            _wire_properties(lsa.properties),
        )
    )


def encode_delta(delta: Delta) -> bytes:
    """A delta."""
    origin, _, suffix = delta.name.partition(".")
    return _encode(
        WireDelta(
            origin,
            suffix,
            delta.incarnation,
            delta.version,
            delta.life_s,
            delta.path[:-1],
            delta.auth,
            delta.kept,
            _wire_properties(delta.properties),
        )
    )


def encode_near(near: Near) -> bytes:
    """A near property."""
    origin, _, suffix = near.name.partition(".")
    return _encode(
        WireNear(
            origin,
            suffix,
            near.incarnation,
            near.label,
            near.query,
            near.version,
            near.reach,
            near.hops,
            near.life_s,
            near.left_s,
            near.value,
            near.auth,
        )
    )


def encode_roster(roster: Roster) -> bytes:
    """A roster; the names lose what the origin says already."""
    start = len(roster.origin) + 1
    return _encode(
        WireRoster(
            roster.origin,
            roster.incarnation,
            roster.sequence,
            [name[start:] for name, _ in roster.entries],
            [version for _, version in roster.entries],
        )
    )


def encode_statement(statement: Statement) -> bytes:
    """A statement."""
    return _encode(statement)


def encode_body(parts: Mapping[str, Sequence[Raw | str]]) -> bytes:
    """The body that `Body` describes, of parts that are encoded already; empty lists are left out."""
    return _encode({key: each for key, each in parts.items() if each})


def items_of(record: Lsa | Delta | Near | Roster) -> int:
    """What a record counts against the budget of a frame."""
    if isinstance(record, Lsa):
        specs = _SPEC_ITEMS * len(record.aggregations)
        return len(record.path) + specs + _PROPERTY_ITEMS * len(record.properties)
    if isinstance(record, Delta):
        return len(record.path) + len(record.kept) + _PROPERTY_ITEMS * len(record.properties)
    return len(record.entries) if isinstance(record, Roster) else _PROPERTY_ITEMS


def _wire_properties(properties: list[Property]) -> list[WireProperty]:
    return [WireProperty(p.label, p.query, p.version, p.life_s, p.left_s, p.value) for p in properties]


# ---- in -----------------------------------------------------------------------------------------


def decode_body(data: bytes) -> Body:
    """A body whose records are still encoded. Raises WireError."""
    return _decoded(_decode_body, data)


def decode_lsa(data: Raw) -> Lsa:
    """Raises WireError."""
    wire: WireLsa = _decoded(_decode_lsa, data)
    return Lsa(
        _name(wire.origin, wire.suffix),
        wire.kind,
        wire.auth,
        wire.origin,
        wire.incarnation,
        wire.version,
        wire.life_s,
        _path(wire.via, wire.origin),
        [_aggregation(each) for each in wire.specs],
        _properties(wire.properties, wire.version),
    )


def decode_delta(data: Raw) -> Delta:
    """Raises WireError."""
    wire: WireDelta = _decoded(_decode_delta, data)
    return Delta(
        _name(wire.origin, wire.suffix),
        wire.auth,
        wire.incarnation,
        wire.version,
        wire.life_s,
        _path(wire.via, wire.origin),
        wire.kept,
        _properties(wire.properties, wire.version),
    )


def decode_near(data: Raw) -> Near:
    """Raises WireError."""
    wire: WireNear = _decoded(_decode_near, data)
    if wire.left_s > wire.life_s or wire.hops >= wire.reach:
        raise WireError("a near property outlives itself, or goes too far")
    return Near(
        _name(wire.origin, wire.suffix),
        wire.incarnation,
        wire.label,
        wire.query,
        wire.version,
        wire.reach,
        wire.hops,
        wire.life_s,
        wire.left_s,
        wire.value,
        wire.auth,
    )


def decode_roster(data: Raw) -> Roster:
    """Raises WireError."""
    wire: WireRoster = _decoded(_decode_roster, data)
    if len(wire.suffixes) != len(wire.versions):
        raise WireError("a roster lacks names or versions")
    names = [_name(wire.origin, suffix) for suffix in wire.suffixes]
    entries = list(zip(names, wire.versions, strict=True))
    return Roster(wire.origin, wire.incarnation, wire.sequence, entries)


def _decoded(decode: Callable[[Any], T], data: bytes | Raw) -> T:
    try:
        return decode(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise WireError(str(error)[:120]) from None


def _name(origin: str, suffix: str) -> str:
    name = f"{origin}.{suffix}"
    if len(name) > 64:
        raise WireError("a name is too long")
    return name


def _path(via: list[str], origin: str) -> list[str]:
    path = [*via, origin]
    if len(set(path)) != len(path):
        raise WireError("bad path")
    return path


def _aggregation(wire: WireSpec) -> Aggregation:
    return Aggregation(wire.label, wire.operator, EVERYWHERE if wire.gossip else HERE, wire.min_delay_s)


def _properties(wire: list[WireProperty], version: int) -> list[Property]:
    keys = {(p.label, p.query) for p in wire}
    if len(keys) != len(wire):
        raise WireError("duplicate property")
    for p in wire:
        if p.version > version or p.left_s > p.life_s or (p.life_s and not p.left_s):
            raise WireError("a property contradicts its LSA or its life")
    return [Property(p.label, p.query, p.version, p.life_s, p.value, p.left_s) for p in wire]

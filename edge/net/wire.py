"""Records of the space as they are in a frame's body, and the reverse; `schema.py` says what is allowed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import DecodeError, Raw
from msgspec.msgpack import Decoder, Encoder

from ..space.courier import Roster
from ..space.lsa import EVERYWHERE, HERE, TOWARDS, Aggregation, Delta, Lsa, Near, Property
from .schema import (
    Body,
    Bundled,
    Statement,
    WireAlone,
    WireDelta,
    WireError,
    WireLsa,
    WireNear,
    WireProperty,
    WireRoster,
    WireSpec,
)
from .tree import is_shared

T = TypeVar("T")
_PROPERTY_ITEMS, _SPEC_ITEMS = 3, 3


_encode = Encoder().encode
_decode_body = Decoder(Body).decode
_decode_lsa = Decoder(WireLsa).decode
_decode_delta = Decoder(WireDelta).decode
_decode_near = Decoder(WireNear).decode
_decode_alone = Decoder(WireAlone).decode
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
            _alone(lsa.auth),
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
            _alone(delta.auth),
            delta.kept,
            _wire_properties(delta.properties),
        )
    )


def encode_near(near: Near) -> bytes:
    """A near property."""
    return _encode(WireNear(*_near_fields(near)))


def encode_alone(near: Near, to: Sequence[str]) -> bytes:
    """A near property that brings its LSA along, on its way towards some of its nodes."""
    return _encode(WireAlone(*_near_fields(near), near.kept, list(to)))


def _near_fields(
    near: Near,
) -> tuple[str, str, int, str, str, int, int, int, int, int, bytes, bytes]:
    """What both kinds of near properties have on the wire, in its order."""
    origin, _, suffix = near.name.partition(".")
    return (
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
        _alone(near.auth),
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


def encode_properties(properties: list[Property]) -> list[bytes]:
    """Each property as it is in its LSA, for those who count bytes."""
    return [_encode(each) for each in _wire_properties(properties)]


def _alone(auth: bytes) -> bytes:
    return b"" if is_shared(auth) else auth


def encode_body(parts: Mapping[str, Sequence[Raw | str | Bundled]]) -> bytes:
    """The body that `Body` describes, of parts that are encoded already; empty lists are left out."""
    return _encode({key: each for key, each in parts.items() if each})


def items_of(record: Lsa | Delta | Near | Roster) -> int:
    """What a record counts against the budget of a frame."""
    if isinstance(record, Lsa):
        specs = _SPEC_ITEMS * len(record.aggregations)
        return len(record.path) + specs + _PROPERTY_ITEMS * len(record.properties)
    if isinstance(record, Delta):
        return len(record.path) + len(record.kept) + _PROPERTY_ITEMS * len(record.properties)
    return len(record.entries) if isinstance(record, Roster) else _PROPERTY_ITEMS + len(record.to)


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
    return _near(_decoded(_decode_near, data))


def decode_alone(data: Raw) -> Near:
    """Raises WireError."""
    wire: WireAlone = _decoded(_decode_alone, data)
    near = _near(wire, wire.kept, tuple(wire.to))
    if bool(wire.to) != (wire.reach == TOWARDS) or not (wire.to or wire.kept):
        raise WireError("a near property that goes nowhere")
    if len(set(wire.to)) != len(wire.to):
        raise WireError("a near property goes twice towards a node")
    return near


def _near(wire: WireNear | WireAlone, kept: bool = False, to: tuple[str, ...] = ()) -> Near:
    """Raises WireError."""
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
        kept,
        to,
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

"""What an origin signs: for each thing that goes over the wire the one text that stands for it.

A signature over the list of labels, versions and hashes of an LSA holds for a whole LSA and for one that a
receiver completed from a delta. What relays may change is not in it: the path, the life that is left, and
towards which nodes it is still to be sent.
"""

from hashlib import sha256

from msgspec.msgpack import encode

from ..space.lsa import Lsa, Near
from .schema import Statement

_HASH_BYTES = 16


def of(record: Lsa | Near) -> bytes:
    """A version of an LSA or of a near property."""
    return of_lsa(record) if isinstance(record, Lsa) else of_near(record)


def of_lsa(lsa: Lsa) -> bytes:
    """A version of an LSA, or its end."""
    shown = sorted([p.label, p.query, p.version, p.life_s, _short_hash(p.value)] for p in lsa.properties)
    specs = [[a.label, a.operator, a.gossip, a.min_delay_s] for a in lsa.aggregations]
    gone = not lsa.life_s
    return encode([b"lsa", lsa.name, lsa.kind, lsa.origin, lsa.incarnation, lsa.version, gone, specs, shown])


def of_near(near: Near) -> bytes:
    """A version of a near property."""
    value = sha256(near.value).digest()
    kind = b"alone" if near.alone else b"near"
    place = [kind, near.name, near.incarnation, near.label, near.query]
    return encode([*place, near.version, near.reach, near.life_s, value])


def of_statement(said: Statement) -> bytes:
    """A statement, and the first link of the pulses that refer to it."""
    shows = [said.origin, said.incarnation, said.sequence, said.lsas, said.checksum]
    return encode([b"beat", *shows, said.ordinal, said.number, said.link])


def _short_hash(value: bytes) -> bytes:
    return sha256(value).digest()[:_HASH_BYTES]

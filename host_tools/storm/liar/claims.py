"""What a liar says in the name of a twin of another node: a frame whose signature does not fit."""

from typing import NamedTuple

from msgspec import Raw

from edge.net import manifest, wire
from edge.node import Node
from edge.space.exchange import export
from edge.space.lsa import Lsa, Property
from edge.space.names import NIL
from edge.space.origins import LIFE_S

from .mouth import encode


class Claim(NamedTuple):
    """A property in the name of a twin of another node."""

    twin: str
    label: str
    query: str
    value: bytes


def claimed(node: Node, claim: Claim) -> bytes:
    """The frame of a claim: the LSA that the liar holds with that property, signed by the liar."""
    space, origin = node.space, claim.twin.partition(".")[0]
    slot = space.slot_of_name(claim.twin)
    path = [node.config.name, origin]
    lsa = (
        export(space, slot)
        if slot != NIL
        else Lsa(claim.twin, "prosumer", b"", origin, 1, 1, LIFE_S, path, [], [])
    )
    lsa.version += 1
    lsa.life_s = lsa.life_s or LIFE_S
    lsa.properties = [Property(claim.label, claim.query, lsa.version, 0, claim.value)]
    lsa.auth = node.trust.sign(manifest.of_lsa(lsa))
    return encode({"l": [Raw(wire.encode_lsa(lsa))]}, [])

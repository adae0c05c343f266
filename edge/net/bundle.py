"""What one signature proves in a frame, and the proof of each record in it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..space.lsa import Delta, Lsa, Near
from . import tree
from .schema import Bundled, WireError

Record = Lsa | Delta | Near


@dataclass(slots=True)
class Bundle:
    """Records, by their place in a tree; one record that is signed alone has no tree."""

    shared: Bundled | None = None
    records: dict[int, Record] = field(default_factory=dict)


def bundled(auths: Iterable[bytes]) -> list[Bundled]:
    """The trees of the records of a frame, whose proofs are given in order."""
    members: dict[tuple[bytes, int], dict[int, int]] = {}
    nodes: dict[tuple[bytes, int], tree.Nodes] = {}
    for number, auth in enumerate(auths):
        if tree.is_shared(auth):
            signature, count, place, beside = tree.parts_of(auth)
            members.setdefault((signature, count), {})[place] = number
            nodes.setdefault((signature, count), {}).update(beside)
    return [
        Bundled(
            signature,
            count,
            bytes(places),
            bytes(places.values()),
            b"".join(nodes[signature, count][key] for key in tree.lacking(count, places)),
        )
        for (signature, count), places in members.items()
    ]


def bundles(records: list[Record], shared: list[Bundled]) -> Iterator[Bundle]:
    """The records of a frame by what proves them. Raises WireError."""
    alone = dict(enumerate(records))
    for each in shared:
        if not len(each.places) == len(each.numbers) == len(set(each.places)) == len(set(each.numbers)):
            raise WireError("a tree names a place or a record twice")
        if any(place >= each.count for place in each.places) or not alone.keys() >= set(each.numbers):
            raise WireError("a tree names what is not there")
        found = {place: alone[number] for place, number in zip(each.places, each.numbers, strict=True)}
        for number in each.numbers:
            del alone[number]
        yield Bundle(each, found)
    for record in alone.values():
        yield Bundle(None, {0: record})

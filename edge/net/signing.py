"""The own signatures: one for all LSAs that a reaction has changed, and one for all near properties."""

from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

from ..space.errors import SpaceFull
from ..space.lsa import Lsa, Near
from ..space.names import NIL
from ..space.tuplespace import TupleSpace
from ..trust.trust import Trust
from . import manifest, tree

Signed = TypeVar("Signed", Lsa, Near)


def sign(space: TupleSpace, trust: Trust, records: Sequence[Lsa | Near]) -> list[Lsa | Near]:
    """Sign records of this node, and keep in the space what proves them; what is left to sign: nothing."""
    for kind in (Lsa, Near):  # a near property needs its LSA first
        chosen = [each for each in records if isinstance(each, kind)]
        for first in range(0, len(chosen), tree.MAX_LEAVES):
            _sign(space, trust, chosen[first : first + tree.MAX_LEAVES])
    return []


def _sign(space: TupleSpace, trust: Trust, records: Sequence[Lsa | Near]) -> None:
    texts = list(map(manifest.of, records))
    if len(records) == 1:
        records[0].auth = trust.sign(texts[0])
    else:
        count, leaves = len(records), dict(enumerate(map(tree.leaf, texts)))
        nodes = tree.grown(count, leaves)
        signature = trust.sign(tree.message(count, nodes))
        for place, each in enumerate(records):
            each.auth = tree.proof(signature, count, place, nodes)
    for each in records:
        with suppress(SpaceFull):  # then it is signed again next time
            _keep(space, each)


def _keep(space: TupleSpace, record: Lsa | Near) -> None:
    slot = space.slot_of_name(record.name)
    if slot == NIL:
        return
    if isinstance(record, Lsa):
        if space.lsa_version[slot] == record.version:
            space.prove(slot, record.auth)
        return
    p = space.property_of(slot, record.label, record.query)
    if p != NIL and space.p_version[p] == record.version:
        space.prove_near(p, record.auth)

"""The tuple space of a node, for people: its LSAs with their properties, sealed ones shown as sealed."""

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import orjson

from .context import Context

if TYPE_CHECKING:
    from ..space.tuplespace import TupleSpace

LIVE, NIL, TOWARDS, EVERYWHERE = 1, 0xFFFF, 254, 255  # as in the kernel
MOST_BYTES = 16384  # of a value that is shown


class PropertyAnswer(TypedDict):
    label: str
    to: Annotated[str, "the only twin that it is for; empty: for all"]
    reach: Annotated[int | None, "hops that it spreads; 0: not at all, null: everywhere, or `towards` nodes"]
    towards: Annotated[list[str], "the only nodes towards which it goes; empty: it goes by `reach`"]
    version: int
    left_s: Annotated[int | None, "until it expires; null: as long as its LSA"]
    bytes: int
    value: Annotated[Any, "as JSON where it is public; null where it is sealed, long, or not JSON"]
    sealed: Annotated[bool, "for other eyes, in whole or in part"]


class LsaAnswer(TypedDict):
    name: str
    kind: str
    node: str
    hops: Annotated[int, "to its node; 0: of this node"]
    version: int
    left_s: Annotated[int, "until it expires, unless it is renewed"]
    properties: list[PropertyAnswer]


class SpaceAnswer(TypedDict):
    lsas: Annotated[list[LsaAnswer], "by name"]
    next: Annotated[str | None, "cursor of the next page; null: this was the last one"]


def space(
    context: Context, label: str | None, text: str | None, limit: int, cursor: str | None
) -> SpaceAnswer:
    """Answers /space."""
    space, wanted = context.node.space, (text or "").lower()
    names = sorted(name for name in _names(space) if name > (cursor or ""))
    found: list[LsaAnswer] = []
    for name in names:
        lsa = _lsa(space, name)
        if (label and all(each["label"] != label for each in lsa["properties"])) or not _has(lsa, wanted):
            continue
        if len(found) == limit:
            return {"lsas": found, "next": found[-1]["name"]}
        found.append(lsa)
    return {"lsas": found, "next": None}


def _names(space: "TupleSpace") -> Iterator[str]:
    for slot in range(space.limits.lsas):
        if space.lsa_state[slot] == LIVE:
            yield space.names.text(space.lsa_name[slot])


def _lsa(space: "TupleSpace", name: str) -> LsaAnswer:
    slot = space.slot_of_name(name)
    origin = space.lsa_origin[slot]
    properties = []
    p = space.lsa_first[slot]
    while p != NIL:
        if not space.p_gone[p]:
            properties.append(_property(space, p))
        p = space.p_next[p]
    return {
        "name": name,
        "kind": space.names.text(space.lsa_kind[slot]),
        "node": space.nodes.text(origin),
        "hops": space.origins.hops[origin],
        "version": space.lsa_version[slot],
        "left_s": space.life_s(slot),
        "properties": properties,
    }


def _property(space: "TupleSpace", p: int) -> PropertyAnswer:
    data, reach, due = space.value(p), space.p_reach[p], space.p_wheel.due(p)
    value, sealed = _shown(data)
    return {
        "label": space.labels.text(space.p_label[p]),
        "to": space.names.text(space.p_query[p]),
        "reach": None if reach in (TOWARDS, EVERYWHERE) else reach,
        "towards": list(space.p_to[p]),
        "version": space.p_version[p],
        "left_s": max(0, due - space.tick) if due else None,
        "bytes": len(data),
        "value": value,
        "sealed": sealed,
    }


def _shown(data: bytes) -> tuple[Any, bool]:
    """The public part of a value, and whether there is more that only others can read."""
    if len(data) > MOST_BYTES:
        return None, False
    for text, rest in _splits(data):
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(text), rest
    return None, True


def _splits(data: bytes) -> Iterator[tuple[bytes, bool]]:
    yield data, False
    yield data.partition(b"\0")[0], True  # a stub that all may read, and sealed parts


def _has(lsa: LsaAnswer, text: str) -> bool:
    return text in orjson.dumps(lsa).decode().lower()

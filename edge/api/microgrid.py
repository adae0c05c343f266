"""The microgrid as one node sees it: every node it knows, how far away and by which way, and its links."""

from typing import TYPE_CHECKING, Annotated, TypedDict

import orjson

from ..terms import VARIABLES
from .context import Context

if TYPE_CHECKING:
    from ..node import Node


class KnownNode(TypedDict):
    name: str
    distance: Annotated[int | None, "hops; 0: this node, null: a neighbour that is not heard"]
    via: Annotated[str, "the neighbour that it is heard by; empty: not known, or this node"]
    heard_s: Annotated[float | None, "since a neighbour was last heard itself; null for other nodes"]
    neighbour: Annotated[bool, "whether this node sends to it"]
    connected: Annotated[bool | None, "whether its broker is reached; null: no neighbour"]
    powers_w: Annotated[dict[str, float] | None, "its six variables, where it publishes them"]
    address: Annotated[str, "of the broker of a neighbour; empty: not known"]


Link = TypedDict(
    "Link",
    {
        "from": Annotated[str, "this node"],
        "to": str,
        "sends": Annotated[bool, "frames leave for it"],
        "hears": Annotated[bool, "frames of it arrive"],
    },
)


class Seen(TypedDict):
    node: str
    nodes: list[KnownNode]
    links: list[Link]


def microgrid(context: Context) -> Seen:
    """Answers /microgrid."""
    node = context.node
    distances, links = node.distances(), node.links.stats()["neighbours"]
    addresses = {each.name: each.host for each in node.config.neighbours}
    hearing = node.gateway.hearing
    names = [node.config.name, *sorted({*distances, *links} - {node.config.name})]
    return {
        "node": node.config.name,
        "nodes": [
            {
                "name": name,
                "distance": distances.get(name),
                "via": _via(node, name),
                "heard_s": hearing.heard_s(name),
                "neighbour": name in links,
                "connected": links[name]["connected"] if name in links else None,
                "powers_w": _own(node) if name == node.config.name else _published(node, name),
                "address": addresses.get(name, ""),
            }
            for name in names
        ],
        "links": [
            {
                "from": node.config.name,
                "to": name,
                "sends": link["connected"],
                "hears": name not in hearing.silent,
            }
            for name, link in links.items()
        ],
    }


def _via(node: "Node", name: str) -> str:
    space = node.space
    number = space.origin_number(name)
    if name == node.config.name or number >= space.nodes.capacity:
        return ""
    via = space.origins.via[number]
    return space.nodes.text(via) if via else ""


def _own(node: "Node") -> dict[str, float] | None:
    if node.unknown:
        return None
    return {name: round(each, 1) for name, each in zip(VARIABLES, node.total().powers_w, strict=True)}


def _published(node: "Node", name: str) -> dict[str, float] | None:
    """What the learning twin of another node says; its total is checked before it is summed, too."""
    handle = node.space.find(f"{name}.learning")
    value = node.space.read(handle, "TOTAL") if handle else None
    try:
        powers_w = orjson.loads(value) if value else None
    except orjson.JSONDecodeError:
        return None
    if not isinstance(powers_w, list) or len(powers_w) != len(VARIABLES):
        return None
    if not all(type(each) in (int, float) for each in powers_w):
        return None
    return dict(zip(VARIABLES, powers_w, strict=True))

"""An LSA and its properties as plain records: how they enter and leave a space (thesis 5.1.1).

Inside the space they are slots in arrays; a record exists only while an LSA crosses the border.
"""

from .shim import const

MAX_PATH = const(64)  # nodes; nothing spreads farther


class Property:
    """One published value: what it is about (label), and the one agent it is for (query, empty: all)."""

    __slots__ = ("label", "life_s", "query", "value", "version")

    def __init__(self, label: str, query: str, version: int, life_s: int, value: bytes) -> None:
        self.label = label
        self.query = query
        self.version = version
        self.life_s = life_s  # seconds left, 0: as long as its LSA
        self.value = value


class Aggregation:
    """How one label of an LSA is aggregated with the same label of other LSAs (thesis 5.1.3.4)."""

    __slots__ = ("gossip", "label", "min_delay_s", "operator")

    def __init__(self, label: str, operator: str, gossip: bool = False, min_delay_s: int = 0) -> None:
        self.label = label
        self.operator = operator
        self.gossip = gossip  # over all nodes, not only this one
        self.min_delay_s = min_delay_s


class Lsa:
    """A live semantic annotation: what an agent shows to the others.

    `incarnation` and `version` order the states of one LSA; `path` holds the nodes it has travelled, the
    last one first; `life_s` is its remaining life, 0 announces that it has left its origin.
    """

    __slots__ = (
        "aggregations",
        "auth",
        "incarnation",
        "kind",
        "life_s",
        "name",
        "origin",
        "path",
        "properties",
        "version",
    )

    def __init__(
        self,
        name: str,
        kind: str,
        auth: str,
        origin: str,
        incarnation: int,
        version: int,
        life_s: int,
        path: list[str],
        aggregations: list[Aggregation],
        properties: list[Property],
    ) -> None:
        self.name = name
        self.kind = kind
        self.auth = auth
        self.origin = origin
        self.incarnation = incarnation
        self.version = version
        self.life_s = life_s
        self.path = path
        self.aggregations = aggregations
        self.properties = properties

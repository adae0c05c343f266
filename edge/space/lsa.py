"""An LSA and its properties as plain records: how they enter and leave a space (thesis 5.1.1).

Inside the space they are slots in arrays; a record exists only while an LSA crosses the border.
"""

from .shim import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .aggregators import Operator

# No setting: the format of the wire. 100 nodes fit unless they form a chain of more than 64.
MAX_PATH = const(64)  # nodes; nothing spreads farther

HERE = const(0)  # the reach of a property that stays on its node
TOWARDS = const(254)  # of one that goes towards some nodes only
EVERYWHERE = const(255)
KEPT = const(
    -1
)  # the life of a near property that its space renews, with the heartbeats, until it is withdrawn


class Property:
    """One published value: what it is about (label), and the one agent it is for (query, empty: all)."""

    __slots__ = ("label", "left_s", "life_s", "query", "value", "version")

    def __init__(
        self, label: str, query: str, version: int, life_s: int, value: bytes, left_s: int = -1
    ) -> None:
        self.label = label
        self.query = query
        self.version = version
        self.life_s = life_s  # as its origin stated it, 0: as long as its LSA
        self.left_s = life_s if left_s < 0 else left_s  # what remains of it
        self.value = value


class Near:
    """A property that goes only a few hops, on its way: it travels by itself and is not in the digest.

    `reach` is how many hops it may go, `hops` how many it has gone when it is sent. With a reach of TOWARDS
    it goes to the nodes `to` only. One that is `kept`, or goes towards nodes, brings its LSA along: who does
    not hold that knows it from then on. Without a value it says that it was withdrawn.
    """

    __slots__ = (
        "alone",
        "auth",
        "hops",
        "incarnation",
        "kept",
        "label",
        "left_s",
        "life_s",
        "name",
        "origin",
        "query",
        "reach",
        "to",
        "value",
        "version",
    )

    def __init__(
        self,
        name: str,
        incarnation: int,
        label: str,
        query: str,
        version: int,
        reach: int,
        hops: int,
        life_s: int,
        left_s: int,
        value: bytes,
        auth: bytes,
        kept: bool = False,
        to: "tuple[str, ...]" = (),
    ) -> None:
        self.name = name
        self.origin = name.partition(".")[0]
        self.incarnation = incarnation
        self.kept = kept
        self.to = to
        self.alone = kept or bool(to)  # whether it brings its LSA along
        self.label = label
        self.query = query
        self.version = version
        self.reach = reach
        self.hops = hops
        self.life_s = life_s
        self.left_s = left_s
        self.value = value
        self.auth = auth


class Aggregation:
    """How one label of an LSA is aggregated with the same label of other LSAs (thesis 5.1.3.4).

    Other nodes see the label, the name of the operator, whether it is gossip and the minimum delay. All else
    concerns only the node that aggregates.
    """

    __slots__ = (
        "context",
        "differs",
        "keeps",
        "label",
        "merge",
        "min_delay_s",
        "operator",
        "period_s",
        "quorum",
        "reach",
        "stale_s",
    )

    def __init__(
        self,
        label: str,
        operator: str,
        reach: int = HERE,
        min_delay_s: int = 0,
        *,
        period_s: int = 0,
        quorum: int = 2,
        stale_s: int = 0,
        keeps: bool = False,
        merge: "Operator | None" = None,
        differs: "Callable[[bytes, bytes], bool] | None" = None,
        context: "Any" = None,
    ) -> None:
        self.label = label
        self.operator = operator
        self.reach = reach  # hops to the nodes whose values count; HERE: of this node only
        self.min_delay_s = max(min_delay_s, int(keeps))  # between two aggregations
        self.period_s = period_s  # aggregated again after that time though nothing has changed; 0: never
        self.quorum = quorum  # how many values are needed, the own one included
        self.stale_s = stale_s  # older values of others do not count; 0: all do
        # False: the result is of the values that are there now, as a sum of powers must be. True: what was
        # merged stays when its sources go, and only what others publish after it leads to another.
        self.keeps = keeps
        self.merge = merge  # the operator itself; None: the law knows it by its name
        self.differs = differs  # (sent, new) -> whether the new value is worth sending; None: any change is
        self.context = context  # what the operator needs to know, such as the scope and local test data

    @property
    def gossip(self) -> bool:
        """Whether values of other nodes count."""
        return self.reach > HERE

    @property
    def everywhere(self) -> bool:
        """Whether values of all nodes count."""
        return self.reach == EVERYWHERE


class Lsa:
    """A live semantic annotation: what an agent shows to the others.

    `incarnation` and `version` order the states of one LSA; `path` holds the nodes it has travelled, the
    last one first; `life_s` is its remaining life, 0 announces that it has left its origin. `auth` proves
    this version; what it is made of is no matter of the kernel.
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
        auth: bytes,
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


class Delta:
    """A new version of an LSA for a neighbour that holds the one before: what has changed, and what stays.

    `kept` lists the versions of the properties that stay as they are; all others are withdrawn.
    """

    __slots__ = ("auth", "incarnation", "kept", "life_s", "name", "path", "properties", "version")

    def __init__(
        self,
        name: str,
        auth: bytes,
        incarnation: int,
        version: int,
        life_s: int,
        path: list[str],
        kept: list[int],
        properties: list[Property],
    ) -> None:
        self.name = name
        self.auth = auth
        self.incarnation = incarnation
        self.version = version
        self.life_s = life_s
        self.path = path
        self.kept = kept
        self.properties = properties

"""Aggregation operators: each turns the values of many agents into one (thesis 5.1.3.4).

An operator is given all sources, sorted by agent, and the aggregation that asks for it. It returns the result
and the weight of each source, in their order. One that takes long is a generator: it yields after every few
milliseconds of work and returns the same pair. Operators on energy values and models live in the rooms of
these values; the aggregation law knows them by name, or a twin hands one in with its aggregation.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from ..lsa import Aggregation

    Result = tuple[bytes, Sequence[float]]
    Operator = Callable[[list["Source"], Aggregation], Result | Generator[None, None, Result]]


class Source:
    """One agent's contribution: its name and node, the version of its property and its bytes.

    `own`: it belongs to the agent that aggregates; `hops`: distance of its node; `since`: the tick at which
    it changed, as seen here; `age_s`: the same as an age, with the way of a value that has a life.
    """

    __slots__ = ("age_s", "agent", "hops", "node", "own", "since", "value", "version")

    def __init__(
        self,
        agent: str,
        node: str,
        since: int,
        version: int,
        value: bytes,
        own: bool,
        hops: int,
        age_s: int,
    ) -> None:
        self.agent = agent
        self.node = node
        self.since = since
        self.version = version
        self.value = value
        self.own = own
        self.hops = hops
        self.age_s = age_s


class Contributor:
    """What is kept of a source after an aggregation; `hops` and `age_s` are those of that time.

    `gone`: it has withdrawn its value since, or has fallen silent.
    """

    __slots__ = ("age_s", "agent", "gone", "hops", "node", "own", "weight")

    def __init__(self, source: Source, weight: float) -> None:
        self.agent = source.agent
        self.node = source.node
        self.own = source.own
        self.hops = source.hops
        self.age_s = source.age_s
        self.weight = weight
        self.gone = False

"""Aggregation operators: each turns the values of many agents into one (thesis 5.1.3.4).

An operator is a function of all sources. Operators on energy values and models live in the rooms of these
values; they are registered by name with the aggregation law.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Operator = Callable[["list[Source]"], bytes]


class Source:
    """One agent's contribution: its name and node, the tick at which its value changed, its bytes."""

    __slots__ = ("agent", "node", "since", "value")

    def __init__(self, agent: str, node: str, since: int, value: bytes) -> None:
        self.agent = agent
        self.node = node
        self.since = since
        self.value = value

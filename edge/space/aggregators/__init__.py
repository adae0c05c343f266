"""Aggregation operators: what turns the values of many agents into one. A new one is one file here.

An operator is a function of all sources. Those of energy values and of models live with their values
and are registered by name with the aggregation law.
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

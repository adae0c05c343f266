"""The section `[holon]` of a configuration: the gate of this node to a parent microgrid (thesis 8.2.1)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ..option import NAME, Matching
from ..terms import NODE_NAME

_PAIR = rf"{NODE_NAME}\s*=\s*{NODE_NAME}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HolonSettings:
    """The gate of this node to a parent microgrid. The same process also runs the node of the machine in the
    parent, from a file of its own. A twin of kind `holon` stands in each of the two."""

    parent: Annotated[
        Path, "file of the other node of this machine, beside this file if the path is not absolute"
    ]
    order: Annotated[
        str,
        Matching(rf"\s*({_PAIR}\s*(,\s*{_PAIR}\s*)*)?", "pairs such as gym=q-gym, school=q-school"),
        "all gates of this microgrid, as node=node in the parent, separated by commas: the first that lives "
        "acts. The same at each of them; empty: this is the only one",
    ] = ""
    twin: Annotated[str, NAME, "name of the holon twin of this node"] = "up"
    parent_twin: Annotated[str, NAME, "name of the holon twin of the other node"] = "down"

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The two nodes of each gate, in the order of succession; none if there is only one gate."""
        pairs = (each.partition("=") for each in self.order.split(",") if each.strip())
        return tuple((inside.strip(), outside.strip()) for inside, _, outside in pairs)

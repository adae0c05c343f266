"""The fleet: what its nodes share, one file a node, their keys and certificates (DESIGN 6).

`read_fleet` checks `deploy/`; `provision` makes of it what lies in `/data/edge` of each node.
"""

from .errors import FleetError
from .layout import Layout
from .read import Fleet, NodePlan, read_fleet
from .shared import Operator

__all__ = ["Fleet", "FleetError", "Layout", "NodePlan", "Operator", "read_fleet"]

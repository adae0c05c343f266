"""The fleet: shared settings, one file per node, and the keys and certificates of the nodes.

`read_fleet` checks `deploy/`; `provision` turns it into the files in `/data/edge` of each node.
"""

from .errors import FleetError
from .layout import Layout
from .read import Fleet, NodePlan, read_fleet
from .shared import Operator

__all__ = ["Fleet", "FleetError", "Layout", "NodePlan", "Operator", "read_fleet"]

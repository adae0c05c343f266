"""The words that every room uses: the six variables of a node, the scopes of
learning, the names of nodes, the length of a day, how sure an energy is.

The variables are those of the thesis (4.3); lists of six powers have this order.
"""

from enum import StrEnum

VARIABLES = ("requested", "produced", "consumed", "supplied", "missing", "available")
SCOPES = ("node", "cluster")  # of predictions: this node, and the whole microgrid
DAY_MIN = 1440
NODE_NAME = r"[a-z0-9][a-z0-9_-]{0,31}"  # fits one level of an MQTT topic, a user name and a host name


class Quality(StrEnum):
    """How sure an energy is; the later, the less."""

    MEASURED = "measured"
    FILLED = "filled"  # a part was not known, and is taken to be like the rest
    MISSING = "missing"  # too little was known

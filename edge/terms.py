"""The words that every room uses: the six variables of a node, the scopes of
learning, the names of nodes, the length of a day.

The variables are those of the thesis (4.3); lists of six powers have this order.
"""

VARIABLES = ("requested", "produced", "consumed", "supplied", "missing", "available")
SCOPES = ("node", "cluster")  # of predictions: this node, and the whole microgrid
DAY_MIN = 1440
NODE_NAME = r"[a-z0-9][a-z0-9_-]{0,31}"  # fits one level of an MQTT topic, a user name and a host name

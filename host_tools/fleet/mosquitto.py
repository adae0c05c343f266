"""Configuration of a node's Mosquitto: what comes in from outside, and what the node itself may do.

Outside (8883) a peer is whom its certificate names, and may write two topics, those under its own name, if
it is a sender of this node. It reads nothing. Inside (loopback) the node reads exactly these topics, and
nobody writes. ACL lists hold exact topics: a pattern would let in every node of the cluster.
"""

from edge.net.links import LinkLimits, frame_topic, presence_topic

from .layout import Layout
from .read import NodePlan

_PACKET_BYTES = LinkLimits().max_frame_bytes + 4096
_MEMORY_BYTES = 16 << 20  # of heap, twice what it takes: it turns clients away before the kernel ends it
_PEERS = 64  # connections from outside, those that have not yet shown a certificate included
_INSIDE = 8  # the node, and somebody who looks


def configuration(node: NodePlan, layout: Layout, port: int) -> str:
    """mosquitto.conf; `port` is the one outside."""
    return f"""\
# Made by `python -m host_tools provision {node.name}`: changes belong into deploy/.
per_listener_settings true
user mosquitto
persistence false
retain_available false
sys_interval 0
set_tcp_nodelay true
memory_limit {_MEMORY_BYTES}
max_packet_size {_PACKET_BYTES}
max_queued_messages 64
max_queued_bytes 4194304
max_inflight_messages 20
log_dest stderr
log_type error
log_type warning
log_type notice

listener {node.config.inbox.port} {node.config.inbox.host}
allow_anonymous true
acl_file {layout.config / "acl.inside"}
max_connections {_INSIDE}

listener {port}
allow_anonymous false
acl_file {layout.config / "acl"}
max_connections {_PEERS}
max_topic_alias 0
tls_version tlsv1.3
cafile {layout.broker_keys / "ca.crt"}
certfile {layout.broker_keys / "node.crt"}
keyfile {layout.broker_keys / "node.key"}
crlfile {layout.config / "crl.pem"}
require_certificate true
use_identity_as_username true
# Or a peer could throw another one out by connecting under its name.
use_username_as_clientid true
"""


def outside_acl(node: NodePlan) -> str:
    """Who may write what; whoever is not listed may nothing."""
    rules = [f"# Who sends to {node.name}: the nodes that name it as neighbour."]
    for peer in node.senders:
        rules += ["", f"user {peer}", *(f"topic write {topic}" for topic in _topics(node.name, peer))]
    return "\n".join(rules) + "\n"


def inside_acl(node: NodePlan) -> str:
    """What the node reads. It is anonymous there: rules without a user are for it alone."""
    rules = [f"# What {node.name} reads of its own inbox; nothing is written from inside."]
    for peer in node.senders:
        rules += [f"topic read {topic}" for topic in _topics(node.name, peer)]
    return "\n".join(rules) + "\n"


def _topics(receiver: str, sender: str) -> tuple[str, str]:
    return frame_topic(receiver, sender), presence_topic(receiver, sender)

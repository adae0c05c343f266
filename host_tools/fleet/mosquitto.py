"""Configuration of a node's Mosquitto broker: an outer listener for peers and an inner one for the node.

On the outer listener (8883) a peer is identified by its certificate. If it is a sender of this node, it may
write the two topics with its own name; it may read nothing. On the inner listener (loopback) the node may
read exactly these topics, and nobody may write. The ACLs contain exact topics: a pattern would admit every
node of the cluster.

With `[home_assistant]`, the node may also write what it shows of itself, and read what it is told; Home
Assistant may do the opposite, and nothing else. It has a certificate of the cluster like a peer, and connects
outside: inside, every process of the node could take its place.
"""

from edge.homeassistant.topics import from_node, to_node
from edge.net.limit_door import limit_topic, limits_topic
from edge.net.links import LinkLimits, frame_topic, presence_topic

from .layout import HOME_ASSISTANT, Layout
from .read import NodePlan

_PACKET_BYTES = LinkLimits().max_frame_bytes + 4096
_MEMORY_BYTES = 24 << 20  # heap limit: it rejects clients before the kernel kills it
# Connections from outside, including those that have not yet shown a certificate: each takes 42 kB, and the
# broker ends it after 90 s.
_PEERS = 256
_INSIDE = 8  # the node, and some connections for debugging


def configuration(node: NodePlan, layout: Layout, port: int) -> str:
    """The content of mosquitto.conf; `port`: that of the outer listener."""
    return f"""\
# Made by `python -m host_tools provision {node.name}`: make changes in deploy/.
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
# Otherwise a peer could disconnect another one by using its client id.
use_username_as_clientid true
"""


def outside_acl(node: NodePlan) -> str:
    """The ACL of the outer listener; peers that are not listed have no access."""
    rules = [f"# The senders of {node.name}: the nodes that list it as a neighbour."]
    for peer in node.senders:
        rules += ["", f"user {peer}", *(f"topic write {topic}" for topic in _topics(node.name, peer))]
    said, told = _home_assistant(node)
    if said:
        rules += ["", f"user {HOME_ASSISTANT}", *(f"topic read {topic}" for topic in said)]
        rules += [f"topic write {topic}" for topic in told]
    return "\n".join(rules) + "\n"


def inside_acl(node: NodePlan) -> str:
    """The ACL of the inner listener. The node is anonymous there; rules without a user apply to it."""
    rules = [
        f"# What {node.name} reads from its own inbox, and what it writes for Home Assistant, if it does."
    ]
    for peer in node.senders:
        rules += [f"topic read {topic}" for topic in _topics(node.name, peer)]
    said, told = _home_assistant(node)
    rules += [f"topic write {topic}" for topic in said] + [f"topic read {topic}" for topic in told]
    if node.config.regulator:
        rules += ["", "# Programs on this machine may order limits, and see what holds."]
        topics = (limit_topic(node.name, "+"), limits_topic(node.name))
        rules += [f"topic readwrite {topic}" for topic in topics]
    return "\n".join(rules) + "\n"


def shown_to_home_assistant(node: NodePlan) -> bool:
    """Whether Home Assistant is a client of this broker."""
    settings = node.config.home_assistant
    return settings.wanted and not settings.host


def _home_assistant(node: NodePlan) -> tuple[list[str], list[str]]:
    """What the node writes for it, and what it writes for the node."""
    if not shown_to_home_assistant(node):
        return [], []
    settings = node.config.home_assistant
    return from_node(settings.prefix, node.name), to_node(
        settings.prefix, node.name, settings.scope == "operate"
    )


def _topics(receiver: str, sender: str) -> tuple[str, str]:
    return frame_topic(receiver, sender), presence_topic(receiver, sender)

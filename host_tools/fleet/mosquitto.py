"""Configuration of a node's Mosquitto broker: an outer listener for peers and an inner one for the node.

The access lists of both are those of `edge.net.broker_lists`.
"""

from edge.net.broker_lists import inside, outside
from edge.net.links import LinkLimits
from edge.service.broker import guests

from .layout import Layout
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
    return outside(node.name, node.senders, guests(node.config))


def inside_acl(node: NodePlan) -> str:
    """The ACL of the inner listener."""
    return inside(node.name, node.senders, guests(node.config))


def shown_to_home_assistant(node: NodePlan) -> bool:
    """Whether Home Assistant is a client of this broker."""
    settings = node.config.home_assistant
    return settings.wanted and not settings.host

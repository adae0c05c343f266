"""Configuration of a machine's Mosquitto: for each node an outer listener for peers and an inner one.

The access lists of both are those of `edge.net.broker_lists`.
"""

from collections.abc import Sequence

from edge.net.broker_lists import inside, outside
from edge.net.links import LinkLimits
from edge.service.broker import guests

from .read import NodePlan

_PACKET_BYTES = LinkLimits().max_frame_bytes + 4096
_MEMORY_BYTES = 24 << 20  # heap limit: it rejects clients before the kernel kills it
# Connections from outside, including those that have not yet shown a certificate: each takes 42 kB, and the
# broker ends it after 90 s. Of all nodes of a machine.
_PEERS = 256
_INSIDE = 8  # the node, and some connections for debugging


def configuration(machine: Sequence[NodePlan]) -> str:
    """The content of mosquitto.conf for the nodes of a machine, the first of which has given it its name."""
    head = f"""\
# Made by `python -m host_tools provision {machine[0].name}`: make changes in deploy/.
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
"""
    return head + "".join(_listeners(node, _PEERS // len(machine)) for node in machine)


def _listeners(node: NodePlan, most: int) -> str:
    """Its two listeners, the outer one for so many connections. All outer ones show the certificate of the
    first node: the host names are those of the machine."""
    layout = node.layout
    return f"""
listener {node.config.inbox.port} {node.config.inbox.host}
allow_anonymous true
acl_file {layout.config / layout.named("acl.inside")}
max_connections {_INSIDE}

listener {node.port}
allow_anonymous false
acl_file {layout.config / layout.named("acl")}
max_connections {most}
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

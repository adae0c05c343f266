"""The links of a node: opaque frames to its neighbours, opaque frames from them (thesis 5.1.3.2).

`MqttLinks` carries frames between real nodes, `MemoryNetwork` within one process; the node cannot
tell which one it has. Links are directed: a node sends to its own list of neighbours and may receive
from others. Links resend nothing: the digest of the space repairs what a lost frame leaves out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NotRequired, Protocol, TypedDict

from ..terms import NODE_NAME
from .settings import NeighbourSettings

Deliver = Callable[[str, bytes], None]
Changed = Callable[[str, bool], None]

HERE = b"1"  # payloads of a presence topic
GONE = b"0"

_NODE = re.compile(NODE_NAME)


class NeighbourStats(TypedDict):
    """Counters of one outgoing link since start; bytes are whole MQTT packets."""

    connected: bool
    sent_frames: int
    sent_bytes: int
    dropped: int
    reconnects: int
    trouble: str  # why it is not connected
    taken_over: bool  # another client uses the name of this node there
    delivery: str  # why its broker does not deliver; "" if it does, or nothing is known


class InboxStats(TypedDict):
    """Counters of received frames since start; `refused` frames never reached the node."""

    connected: bool
    received_frames: int
    received_bytes: int
    refused: int
    trouble: str  # why it is not connected
    taken_over: bool  # another client uses the name of this node
    delivery: str  # why the broker refuses the subscription; "" if it does not


class CertificateStats(TypedDict):
    """A certificate or list of revoked ones that the links use."""

    name: str
    days_left: float  # negative when it has expired
    begun: bool  # false: not valid yet, or the clock of this node is wrong


class LinksStats(TypedDict):
    """Counters of all links of one node."""

    inbox: InboxStats
    neighbours: dict[str, NeighbourStats]
    certificates: list[CertificateStats]
    tls_fault: NotRequired[str]  # why changed TLS files are not used
    list_fault: NotRequired[str]  # why the list of revoked certificates is not used, but the one before


@dataclass(frozen=True)
class LinkLimits:
    """Bounds of every link: the largest frame, and how much may wait for one neighbour."""

    max_frame_bytes: int = 64 * 1024
    max_pending_frames: int = 64
    max_pending_bytes: int = 256 * 1024


class Links(Protocol):
    """All links of one node."""

    neighbours: tuple[str, ...]

    def start(self, deliver: Deliver, changed: Changed) -> None:
        """Begin to connect, without waiting; both callables are called from link threads.

        `deliver(peer, frame)` hands over a frame; `peer` is the sender, not always a neighbour.

        `changed(peer, True)`: the link to the neighbour `peer` now takes frames, or `peer` has just
        connected to this node. `changed(peer, False)`: the link to `peer` is lost, or `peer` died,
        stopped, or lost its link to this node (its last will). A hint to resend or to forget early,
        not a state: it may repeat, name a node that is not a neighbour, or be lost with a broker.
        """

    def send(self, peer: str, frame: bytes) -> bool:
        """Hand one frame to the link; False if it was dropped (and counted). Never blocks or raises."""

    def renew(self, peer: str) -> None:
        """Connect again to the broker of a neighbour, if connected. Never blocks or raises."""

    def renew_inbox(self) -> None:
        """The same with the node's own broker."""

    def include(self, neighbour: NeighbourSettings) -> None:
        """Send to another node from now on. Never blocks. Raises ValueError, OSError."""

    def exclude(self, peer: str) -> None:
        """End the link to a neighbour. Never blocks or raises."""

    def stop(self) -> None:
        """Leave the network; nothing is delivered afterwards."""

    def stats(self) -> LinksStats:
        """Counters at this moment."""


def is_node_name(text: object) -> bool:
    """Whether a text may name a node."""
    return isinstance(text, str) and bool(_NODE.fullmatch(text))


def checked_name(name: str) -> str:
    """`name` if it can be one level of a topic and a user name in a broker's ACL.

    Raises ValueError otherwise: 1 to 32 of a-z, 0-9, `_` and `-`, first a letter or digit.
    """
    if not is_node_name(name):
        raise ValueError(f"not a node name: {name[:40]!r}")
    return name


def frame_topic(receiver: str, sender: str) -> str:
    """Where `sender` puts frames at the broker of `receiver`; the last level is what an ACL checks."""
    return f"mg/v1/inbox/{receiver}/{sender}"


def presence_topic(receiver: str, sender: str) -> str:
    """Where `sender` announces itself at the broker of `receiver`, and its last will announces its end."""
    return f"mg/v1/peer/{receiver}/{sender}"


def packet_bytes(topic: str, payload_bytes: int) -> int:
    """Size of the MQTT 5 PUBLISH packet, QoS 0 without properties, that carries a payload."""
    remaining = 2 + len(topic.encode()) + 1 + payload_bytes
    length_bytes = 1 + (remaining > 0x7F) + (remaining > 0x3FFF) + (remaining > 0x1FFFFF)
    return 1 + length_bytes + remaining

"""Simulated links inside one process, with faults as configured; the same seed gives the same faults.

`schedule(delay_s, action, rank)` is the event queue of the virtual world; actions that are due at the same
moment are ordered by the rank of the node that caused them, and in its order. Nodes are notified, and bytes
are counted, as with `MqttLinks`, but an error in a node is raised in the simulation.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.net.links import (
    Changed,
    Deliver,
    LinkLimits,
    LinksStats,
    NeighbourStats,
    checked_name,
    frame_topic,
    packet_bytes,
)
from edge.net.settings import NeighbourSettings

from .areas import Passing

Schedule = Callable[[float, Callable[[], None], int], object]
PassOn = Callable[[float, int, str, str, bytes | bool], bool]


@dataclass(frozen=True)
class LinkQuality:
    """How one direction treats frames: times in seconds, all others are probabilities per frame."""

    latency_s: float = 0.002
    loss: float = 0.0
    duplicate: float = 0.0
    corrupt: float = 0.0  # one bit is flipped
    delay: float = 0.0  # by up to `max_delay_s`, so that later frames overtake it
    max_delay_s: float = 1.0


@dataclass
class Wire:
    """One direction between two nodes; it stays when they restart."""

    quality: LinkQuality
    whole: bool = True
    stale: bool = False  # connected, but nothing passes before the connection is made again
    breaks: int = 0
    in_flight_frames: int = 0
    in_flight_bytes: int = 0
    arrived: int = 0  # undamaged frames that the receiver got


class MemoryNetwork:
    """The links of all nodes of a simulated microgrid."""

    def __init__(
        self,
        schedule: Schedule,
        rng: random.Random,
        *,
        quality: LinkQuality | None = None,
        limits: LinkLimits | None = None,
    ) -> None:
        self.limits = limits or LinkLimits()
        self.ranks: dict[str, int] = {}  # of the nodes
        self.pass_on: PassOn = lambda delay_s, rank, sender, receiver, frame: False  # to another process
        self._schedule = schedule
        self._rng = rng
        self._quality = quality or LinkQuality()
        self._wires: dict[tuple[str, str], Wire] = {}
        self._nodes: dict[str, MemoryLinks] = {}
        self._down: set[str] = set()  # nodes whose own broker cannot be reached
        self._unsubscribed: set[str] = set()  # nodes whose broker has forgotten them

    @property
    def least_s(self) -> float:
        """The shortest latency."""
        return min([self._quality.latency_s, *(wire.quality.latency_s for wire in self._wires.values())])

    def links(self, node: str, neighbours: Sequence[str]) -> "MemoryLinks":
        """The links of a node that sends to `neighbours`; a node that restarts needs new ones.

        Raises ValueError for names that are not valid in MQTT, and for duplicates.
        """
        names = [checked_name(name) for name in (node, *neighbours)]
        if len(set(names)) < len(names):
            raise ValueError(f"{node} and its neighbours must have different names")
        return MemoryLinks(self, node, tuple(neighbours))

    def set_quality(self, sender: str, receiver: str, quality: LinkQuality) -> None:
        """Change the quality of one direction from now on."""
        self.wire(sender, receiver).quality = quality

    def cut(self, sender: str, receiver: str) -> None:
        """Break one direction: frames in flight are lost, and both ends are notified.

        For a break that is not notified, set a quality with `loss=1.0`.
        """
        wire = self.wire(sender, receiver)
        if wire.whole:
            wire.whole = False
            wire.breaks += 1
            self._tell_both(sender, receiver, False)

    def heal(self, sender: str, receiver: str) -> None:
        """Undo `cut`."""
        wire = self.wire(sender, receiver)
        if not wire.whole:
            wire.whole, wire.stale = True, False
            self._tell_both(sender, receiver, True)

    def take_broker(self, node: str) -> None:
        """A node loses its connection to its own broker. Those of its neighbours to it are left alone."""
        self._down.add(node)

    def give_broker(self, node: str) -> None:
        """Undo `take_broker`, and `unsubscribe`: the node subscribes again, and greets its neighbours."""
        self._down.discard(node)
        self._unsubscribed.discard(node)
        links = self._nodes.get(node)
        for peer in links.neighbours if links else ():
            if self.wire(node, peer).whole:
                self._tell(peer, node, True, node)

    def unsubscribe(self, node: str) -> None:
        """The broker of a node delivers nothing to it before the node connects again, and says nothing."""
        self._unsubscribed.add(node)

    def hears(self, node: str) -> bool:
        """Whether the node's own broker delivers."""
        return node not in self._down and node not in self._unsubscribed

    def is_down(self, node: str) -> bool:
        """Whether the node has lost its own broker."""
        return node in self._down

    def renew(self, sender: str, receiver: str) -> None:
        """The sender makes its connection again, if it has one."""
        if self.wire(sender, receiver).whole:
            self.cut(sender, receiver)
            self.heal(sender, receiver)

    def wire(self, sender: str, receiver: str) -> Wire:
        """The direction from `sender` to `receiver`."""
        wire = self._wires.get((sender, receiver))
        if wire is None:
            wire = self._wires[sender, receiver] = Wire(self._quality)
        return wire

    def join(self, links: "MemoryLinks") -> None:
        """A node has started: both ends of each of its links that is whole are notified."""
        self._nodes[links.node] = links
        for peer in links.neighbours:
            if self.wire(links.node, peer).whole:
                self._tell_both(links.node, peer, True)

    def leave(self, links: "MemoryLinks") -> None:
        """A node has stopped or crashed: its neighbours receive its last will."""
        if self._nodes.get(links.node) is links:
            for peer in links.neighbours:
                if self.wire(links.node, peer).whole:
                    self._tell(peer, links.node, False, links.node)
            del self._nodes[links.node]

    def carry(self, sender: str, receiver: str, frame: bytes) -> bool:
        """Send a frame; False if too much is in flight already."""
        wire, limits, size = self.wire(sender, receiver), self.limits, len(frame)
        if wire.in_flight_frames >= limits.max_pending_frames:
            return False
        if wire.in_flight_bytes + size > limits.max_pending_bytes:
            return False
        if not wire.stale and not self._happens(wire.quality.loss):
            self._launch(wire, sender, receiver, frame)
            if self._happens(wire.quality.duplicate):
                self._launch(wire, sender, receiver, frame)
        return True

    def _launch(self, wire: Wire, sender: str, receiver: str, frame: bytes) -> None:
        quality, breaks = wire.quality, wire.breaks
        delay_s = quality.latency_s
        if self._happens(quality.delay):
            delay_s += self._rng.uniform(0.0, quality.max_delay_s)
        damaged = bool(frame) and self._happens(quality.corrupt)
        if damaged:
            frame = _with_bit_flipped(frame, self._rng.randrange(8 * len(frame)))

        rank = self.ranks.get(sender, 0)
        elsewhere = self.pass_on(delay_s, rank, sender, receiver, frame)

        def arrive() -> None:
            wire.in_flight_frames -= 1
            wire.in_flight_bytes -= len(frame)
            if elsewhere:
                return
            if wire.breaks == breaks and receiver in self._nodes and self.hears(receiver):
                wire.arrived += not damaged
                self._nodes[receiver].received(sender, frame)

        wire.in_flight_frames += 1
        wire.in_flight_bytes += len(frame)
        self._schedule(delay_s, arrive, rank)

    def take(self, passing: Passing) -> None:
        """Something arrives from another process."""
        node, sender = self._nodes.get(passing.receiver), passing.sender
        if node is None:
            return
        if isinstance(passing.frame, bool):
            node.told(sender, passing.frame)
        elif self.hears(passing.receiver):
            self.wire(sender, passing.receiver).arrived += 1
            node.received(sender, passing.frame)

    def _happens(self, probability: float) -> bool:
        return probability > 0.0 and self._rng.random() < probability

    def _tell_both(self, sender: str, receiver: str, up: bool) -> None:
        links = self._nodes.get(sender)
        if links is not None and receiver in links.neighbours:
            self._tell(sender, receiver, up, sender)
            self._tell(receiver, sender, up, sender)

    def _tell(self, node: str, peer: str, up: bool, cause: str) -> None:
        def arrive() -> None:
            if node in self._nodes:
                self._nodes[node].told(peer, up)

        delay_s, rank = self.wire(peer, node).quality.latency_s, self.ranks.get(cause, 0)
        if not self.pass_on(delay_s, rank, peer, node, up):
            self._schedule(delay_s, arrive, rank)


class MemoryLinks:
    """The `Links` of one simulated node."""

    def __init__(self, network: MemoryNetwork, node: str, neighbours: tuple[str, ...]) -> None:
        self.node = node
        self.neighbours = neighbours
        self._network = network
        self._deliver: Deliver | None = None
        self._changed: Changed | None = None
        self._sent = {peer: _Sent(network.wire(node, peer)) for peer in neighbours}
        self._received_frames = 0
        self._received_bytes = 0

    def start(self, deliver: Deliver, changed: Changed) -> None:
        self._deliver, self._changed = deliver, changed
        for sent in self._sent.values():
            sent.breaks_before = sent.wire.breaks
        self._network.join(self)

    def send(self, peer: str, frame: bytes) -> bool:
        sent = self._sent.get(peer)
        if sent is None:
            return False
        if self._takes(sent, frame) and self._network.carry(self.node, peer, frame):
            sent.frames += 1
            sent.bytes += packet_bytes(frame_topic(peer, self.node), len(frame))
            return True
        sent.dropped += 1
        return False

    def renew(self, peer: str) -> None:
        if peer in self.neighbours:
            self._network.renew(self.node, peer)

    def renew_inbox(self) -> None:
        if not self._network.is_down(self.node):
            self._network.give_broker(self.node)

    def include(self, neighbour: NeighbourSettings) -> None:
        self.neighbours = (*self.neighbours, neighbour.name)
        self._sent[neighbour.name] = _Sent(self._network.wire(self.node, neighbour.name))
        self._network.renew(self.node, neighbour.name)

    def exclude(self, peer: str) -> None:
        self.neighbours = tuple(each for each in self.neighbours if each != peer)
        del self._sent[peer]

    def stop(self) -> None:
        self._network.leave(self)
        self._deliver = self._changed = None

    def stats(self) -> LinksStats:
        return {
            "inbox": {
                "connected": self._deliver is not None and not self._network.is_down(self.node),
                "received_frames": self._received_frames,
                "received_bytes": self._received_bytes,
                "refused": 0,
                "trouble": "",
                "taken_over": False,
                "delivery": "",
            },
            "certificates": [],
            "neighbours": {peer: self._stats_of(sent) for peer, sent in self._sent.items()},
        }

    def received(self, sender: str, frame: bytes) -> None:
        """A frame has arrived."""
        if self._deliver is not None:
            self._received_frames += 1
            self._received_bytes += packet_bytes(frame_topic(self.node, sender), len(frame))
            self._deliver(sender, frame)

    def told(self, peer: str, up: bool) -> None:
        """A link, or the node at its other end, came up or went down."""
        if self._changed is not None:
            self._changed(peer, up)

    def _takes(self, sent: "_Sent", frame: bytes) -> bool:
        return self._is_up(sent) and len(frame) <= self._network.limits.max_frame_bytes

    def _is_up(self, sent: "_Sent") -> bool:
        return self._deliver is not None and sent.wire.whole

    def _stats_of(self, sent: "_Sent") -> NeighbourStats:
        connects = sent.wire.breaks - sent.breaks_before + sent.wire.whole
        return {
            "connected": self._is_up(sent),
            "sent_frames": sent.frames,
            "sent_bytes": sent.bytes,
            "dropped": sent.dropped,
            "reconnects": max(0, connects - 1),
            "trouble": "",
            "taken_over": False,
            "delivery": "",
        }


@dataclass
class _Sent:
    """What a node has sent over one wire since it started."""

    wire: Wire
    breaks_before: int = 0
    frames: int = 0
    bytes: int = 0
    dropped: int = 0


def _with_bit_flipped(frame: bytes, bit: int) -> bytes:
    flipped = bytearray(frame)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)

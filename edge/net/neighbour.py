"""One neighbour of a node: its broker, and the frames that still wait for the socket to it.

QoS 0 has no back-pressure (paho queues without limit), so waiting frames and bytes are counted here, and
nothing is accepted while the broker is unreachable. One frame in ten seconds goes with QoS 1: the broker's
answer says whether this node may publish at all. The greeting of the node and its last will at that
broker tell the neighbour that the node has come or gone.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

from .connection import Connection
from .lean_paho import MQTTMessageInfo
from .links import GONE, HERE, LinkLimits, NeighbourStats, frame_topic, packet_bytes, presence_topic
from .settings import NeighbourSettings

PROBE_EVERY_S = 10.0  # a broker that does not let this node publish drops frames without a word otherwise
_ID_BYTES = 2  # of an acknowledged packet
_REPLY_BYTES = 4096  # limit for what a broker sends to a client without subscriptions


class Neighbour:
    """The sending end of one link; `tell(peer, up)` is called when its connection changes."""

    def __init__(
        self,
        node: str,
        settings: NeighbourSettings,
        limits: LinkLimits,
        connection: Callable[..., Connection],
        tell: Callable[[str, bool], None],
    ) -> None:
        self._name = settings.name
        self._topic = frame_topic(settings.name, node)
        self._presence_topic = presence_topic(settings.name, node)
        self._limits = limits
        self._tell = tell
        self._lock = Lock()  # guards the fields below: one thread sends, others read the counters
        self._pending: deque[tuple[MQTTMessageInfo, int]] = deque()
        self._pending_bytes = 0
        self._sent_frames = 0
        self._sent_bytes = 0
        self._dropped = 0
        self._probe: MQTTMessageInfo | None = None  # that the broker is to acknowledge
        self._probed_s = 0.0  # since the connection came up
        self._refused_id: int | None = None  # of a message; written by the network thread
        self._delivery = ""
        self.connection = connection(
            settings.broker,
            label=f"link to {settings.name}",
            max_packet_bytes=_REPLY_BYTES,
            on_up=self._came_up,
            on_down=partial(tell, settings.name, False),
        )
        self.connection.client.will_set(self._presence_topic, GONE)
        self.connection.client.on_publish = self._published

    def send(self, frame: bytes) -> bool:
        """Hand a frame to the network thread; False if it was dropped. Never blocks."""
        self.connection.refresh()
        size = packet_bytes(self._topic, len(frame))
        with self._lock:
            self._settle()
            if not self._has_room_for(frame, size):
                self._dropped += 1
                return False
            if self._probe_is_due():
                self._probe = self.connection.client.publish(self._topic, frame, qos=1)
                self._sent_frames += 1
                self._sent_bytes += size + _ID_BYTES
                return True
            sent = self.connection.client.publish(self._topic, frame)
            self._pending.append((sent, size))
            self._pending_bytes += size
            return True

    def _probe_is_due(self) -> bool:
        """Whether a frame should be acknowledged: one now and then, and never two at a time."""
        if not self.connection.acknowledges:
            return False
        now_s = self.connection.up_s
        if now_s - self._probed_s < PROBE_EVERY_S or (self._probe and not _is_over(self._probe)):
            return False
        if self._probe and self._probe.mid != self._refused_id:
            self._delivery = ""
        self._probed_s = now_s
        return True

    def _published(self, client: Any, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        """In the network thread, which may hold locks of paho: no lock may be taken here."""
        if reason.is_failure:
            self._refused_id, self._delivery = mid, str(reason)

    def stats(self) -> NeighbourStats:
        """Counters at this moment."""
        with self._lock:
            self._settle()
            return {
                "connected": self.connection.up,
                "sent_frames": self._sent_frames,
                "sent_bytes": self._sent_bytes,
                "dropped": self._dropped,
                "reconnects": max(0, self.connection.connects - 1),
                "trouble": "" if self.connection.up else self.connection.trouble,
                "taken_over": self.connection.taken_over,
                "delivery": self._delivery,
            }

    def greet(self) -> None:
        """Tell the neighbour that this node can receive, if the link is up."""
        if self.connection.up:
            self.connection.client.publish(self._presence_topic, HERE)

    def _came_up(self) -> None:
        self._probed_s, self._delivery = 0.0, ""
        self.connection.client.publish(self._presence_topic, HERE)
        self._tell(self._name, True)

    def _has_room_for(self, frame: bytes, size: int) -> bool:
        limits = self._limits
        return (
            self.connection.up
            and len(frame) <= limits.max_frame_bytes  # the broker would disconnect at a larger one
            and len(self._pending) < limits.max_pending_frames
            and self._pending_bytes + size <= limits.max_pending_bytes
        )

    def _settle(self) -> None:
        """Count the frames that the socket has taken, or that were lost with their connection."""
        while self._pending:
            sent, size = self._pending[0]
            try:
                if not sent.is_published():
                    return
            except RuntimeError:  # paho raises it for a lost connection
                self._dropped += 1
            else:
                self._sent_frames += 1
                self._sent_bytes += size
            self._pending.popleft()
            self._pending_bytes -= size


def _is_over(message: MQTTMessageInfo) -> bool:
    """Whether a message has been acknowledged, refused or lost."""
    try:
        return message.is_published()
    except (RuntimeError, ValueError):
        return True

"""The receiving end of a node: its own broker, to which other nodes publish.

A message with a wrong topic, sender or size is refused and counted; its content is checked when the frame
is decoded. All counters belong to the network thread of the one connection.
"""

import logging
from collections.abc import Callable
from os import urandom
from typing import Any

from .connection import Connection
from .lean_paho import MQTTMessage, SubscribeOptions
from .limit_door import LimitDoor
from .links import GONE, HERE, InboxStats, LinkLimits, checked_name, frame_topic, packet_bytes, presence_topic
from .settings import BrokerSettings

_OVERHEAD_BYTES = 4096  # of a packet beyond its frame, and of the broker's own messages

logger = logging.getLogger("edge.net")


class Inbox:
    """Subscribes at the node's own broker; `deliver` returns whether the node took the frame.

    `listening` is called whenever frames can arrive again: earlier ones are lost.
    """

    def __init__(
        self,
        node: str,
        broker: BrokerSettings,
        limits: LinkLimits,
        connection: Callable[..., Connection],
        deliver: Callable[[str, bytes], bool],
        tell: Callable[[str, bool], None],
        listening: Callable[[], None],
    ) -> None:
        self._node = node
        self._listening = listening
        self._max_frame_bytes = limits.max_frame_bytes
        self._deliver = deliver
        self._tell = tell
        self._subscribed = False
        self._refusal = ""  # of the last subscription
        self._subscription = 0  # number of its message
        self.door: LimitDoor | None = None  # set before it connects
        self._received_frames = 0
        self._received_bytes = 0
        self._refused = 0
        self.connection = connection(
            broker,
            label="inbox",
            # Not a valid node name, so no peer can connect in its place; and nobody on this machine can guess
            # it, so no other process can disconnect the inbox by connecting under its name.
            suffix=f"/inbox-{urandom(8).hex()}",
            # A frame slightly too large arrives and is counted; the broker holds back anything larger.
            max_packet_bytes=2 * limits.max_frame_bytes + _OVERHEAD_BYTES,
            on_up=self._subscribe,
            on_down=self._lost,
        )
        self.connection.client.on_subscribe = self._subscribe_answered
        self.connection.client.on_message = self._received

    def stats(self) -> InboxStats:
        """Counters at this moment; connected: subscribed, frames can arrive."""
        return {
            "connected": self._subscribed,
            "received_frames": self._received_frames,
            "received_bytes": self._received_bytes,
            "refused": self._refused,
            "trouble": "" if self._subscribed else self.connection.trouble,
            "taken_over": self.connection.taken_over,
            "delivery": self._refusal if self.connection.up else "",
        }

    def _subscribe(self) -> None:
        options = SubscribeOptions(retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        topics = [(topic(self._node, "+"), options) for topic in (frame_topic, presence_topic)]
        _, number = self.connection.client.subscribe(topics)
        self._subscription = number or 0
        if self.door:
            self.door.subscribe()

    def _subscribe_answered(
        self, client: Any, userdata: Any, mid: int, reasons: Any, properties: Any
    ) -> None:
        if mid != self._subscription:
            return  # that of the door: the node hears its neighbours without it
        self._subscribed = not any(reason.is_failure for reason in reasons)
        before, self._refusal = self._refusal, ""
        if self._subscribed:
            self._listening()
            return
        self._refusal = ", ".join(sorted({str(each) for each in reasons if each.is_failure}))
        if self._refusal != before:
            logger.warning("inbox: the broker refuses the subscription: %s", self._refusal)

    def _lost(self) -> None:
        self._subscribed = False

    def _received(self, client: Any, userdata: Any, message: MQTTMessage) -> None:
        if not self._accepts(message):
            self._refused += 1

    def _accepts(self, message: MQTTMessage) -> bool:
        try:
            topic = message.topic
            sender = checked_name(topic.rpartition("/")[2])
        except ValueError:  # not UTF-8, or not a name
            return False
        payload = message.payload
        if sender == self._node:
            return False
        if topic == frame_topic(self._node, sender) and len(payload) <= self._max_frame_bytes:
            self._received_frames += 1
            self._received_bytes += packet_bytes(topic, len(payload))
            return self._deliver(sender, bytes(payload))  # already bytes: no copy is made
        if topic == presence_topic(self._node, sender) and payload in (HERE, GONE):
            self._tell(sender, payload == HERE)
            return True
        return False

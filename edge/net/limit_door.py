"""External limits over MQTT: programs at the node's own broker order them, and are shown what holds.

A controller writes `mg/v1/limit/NODE/SOURCE`, where SOURCE is its own name. The node publishes what holds at
`mg/v1/limits/NODE` when that changes and every half a minute; not retained, since nobody should take an old
state for a new one.
"""

import logging
from collections.abc import Callable
from typing import Any

from .connection import Connection
from .lean_paho import MQTTMessage, SubscribeOptions
from .links import checked_name

MOST_BYTES = 2048  # of a message
SHOW_EVERY_S = 30.0

logger = logging.getLogger("edge.net")


def limit_topic(node: str, source: str) -> str:
    """Where a controller writes; `source` is its name."""
    return f"mg/v1/limit/{node}/{source}"


def limits_topic(node: str) -> str:
    """Where the node shows what holds."""
    return f"mg/v1/limits/{node}"


class LimitDoor:
    """Uses the connection of the inbox. `tell(source, message)` is called from its network thread."""

    def __init__(self, node: str, connection: Connection, tell: Callable[[str, bytes], None]) -> None:
        self.refused = 0
        self._node = node
        self._connection = connection
        self._tell = tell
        self._shown = b""
        self._shown_s = -SHOW_EVERY_S
        connection.client.message_callback_add(limit_topic(node, "+"), self._received)

    def subscribe(self) -> None:
        """The connection is up."""
        options = SubscribeOptions(retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        self._connection.client.subscribe(limit_topic(self._node, "+"), options=options)
        self._shown = b""

    def show(self, state: bytes, now_s: float) -> None:
        """Publish what holds, if it has changed or was not shown for a while; from any thread."""
        if not self._connection.up or (state == self._shown and now_s < self._shown_s + SHOW_EVERY_S):
            return
        self._shown, self._shown_s = state, now_s
        self._connection.client.publish(limits_topic(self._node), state)

    def _received(self, client: Any, userdata: Any, message: MQTTMessage) -> None:
        try:
            source = checked_name(message.topic.rpartition("/")[2])
        except ValueError:
            self.refused += 1
            return
        if len(message.payload) > MOST_BYTES:
            self.refused += 1
            return
        try:
            self._tell(source, bytes(message.payload))
        except Exception:
            logger.exception("a limit was not taken")

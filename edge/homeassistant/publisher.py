"""The client that tells Home Assistant of the node, and hears what it is to do.

The main thread looks each second; the network thread of the connection receives. Nothing is retained: Home
Assistant says when it has come up, and is told all again, so nothing is left of a node that is gone and the
broker need not keep anything. What follows a description is repeated for a while, since Home Assistant has
to subscribe first.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from os import urandom
from typing import TYPE_CHECKING, Any

from ..api.troubles import troubles
from ..clock import Clock
from ..config.settings import HomeAssistantSettings
from ..net.connection import Connection
from ..net.lean_paho import MQTTMessage, MQTTMessageInfo, SubscribeOptions
from ..net.links import packet_bytes
from ..option import NAME
from .discovery import Message, node_message, repeat_s, twin_message
from .states import node_state, twin_state
from .topics import (
    OFF,
    OFFLINE,
    ON,
    ONLINE,
    alive_topic,
    config_topic,
    state_topic,
    status_topic,
    switch_topic,
)

if TYPE_CHECKING:
    from ..node import Node

log = logging.getLogger("edge.homeassistant")

MAX_PACKET_BYTES = 1024  # of what Home Assistant says
SEND_BUFFER_BYTES = 64 * 1024
UNREACHABLE_S = 60.0  # after which it is a trouble
_AT_A_TIME = 4  # descriptions in a second
_REPEATS_S = (2.0, 5.0, 15.0)  # after a description
_COMMANDS_AT_ONCE, _COMMAND_EVERY_S = 10.0, 5.0  # each is written to the card


class HomeAssistant:
    """An `Outlet`. `command(twin, on)` carries out what Home Assistant says, in the network thread, and
    returns why not, "" if it did."""

    def __init__(
        self,
        node: str,
        version: str,
        settings: HomeAssistantSettings,
        connection: Callable[..., Connection],
        clock: Clock,
        command: Callable[[str, bool], str],
    ) -> None:
        """`connection` makes one to the broker. Raises OSError for unusable TLS files."""
        self._node, self._version, self._settings = node, version, settings
        self._clock, self._command = clock, command
        self._operates = settings.scope == "operate"
        self._connection = connection(
            label="home assistant",
            suffix=f"/ha-{urandom(8).hex()}",
            max_packet_bytes=MAX_PACKET_BYTES,
            send_buffer_bytes=SEND_BUFFER_BYTES,
            on_up=self._subscribe,
            on_down=lambda: None,
        )
        client = self._connection.client
        client.will_set(alive_topic(node), OFFLINE)
        client.on_message = self._received
        client.on_subscribe = self._subscribed
        client.on_publish = self._published
        self._greeted = False  # it has come up; set by the network thread
        self._described: set[str] = set()  # twins
        self._waiting: deque[str] = deque()  # twins to be described; "": the node
        self._forced_s: list[float] = []  # when all is sent again, changed or not
        self._hurried = False  # a command was carried out; set by the network thread
        self._due_s = -1.0
        self._sent: dict[str, tuple[bytes, float]] = {}  # by topic, and when
        self._newest: MQTTMessageInfo | None = None
        self._down_since_s: float | None = clock.now_s()
        self._commands_left, self._commands_s = _COMMANDS_AT_ONCE, clock.now_s()
        self._refusal = ""  # of the subscription, or of a description
        self.messages = self.bytes = 0  # sent
        self.commands = self.refused = 0  # carried out; messages that were not

    def start(self) -> None:
        self._connection.start()

    def stop(self) -> None:
        """The broker then publishes the last will."""
        self._connection.say_goodbye()
        self._connection.stop()

    def troubles(self) -> Iterable[tuple[str, str, str]]:
        since_s = self._down_since_s
        if since_s is not None and self._clock.now_s() - since_s > UNREACHABLE_S:
            why = self._connection.trouble or "no answer"
            yield "home_assistant_away", "home assistant", f"the broker for Home Assistant: {why}"
        elif self._refusal:
            text = f"the broker refuses the topics of Home Assistant: {self._refusal}"
            yield "home_assistant_away", "home assistant", text

    # ---- in the main thread ---------------------------------------------------------------------

    def second_passed(self, node: "Node") -> None:
        """Describe and send what is due, unless the broker has not taken what was sent before."""
        self._connection.refresh()
        now_s = self._clock.now_s()
        if not self._connection.up:
            self._down_since_s = now_s if self._down_since_s is None else self._down_since_s
            return
        self._down_since_s = None
        if self._newest and not _is_over(self._newest):
            return
        twins = [twin.short_name for twin in node.prosumers]
        if self._greeted:
            self._greeted = False
            self._described = set()
            self._waiting = deque(["", *twins])
        elif not self._waiting:
            self._waiting.extend(name for name in twins if name not in self._described)
        for name in self._described.difference(twins):
            self._described.discard(name)
            self._sent.pop(state_topic(self._node, name), None)
            self._publish(config_topic(self._settings.prefix, self._node, name), b"", qos=1)
        if self._waiting:
            self._describe(node, now_s)
        else:
            self._send(node, now_s)

    def _describe(self, node: "Node", now_s: float) -> None:
        for _ in range(min(_AT_A_TIME, len(self._waiting))):
            name = self._waiting.popleft()
            if message := self._description(node, name):
                self._publish(*message, qos=1)
                self._described |= {name} - {""}
            if not name:
                break  # the twins refer to it
        if not self._waiting:
            self._forced_s = [now_s + each for each in _REPEATS_S]

    def _description(self, node: "Node", name: str) -> Message | None:
        if not name:
            return node_message(self._node, self._version, self._settings, node.regulator is not None)
        twin = node.prosumer(name)
        if twin is None:
            return None
        shared = node.community is not None
        return twin_message(self._node, twin.settings, self._version, self._settings, shared)

    def _send(self, node: "Node", now_s: float) -> None:
        """What has changed, and all when it is due."""
        forced = bool(self._forced_s) and now_s >= self._forced_s[0]
        if forced:
            self._forced_s.pop(0)
        elif now_s < self._due_s and not self._hurried:
            return
        forced, self._hurried = forced or self._hurried, False
        self._due_s = now_s + self._settings.every_s
        for topic, payload in self._states(node):
            before, at_s = self._sent.get(topic, (b"", 0.0))
            if forced or payload != before or now_s - at_s >= repeat_s(self._settings):
                self._sent[topic] = payload, now_s
                self._publish(topic, payload)

    def _states(self, node: "Node") -> Iterator[Message]:
        yield alive_topic(self._node), ONLINE
        yield state_topic(self._node), node_state(node, problem=any(True for _ in troubles(node)))
        for twin in node.prosumers:
            energy = node.counters.twin(twin.short_name)
            yield (
                state_topic(self._node, twin.short_name),
                twin_state(twin, energy, self._operates, node.community),
            )

    def _publish(self, topic: str, payload: bytes, qos: int = 0) -> None:
        qos = qos if self._connection.acknowledges else 0
        self._newest = self._connection.client.publish(topic, payload, qos=qos)
        self.messages += 1
        self.bytes += packet_bytes(topic, len(payload)) + 2 * qos

    # ---- in the network thread ------------------------------------------------------------------

    def _subscribe(self) -> None:
        options = SubscribeOptions(retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        topics = [status_topic(self._settings.prefix)]
        if self._operates:
            topics.append(switch_topic(self._node, "+"))
        self._refusal = ""
        self._connection.client.subscribe([(topic, options) for topic in topics])
        self._greeted = True

    def _subscribed(self, client: Any, userdata: Any, mid: int, reasons: Any, properties: Any) -> None:
        self._refuse(", ".join(sorted({str(each) for each in reasons if each.is_failure})))

    def _published(self, client: Any, userdata: Any, mid: int, reason: Any, properties: Any) -> None:
        self._refuse(str(reason) if reason.is_failure else "")

    def _refuse(self, why: str) -> None:
        """An access list is read when the broker starts: a refusal holds until the next connection."""
        if why and not self._refusal:
            log.warning("the broker refuses the topics of Home Assistant: %s", why)
        self._refusal = self._refusal or why

    def _received(self, client: Any, userdata: Any, message: MQTTMessage) -> None:
        if not self._accepts(message):
            self.refused += 1
            if self.refused & (self.refused - 1) == 0:  # the first, second, fourth ...
                log.warning("%d messages of Home Assistant refused so far", self.refused)

    def _accepts(self, message: MQTTMessage) -> bool:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return False
        payload = bytes(message.payload)
        if topic == status_topic(self._settings.prefix):
            self._greeted = self._greeted or payload == ONLINE
            return payload in (ONLINE, OFFLINE)
        name = topic.rpartition("/")[2]
        fits = topic == switch_topic(self._node, name) and NAME.allows(name)
        fits = fits and payload in (ON, OFF) and not message.retain
        if not (self._operates and fits and self._may_command()):
            return False
        why = self._command(name, payload == ON)
        self._hurried = True  # it shows the result
        if why:
            log.warning("Home Assistant: %s of a twin: %s", "start" if payload == ON else "stop", why)
        self.commands += not why
        return not why

    def _may_command(self) -> bool:
        now_s = self._clock.now_s()
        more = (now_s - self._commands_s) / _COMMAND_EVERY_S
        self._commands_left, self._commands_s = min(_COMMANDS_AT_ONCE, self._commands_left + more), now_s
        if self._commands_left < 1.0:
            return False
        self._commands_left -= 1.0
        return True


def _is_over(message: MQTTMessageInfo) -> bool:
    """Whether a message has been sent, or was lost with its connection."""
    try:
        return message.is_published()
    except (RuntimeError, ValueError):
        return True

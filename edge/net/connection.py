"""One MQTT connection, kept up for as long as the node runs.

paho implements the protocol and owns the network thread. This class adds what a fleet needs and paho
lacks: reconnect delays with jitter, so that the neighbours of a rebooted broker do not all return at once;
a limit on the size of packets from a broker; one log line per reason, not per attempt.
"""

import logging
import math
import random
import socket
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import Any

from ..clock import Clock
from .lean_paho import CallbackAPIVersion, Client, MQTTProtocolVersion, PacketTypes, Properties, ReasonCode
from .reasons import CLOSED, NO_TLS, RENEWED, TAKEN, WANTS_TLS, of_end, of_error, of_loss, of_refusal
from .settings import BrokerSettings, TlsSettings
from .tls import TlsFiles

CONNECT_TIMEOUT_S = 3.0
GOODBYE_S = 0.5
STEADY_S = 60.0  # a connection that lasts so long was good
TAKEN_OVER_S = 20.0  # about the wait before a client connects again under a name that another one uses

_WITH_WILL = ReasonCode(
    PacketTypes.DISCONNECT, identifier=4
)  # a planned stop looks like a crash to neighbours

logger = logging.getLogger("edge.net")
_SHORT_MANY = 2  # connections that are lost so soon are not worth a line
_SAID_MAX = 16
_CLOSED_MANY = 3


@dataclass(frozen=True)
class BackOff:
    """Delays between attempts: uniform between 0 and a window that doubles from `first_s` to `cap_s`.

    The cap is also the longest wait after a peer has come back, hence small.
    """

    first_s: float = 0.5
    cap_s: float = 4.0

    def delay_s(self, attempt: int, rng: random.Random) -> float:
        """Wait before attempt number `attempt`, counted from 0 since the link last worked."""
        return rng.uniform(0.0, min(self.cap_s, self.first_s * 2.0 ** min(attempt, 16)))


class _BoundedClient(Client):
    """A client whose memory no broker can fill with one packet."""

    max_packet_bytes = 0
    error: OSError | None = None  # of the present connection; paho tells it to nobody

    def _sock_recv(self, bufsize: int) -> bytes:
        # paho reads as much as a packet announces, up to 256 MB: end the connection before that.
        try:
            if bufsize > self.max_packet_bytes:
                raise ConnectionError(f"packet of {bufsize} bytes announced")
            return super()._sock_recv(bufsize)
        except OSError as error:
            self._note(error)
            raise

    def _sock_send(self, buf: bytes | bytearray) -> int:
        try:
            return super()._sock_send(buf)
        except OSError as error:
            self._note(error)
            raise

    def _note(self, error: OSError) -> None:
        if not isinstance(error, BlockingIOError):
            self.error = self.error or error


class Connection:
    """A paho client that keeps trying; `on_up` and `on_down` are called from its network thread."""

    def __init__(
        self,
        node: str,
        broker: BrokerSettings,
        *,
        label: str,
        max_packet_bytes: int,
        send_buffer_bytes: int,
        back_off: BackOff,
        rng: random.Random,
        clock: Clock,
        tls: Callable[[TlsSettings], TlsFiles],
        on_up: Callable[[], None],
        on_down: Callable[[], None],
        suffix: str = "",
    ) -> None:
        """Prepare the client; raises OSError if the TLS files cannot be used.

        A broker accepts one client per name; the name is that of the node plus `suffix`.
        """
        self.up = False
        self.connects = 0
        self.renewals = 0
        self.acknowledges = True  # whether its broker takes messages that it has to acknowledge
        self.trouble = ""  # why it is down, or was lost the last time before it was steady again
        self.taken_over_s = -math.inf  # when another client last connected under its name
        self._label = label
        self._broker = broker
        self._send_buffer_bytes = send_buffer_bytes
        self._back_off = back_off
        self._rng = rng
        self._clock = clock
        self._on_up = on_up
        self._on_down = on_down
        self._attempt = 0
        self._up_since_s = 0.0
        self._refusal = ""  # of this attempt
        self._short = 0  # connections in a row that were not steady
        self._closed = 0  # connections in a row that the broker accepted and soon closed without a word
        self._said: set[str] = set()  # reasons, since it was last steady
        self._stopping = False
        self._renewing = False  # it is closed on purpose, to be made again
        self._ended = Event()
        self._tls = tls(broker.tls) if broker.tls else None
        self._context = self._tls.context if self._tls else None
        self.client = self._new_client(node + suffix, max_packet_bytes)

    def _new_client(self, client_id: str, max_packet_bytes: int) -> "_BoundedClient":
        api, protocol = CallbackAPIVersion.VERSION2, MQTTProtocolVersion.MQTTv5
        client = _BoundedClient(api, client_id=client_id, protocol=protocol)
        client.max_packet_bytes = max_packet_bytes
        client.suppress_exceptions = True  # an error in a callback must not end the network thread
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.on_socket_open = self._tune_socket
        client.on_connect = self._connected
        client.on_connect_fail = self._unreachable
        client.on_disconnect = self._disconnected
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._context is not None:
            client.tls_set_context(self._context)
        return client

    def start(self) -> None:
        """Connect in the background until stopped. The session ends with the connection (MQTT 5 default)."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho gives no types
        properties.MaximumPacketSize = self.client.max_packet_bytes
        broker = self._broker
        self._retry_later()
        self.client.connect_async(
            broker.host, broker.port, broker.keepalive_s, clean_start=True, properties=properties
        )
        self.client.loop_start()

    def renew(self) -> None:
        """Make the connection again if it is up: nothing passes, and the broker does not say why."""
        if self.up and self.client.socket():
            self._renewing = True
            self.renewals += 1
            if self.renewals & (self.renewals - 1) == 0:  # the first, second, fourth ...
                logger.info("%s: nothing passes, so it is connected again", self._label)
            self._break()

    def say_goodbye(self) -> None:
        """Begin to disconnect; the broker then publishes the last will."""
        self._stopping = True
        self._ended.clear()
        self.client.disconnect(_WITH_WILL)

    def stop(self) -> None:
        """End the network thread: at once, or after a connection attempt in progress has timed out."""
        if self.up:
            self._ended.wait(GOODBYE_S)
        self._break()  # a broker that does not read blocks the thread
        self.client.loop_stop()
        if late := self.client.socket():  # connected while stopping
            late.close()
        self.up = False

    def refresh(self) -> None:
        """Connect again when the TLS files have changed; to be called often."""
        if self._tls is None:
            return
        self._tls.look(self._clock.now_s())
        if self._tls.context is not self._context:
            self._context = self._tls.context
            self.client._ssl_context = self._context  # paho has no call for a second one
            self._break()

    @property
    def taken_over(self) -> bool:
        """Whether another client has connected under its name lately."""
        return self._clock.now_s() - self.taken_over_s < 3 * TAKEN_OVER_S

    @property
    def up_s(self) -> float:
        """How long it has been up."""
        return self._clock.now_s() - self._up_since_s if self.up else 0.0

    def _tune_socket(self, client: Any, userdata: Any, sock: Any) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # 40 ms a frame otherwise
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer_bytes)

    def _connected(self, client: Any, userdata: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            self._refusal = of_refusal(reason)
            return
        self.acknowledges = getattr(properties, "MaximumQoS", 1) > 0
        self.up = True
        self.connects += 1
        self._up_since_s = self._clock.now_s()
        if self._short < _SHORT_MANY and not self._renewing:
            logger.info("%s: connected", self._label)
        self._renewing = False
        self._on_up()

    def _unreachable(self, client: Any, userdata: Any) -> None:
        self._closed = 0
        why = of_error(sys.exc_info()[1] or OSError("unknown"))
        self._warn(
            "unreachable, will retry: ", NO_TLS if why == CLOSED else why
        )  # only TLS can be closed here
        self._retry_later()

    def _disconnected(self, client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        was_up, self.up = self.up, False
        error, self.client.error = self.client.error, None
        refusal, self._refusal = self._refusal, ""
        self._ended.set()
        lasted_s = self._clock.now_s() - self._up_since_s if was_up else 0.0
        # A broker that accepts and disconnects at once was not good: do not start again from `first_s`.
        if lasted_s >= self._back_off.cap_s:
            self._attempt = 0
        if lasted_s >= STEADY_S:
            self._said.clear()
        if was_up:
            self._short = self._short + 1 if lasted_s < STEADY_S else 0
        if flags.is_disconnect_packet_from_server:
            why = of_end(reason)
        else:
            why = refusal or (of_error(error) if error else of_loss(reason, was_up))
        if self._renewing:
            why = RENEWED
            self._said.add(why)  # `renew` has said it
        self._closed = self._closed + 1 if was_up and lasted_s < STEADY_S and why == CLOSED else 0
        if self._closed >= _CLOSED_MANY:  # older brokers do not say it
            why = TAKEN
        if why == TAKEN:
            self.taken_over_s = self._clock.now_s()
        elif why == CLOSED and not was_up:
            why += " before it accepted this node" + ("" if self._broker.tls else f": {WANTS_TLS}")
        self._retry_later(self._rng.uniform(0.5, 1.5) * TAKEN_OVER_S if why == TAKEN else 0.0)
        self._warn("connection lost: " if was_up else "no connection, will retry: ", why)
        if was_up:
            self._on_down()

    def _break(self) -> None:
        """End the connection, if there is one; the network thread notices that at once."""
        if sock := self.client.socket():
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]  # paho: any socket

    def _retry_later(self, least_s: float = 0.0) -> None:
        delay_s = max(least_s, self._back_off.delay_s(self._attempt, self._rng))
        self._attempt += 1
        # paho waits min_delay before its next attempt; any number works, though its type is int.
        self.client.reconnect_delay_set(delay_s, delay_s)  # type: ignore[arg-type]

    def _warn(self, text: str, why: str) -> None:
        """Once for each reason until the connection has been steady."""
        if self._stopping:
            return
        self.trouble = why
        if why not in self._said and len(self._said) < _SAID_MAX:
            self._said.add(why)
            logger.warning("%s: %s%s", self._label, text, why)

    @property
    def broker_certificate_ends_s(self) -> float:
        """When the certificate of the broker ends (Unix time); inf without TLS or connection."""
        sock: Any = self.client.socket() if self.up else None
        try:
            return float(ssl.cert_time_to_seconds(sock.getpeercert()["notAfter"]))
        except (AttributeError, KeyError, TypeError, ValueError, OSError):
            return math.inf

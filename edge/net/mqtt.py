"""Links over MQTT 5: every node's own Mosquitto is its inbox, neighbours publish to it.

Frames use QoS 0. The digest of the space repairs losses, so acknowledgements would only cost: QoS 1 takes
two to three times the sender's processor time per 200-byte frame (85-90 us against 25-39, measured with
Mosquitto on loopback), and after an outage it delivers frames that the digest has made outdated.
"""

import logging
import random
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

from ..clock import Clock, SystemClock
from .certificates import DAY_S
from .connection import BackOff, Connection
from .inbox import Inbox
from .limit_door import LimitDoor
from .links import CertificateStats, Changed, Deliver, LinkLimits, LinksStats, checked_name
from .neighbour import Neighbour
from .settings import BrokerSettings, NeighbourSettings, TlsSettings
from .tls import TlsFiles

__all__ = ["BackOff", "BrokerSettings", "MqttLinks", "NeighbourSettings", "TlsSettings"]

logger = logging.getLogger("edge.net")
_PART_S = 2.0  # a thread that waits for a name server is left behind


class MqttLinks:
    """The `Links` of a real node: a client of its own broker, and one of each neighbour's."""

    def __init__(
        self,
        node: str,
        inbox: BrokerSettings,
        neighbours: Sequence[NeighbourSettings],
        rng: random.Random,
        *,
        clock: Clock | None = None,
        limits: LinkLimits | None = None,
        back_off: BackOff | None = None,
        kept_list: Path | None = None,
    ) -> None:
        """`kept_list`: the file for the last valid list of revoked certificates.

        Raises ValueError for invalid names, OSError for unusable TLS files.
        """
        self.neighbours = tuple(checked_name(neighbour.name) for neighbour in neighbours)
        if len({checked_name(node), *self.neighbours}) <= len(neighbours):
            raise ValueError(f"{node} and its neighbours must have different names")
        self._node, self._limits = node, limits or LinkLimits()
        self._connection = partial(
            Connection,
            node,
            send_buffer_bytes=self._limits.max_pending_bytes,
            back_off=back_off or BackOff(),
            rng=random.Random(rng.getrandbits(64)),  # threads must not disturb the node's own draws
            clock=clock or SystemClock(),
            tls=self._files,
        )
        self._kept_list = kept_list
        self._tls: dict[TlsSettings, TlsFiles] = {}  # one, as a node has one section [tls]
        self._deliver: Deliver | None = None
        self._changed: Changed | None = None
        self._inbox = Inbox(
            node, inbox, self._limits, self._connection, self._hand_over, self._tell, self._greet_all
        )
        self._neighbours = {settings.name: self._neighbour(settings) for settings in neighbours}
        self._clock = clock or SystemClock()

    def hear_limits(self, tell: Callable[[str, bytes], None]) -> None:
        """Take external limits from programs at the node's own broker; to be called before `start`."""
        self._inbox.door = LimitDoor(self._node, self._inbox.connection, tell)

    def show_limits(self, state: bytes) -> None:
        """Show them what holds, if they are heard."""
        if self._inbox.door:
            self._inbox.door.show(state, self._clock.now_s())

    def start(self, deliver: Deliver, changed: Changed) -> None:
        self._deliver, self._changed = deliver, changed
        for connection in self._connections:
            connection.start()

    @property
    def _connections(self) -> list[Connection]:
        return [self._inbox.connection, *(each.connection for each in self._neighbours.values())]

    def _neighbour(self, settings: NeighbourSettings) -> Neighbour:
        return Neighbour(self._node, settings, self._limits, self._connection, self._tell)

    def _files(self, tls: TlsSettings) -> TlsFiles:
        if tls not in self._tls:
            self._tls[tls] = TlsFiles(tls, self._kept_list)
        return self._tls[tls]

    def include(self, neighbour: NeighbourSettings) -> None:
        name = checked_name(neighbour.name)
        new = self._neighbour(neighbour)
        self._neighbours = {**self._neighbours, name: new}  # other threads read the one before
        self.neighbours = tuple(self._neighbours)
        if self._deliver:
            new.connection.start()

    def exclude(self, peer: str) -> None:
        connection = self._neighbours[peer].connection
        self._neighbours = {name: each for name, each in self._neighbours.items() if name != peer}
        self.neighbours = tuple(self._neighbours)
        connection.say_goodbye()
        Thread(target=connection.stop, name="parting", daemon=True).start()

    def send(self, peer: str, frame: bytes) -> bool:
        neighbour = self._neighbours.get(peer)
        return neighbour is not None and neighbour.send(frame)

    def renew(self, peer: str) -> None:
        if peer in self._neighbours:
            self._neighbours[peer].connection.renew()

    def renew_inbox(self) -> None:
        self._inbox.connection.renew()

    def stop(self) -> None:
        self._deliver = self._changed = None
        connections = self._connections
        for connection in connections:
            connection.say_goodbye()
        partings = [Thread(target=each.stop, name="parting", daemon=True) for each in connections]
        for parting in partings:
            parting.start()
        until_s = monotonic() + _PART_S
        for parting in partings:
            parting.join(max(0.0, until_s - monotonic()))

    def stats(self) -> LinksStats:
        found: LinksStats = {
            "inbox": self._inbox.stats(),
            "neighbours": {name: neighbour.stats() for name, neighbour in self._neighbours.items()},
            "certificates": self._days_left(),
        }
        for files in self._tls.values():
            if files.fault:
                found["tls_fault"] = files.fault
            if files.list_fault:
                found["list_fault"] = files.list_fault
        return found

    def _days_left(self) -> list[CertificateStats]:
        """Of the files of this node, and of the brokers it is connected to."""
        wall_s = self._clock.wall_s()
        found = [
            CertificateStats(
                name=each.kind, days_left=round(each.days_left(wall_s), 1), begun=each.begins_s <= wall_s
            )
            for files in self._tls.values()
            for each in files.certificates
        ]
        for name, neighbour in self._neighbours.items():
            ends_s = neighbour.connection.broker_certificate_ends_s
            if ends_s < inf:
                left = round((ends_s - wall_s) / DAY_S, 1)
                found.append(CertificateStats(name=f"broker of {name}", days_left=left, begun=True))
        return found

    def _hand_over(self, peer: str, frame: bytes) -> bool:
        return _call(self._deliver, peer, frame)

    def _greet_all(self) -> None:
        """Frames were lost: a neighbour that is greeted sends again what it knows."""
        for neighbour in self._neighbours.values():
            neighbour.greet()

    def _tell(self, peer: str, up: bool) -> None:
        _call(self._changed, peer, up)


def _call(listener: Callable[..., None] | None, *arguments: Any) -> bool:
    """Call the node; an error there is logged and must not end the network thread."""
    if listener is None:
        return False
    try:
        listener(*arguments)
    except Exception:
        logger.exception("%s failed", listener)
        return False
    return True

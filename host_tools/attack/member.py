"""A member of the microgrid that writes its frames itself, with its own keys and under its own name.

It keeps no rule of a node: it shows what it likes in whose name it likes, signed with the only key it has.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge.config.settings import NodeConfig
from edge.net import manifest
from edge.net.frame import Frame, decode, encode
from edge.net.links import GONE, HERE, frame_topic, presence_topic
from edge.net.pulse import Pulse
from edge.net.schema import FrameError, Statement
from edge.net.statements import check_of
from edge.space.lsa import Delta, Lsa, Property
from edge.space.origins import LIFE_S, checksum
from edge.trust.trust import IDENTITY, TWIN, Trust

INCARNATION = 2**21  # later than that of any node that starts for the first time
_BEAT_S = 1.0
Shown = tuple[str, str, bytes]  # label, addressee, value
Steps = Iterator[float]  # does something, then tells how many seconds it waits
Lie = Callable[["Member"], Steps]


class Member:
    """The liar. Its victim is the only neighbour that it has."""

    def __init__(self, config: NodeConfig, trust: Trust) -> None:
        self.name = config.name
        self.trust = trust
        (self.neighbour,) = config.neighbours
        self.heard: dict[str, tuple[int, int, str]] = {}  # LSAs of others: incarnation, version, kind
        self.nodes: set[str] = set()
        self.number = 1000
        self._shown: dict[str, int] = {}  # own LSAs and their versions
        self._out = self._client(f"{self.name}-out")
        self._in = self._client(f"{self.name}-in")
        self._in.on_message = self._listen
        self._in.on_connect = self._connected
        self._out.connect("127.0.0.1", self.neighbour.port)
        self._in.connect("127.0.0.1", config.inbox.port)
        self._out.loop_start()
        self._in.loop_start()

    @staticmethod
    def _client(name: str) -> paho.Client:
        return paho.Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)

    def _connected(self, *_: Any) -> None:
        self._in.subscribe(frame_topic(self.name, "+"))

    def _listen(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        try:
            frame = decode(bytes(message.payload))
        except FrameError:
            return
        self.nodes |= {each.origin for each in frame.statements} | {each.origin for each in frame.pulses}
        self.nodes.discard(self.name)
        for lsa in frame.lsas:
            self.heard[lsa.name] = lsa.incarnation, lsa.version, lsa.kind
        unknown = [
            name
            for roster in frame.rosters
            for name, version in roster.entries
            if self.heard.get(name, (0, 0, ""))[:2] < (roster.incarnation, version)
        ]
        if unknown:
            self.send(Frame(ask_lsas=unknown[:256]))
        for delta in frame.deltas:
            kind = self.heard.get(delta.name, (0, 0, ""))[2]
            self.heard[delta.name] = delta.incarnation, delta.version, kind

    def play(self, lie: Lie, seconds: float) -> None:
        """Lie for a while, and beat meanwhile as a node does."""
        steps, until_s = lie(self), time.monotonic() + seconds
        beat_s = step_s = time.monotonic()
        while (now_s := time.monotonic()) < until_s:
            if now_s >= beat_s:
                beat_s += _BEAT_S
                self.beat()
            if now_s >= step_s:
                step_s = max(step_s + next(steps), now_s - 1.0)
            time.sleep(max(0.0, min(beat_s, step_s) - time.monotonic()))

    def leave(self) -> None:
        """Disconnect."""
        for client in (self._out, self._in):
            client.disconnect()
            client.loop_stop()

    # ---- what it sends ------------------------------------------------------------------------

    def join(self) -> None:
        """Say that it is here, and who it is."""
        self.present(True)
        if self.trust.authentic:
            self.show(self.identity(self.name))
        self.beat()

    def look_around(self) -> None:
        """Ask what the others show."""
        self.send(Frame(ask_roster=sorted(self.nodes | {self.neighbour.name})))

    def present(self, here: bool) -> None:
        """What the broker of the victim says of it."""
        self._out.publish(presence_topic(self.neighbour.name, self.name), HERE if here else GONE)

    def send(self, frame: Frame) -> None:
        """Send a frame; one that would be too large is not sent."""
        try:
            self.send_bytes(encode(frame))
        except FrameError:
            return

    def send_bytes(self, data: bytes) -> None:
        """Send anything."""
        self._out.publish(frame_topic(self.neighbour.name, self.name), data)

    def show(self, *lsas: Lsa) -> None:
        """Send LSAs, and count those of its own in its beats."""
        for lsa in lsas:
            if lsa.origin == self.name:
                self._shown[lsa.name] = lsa.version
        self.send(Frame(lsas=list(lsas)))

    def beat(self) -> None:
        """Live on, and state what it shows."""
        self.state(self.name, lsas=len(self._shown), digest=checksum(list(self._shown.items())))

    def state(
        self, origin: str, *, lsas: int = 1, digest: bytes = bytes(16), incarnation: int = INCARNATION
    ) -> None:
        """A statement and its pulse in the name of a node."""
        self.number += 1
        link = self.trust.link(self.number)
        unsigned = Statement(
            origin, incarnation, self.number, lsas, digest, self.number % 256, self.number, link, b""
        )
        signature = self.trust.sign(manifest.of_statement(unsigned))
        said = Statement(
            origin, incarnation, self.number, lsas, digest, self.number % 256, self.number, link, signature
        )
        hops = 0 if origin == self.name else 1
        pulse = Pulse(origin, self.number % 64, 0, hops, LIFE_S, link or check_of(said))
        self.send(Frame(statements=[said], pulses=[pulse]))

    # ---- what it makes ------------------------------------------------------------------------

    def identity(self, node: str) -> Lsa:
        """An LSA that gives its own certificate as that of a node."""
        return self.lsa(TWIN, [(IDENTITY, "", self.trust.certificate())], node, kind="identity")

    def lsa(
        self,
        suffix: str,
        shown: list[Shown] = [],  # noqa: B006 - not changed
        origin: str = "",
        *,
        kind: str = "prosumer",
        incarnation: int = INCARNATION,
        version: int = 0,
        life_s: int = LIFE_S,
    ) -> Lsa:
        """An LSA in the name of a node, by default in its own, signed with its own key."""
        origin = origin or self.name
        self.number += 1
        version = version or self.number
        path = [self.name] if origin == self.name else [self.name, origin]
        properties = [Property(label, query, version, 0, value) for label, query, value in shown]
        lsa = Lsa(f"{origin}.{suffix}", kind, b"", origin, incarnation, version, life_s, path, [], properties)
        lsa.auth = self.trust.sign(manifest.of_lsa(lsa))
        return lsa

    def delta(self, name: str, shown: list[Shown]) -> Delta:
        """A change of an LSA that it has heard of, in the name of its origin."""
        incarnation, version, _ = self.heard[name]
        properties = [Property(label, query, version + 1, 0, value) for label, query, value in shown]
        path = [self.name, name.partition(".")[0]]
        forged = self.trust.sign(b"whatever it should be")
        return Delta(name, forged, incarnation, version + 1, LIFE_S, path, [version], properties)

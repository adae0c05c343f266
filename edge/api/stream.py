"""The stream of a node: what changes is sent to every page that is open, as server-sent events.

One thread serves all clients, so a page that stays open takes no place of those who ask. Each second, while
somebody listens, the node is asked once for all of them. A client that does not keep up gets the newest
snapshot only; one that does not take its events, or takes nothing for a while, is dropped and counted.
"""

import secrets
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from .answer import Answer
from .client import head_of

if TYPE_CHECKING:
    from .context import Context

Sees = Callable[[str], bool]
LOOK_S, HEALTH_S, HEARTBEAT_S = 1.0, 5.0, 15.0
MOST_CLIENTS = 16
CLIENT_BYTES = 1 << 16  # of events that wait for one client
RING = 256  # events that a client that comes back may have missed
_STALLED_S = 30.0  # for a client that takes nothing
_HEAD = head_of(
    Answer(
        200, media="text/event-stream", headers=(("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no"))
    )
)


@dataclass(frozen=True, slots=True)
class Stream:
    """What a view returns in place of an answer: `after` is the id of the last event that the client has;
    `sees` tells which twins a member may see, None: all."""

    after: str = ""
    sees: Sees | None = None


@dataclass(slots=True)
class Counters:
    """What the streams of a node have done since its start."""

    clients: int = 0  # that listen now
    opened: int = 0
    refused: int = 0  # as too many listened
    dropped: int = 0  # as they did not keep up
    events: int = 0  # that were told
    sent_bytes: int = 0


@dataclass(frozen=True, slots=True)
class News:
    """What the node says: a snapshot without its time, and when it was; its health, every few seconds; and
    its events after `seen`, of which there have been `count` in all."""

    snapshot: dict[str, Any]
    at_s: float
    events: list[dict[str, Any]]
    count: int
    health: dict[str, Any] | None


def stream(context: "Context") -> Stream:
    """Answers /stream."""
    return Stream(context.last_event, context.caller.sees if context.caller.member else None)


class _Client:
    """One page: what waits for it, and when it last took something."""

    def __init__(self, connection: socket.socket, now_s: float, sees: Sees | None) -> None:
        self.connection, self.sees = connection, sees
        self.out = bytearray()
        self.newest = b""  # snapshot, in place of an older one
        self.took_s = self.beat_s = now_s

    @property
    def waiting(self) -> bool:
        return bool(self.out or self.newest)


class Streams:
    """All open streams. `look` asks the node for its news; it is given the count of the events seen and
    whether health is wanted, and raises an exception when the node does not answer."""

    def __init__(
        self,
        look: Callable[[int, bool], News],
        most: int = MOST_CLIENTS,
        counters: Counters | None = None,
        for_member: Callable[[dict[str, Any], Sees], dict[str, Any]] = lambda snapshot, _: snapshot,
    ) -> None:
        """`for_member`: what a member who sees only some twins may see of a snapshot."""
        self._look, self._most, self._for_member = look, most, for_member
        self.counters = counters or Counters()
        self._clients: dict[int, _Client] = {}  # by file number
        self._arriving: deque[tuple[socket.socket, Stream]] = deque()
        self._ring: deque[tuple[int, str, bytes]] = deque(maxlen=RING)  # number, twin and message
        self._life = secrets.token_hex(4)  # ids of an earlier start mean nothing
        self._count = self._number = 0
        self._snapshot = self._health = b""  # the last ones, without id and time
        self._shown = b""
        self._state: dict[str, Any] = {}  # the last snapshot
        self._at_s = 0.0
        self._health_s = -HEALTH_S
        self._wake, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="streams", daemon=True)

    @property
    def full(self) -> bool:
        """Whether there is no room for another client."""
        return len(self._clients) + len(self._arriving) >= self._most

    @property
    def clients(self) -> int:
        """How many listen."""
        return len(self._clients)

    @property
    def dropped(self) -> int:
        """Clients that did not keep up."""
        return self.counters.dropped

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Close all streams."""
        self._stopping = True
        self._wake.send(b"x")
        if self._thread.is_alive():
            self._thread.join(2.0)
        self._wake.close()

    def take(self, connection: socket.socket, wanted: Stream) -> bool:
        """Serve a client from now on; called from any thread."""
        self._arriving.append((connection, wanted))
        self._wake.send(b"x")
        return True

    # ---- in its thread ------------------------------------------------------------------------

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stopping:
            wait_s = max(0.0, due_s - time.monotonic()) if self._clients else None
            for key, events in self._selector.select(wait_s):
                if key.fileobj is self._woken:
                    with suppress(BlockingIOError):
                        self._woken.recv(64)
                else:
                    self._serve(key.fd, events)
            while self._arriving:
                self._welcome(*self._arriving.popleft())
                due_s = min(due_s, time.monotonic())
            if self._clients and time.monotonic() >= due_s:
                self._tell()
                due_s = time.monotonic() + LOOK_S
        for number in list(self._clients):
            self._drop(number, counted=False)
        self._selector.close()
        self._woken.close()

    def _welcome(self, connection: socket.socket, wanted: Stream) -> None:
        connection.setblocking(False)
        client = _Client(connection, time.monotonic(), wanted.sees)
        client.out += _HEAD + b"retry: 3000\n\n"
        life, _, number = wanted.after.partition("-")
        if life == self._life and number.isascii() and number.isdigit() and len(number) < 16:
            client.out += b"".join(
                each for at, twin, each in self._ring if at > int(number) and _may_see(client, twin)
            )
        if self._clients and self._shown:
            client.newest = self._newest_for(client)
        if self._health and client.sees is None:
            client.out += self._health
        self._clients[connection.fileno()] = client
        self.counters.opened += 1
        self.counters.clients = len(self._clients)
        self._selector.register(connection, selectors.EVENT_READ)
        self._send(connection.fileno())

    def _serve(self, number: int, events: int) -> None:
        """A client takes more, or has gone; what it says is of no interest."""
        if events & selectors.EVENT_READ:
            try:
                if not self._clients[number].connection.recv(256):
                    self._drop(number, counted=False)
                    return
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError:
                self._drop(number, counted=False)
                return
        self._send(number)

    def _send(self, number: int) -> None:
        client = self._clients[number]
        try:
            while client.waiting:
                if not client.out:
                    client.out += client.newest
                    client.newest = b""
                sent = client.connection.send(client.out)
                del client.out[:sent]
                self.counters.sent_bytes += sent
                client.took_s = time.monotonic()
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self._drop(number, counted=False)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.waiting else 0)
        self._selector.modify(client.connection, wanted)

    def _drop(self, number: int, counted: bool = True) -> None:
        client = self._clients.pop(number)
        self.counters.dropped += counted
        self.counters.clients = len(self._clients)
        with suppress(KeyError, ValueError):
            self._selector.unregister(client.connection)
        client.connection.close()

    def _tell(self) -> None:
        now_s = time.monotonic()
        wants_health = now_s >= self._health_s + HEALTH_S
        with suppress(Exception):  # the node is busy; the next second may be better
            news = self._look(self._count, wants_health)
            self._count = news.count
            for event in news.events:
                message = self._message("event", orjson.dumps(event))
                self.counters.events += 1
                twin = event.get("twin", "")
                self._ring.append((self._number, twin, message))
                self._to_all(message, twin)
            if news.health is not None:
                self._health_s = now_s
                self._tell_health(orjson.dumps(news.health))
            self._tell_snapshot(news)
        for number, client in list(self._clients.items()):
            if client.waiting and now_s - client.took_s > _STALLED_S:
                self._drop(number)
            elif not client.waiting and now_s - max(client.took_s, client.beat_s) >= HEARTBEAT_S:
                client.out += b": still here\n\n"
                client.beat_s = now_s
                self._send(number)

    def _tell_snapshot(self, news: News) -> None:
        data = orjson.dumps(news.snapshot, option=orjson.OPT_NON_STR_KEYS)
        changed = data != self._snapshot
        if changed or not self._shown:
            self._snapshot, self._state, self._at_s = data, news.snapshot, news.at_s
            dated = b'{"at_s":%.1f,' % news.at_s + data[1:]
            self._shown = self._message("snapshot", dated)
        for number, client in list(self._clients.items()):
            if changed:
                client.newest = self._newest_for(client)
                self._send(number)

    def _newest_for(self, client: _Client) -> bytes:
        """The last snapshot as this client may see it."""
        if client.sees is None:
            return self._shown
        own = {"at_s": round(self._at_s, 1), **self._for_member(self._state, client.sees)}
        data = orjson.dumps(own, option=orjson.OPT_NON_STR_KEYS)
        return f"id: {self._life}-{self._number}\nevent: snapshot\ndata: ".encode() + data + b"\n\n"

    def _tell_health(self, data: bytes) -> None:
        message = b"event: health\ndata: %b\n\n" % data
        if message != self._health:
            self._health = message
            self._to_all(message)

    def _message(self, kind: str, data: bytes) -> bytes:
        self._number += 1
        return f"id: {self._life}-{self._number}\nevent: {kind}\ndata: ".encode() + data + b"\n\n"

    def _to_all(self, message: bytes, twin: str = "") -> None:
        """`twin`: whose event it is; without one it is for all but members."""
        for number, client in list(self._clients.items()):
            if not _may_see(client, twin):
                continue
            if len(client.out) + len(message) > CLIENT_BYTES:
                self._drop(number)
                continue
            client.out += message
            self._send(number)


def _may_see(client: _Client, twin: str) -> bool:
    return client.sees is None or client.sees(twin)

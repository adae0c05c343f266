"""The main thread of a node: everything other threads bring waits here, bounded, until it is its turn.

Links, meters and HTTP handlers live in threads of their own; the node itself is only ever touched by
`run`. Reactions follow changes at once, but not more often than the configured pause.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from ..clock import Clock
from ..history.writer import Writer
from ..meter.reading import Reading
from ..node import Node
from .pressure import Pressure

log = logging.getLogger("edge.runtime")

T = TypeVar("T")
ASK_TIMEOUT_S = 2.0
_REST_S = 0.001  # after a piece of work at least; after one of a training as long as it took


class NodeStuck(RuntimeError):
    """The main thread did not answer in time."""


class Mailbox:
    """A queue between threads, bounded in items and bytes: the oldest make room, and are counted."""

    def __init__(self, size: int, wake: threading.Event, most_bytes: int = 0) -> None:
        self._items: deque[tuple[Any, int]] = deque()
        self._size = size
        self._most_bytes = most_bytes
        self._bytes = 0
        self._wake = wake
        self._lock = threading.Lock()
        self.dropped = 0

    def put(self, item: Any, size_bytes: int = 0) -> None:
        """Called from any thread."""
        with self._lock:
            self._items.append((item, size_bytes))
            self._bytes += size_bytes
            while len(self._items) > self._size or self._bytes > self._most_bytes:
                self._bytes -= self._items.popleft()[1]
                self.dropped += 1
        self._wake.set()

    def drain(self) -> list[Any]:
        """What waits now; called from the main thread."""
        with self._lock:
            taken = [item for item, _ in self._items]
            self._items.clear()
            self._bytes = 0
        return taken


class Runtime:
    """Drives one node in real time."""

    def __init__(self, node: Node, clock: Clock, ticked: Callable[[], None] = lambda: None) -> None:
        """`ticked` is called from the main thread after each tick that went through."""
        limits = node.config.limits
        self._node = node
        self._ticked = ticked
        self._clock = clock
        self._wake = threading.Event()
        self._frames = Mailbox(limits.inbox_frames, self._wake, limits.inbox_kb * 1024)
        self._links = Mailbox(limits.nodes, self._wake)
        self._readings = Mailbox(limits.lsas, self._wake)
        self._questions = Mailbox(2 * limits.http_requests, self._wake)
        self._pause_s = limits.reaction_ms / 1000
        self._stopping = False
        self.failures = 0
        self.pieces = 0  # of work that can wait
        self.work_s = self.longest_piece_s = 0.0  # of CPU
        learning = node.config.learning
        self._pressure = Pressure(learning.pause_load, learning.pause_free_mb, clock) if learning else None

    @property
    def node(self) -> Node:
        """The node it drives; only the main thread may touch it, others `ask`."""
        return self._node

    @property
    def waits_for(self) -> str:
        """Why training waits; empty when it need not."""
        return self._pressure.reason if self._pressure else ""

    def run(self) -> None:
        """Until `stop`: start links and meters, keep the beats, then close everything."""
        node, clock = self._node, self._clock
        writer = Writer(node.history)
        writer.start()
        node.links.start(
            lambda peer, frame: self._frames.put((peer, frame), len(frame)),
            lambda peer, up: self._links.put((peer, up)),
        )
        node.meters.start(self._readings.put)
        next_tick_s = clock.now_s() + 1.0
        next_reaction_s = clock.now_s()
        try:
            while not self._stopping:
                self._take_in()
                now_s = clock.now_s()
                if now_s >= next_tick_s:
                    if self._guard(node.tick):
                        self._ticked()
                    next_tick_s = max(next_tick_s + 1.0, now_s)  # late ticks are not made up for
                if node.busy and now_s >= next_reaction_s:
                    self._guard(node.react)
                    next_reaction_s = clock.now_s() + self._pause_s
                due_s = min(next_tick_s, max(next_reaction_s, now_s if node.busy else node.wake_s))
                rest_s = self._work() if due_s > clock.now_s() else math.inf
                self._wake.wait(min(rest_s, max(0.0, due_s - clock.now_s())))
                self._wake.clear()
        finally:
            node.meters.stop()
            node.links.stop()
            node.close()
            writer.stop()

    def _work(self) -> float:
        """A piece of what can wait, when nothing else waits; how long to rest then."""
        node = self._node
        if not node.has_work or self._wake.is_set() or (node.only_training and self.waits_for):
            return math.inf
        began_s, cpu_s = self._clock.now_s(), time.thread_time()
        self._guard(node.work)
        used_s = time.thread_time() - cpu_s
        self.pieces += 1
        self.work_s += used_s
        self.longest_piece_s = max(self.longest_piece_s, used_s)
        return max(_REST_S, self._clock.now_s() - began_s if node.only_training else 0.0)

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler."""
        self._stopping = True
        self._wake.set()

    def ask(self, question: Callable[[Node], T]) -> T:
        """Have the main thread answer. Raises NodeStuck when it does not within 2 s."""
        answered = threading.Event()
        answers: list[T] = []

        def answer() -> None:
            answers.append(question(self._node))
            answered.set()

        self._questions.put(answer)
        if not answered.wait(ASK_TIMEOUT_S):
            raise NodeStuck("the node does not answer")
        return answers[0]

    @property
    def dropped(self) -> dict[str, int]:
        """What the mailboxes had no room for."""
        boxes = {"frames": self._frames, "links": self._links, "readings": self._readings}
        return {name: box.dropped for name, box in boxes.items()}

    def _take_in(self) -> None:
        for peer, up in self._links.drain():
            self._guard(self._node.link_changed, peer, up)
        for reading in self._readings.drain():
            self._take_reading(reading)
        for peer, frame in self._frames.drain():
            self._guard(self._node.receive, peer, frame)
        for answer in self._questions.drain():
            self._guard(answer)

    def _take_reading(self, reading: Reading) -> None:
        self._guard(self._node.read, reading)

    def _guard(self, work: Callable[..., None], *arguments: Any) -> bool:
        """A defect of ours must not stop the node: it is logged, counted and shown in /health."""
        try:
            work(*arguments)
        except Exception:
            self.failures += 1
            if self.failures & (self.failures - 1) == 0:  # the first, second, fourth ...
                log.exception("%d failures so far, the latest:", self.failures)
            return False
        return True

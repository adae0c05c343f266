"""A bounded queue that takes items from other threads to the main thread of a node."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any


class Mailbox:
    """Bounded in items and bytes: when it is full, the oldest items are dropped and counted.

    Of several senders, the one that has most waiting loses: a flood does not push out what others sent.
    """

    def __init__(
        self,
        size: int,
        wake: threading.Event,
        most_bytes: int = 0,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`size` in items; `wake` is set for each item; `most_bytes` of all items
        that are waiting: 0 for items without a size; `now_s`: the clock of `since_s`."""
        self._items: deque[tuple[Any, int, str, float]] = deque()
        self._now_s = now_s
        self._waiting: dict[str, int] = {}  # items of a sender
        self._size = size
        self._most_bytes = most_bytes
        self._bytes = 0
        self._wake = wake
        self._lock = threading.Lock()
        self.dropped = 0

    def put(self, item: Any, size_bytes: int = 0, sender: str = "") -> None:
        """Add an item; may be called from any thread."""
        with self._lock:
            self._items.append((item, size_bytes, sender, self._now_s()))
            self._waiting[sender] = self._waiting.get(sender, 0) + 1
            self._bytes += size_bytes
            while len(self._items) > self._size or self._bytes > self._most_bytes:
                self._remove(self._greediest())
                self.dropped += 1
        self._wake.set()

    @property
    def since_s(self) -> float:
        """When the oldest item came that is waiting; infinite without one. For the main thread."""
        try:
            return self._items[0][3]
        except IndexError:
            return math.inf

    def take(self, most: int) -> list[Any]:
        """Remove and return the oldest items; called from the main thread. `wake` stays set for the rest."""
        with self._lock:
            taken = [self._remove(0) for _ in range(min(most, len(self._items)))]
            if self._items:
                self._wake.set()
        return taken

    def drain(self) -> list[Any]:
        """Remove and return all items; called from the main thread."""
        with self._lock:
            taken = [item for item, *_ in self._items]
            self._items.clear()
            self._waiting.clear()
            self._bytes = 0
        return taken

    def _greediest(self) -> int:
        """The place of the oldest item of who has most waiting."""
        if len(self._waiting) < 2:
            return 0
        most = max(self._waiting, key=lambda sender: self._waiting[sender])
        return next(place for place, (_, _, sender, _) in enumerate(self._items) if sender == most)

    def _remove(self, place: int) -> Any:
        item, size_bytes, sender, _ = self._items[place]
        del self._items[place]
        self._bytes -= size_bytes
        self._waiting[sender] -= 1
        if not self._waiting[sender]:
            del self._waiting[sender]
        return item

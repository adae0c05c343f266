"""A bounded queue that takes items from other threads to the main thread of a node."""

import threading
from collections import deque
from typing import Any


class Mailbox:
    """Bounded in items and bytes: when it is full, the oldest items are dropped and counted."""

    def __init__(self, size: int, wake: threading.Event, most_bytes: int = 0) -> None:
        """`size` in items; `wake` is set for each item; `most_bytes` of all items
        that are waiting: 0 for items without a size."""
        self._items: deque[tuple[Any, int]] = deque()
        self._size = size
        self._most_bytes = most_bytes
        self._bytes = 0
        self._wake = wake
        self._lock = threading.Lock()
        self.dropped = 0

    def put(self, item: Any, size_bytes: int = 0) -> None:
        """Add an item; may be called from any thread."""
        with self._lock:
            self._items.append((item, size_bytes))
            self._bytes += size_bytes
            while len(self._items) > self._size or self._bytes > self._most_bytes:
                self._bytes -= self._items.popleft()[1]
                self.dropped += 1
        self._wake.set()

    def drain(self) -> list[Any]:
        """Remove and return all items; called from the main thread."""
        with self._lock:
            taken = [item for item, _ in self._items]
            self._items.clear()
            self._bytes = 0
        return taken

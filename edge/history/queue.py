"""Entries that wait to be written: in memory, bounded, oldest first. Any thread may add to them.

Most entries are a statement and its values. Some are worth a write of their own and wake the writer; others
are written together with them, since a card should be written once a minute, however much happens.
"""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NOTES = 800  # a node with both scopes fills that in a little over two hours
EVENTS = 1000
Note = tuple[str, tuple[Any, ...]]  # a statement and its values


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written in one transaction. `kept`: by name, replaced as a whole."""

    notes: deque[Note]
    events: deque[Note]
    kept: dict[str, bytes]

    def __len__(self) -> int:
        return len(self.notes) + len(self.events) + len(self.kept)

    def __iter__(self) -> Iterator[Note]:
        yield from self.notes
        yield from self.events


class Queue:
    """What waits for the writer."""

    def __init__(self) -> None:
        self.news = threading.Event()  # there is something to write
        self.lost = 0  # entries for which there was no room
        self._lock = threading.Lock()
        self._waiting = Batch(deque(), deque(), {})

    def __len__(self) -> int:
        """The notes that wait."""
        return len(self._waiting.notes)

    def note(self, *notes: Note) -> None:
        """Add entries, and wake the writer."""
        with self._lock:
            self._waiting.notes.extend(notes)
            self._bound()
        self.news.set()

    def add_event(self, note: Note) -> None:
        """Add an entry that is written with the next ones."""
        with self._lock:
            self._waiting.events.append(note)
            self._bound()

    def keep(self, name: str, data: bytes) -> None:
        """Replace what is kept under a name, and wake the writer."""
        with self._lock:
            self._waiting.kept[name] = data
        self.news.set()

    def kept(self, name: str) -> bytes | None:
        """What waits to be kept under a name."""
        with self._lock:
            return self._waiting.kept.get(name)

    def events(self, statement: str) -> list[tuple[Any, ...]]:
        """The values of the entries with this statement that wait for the next ones."""
        with self._lock:
            return [values for each, values in self._waiting.events if each is statement]

    def take(self) -> Batch:
        """Everything that waits; it waits no longer."""
        self.news.clear()
        with self._lock:
            taken, self._waiting = self._waiting, Batch(deque(), deque(), {})
        return taken

    def put_back(self, batch: Batch) -> None:
        """What could not be written waits again, before what came meanwhile."""
        with self._lock:
            waiting = self._waiting
            waiting.notes.extendleft(reversed(batch.notes))
            waiting.events.extendleft(reversed(batch.events))
            self._waiting = Batch(waiting.notes, waiting.events, batch.kept | waiting.kept)
            self._bound()

    def _bound(self) -> None:
        for waiting, most in ((self._waiting.notes, NOTES), (self._waiting.events, EVENTS)):
            while len(waiting) > most:
                waiting.popleft()
                self.lost += 1

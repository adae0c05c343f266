"""Entries that wait to be written: in memory, bounded, oldest first. Any thread may add to them.

Most entries are a statement and its values. Some are worth a write of their own and wake the writer; others
are written together with them, since a card should be written every few minutes only, however much happens.
When half of the room is taken, the writer is woken, too.
"""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NOTES = 800  # a node with both scopes fills that in a little over two hours
EVENTS = 1000
JOURNAL = 2000
Note = tuple[str, tuple[Any, ...]]  # a statement and its values


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written in one transaction. `kept`: by name, replaced as a whole."""

    notes: deque[Note]
    events: deque[Note]
    journal: deque[Note]
    kept: dict[str, bytes]

    def __len__(self) -> int:
        return len(self.notes) + len(self.events) + len(self.journal) + len(self.kept)

    def __iter__(self) -> Iterator[Note]:
        yield from self.notes
        yield from self.events
        yield from self.journal


class Queue:
    """What waits for the writer."""

    def __init__(self) -> None:
        self.news = threading.Event()  # there is something to write
        self.lost = 0  # entries for which there was no room
        self.behind = False  # entries wait that readers miss, and the writer was not woken
        self._lock = threading.Lock()
        self._waiting = _empty()
        self._taken = _empty()  # while it is being written

    def __len__(self) -> int:
        """The notes that wait."""
        return len(self._waiting.notes)

    def note(self, *notes: Note, wake: bool = True) -> None:
        """Add entries, and wake the writer."""
        with self._lock:
            self._waiting.notes.extend(notes)
            self._bound()
        if wake:
            self.news.set()
        else:
            self.behind = True

    def add_event(self, note: Note) -> None:
        """Add an entry that is written with the next ones."""
        with self._lock:
            self._waiting.events.append(note)
            self._bound()

    def add(self, *notes: Note) -> None:
        """Add entries about deals, energy and meters, which are written with the next ones, too."""
        with self._lock:
            self._waiting.journal.extend(notes)
            self._bound()

    def keep(self, name: str, data: bytes, wake: bool = True) -> None:
        """Replace what is kept under a name, and wake the writer."""
        with self._lock:
            self._waiting.kept[name] = data
        if wake:
            self.news.set()

    def kept(self, name: str) -> bytes | None:
        """What waits to be kept under a name."""
        with self._lock:
            return self._waiting.kept.get(name, self._taken.kept.get(name))

    def waiting(self, statement: str) -> list[tuple[Any, ...]]:
        """The values of the entries with this statement."""
        with self._lock:
            entries = (*self._taken, *self._waiting)
        return [values for each, values in entries if each is statement]

    def take(self) -> Batch:
        """Everything that waits, to be written; then call `done` or `put_back`."""
        self.news.clear()
        self.behind = False
        with self._lock:
            self._taken, self._waiting = self._waiting, _empty()
        return self._taken

    def done(self) -> None:
        """What was taken has been written."""
        with self._lock:
            self._taken = _empty()

    def put_back(self, batch: Batch) -> None:
        """What could not be written waits again, before what was noted meanwhile."""
        with self._lock:
            waiting, self._taken = self._waiting, _empty()
            waiting.notes.extendleft(reversed(batch.notes))
            waiting.events.extendleft(reversed(batch.events))
            waiting.journal.extendleft(reversed(batch.journal))
            kept = batch.kept | waiting.kept
            self._waiting = Batch(waiting.notes, waiting.events, waiting.journal, kept)
            self._bound()
        self.news.set()

    def _bound(self) -> None:
        waiting = self._waiting
        for notes, most in ((waiting.notes, NOTES), (waiting.events, EVENTS), (waiting.journal, JOURNAL)):
            while len(notes) > most:
                notes.popleft()
                self.lost += 1
            if 2 * len(notes) >= most:
                self.news.set()


def _empty() -> Batch:
    return Batch(deque(), deque(), deque(), {})

"""Two intrusive structures over slot numbers: what has changed, and what expires when.

Because of both, cost follows change: nothing scans the space to find work.
"""

from array import array

from .names import NIL
from .shim import const

_SPOKES = const(256)


class DirtyRing:
    """First in, first out queue of slots that holds a slot at most once."""

    def __init__(self, capacity: int) -> None:
        self.count = 0  # of slots that wait; not to be set by others
        self._slots = array("H", bytes(2 * capacity))
        self._waiting = bytearray(capacity)
        self._capacity = capacity
        self._head = 0

    def __len__(self) -> int:
        return self.count

    def push(self, slot: int) -> None:
        """Add a slot unless it waits already; never overflows, since each slot has one place."""
        if self._waiting[slot]:
            return
        self._waiting[slot] = 1
        self._slots[(self._head + self.count) % self._capacity] = slot
        self.count += 1

    def pop(self) -> int:
        """The slot that waited longest, or NIL."""
        if not self.count:
            return NIL
        slot = self._slots[self._head]
        self._head = (self._head + 1) % self._capacity
        self.count -= 1
        self._waiting[slot] = 0
        return slot

    def waits(self, slot: int) -> bool:
        """Whether a slot is in the queue."""
        return bool(self._waiting[slot])


class ExpiryWheel:
    """Timing wheel: slots in buckets by the tick at which they are due; setting and clearing cost O(1)."""

    def __init__(self, capacity: int) -> None:
        self._due = array("I", bytes(4 * capacity))  # 0: not set
        self._next = array("H", bytes(2 * capacity))
        self._previous = array("H", bytes(2 * capacity))
        self._heads = array("H", b"\xff\xff" * _SPOKES)

    def due(self, slot: int) -> int:
        """The tick a slot is due at, 0 when it is not."""
        return self._due[slot]

    def set(self, slot: int, tick: int) -> None:
        """Make a slot due at `tick`; 0 means never."""
        if self._due[slot] == tick:
            return
        self.clear(slot)
        if not tick:
            return
        spoke = tick % _SPOKES
        head = self._heads[spoke]
        self._due[slot] = tick
        self._next[slot] = head
        self._previous[slot] = NIL
        if head != NIL:
            self._previous[head] = slot
        self._heads[spoke] = slot

    def clear(self, slot: int) -> None:
        """Make a slot never due."""
        tick = self._due[slot]
        if not tick:
            return
        following = self._next[slot]
        previous = self._previous[slot]
        if previous == NIL:
            self._heads[tick % _SPOKES] = following
        else:
            self._next[previous] = following
        if following != NIL:
            self._previous[following] = previous
        self._due[slot] = 0

    def pop(self, tick: int) -> int:
        """A slot due at exactly `tick`, no longer due, or NIL; call it for each tick in turn."""
        slot = self._heads[tick % _SPOKES]
        while slot != NIL and self._due[slot] != tick:
            slot = self._next[slot]
        if slot != NIL:
            self.clear(slot)
        return slot

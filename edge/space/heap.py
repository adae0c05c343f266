"""The byte heap of property values: chained blocks of one size, so it can be full but never fragmented."""

from array import array

from .errors import SpaceFull
from .names import NIL
from .shim import const, copy, same

BLOCK = const(64)


class ValueHeap:
    """`size` bytes in blocks of 64; a value of n bytes fits exactly when ceil(n / 64) blocks are free."""

    def __init__(self, size: int) -> None:
        self.blocks = size // BLOCK
        if not 0 < self.blocks < NIL:
            raise ValueError("heap of %d bytes: 64 to %d are possible" % (size, (NIL - 1) * BLOCK))
        self._data = bytearray(self.blocks * BLOCK)
        self._next = array("H", range(1, self.blocks + 1))
        self._next[self.blocks - 1] = NIL
        self._first_free = 0
        self.free = self.blocks

    @staticmethod
    def need(length: int) -> int:
        """Blocks for a value of that length."""
        return (length + BLOCK - 1) // BLOCK

    def store(self, value: bytes) -> int:
        """Copy a value in; returns its first block, NIL for an empty one. Raises SpaceFull."""
        return self.replace(NIL, 0, value)

    def replace(self, head: int, old_length: int, value: bytes) -> int:
        """Write `value` over the chain at `head`, growing or shrinking it; returns the new first block.

        Raises SpaceFull, and TypeError for anything but bytes.
        """
        if not isinstance(value, bytes):
            raise TypeError("values must be bytes")
        length = len(value)
        have = (old_length + BLOCK - 1) // BLOCK
        want = (length + BLOCK - 1) // BLOCK
        if want > have + self.free:
            raise SpaceFull("value heap is full (%d blocks of %d bytes)" % (self.blocks, BLOCK))
        if want != have:
            head = self._resize(head, have, want)
        block = head
        position = 0
        while position < length:
            copy(self._data, block * BLOCK, value, position, min(BLOCK, length - position))
            position += BLOCK
            block = self._next[block]
        return head

    def holds(self, head: int, length: int, value: bytes) -> bool:
        """Whether the value at `head` equals `value`; nothing is copied."""
        if length != len(value):
            return False
        position = 0
        while position < length:
            if not same(self._data, head * BLOCK, value, position, min(BLOCK, length - position)):
                return False
            position += BLOCK
            head = self._next[head]
        return True

    def load(self, head: int, length: int) -> bytes:
        """The value that `store` or `replace` put at `head`."""
        data = self._data
        if length <= BLOCK:
            start = head * BLOCK
            return bytes(data[start : start + length]) if length else b""
        out = bytearray(length)
        position = 0
        while position < length:
            start = head * BLOCK
            size = min(BLOCK, length - position)
            out[position : position + size] = data[start : start + size]
            position += BLOCK
            head = self._next[head]
        return bytes(out)

    def release(self, head: int, length: int) -> None:
        """Free the blocks of a value."""
        if length:
            self._resize(head, (length + BLOCK - 1) // BLOCK, 0)

    def _resize(self, head: int, have: int, want: int) -> int:
        link = self._next
        while have > want:  # free blocks at the front of the chain
            following = link[head]
            link[head] = self._first_free
            self._first_free = head
            self.free += 1
            head = following
            have -= 1
        while have < want:  # and take new ones at the front
            block = self._first_free
            self._first_free = link[block]
            link[block] = head if have else NIL
            self.free -= 1
            head = block
            have += 1
        return head if want else NIL

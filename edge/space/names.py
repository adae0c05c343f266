"""Interning table: a bounded set of strings, each with a small number while something refers to it."""

from array import array

from .errors import NameFull
from .shim import const

NIL = const(0xFFFF)


class NameTable:
    """Up to `capacity` strings with reference counts; number 0 is always the empty string."""

    def __init__(self, capacity: int, what: str) -> None:
        self.capacity = capacity
        self._what = what
        self._texts: list[str] = [""] * capacity
        self._numbers: dict[str, int] = {"": 0}
        self._references = array("I", bytes(4 * capacity))
        self._references[0] = 1
        self._free = array("H", range(capacity, 0, -1))  # a stack, lowest numbers on top
        self._free_count = capacity - 1  # its bottom entry is never popped

    def __len__(self) -> int:
        return self.capacity - self._free_count

    @property
    def free(self) -> int:
        """How many more strings fit."""
        return self._free_count

    def fits(self, texts: "set[str]") -> bool:
        """Whether there is room for those of these strings that are new."""
        return self.lacking(texts) <= self._free_count

    def lacking(self, texts: "set[str]") -> int:
        """How many of these strings are new."""
        count = 0
        for text in texts:
            if text not in self._numbers:
                count += 1
        return count

    def find(self, text: str) -> int:
        """The number of `text`, or NIL when nothing refers to it."""
        return self._numbers.get(text, NIL)

    def text(self, number: int) -> str:
        """The string behind a number that is in use."""
        return self._texts[number]

    def acquire(self, text: str) -> int:
        """Add a reference to `text`. Raises NameFull when it is new and the table is full."""
        number = self._numbers.get(text, NIL)
        if number == NIL:
            if not self._free_count:
                raise NameFull("table of %s is full (%d)" % (self._what, self.capacity))
            number = self._free[self._free_count]
            self._free_count -= 1
            self._texts[number] = text
            self._numbers[text] = number
            self._references[number] = 0
        if number:
            self._references[number] += 1
        return number

    def share(self, number: int) -> int:
        """Add a reference to a number that is in use."""
        if number:
            self._references[number] += 1
        return number

    def release(self, number: int) -> None:
        """Remove a reference; the last release frees the number."""
        if not number:
            return
        self._references[number] -= 1
        if not self._references[number]:
            del self._numbers[self._texts[number]]
            self._texts[number] = ""
            self._free_count += 1
            self._free[self._free_count] = number

"""Where the processes of a node run: on loopback beside those of all others, or in a network of their own."""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Place(Protocol):
    """A network as its node sees it."""

    @property
    def address(self) -> str:
        """Where its neighbours find its broker."""

    def entered(self) -> AbstractContextManager[None]:
        """In this block, sockets and processes that this thread makes are those of the place."""


class Loopback:
    """That of this machine, shared by all."""

    address = "127.0.0.1"

    def entered(self) -> AbstractContextManager[None]:
        return nullcontext()

"""What a model has learnt of one variable: matrices of chains, weights of networks (thesis 5.5.4).

Nothing is copied that a training replaces as a whole; what learns minute by minute is copied. So these can be
read in another thread.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

from numpy.typing import NDArray

Matrix = NDArray[Any]


class Day(NamedTuple):
    """Transitions of one day."""

    day: int  # since 1970 of civil time
    counts: Matrix  # (contexts, 7, 7)


class Chains(NamedTuple):
    """Markov chains of one variable; rows are present states, columns those a minute later."""

    contexts: int
    window_days: int
    days: list[int]  # that have counts, since 1970 of civil time, oldest first
    counts: Matrix  # (contexts, slots, 7, 7), of all days
    chances: Matrix  # the same, as they predict: completed where little was seen
    foreign: Matrix | None  # counts of neighbours that complete the own ones
    by_day: list[Day]  # of the slot that was asked for, empty without one


class Layer(NamedTuple):
    """A layer of a network: weights of the inputs (inputs, outputs), of the cells before (cells, outputs),
    and the bias (outputs,), None where it has none. The gates of `lstm` are input, forget, cell, output."""

    name: str
    kind: str  # "lstm" or "dense"
    w: Matrix
    u: Matrix | None
    b: Matrix | None


class Network(NamedTuple):
    """A network of one variable, layer by layer."""

    inputs: tuple[str, ...]  # blocks of inputs, in order
    trained: bool
    layers: list[Layer]


class Contents(NamedTuple):
    """What a model has learnt of one variable; `experts`: their weights (4,) by horizon, for each by name."""

    chains: Chains | None = None
    networks: tuple[Network, ...] = ()
    experts: dict[str, Matrix] | None = None
    shares: Matrix | None = None  # (7,) of the states, of a model that knows only those


@runtime_checkable
class ShowsContents(Protocol):
    """A model whose contents can be shown."""

    def contents(self, variable: int, slot: int | None = None) -> Contents:
        """Those of a variable; with a slot of the day also its transitions day by day."""

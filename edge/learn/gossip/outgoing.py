"""The sending side: which parts are sent when, and what the receivers hold of them.

A message is meant for all direct neighbours, so there is one copy of what they hold. A neighbour that lost a
message says so (`wants`), and gets whole weights with the next one. One variable after the other has its turn
for counts, and for whole weights; differences are small, and all variables are sent at once.
"""

from collections.abc import Callable, Mapping

from ...terms import VARIABLES
from ..parts import COUNTS, WEIGHTS, Part
from ..terms import Array
from .deltas import counts_piece, delta_piece, whole_piece
from .message import Piece, address_of

_WHOLE_EVERY = 6  # periods between two requests for whole weights that are granted

Parts = Callable[[int], Mapping[str, Part]]  # `Model.parts`


class Outgoing:
    """What a node has sent. Parts that are private are left out unless `private` is set."""

    def __init__(self, node: str, private: bool = False) -> None:
        self._address, self._private = address_of(node), private
        self._held: dict[tuple[int, bytes], Array] = {}
        self._wanted: set[int] = set()
        self._period = 0
        self._whole: dict[int, int] = {}  # the period in which a variable was last sent whole on request
        self._turn = {WEIGHTS: -1, COUNTS: -1}

    def common_start(self, parts: Parts) -> None:
        """Call it before the first training, if all nodes begin with the same weights: all hold them."""
        for variable in range(len(VARIABLES)):
            for part in self._shared(parts, variable, WEIGHTS):
                self._held[variable, part.key] = part.values

    def restart(self) -> None:
        """Neighbours do not hold these weights: all are sent whole once more, one variable at a time."""
        self._held.clear()

    def whole_due(self, parts: Parts) -> bool:
        """Whether whole weights of a variable are to be sent, which need much room."""
        return bool(self._wanted) or any(
            (variable, part.key) not in self._held
            for variable in range(len(VARIABLES))
            for part in self._shared(parts, variable, WEIGHTS)
        )

    @property
    def nbytes(self) -> int:
        """The memory of what neighbours hold."""
        return sum(each.nbytes for each in self._held.values())

    def wanted(self, wants: Mapping[int, int]) -> None:
        """A neighbour told which variables it could not use. One that always asks does not take the budget
        of the others: a variable is sent whole only now and then."""
        mask = wants.get(self._address, 0)
        for variable in range(len(VARIABLES)):
            last = self._whole.get(variable, -_WHOLE_EVERY)
            if mask >> variable & 1 and self._period - last >= _WHOLE_EVERY:
                self._wanted.add(variable)

    def weights(self, parts: Parts, budget: int) -> tuple[Piece, ...]:
        """The pieces of the weights of all variables, as many as fit into `budget` bytes; what does not fit
        has its turn next. What was returned counts as sent."""
        found: list[Piece] = []
        self._period += 1
        first = self._turn[WEIGHTS] + 1
        for variable in ((first + offset) % len(VARIABLES) for offset in range(len(VARIABLES))):
            pieces, held = [], {}
            for part in self._shared(parts, variable, WEIGHTS):
                before = None if variable in self._wanted else self._held.get((variable, part.key))
                if before is None:
                    piece, after = whole_piece(variable, part.key, part.values)
                else:
                    piece, after = delta_piece(variable, part.key, part.values, before)
                pieces.append(piece)
                held[variable, part.key] = after
            size = sum(len(piece.data) for piece in pieces)
            if size > budget and found:
                break
            if size > budget:  # it never fits
                continue
            budget -= size
            found += pieces
            self._held |= held
            if variable in self._wanted:
                self._wanted.remove(variable)
                self._whole[variable] = self._period
            self._turn[WEIGHTS] = variable
        return tuple(found)

    def counts(self, parts: Parts) -> tuple[Piece, ...]:
        """The pieces of the counts of the variable whose turn it is."""
        for _ in VARIABLES:
            self._turn[COUNTS] = variable = (self._turn[COUNTS] + 1) % len(VARIABLES)
            found = [
                counts_piece(variable, part.key, part.values)
                for part in self._shared(parts, variable, COUNTS)
            ]
            if found:
                return tuple(found)
        return ()

    def _shared(self, parts: Parts, variable: int, rule: str) -> list[Part]:
        return [
            part
            for part in parts(variable).values()
            if part.rule == rule and part.ready and (self._private or not part.private)
        ]

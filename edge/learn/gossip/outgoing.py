"""The sending side: which parts are sent when, and what the receivers hold of them.

A message is meant for all direct neighbours, so there is one copy of what they hold. A neighbour that lost a
message says so (`wants`), and gets whole weights with the next ones. One variable after the other has its
turn for counts, and one slice after the other for weights; differences are small, so usually all fit.
"""

from collections.abc import Callable, Mapping

from ...terms import VARIABLES
from ..parts import COUNTS, WEIGHTS, Part
from ..terms import Array
from .deltas import counts_piece, delta_piece, whole_piece
from .message import PIECE_HEAD_BYTES, Piece, address_of
from .slices import Place, keys

_WHOLE_EVERY = 6  # periods between two requests for whole weights that are granted

Parts = Callable[[int], Mapping[str, Part]]  # `Model.parts`


class Outgoing:
    """What a node has sent. Parts that are private are left out unless `private` is set."""

    def __init__(self, node: str, private: bool = False) -> None:
        self._address, self._private = address_of(node), private
        self._held: dict[Place, Array] = {}
        self._wanted: dict[int, set[bytes]] = {}  # by variable: the slices sent whole since it was wanted
        self._period = 0
        self._whole: dict[int, int] = {}  # the period in which a variable was last sent whole on request
        self._turn = {WEIGHTS: -1, COUNTS: -1}

    def common_start(self, parts: Parts) -> None:
        """Call it before the first training, if all nodes begin with the same weights: all hold them."""
        self._held |= self._places(parts)

    def restart(self) -> None:
        """Neighbours do not hold these weights: all are sent whole once more, slice by slice."""
        self._held.clear()

    def whole_due(self, parts: Parts) -> bool:
        """Whether whole weights of a variable are to be sent, which need much room."""
        return bool(self._wanted) or not self._places(parts).keys() <= self._held.keys()

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
                self._wanted.setdefault(variable, set())

    def weights(self, parts: Parts, budget: int) -> tuple[Piece, ...]:
        """The pieces of the weights of all variables, as many as fit into `budget` bytes; what does not fit
        has its turn next. What was returned counts as sent."""
        found: list[Piece] = []
        places = list(self._places(parts).items())
        self._period += 1
        first = self._turn[WEIGHTS] + 1
        for number in ((first + offset) % len(places) for offset in range(len(places))):
            (variable, key), values = places[number]
            asked = variable in self._wanted and key not in self._wanted[variable]
            before = None if asked else self._held.get((variable, key))
            if before is None:
                piece, after = whole_piece(variable, key, values)
            else:
                piece, after = delta_piece(variable, key, values, before)
            size = len(piece.data) + PIECE_HEAD_BYTES
            if size > budget and found:
                break
            if size > budget:  # it never fits
                continue
            budget -= size
            found.append(piece)
            self._held[variable, key] = after
            self._turn[WEIGHTS] = number
            if asked:
                self._granted(variable, key, {place[1] for place, _ in places if place[0] == variable})
        return tuple(found)

    def _granted(self, variable: int, key: bytes, every: set[bytes]) -> None:
        """A slice that was wanted is sent; with the last of them the request is over."""
        self._wanted[variable].add(key)
        if self._wanted[variable] >= every:
            del self._wanted[variable]
            self._whole[variable] = self._period

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

    def _places(self, parts: Parts) -> dict[Place, Array]:
        """The shared weights of all variables, by slice."""
        return {
            (variable, key): part.values[where]
            for variable in range(len(VARIABLES))
            for part in self._shared(parts, variable, WEIGHTS)
            for key, where in keys(part)
        }

    def _shared(self, parts: Parts, variable: int, rule: str) -> list[Part]:
        return [
            part
            for part in parts(variable).values()
            if part.rule == rule and part.ready and (self._private or not part.private)
        ]

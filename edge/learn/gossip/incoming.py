"""The receiving side: what neighbours have sent, whole or not at all, in bounded memory.

Counts stay packed until they are merged: a table of 67 kB takes about 6 kB.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...terms import VARIABLES
from ..parts import COUNTS, WEIGHTS, Part
from ..terms import Array
from .deltas import counts_from, weights_from
from .message import COUNTED, DOES_NOT_FIT, Message, Missing, Piece, address_of
from .operators import Contribution
from .outgoing import Parts
from .packet import Refused


@dataclass(slots=True)
class Share:
    """What a neighbour has sent so far."""

    message: Message  # the newest one
    minute: int  # when it came
    weights: dict[tuple[int, bytes], Array] = field(default_factory=dict)
    counts: dict[tuple[int, bytes], Piece] = field(default_factory=dict)
    missing: int = 0  # bit mask of the variables whose weights are not here

    def age_min(self, minute: int) -> float:
        """The age of the model, with the time since it came."""
        return float(self.message.age_min + max(minute - self.minute, 0))

    def values(self, variable: int, own: Mapping[str, Part]) -> dict[str, Array]:
        """The values that belong to the own parts of a variable, by name."""
        found = {}
        for name, part in own.items():
            place = variable, part.key
            if place in self.weights:
                found[name] = self.weights[place]
            elif place in self.counts:
                found[name] = counts_from(self.counts[place], part.values.size)
        return found

    def contribution(self, source: str, minute: int, local_loss: NDArray[np.float64]) -> Contribution:
        """What an operator may know of it; `local_loss` (6,) is NaN where it was not measured."""
        told = self.message
        return Contribution(
            source=source,
            samples=told.samples,
            claimed_loss=told.losses,
            local_loss=local_loss,
            age_min=self.age_min(minute),
            neighbours=told.neighbours,
            profile=told.profile,
        )


class Incoming:
    """The shares of up to `most` neighbours; the one that was silent longest makes room for a new one. Pieces
    of private parts are refused unless `private` is set."""

    def __init__(self, most: int, private: bool = False) -> None:
        self._most, self._private = most, private
        self.shares: dict[str, Share] = {}

    def common_start(self, parts: Parts) -> dict[tuple[int, bytes], Array]:
        """What every neighbour that begins with the same weights holds at first (`receive`)."""
        return {
            (variable, part.key): part.values
            for variable in range(len(VARIABLES))
            for part in parts(variable).values()
            if part.rule == WEIGHTS and (self._private or not part.private)
        }

    def receive(
        self,
        source: str,
        data: bytes,
        parts: Parts,
        minute: int,
        start: Mapping[tuple[int, bytes], Array] | None = None,
    ) -> Share:
        """Take a message of a neighbour. Raises Refused, and changes nothing then. Differences to what is not
        here are left out, and asked for (`wants`)."""
        message = Message.unpacked(data)
        share = self.shares.get(source) or Share(message, minute, dict(start or {}))
        own = {
            (variable, part.key): part
            for variable in {piece.variable for piece in message.pieces}
            for part in parts(variable).values()
            if self._private or not part.private
        }
        weights: dict[tuple[int, bytes], Array] = {}
        counts: dict[tuple[int, bytes], Piece] = {}
        missing = share.missing
        for piece in message.pieces:
            place = piece.variable, piece.key
            if place not in own:
                raise Refused(
                    f"{VARIABLES[piece.variable]}: the part does not fit: another "
                    f"model, other layers, or other limits of states",
                    DOES_NOT_FIT,
                )
            count = own[place].values.size
            if (piece.kind == COUNTED) != (own[place].rule == COUNTS):
                raise Refused(f"{VARIABLES[piece.variable]}: the part has another rule", DOES_NOT_FIT)
            if piece.kind == COUNTED:
                counts_from(piece, count)
                counts[place] = piece
                continue
            held = weights.get(place, share.weights.get(place))
            try:
                weights[place] = weights_from(piece, count, held)
                missing &= ~(1 << piece.variable)
            except Missing:
                missing |= 1 << piece.variable
        share.message, share.minute, share.missing = message, minute, missing
        share.weights |= weights
        share.counts |= counts
        self._keep(source, share)
        return share

    def wants(self) -> dict[int, int]:
        """For the next own message: of which neighbour which variables are missing."""
        return {address_of(name): share.missing for name, share in self.shares.items() if share.missing}

    def forget(self, source: str) -> None:
        """A neighbour has left for good."""
        self.shares.pop(source, None)

    def _keep(self, source: str, share: Share) -> None:
        self.shares.pop(source, None)
        while len(self.shares) >= self._most:
            del self.shares[next(iter(self.shares))]
        self.shares[source] = share

    @property
    def nbytes(self) -> int:
        """The memory of what is kept."""
        return sum(
            sum(each.nbytes for each in share.weights.values())
            + sum(len(each.data) for each in share.counts.values())
            for share in self.shares.values()
        )

"""The receiving side: what neighbours have sent, whole or not at all, in bounded memory.

Counts stay packed until they are merged: a table of 67 kB takes about 6 kB.
"""

from collections.abc import Iterable, Mapping
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
from .slices import Place, joined, keys


@dataclass(slots=True)
class Share:
    """What a neighbour has sent so far."""

    message: Message  # the newest one
    minute: int  # when it came
    weights: dict[Place, Array] = field(default_factory=dict)
    counts: dict[Place, Piece] = field(default_factory=dict)
    lost: set[Place] = field(default_factory=set)  # slices whose differences could not be used

    @property
    def unknown(self) -> bool:
        """Whether something is lost of which nothing has ever come."""
        return not self.lost <= self.weights.keys()

    @property
    def missing(self) -> int:
        """A bit mask of the variables of which something is lost."""
        return sum({1 << variable for variable, _ in self.lost})

    def age_min(self, minute: int) -> float:
        """The age of the model, with the time since it came."""
        return float(self.message.age_min + max(minute - self.minute, 0))

    def values(self, variable: int, own: Mapping[str, Part]) -> dict[str, Array]:
        """The values that belong to the own parts of a variable, by name."""
        found = {}
        for name, part in own.items():
            place = variable, part.key
            if place in self.counts:
                found[name] = counts_from(self.counts[place], part.values.size)
            elif place in self.weights:
                values = joined(variable, part, self.weights.get)
                if values is not None:
                    found[name] = values
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

    def common_start(self, parts: Parts) -> dict[Place, Array]:
        """What every neighbour that begins with the same weights holds at first (`receive`)."""
        return {
            (variable, key): part.values[where]
            for variable in range(len(VARIABLES))
            for part in parts(variable).values()
            if part.rule == WEIGHTS and (self._private or not part.private)
            for key, where in keys(part)
        }

    def receive(
        self,
        source: str,
        data: bytes,
        parts: Parts,
        minute: int,
        start: Mapping[Place, Array] | None = None,
    ) -> Share:
        """Take a message of a neighbour. Raises Refused, and changes nothing then. Differences to what is not
        here are left out, and asked for (`wants`). The first ones may belong to a common `start`."""
        message = Message.unpacked(data)
        share = self.shares.get(source) or Share(message, minute)
        own = self._own(parts, {piece.variable for piece in message.pieces})
        weights: dict[Place, Array] = {}
        counts: dict[Place, Piece] = {}
        lost = set(share.lost)
        for piece in message.pieces:
            place = piece.variable, piece.key
            if place not in own:
                raise Refused(
                    f"{VARIABLES[piece.variable]}: the part does not fit: another "
                    f"model, other layers, or other limits of states",
                    DOES_NOT_FIT,
                )
            rule, count = own[place]
            if (piece.kind == COUNTED) != (rule == COUNTS):
                raise Refused(f"{VARIABLES[piece.variable]}: the part has another rule", DOES_NOT_FIT)
            if piece.kind == COUNTED:
                counts_from(piece, count)
                counts[place] = piece
                continue
            held = weights.get(place, share.weights.get(place, (start or {}).get(place)))
            try:
                weights[place] = weights_from(piece, count, held)
                lost.discard(place)
            except Missing:
                lost.add(place)
        share.message, share.minute, share.lost = message, minute, lost
        share.weights |= weights
        share.counts |= counts
        self._keep(source, share)
        return share

    def _own(self, parts: Parts, variables: set[int]) -> dict[Place, tuple[str, int]]:
        """What fits: the rule and the number of values of each slice, and of each part that is counted."""
        found: dict[Place, tuple[str, int]] = {}
        for variable in variables:
            for part in parts(variable).values():
                if part.private and not self._private:
                    continue
                if part.rule == COUNTS:
                    found[variable, part.key] = COUNTS, part.values.size
                    continue
                for key, where in keys(part):
                    found[variable, key] = WEIGHTS, where.stop - where.start
        return found

    def wants(self, asked: Iterable[str] | None = None) -> dict[int, int]:
        """For the next own message: the variables that are missing of those who are asked, or of all."""
        shares = {name: self.shares[name] for name in (self.shares if asked is None else asked)}
        return {address_of(name): share.missing for name, share in shares.items() if share.missing}

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

"""Two members negotiate a price: bounded rounds of alternating offers, the same each time (thesis 8.2.2).

Each side has an opening price and a reservation price, beyond which it agrees to nothing, and comes from the
one to the other within a number of rounds: at `pace` 1 by equal steps, above 1 late, below 1 early. In each
round the seller asks. The buyer agrees if that is no more than it is ready to bid itself, else it bids. The
seller agrees if that is no less than what it would ask next. Without an agreement in the last round there is
none: both trade with the grid as before. Nothing is random, so both can compute all of it.
"""

from dataclasses import dataclass
from typing import NamedTuple

MOST_ROUNDS = 32


@dataclass(frozen=True, slots=True)
class Side:
    """The prices of one side per kWh. A seller concedes downwards, a buyer upwards."""

    opening: float
    reservation: float
    pace: float = 1.0

    def at(self, turn: int, rounds: int) -> float:
        """What it states in a round, from 0 on: the reservation price in the last one."""
        if turn >= rounds - 1:
            return self.reservation
        conceded: float = (turn / (rounds - 1)) ** self.pace
        return self.opening + (self.reservation - self.opening) * conceded


class Deal(NamedTuple):
    """The price that both accept, and in which round (from 1) that was."""

    price: float
    rounds: int


def negotiate(seller: Side, buyer: Side, rounds: int) -> Deal | None:
    """The outcome; None: no price that both accept was stated. Raises ValueError for sides that mean
    nothing."""
    if not 1 <= rounds <= MOST_ROUNDS or min(seller.pace, buyer.pace) <= 0:
        raise ValueError(f"a negotiation has 1 to {MOST_ROUNDS} rounds and a pace above 0")
    if not (seller.reservation <= seller.opening and buyer.opening <= buyer.reservation):
        raise ValueError("a seller comes down from its opening price, and a buyer up")
    for turn in range(rounds):
        asked, bid = seller.at(turn, rounds), buyer.at(turn, rounds)
        if asked <= bid:
            return Deal(asked, turn + 1)
        if bid >= seller.at(turn + 1, rounds):
            return Deal(bid, turn + 1)
    return None

"""Fair share: when supply is short, every consumer gets a part instead of some getting nothing.

Beyond the thesis. Max-min fairness: no consumer can get more without another, which has less, losing some. It
needs consumers that accept a part (`accepts = "partial"`).
"""

import random
from collections.abc import Iterable, Mapping

from . import ProducerPolicy, SeenRequest
from .prioritisation import Prioritisation


class FairShare(ProducerPolicy):
    """Orders requests as prioritisation does and limits the power of each consumer."""

    shares_power = True

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._order = Prioritisation(rng).order

    def order(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """The same order as prioritisation."""
        return self._order(requests, now_s)

    def shares(self, capacity_w: float, claims: Mapping[str, float]) -> Mapping[str, float]:
        """Fill all claims to the same level; smaller claims are met in full."""
        shares = {}
        left_w, waiting = capacity_w, len(claims)
        for consumer, claim_w in sorted(claims.items(), key=lambda item: (item[1], item[0])):
            shares[consumer] = min(claim_w, left_w / waiting)
            left_w -= shares[consumer]
            waiting -= 1
        return shares

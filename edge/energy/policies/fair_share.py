"""Fair share: when supply is short everybody gets a part instead of some getting nothing.

Beyond the thesis. Max-min fairness: nobody gets more while somebody who wants it has less. It takes
consumers that accept a part (`accepts = "partial"`).
"""

from collections.abc import Mapping

from .prioritisation import Prioritisation


class FairShare(Prioritisation):
    """Orders as prioritisation does, and caps what each consumer may have."""

    shares_power = True

    def shares(self, capacity_w: float, claims: Mapping[str, float]) -> Mapping[str, float]:
        """Fill all claims to the same level, as water would; small claims are met in full."""
        shares = {}
        left_w, waiting = capacity_w, len(claims)
        for consumer, claim_w in sorted(claims.items(), key=lambda item: (item[1], item[0])):
            shares[consumer] = min(claim_w, left_w / waiting)
            left_w -= shares[consumer]
            waiting -= 1
        return shares

"""How far a request goes: first a few hops, then farther and farther while it is unserved.

In a large microgrid a request that went everywhere at once would cost each node a message, though most are
served by a neighbour. What is lost: the nearest suppliers are asked before all others, whatever the policy.
"""

import math

MOST_HOPS = 64  # everywhere: no message goes farther
WIDEN_S = 0.5  # after that without a contract it goes twice as far; offers arrive sooner
_FAR_HOPS = 4  # after these it goes everywhere
_COMPARES = 4  # so many times as far goes the first step for a policy that compares offers


def hops_of(first_hops: int, waited_s: float) -> int:
    """How far a request goes that has waited so long; 0 for `first_hops`: as far as anything."""
    hops = first_hops * 2 ** min(8, int(waited_s / WIDEN_S + 1e-6))
    return MOST_HOPS if hops > _FAR_HOPS and waited_s >= WIDEN_S else min(hops, MOST_HOPS)


def next_s(first_hops: int, since_s: float, now_s: float) -> float:
    """When it goes farther; inf if it does not any more."""
    waited_s = max(0.0, now_s - since_s)
    if not first_hops or hops_of(first_hops, waited_s) >= MOST_HOPS:
        return math.inf
    return since_s + WIDEN_S * (int(waited_s / WIDEN_S + 1e-6) + 1)


def first_hops(hops: int, patience_s: float) -> int:
    """How far a request goes at first: a policy that waits for offers compares those of more suppliers."""
    return min(MOST_HOPS, hops * _COMPARES) if patience_s else hops

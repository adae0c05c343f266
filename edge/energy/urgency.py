"""How urgent a member may be: what its interruptions cost others, against the energy that it uses.

The account is kept in seconds of a member's share of a supplier. An interruption costs as much as ten seconds
of the power that it takes, and each second in which the member uses its contracts, urgent or not, pays that
much back. A newcomer may be 30 s in debt, so its first urgent requests are served; the same amount is
forgiven in an hour. An honest urgent load that runs for ten seconds never comes near that.

Power that is reserved and hardly used is no mistake: an honest consumer returns its reserve in the message
in which it states that it needs less. Who hoards is not urgent for an hour, the next time for two, and up to
a day, and must then have used its share for ten minutes in all.
"""

import math
from typing import Any

# No settings: seconds of a member's share, which `urgent_share` sets.
INTERRUPTION_S = 10.0  # what an interruption costs, beside the power that it takes
ALLOWANCE_S = 30.0
FORGIVEN_PER_S = ALLOWANCE_S / 3600.0
LOST_S, LOST_MAX_S = 3600.0, 86400.0  # how long who hoards is not urgent
HOARDED_S = 600.0  # of its share, that it must use afterwards
_MOST_HOARDS, _DEBT_MAX_S = 1000, 2 * HOARDED_S
_LOST_STEP_S, _DEBT_STEP_S = (
    600,
    60,
)  # in which both are saved, so that the file is not written for each second


class Urgency:
    """The account of one member."""

    __slots__ = ("_debt_s", "_since_s", "hoards", "lost_until_s")

    def __init__(self) -> None:
        self.hoards = 0
        self.lost_until_s = -math.inf
        self._debt_s = self._since_s = 0.0

    def is_left(self, now_s: float) -> bool:
        """Whether the member may interrupt others."""
        return now_s >= self.lost_until_s and self.debt_s(now_s) <= ALLOWANCE_S - INTERRUPTION_S

    def debt_s(self, now_s: float) -> float:
        """What its interruptions cost and it has not used, in seconds of its share."""
        return max(0.0, self._debt_s - FORGIVEN_PER_S * (now_s - self._since_s)) if self._debt_s else 0.0

    def interrupt(self, shares: float, now_s: float) -> None:
        """It took so many shares from others."""
        self._set(self.debt_s(now_s) + INTERRUPTION_S * shares, now_s)

    def use(self, share_s: float, now_s: float) -> None:
        """It used its contracts."""
        if self._debt_s:
            self._set(max(0.0, self.debt_s(now_s) - share_s), now_s)

    def hoard(self, now_s: float) -> None:
        """It reserved power that it does not use."""
        self.lost_until_s = now_s + min(LOST_MAX_S, LOST_S * 2.0 ** min(self.hoards, 8))
        self.hoards = min(_MOST_HOARDS, self.hoards + 1)
        self._set(ALLOWANCE_S + HOARDED_S, now_s)

    def memory(self, now_s: float) -> list[int]:
        """What a restart must not forget of who has hoarded: how often, s without urgency, s of debt."""
        lost_s = max(0.0, self.lost_until_s - now_s)
        debt_s = self.debt_s(now_s)
        return [
            self.hoards,
            _LOST_STEP_S * math.ceil(lost_s / _LOST_STEP_S),
            _DEBT_STEP_S * math.ceil(debt_s / _DEBT_STEP_S),
        ]

    def recall(self, memory: Any, now_s: float) -> bool:
        """Continue from there; False, and nothing has changed, if it is not what `memory` gave."""
        if not (isinstance(memory, list) and len(memory) == 3 and all(type(each) is int for each in memory)):
            return False
        hoards, lost_s, debt_s = memory
        if not (1 <= hoards <= _MOST_HOARDS and 0 <= lost_s <= LOST_MAX_S and 0 <= debt_s <= _DEBT_MAX_S):
            return False
        self.hoards, self.lost_until_s = hoards, now_s + lost_s
        self._set(debt_s, now_s)
        return True

    def _set(self, debt_s: float, now_s: float) -> None:
        self._debt_s, self._since_s = debt_s, now_s

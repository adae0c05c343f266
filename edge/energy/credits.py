"""Credits: the awards of the last hour, and what a supplier believes of them (thesis 7.4.2.5 to 7.4.2.7).

A node gives credits to its own prosumers, and states them in their requests, which it signs. A supplier does
not take its word for them: it takes the lower of what is claimed and of what it has experienced itself with
that member. What is experienced is what the member supplied here, less what it withheld while it was
needed here, and less the discounts that it got here; it is bounded and as short-lived as the credit.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from .book import node_of

MINUTES = 60  # that count
SPAN = 10  # minutes that are one number in the state file
_MOST_WH = 1e9


@dataclass(slots=True)
class Balance:
    """Awards less what was used, in Wh; each minute is forgotten after an hour."""

    _minutes: deque[float] = field(default_factory=lambda: deque(maxlen=MINUTES - 1))
    _open_wh: float = 0.0  # of the current minute

    @property
    def credit_wh(self) -> float:
        """What is left of the last 60 minutes."""
        return sum(self._minutes) + self._open_wh

    def add(self, energy_wh: float) -> None:
        """An award, or with a minus what was used or withheld."""
        self._open_wh += energy_wh

    def close_minute(self) -> None:
        """A minute is over."""
        self._minutes.append(self._open_wh)
        self._open_wh = 0.0

    def memory(self) -> list[float]:
        """The sums of ten minutes each, oldest first; the current minute is in the last one."""
        minutes = [*self._minutes, self._open_wh]
        minutes = [0.0] * (MINUTES - len(minutes)) + minutes
        return [round(sum(minutes[i : i + SPAN]), 3) for i in range(0, MINUTES, SPAN)]

    @classmethod
    def recalled(cls, spans: Any, minutes_ago: int) -> "Balance":
        """Restore the result of `memory`, so many minutes later. Raises ValueError, TypeError."""
        if not isinstance(spans, list) or len(spans) != MINUTES // SPAN:
            raise ValueError("invalid balance")
        if not all(isinstance(each, int | float) and abs(each) <= _MOST_WH for each in spans):  # nan neither
            raise ValueError("invalid balance")
        balance = cls()
        shares = [span / SPAN for span in spans for _ in range(SPAN)]
        *minutes, balance._open_wh = shares[minutes_ago:] + [0.0] * min(MINUTES, minutes_ago)
        balance._minutes.extend(minutes)
        return balance

    @property
    def empty(self) -> bool:
        """Whether nothing is left to remember."""
        return not self._open_wh and not any(self._minutes)


class Credits:
    """The credits of the prosumers of one node, and its experience with other members."""

    def __init__(self, node: str, members: int, newcomer_wh: float = 0.0) -> None:
        """`members`: the most that are remembered; `newcomer_wh`: what a new prosumer begins with."""
        self._node = node
        self._most = members
        self.newcomer_wh = newcomer_wh
        self._own: dict[str, Balance] = {}  # by prosumer
        self._experienced: dict[str, Balance] = {}  # by node

    def of(self, prosumer: str) -> float:
        """The credit of a prosumer of this node, in Wh."""
        balance = self._own.get(prosumer)
        return balance.credit_wh if balance else self.newcomer_wh

    def award(self, prosumer: str, energy_wh: float) -> None:
        """A prosumer of this node has earned an award, or used credit (with a minus)."""
        balance = self._own.get(prosumer)
        if balance is None:
            balance = self._own[prosumer] = Balance()
            balance.add(self.newcomer_wh)
        balance.add(energy_wh)

    def experience(self, member: str, energy_wh: float) -> None:
        """Another member has supplied this node, or (with a minus) withheld from it or got a discount."""
        if not energy_wh or member == self._node:
            return
        balance = self._experienced.get(member)
        if balance is None:
            if len(self._experienced) >= self._most:
                return
            balance = self._experienced[member] = Balance()
        balance.add(energy_wh)

    def experienced(self, member: str) -> float:
        """What this node has experienced with another member, in Wh."""
        balance = self._experienced.get(member)
        return balance.credit_wh if balance else 0.0

    def believed(self, consumer: str, claimed_wh: float) -> float:
        """The credit that counts here: of another member the lower of claim and experience."""
        member = node_of(consumer)
        return claimed_wh if member == self._node else min(claimed_wh, self.experienced(member))

    def close_minute(self) -> None:
        """A minute is over: the oldest one is forgotten."""
        for balance in self._own.values():
            balance.close_minute()
        for member, balance in list(self._experienced.items()):
            balance.close_minute()
            if balance.empty:
                del self._experienced[member]

    def keep_only(self, prosumers: set[str]) -> None:
        """Prosumers that are gone have no credit."""
        for name in self._own.keys() - prosumers:
            del self._own[name]

    def memory(self) -> dict[str, dict[str, list[float]]]:
        """As plain data for the state file: `own` by prosumer, `experienced` by member."""
        return {
            "own": {name: balance.memory() for name, balance in self._own.items()},
            "experienced": {name: balance.memory() for name, balance in self._experienced.items()},
        }

    def recall(self, memory: Any, seconds_ago: float) -> None:
        """Restore the result of `memory`; nothing of it if it is not valid. Raises ValueError."""
        minutes_ago = max(0, math.floor(seconds_ago / 60))
        try:
            own, experienced = (
                {str(name): Balance.recalled(spans, minutes_ago) for name, spans in memory[key].items()}
                for key in ("own", "experienced")
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"invalid credits: {error}") from None
        if len(experienced) > self._most or any(node_of(name) != self._node for name in own):
            raise ValueError("invalid credits")
        self._own, self._experienced = own, experienced

    def state(self) -> tuple[dict[str, float], dict[str, float]]:
        """The credits of own prosumers, and the experience by member, in Wh."""
        return (
            {name: balance.credit_wh for name, balance in self._own.items()},
            {name: balance.credit_wh for name, balance in self._experienced.items()},
        )

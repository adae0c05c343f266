"""What a consumer may claim of a supplier, and which of its claims were refused (thesis 4.1.2)."""

from collections.abc import Iterator
from dataclasses import dataclass

from .book import Promise, State, crowds
from .messages import Priority
from .prices import PriceTable
from .rules import EPSILON_W

# No setting: a refusal that finds no place is not answered, and its contract ends unconfirmed.
REFUSALS_MAX = 16


@dataclass(slots=True)
class Right:
    """What a consumer may claim beyond the contracts it still shows: an offer, and contracts that it shows no
    longer, since they may have been merged into another."""

    offered_w: float = 0.0
    merged_w: float = 0.0
    priority: Priority = Priority.LOW
    valid: bool = False  # one of these contracts was
    prices: PriceTable = ()  # of the offer, or of the contract that was merged

    def add_offer(self, offer: Promise) -> None:
        """An offer that still counts."""
        self.offered_w = offer.max_w + offer.urgent_w
        self.priority = max(self.priority, offer.priority)
        self.prices = offer.prices

    def add_contract(self, promise: Promise) -> None:
        """A contract that is shown no longer."""
        self.merged_w += promise.max_w
        self.priority = max(self.priority, promise.priority)
        self.valid |= promise.state is State.VALID
        self.prices = promise.prices or self.prices

    def covers(self, more_w: float, new: bool) -> bool:
        """Whether a contract may take `more_w` than before; `new`: it was not there before."""
        return more_w <= self.merged_w + (self.offered_w if new else 0.0) + EPSILON_W

    def use(self, more_w: float) -> None:
        """What one contract took is not there for another."""
        merged_w = min(self.merged_w, max(0.0, more_w))
        self.merged_w -= merged_w
        self.offered_w -= max(0.0, more_w) - merged_w


class Refusals:
    """Refused contracts that are still published: consumer and number of the contract."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._refused: dict[tuple[str, int], None] = {}

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return iter(self._refused)

    def __contains__(self, key: tuple[str, int]) -> bool:
        return key in self._refused

    def add(self, consumer: str, contract_id: int) -> None:
        """Remember it, if there is room."""
        names = [name for name, _ in self._refused]
        count = len(names)
        if count < REFUSALS_MAX and not crowds(consumer, names, count, REFUSALS_MAX, self._node):
            self._refused[consumer, contract_id] = None

    def keep(self, consumer: str, shown: set[int]) -> None:
        """Forget those that the consumer shows no longer."""
        for key in [key for key in self._refused if key[0] == consumer and key[1] not in shown]:
            del self._refused[key]

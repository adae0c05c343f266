"""How generous a supplier is: whom it serves of those that the community allows (thesis 7.4.3, 8.2.8).

A new policy is a class here and a line in the registry.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

_FREE_RIDE_W = 10.0  # larger requests a free rider never serves
_FREE_RIDE_CATEGORY = "ict"
_EXPLORE, _LEAST_EXPLORE, _CALMER = 0.3, 0.02, 0.97  # share of trials, and by what it falls each minute
_RATE = 0.2  # at which a value follows the rewards


class Case(NamedTuple):
    """One request, as a supplier weighs it up."""

    power_w: float
    credit_wh: float  # that is believed
    own_wh: float  # the supplier's own credit
    slot_wh: float  # energy over which a credit is spread
    availability: float  # share of the capacity that would be left
    price: float  # relative to its rate
    category: str = ""  # of the device that needs the power; empty: not known


class Giving:
    """Serves everybody."""

    tolerance_wh: float | None = None  # in place of that of the community

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def serves(self, case: Case) -> bool:
        """Whether it serves the request."""
        return True

    def rewarded(self, reward: float) -> None:
        """What the last minute brought: its award and its income, both relative to energies in Wh."""


class Altruist(Giving):
    """Serves everybody, and where the community excludes, also those with a slightly negative credit."""

    tolerance_wh = 2.0


class FreeRider(Giving):
    """Serves small requests of computers and the like only, so that it seems to take part.

    Where requests do not tell a category, it goes by their power.
    """

    def serves(self, case: Case) -> bool:
        return case.power_w <= _FREE_RIDE_W and case.category.casefold() in ("", _FREE_RIDE_CATEGORY)


class Graded(Giving):
    """Serves when price, the credit it would earn and what it may expect back outweigh what it keeps.

    price + (1 if its own credit is less than one supply, else 0) + (credit of the other / energy of the
    supply, from -1 to 1) is at least twice the part of its capacity that would no longer be available.
    """

    def serves(self, case: Case) -> bool:
        wants_credit = case.own_wh < case.slot_wh
        back = max(-1.0, min(1.0, case.credit_wh / case.slot_wh)) if case.slot_wh else 0.0
        return case.price + wants_credit + back >= 2 * (1 - case.availability)


class Learning(Giving):
    """Learns from rewards what to serve: a bandit for each of 27 cases, with fewer trials as it goes on.

    A case is what would be left (little, some, much) by the sign of both credits. Deterministic for a seed.
    """

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.values: dict[tuple[int, int, int], list[float]] = {}  # of refusing and of serving
        self.explores = _EXPLORE
        self._tried: set[tuple[tuple[int, int, int], int]] = set()

    def serves(self, case: Case) -> bool:
        place = min(2, int(3 * case.availability)), _sign(case.credit_wh), _sign(case.own_wh)
        values = self.values.setdefault(place, [0.0, 0.0])
        explores = self._rng.random() < self.explores
        serve = self._rng.random() < 0.5 if explores else values[1] >= values[0]
        self._tried.add((place, int(serve)))
        return serve

    def rewarded(self, reward: float) -> None:
        for place, action in self._tried:
            self.values[place][action] += _RATE * (reward - self.values[place][action])
        self._tried.clear()
        self.explores = max(_LEAST_EXPLORE, self.explores * _CALMER)


def _sign(credit_wh: float) -> int:
    return (credit_wh > 0.05) - (credit_wh < -0.05)


GIVING: dict[str, Callable[[random.Random], Giving]] = {
    "all": Giving,
    "altruist": Altruist,
    "free_rider": FreeRider,
    "graded": Graded,
    "learning": Learning,
}


@dataclass(slots=True)
class _Decided:
    request_id: int
    serve: bool
    until_s: float


class Decisions:
    """What was decided on each request, for a minute: so none is refused and served in turn."""

    def __init__(self, giving: Giving, most: int) -> None:
        self.giving = giving
        self._most = most
        self._decided: dict[str, _Decided] = {}

    def serves(self, consumer: str, request_id: int, case: Callable[[], Case], now_s: float) -> bool:
        """Whether the request is served."""
        decided = self._decided.get(consumer)
        if decided is None or decided.request_id != request_id or now_s >= decided.until_s:
            if decided is None and len(self._decided) >= self._most:
                del self._decided[next(iter(self._decided))]
            decided = _Decided(request_id, self.giving.serves(case()), now_s + 60.0)
            self._decided[consumer] = decided
        return decided.serve

"""The conditions of a supplier beside power: its prices, and whom it serves (thesis 7.3, 7.4.2.7)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf

from .book import Book, State, node_of
from .credits import Credits
from .giving import Case, Decisions, Giving
from .messages import Request
from .policies import SeenRequest
from .prices import PriceTable, Slot, slot_at
from .tariff import Production, Tariff

_SHOWN_EACH_S = 1.0
_SURCHARGE_MOST = 10.0  # times the price, that a debt can add


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What follows from the credit of a consumer: `exclude`, `price`, `place` or `none`."""

    kind: str = "none"
    tolerance_wh: float = 0.0
    spread_s: float = 900.0

    def excludes(self, credit_wh: float) -> bool:
        """Whether a consumer with that credit gets nothing."""
        return self.kind == "exclude" and credit_wh < -self.tolerance_wh

    def discount(self, credit_wh: float, power_w: float) -> float:
        """The part of the rate that is taken off; below 0 it is added."""
        spread_wh = self.spread_wh(power_w)
        if self.kind != "price" or not spread_wh:
            return 0.0
        return max(-_SURCHARGE_MOST, min(1.0, credit_wh / spread_wh))

    def spread_wh(self, power_w: float) -> float:
        """The energy over which a credit is spread."""
        return power_w * self.spread_s / 3600


class Conditions:
    """Those of one supplier. `wall_s` gives the Unix time, `offset_s` how much later civil time is."""

    def __init__(
        self,
        tariff: Tariff,
        impact: int,
        wall_s: Callable[[], float],
        offset_s: Callable[[], float],
        credits: Credits | None = None,
        response: Response | None = None,
        giving: Giving | None = None,
        name: str = "",
        places: int = 64,
    ) -> None:
        """`places`: decisions on requests that are remembered."""
        self._tariff = tariff
        self._impact = impact
        self._wall_s, self._offset_s = wall_s, offset_s
        self._credits = credits
        self.response = response or Response()
        if giving and giving.tolerance_wh is not None:
            self.response = replace(self.response, tolerance_wh=giving.tolerance_wh)
        self._name = name
        self._shown, self._shown_s = b"", -inf
        self._decisions = Decisions(giving, places) if giving else None

    @property
    def giving(self) -> Giving | None:
        """Its policy; None: it serves everybody."""
        return self._decisions.giving if self._decisions else None

    def served(
        self, requests: list[SeenRequest], book: Book, capacity_w: float, now_s: float
    ) -> list[SeenRequest]:
        """The requests that it serves at all."""
        return [seen for seen in requests if self._serves(seen, book, capacity_w, now_s)]

    def placed(self, requests: list[SeenRequest]) -> list[SeenRequest]:
        """The requests in the order in which it serves them, from the order of its policy."""
        if self.response.kind != "place":
            return requests
        least_wh = -self.response.tolerance_wh
        return sorted(requests, key=lambda seen: self.credit_wh(seen.consumer, seen.request) < least_wh)

    def quote(self, seen: SeenRequest, book: Book, capacity_w: float, now_s: float) -> PriceTable:
        """The prices of an offer to a request."""
        table = self._tariff.table(book, capacity_w, now_s, self._wall_s(), self._offset_s())
        share = self.response.discount(self.credit_wh(seen.consumer, seen.request), seen.request.power_w)
        if not share:
            return table
        return tuple(Slot(slot.from_s, slot.rate, round(share * slot.rate, 4)) for slot in table)

    def credit_wh(self, consumer: str, request: Request) -> float:
        """The credit of a request that counts here, in Wh."""
        return self._credits.believed(consumer, request.credit_wh) if self._credits else 0.0

    def discounted_w(self, book: Book, wall_s: float) -> dict[str, float]:
        """By member, what discounts on its running supplies are worth, in W of its energy."""
        found: dict[str, float] = {}
        for promise in book:
            if promise.state is State.VALID and promise.prices:
                slot = slot_at(promise.prices, wall_s)
                if slot.discount and slot.rate:
                    member = node_of(promise.consumer)
                    worth_w = promise.power_w * slot.discount / slot.rate
                    found[member] = found.get(member, 0.0) + worth_w
        return found

    def production(self, book: Book, capacity_w: float, now_s: float) -> Production:
        """What it tells all."""
        left_w = max(0.0, capacity_w - book.reserved_w)
        table = self._tariff.table(book, capacity_w, now_s, self._wall_s(), self._offset_s())
        return Production(capacity_w, left_w, self._impact, table)

    def shown(self, book: Book, capacity_w: float, now_s: float) -> bytes:
        """What it tells all, not more often than once a second."""
        if now_s >= self._shown_s + _SHOWN_EACH_S:
            self._shown, self._shown_s = self.production(book, capacity_w, now_s).encode(), now_s
        return self._shown

    def due_s(self, now_s: float, book: Book, capacity_w: float) -> float:
        """When it next has something else to tell though nothing happens."""
        late = capacity_w > 0 and self._shown_s < now_s
        if late and self.production(book, capacity_w, now_s).encode() != self._shown:
            return self._shown_s + _SHOWN_EACH_S
        return self._tariff.due_s(now_s, self._wall_s(), self._offset_s())

    def _serves(self, seen: SeenRequest, book: Book, capacity_w: float, now_s: float) -> bool:
        credit_wh, request = self.credit_wh(seen.consumer, seen.request), seen.request
        if self.response.excludes(credit_wh):
            return False
        if self._decisions is None:
            return True

        def case() -> Case:
            left_w = max(0.0, capacity_w - book.reserved_w - request.power_w)
            return Case(
                request.power_w,
                credit_wh,
                self._credits.of(self._name) if self._credits else 0.0,
                self.response.spread_wh(request.power_w),
                left_w / capacity_w if capacity_w else 0.0,
                1.0 - self.response.discount(credit_wh, request.power_w),
                request.category,
            )

        return self._decisions.serves(seen.consumer, request.id, case, now_s)

"""The offers that a consumer has in hand, and what it chooses of them (thesis 4.1.2, algorithm 4.7)."""

from .composing import compose, compose_urgently
from .members import Members
from .messages import Offer, Part, Priority, Request
from .policies import ConsumerPolicy, SeenOffer
from .rules import CHOOSE_S, CRUMB_RATIO, EPSILON_W, OFFER_VALIDITY_S, PARTIAL_WAIT_S, URGENT_WAIT_S


class OffersInHand:
    """At most one of each supplier; an offer is in hand while it is valid."""

    def __init__(self, members: Members) -> None:
        """`members`: the records of the node. Offers of those that broke their word come last."""
        self._members = members
        self._offers: dict[str, SeenOffer] = {}

    def __bool__(self) -> bool:
        return bool(self._offers)

    def see(self, supplier: str, offer: Offer | None, hops: int, most: int, now_s: float) -> None:
        """A supplier has published an offer, or withdrawn it (None); no more than `most` are kept."""
        seen = self._offers.get(supplier)
        if offer is None:
            self._offers.pop(supplier, None)
        elif offer.in_s and seen and seen.offer == offer:
            return  # its begin counts from the first time it was made
        elif supplier in self._offers or len(self._offers) < most:
            self._offers[supplier] = SeenOffer(supplier, offer, hops, now_s + OFFER_VALIDITY_S)

    def drop(self, supplier: str) -> None:
        """What a supplier offered is not worth anything any more."""
        self._offers.pop(supplier, None)

    def clear(self) -> None:
        """Forget all: they answer a request that has ended."""
        self._offers.clear()

    def cover(self, request: Request) -> bool:
        """Whether they give all that a request needs."""
        fitting = (
            seen.offer.power_w for seen in self._offers.values() if seen.offer.request_id == request.id
        )
        return sum(fitting) >= request.least_w - EPSILON_W

    def fitting(self, request: Request, now_s: float) -> list[SeenOffer]:
        """Those that are valid and answer this request."""
        self._offers = {name: seen for name, seen in self._offers.items() if seen.expires_s > now_s}
        return [seen for seen in self._offers.values() if seen.offer.request_id == request.id]

    def choose(
        self,
        offers: list[SeenOffer],
        request: Request,
        policy: ConsumerPolicy,
        powers_w: tuple[float, float],
        asked_s: float,
        now_s: float,
    ) -> list[Part]:
        """The parts of a contract for now, best offers first; empty: it waits for others.

        `powers_w`: what it wants, and what it needs at least; `asked_s`: since when it requests.
        """
        if now_s < asked_s + policy.patience_s:
            return []
        want_w, least_w = powers_w
        ordered = policy.order(offers, want_w)
        if self._members.any_doubted(now_s):
            ordered.sort(key=lambda seen: self._members.is_doubted(seen.supplier, now_s))
        parts = compose(ordered, want_w, least_w)
        if not parts and request.priority is Priority.HIGH and now_s >= asked_s + URGENT_WAIT_S:
            parts = compose_urgently(ordered, want_w)
        if not parts and request.partial and now_s >= asked_s + PARTIAL_WAIT_S:
            parts = compose(ordered, want_w, CRUMB_RATIO * want_w)
        return parts


def choose_begin(
    offers: list[SeenOffer], request: Request, asked_s: float, now_s: float
) -> tuple[Part, float] | None:
    """The part of a contract for a later span, and when that begins; None: it waits for others.

    It is with the greenest supplier, of equal ones with the one that can begin first. A load that may wait
    for the sun does.
    """
    fitting = [seen for seen in offers if seen.offer.power_w >= request.power_w]
    if not fitting or now_s < asked_s + CHOOSE_S:
        return None
    best = min(fitting, key=lambda seen: (seen.offer.impact, seen.begins_s, seen.hops, seen.supplier))
    return Part(best.supplier, request.power_w, best.offer.max_w), best.begins_s

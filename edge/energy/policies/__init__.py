"""Policies of suppliers and consumers: small classes chosen by name in the configuration (thesis 4.4.4).

A new one is one file here and a line in the registry.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from ..messages import Offer, Request
from ..rules import OFFER_VALIDITY_S


@dataclass(slots=True)
class SeenRequest:
    """A request as a supplier sees it."""

    consumer: str
    request: Request
    hops: int
    seen_s: float
    rest_until_s: float = 0.0  # an offer expired unused: other requests come first until then
    refused_id: int = -1  # of the last request that was beyond what its member may claim
    held_back_id: int = -1  # of the last request that got no offer, as its member does not use its offers

    def alert_s(self, now_s: float) -> float:
        """How long the request has been unserved although its node could serve it."""
        return self.request.alert_s + now_s - self.seen_s if self.request.alert else 0.0


@dataclass(slots=True)
class SeenOffer:
    """An offer as a consumer sees it."""

    supplier: str
    offer: Offer
    hops: int
    expires_s: float

    @property
    def begins_s(self) -> float:
        """When a contract over it would begin."""
        return self.expires_s - OFFER_VALIDITY_S + self.offer.in_s


class ProducerPolicy:
    """The order in which a supplier serves requests, and optionally a limit for each consumer."""

    shares_power = False  # whether `shares` limits consumers
    gathers = False  # whether `order_parts` defines an order

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def order(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """The requests in the order in which they are served."""
        raise NotImplementedError

    def order_parts(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest] | None:
        """The order in which requests get partial offers; None if the policy has no such order.

        All suppliers must arrive at the same order, so it must not depend on the supplier's position.
        """
        return None

    def shares(self, capacity_w: float, claims: Mapping[str, float]) -> Mapping[str, float] | None:
        """The most that each consumer should get of `capacity_w`, given their claims (W, margins included).

        None: no limit, first come, first served.
        """
        return None


class ConsumerPolicy(Protocol):
    """The order in which a consumer uses offers.

    `patience_s`: how long it collects offers before it decides. With 0 it decides as soon as the offers
    suffice, and the first offers to arrive are those of the nearest suppliers.
    """

    patience_s: float

    def order(self, offers: Iterable[SeenOffer], power_w: float) -> list[SeenOffer]:
        """The offers to a request of `power_w` in the order in which they are used."""


PRODUCER_POLICIES = {  # name, which is also the module: class
    "prioritisation": "Prioritisation",
    "random": "Random",
    "hybrid": "Hybrid",
    "fair_share": "FairShare",
}
CONSUMER_POLICIES = {
    "green_first": "GreenFirst",
    "least_distance": "LeastDistance",
    "lowest_price": "LowestPrice",
    "first_fit": "FirstFit",
}


def producer_policy(name: str, rng: random.Random) -> ProducerPolicy:
    """The policy of that name. Raises KeyError."""
    policy: ProducerPolicy = getattr(import_module(f"{__name__}.{name}"), PRODUCER_POLICIES[name])(rng)
    return policy


def consumer_policy(name: str) -> ConsumerPolicy:
    """The policy of that name. Raises KeyError."""
    policy: ConsumerPolicy = getattr(import_module(f"{__name__}.{name}"), CONSUMER_POLICIES[name])()
    return policy

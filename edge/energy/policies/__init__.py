"""Policies of suppliers and consumers: small classes chosen by name in the configuration (thesis 4.4.4).

A new one is one file here and a line in the registry.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from ..messages import Offer, Request


@dataclass(slots=True)
class SeenRequest:
    """A request as a supplier knows it."""

    consumer: str
    request: Request
    hops: int
    seen_s: float
    rest_until_s: float = 0.0  # an offer ran out unused: others come first until then

    def alert_s(self, now_s: float) -> float:
        """How long it has been unserved although its node could serve it."""
        return self.request.alert_s + now_s - self.seen_s if self.request.alert else 0.0


@dataclass(slots=True)
class SeenOffer:
    """An offer as a consumer knows it."""

    supplier: str
    offer: Offer
    hops: int
    expires_s: float


class ProducerPolicy:
    """Which requests a supplier serves first, and how much of it is meant for each consumer."""

    shares_power = False  # whether `shares` says anything
    gathers = False  # whether `order_parts` says anything

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def order(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """The requests, first to serve first."""
        raise NotImplementedError

    def order_parts(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest] | None:
        """Who gets what is too little for anybody alone, first to get it first. All suppliers must come to
        the same order, so the place of the supplier may not matter; None: there is none."""
        return None

    def shares(self, capacity_w: float, claims: Mapping[str, float]) -> Mapping[str, float] | None:
        """The most each consumer should have of `capacity_w`, given what each claims (W, margins
        included); None: first come, first served."""
        return None


class ConsumerPolicy(Protocol):
    """Which offers a consumer takes first. `patience_s`: how long it lets offers come in before it
    decides; without patience the first to suffice are the nearest."""

    patience_s: float

    def order(self, offers: Iterable[SeenOffer], power_w: float) -> list[SeenOffer]:
        """The offers to a request of `power_w`, first to take first."""


PRODUCER_POLICIES = {  # name and module: class
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

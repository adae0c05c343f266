"""Policies of suppliers and consumers: small classes chosen by name in the configuration (thesis 4.1.1).

A new one is one file here and a line in the registry.
"""

from collections.abc import Iterable
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

    def waited_s(self, now_s: float) -> float:
        """How long it has been unserved."""
        return self.request.waited_s + now_s - self.seen_s


@dataclass(slots=True)
class SeenOffer:
    """An offer as a consumer knows it."""

    supplier: str
    offer: Offer
    hops: int
    expires_s: float


class ProducerPolicy(Protocol):
    """Which requests a supplier serves first."""

    def order(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """The requests, first to serve first."""


class ConsumerPolicy(Protocol):
    """Which offers a consumer takes first."""

    def order(self, offers: Iterable[SeenOffer]) -> list[SeenOffer]:
        """The offers, first to take first."""


PRODUCER_POLICIES = {"prioritisation": "Prioritisation"}  # name and module: class
CONSUMER_POLICIES = {"green_near": "GreenNear"}


def producer_policy(name: str) -> ProducerPolicy:
    """The policy of that name. Raises KeyError."""
    policy: ProducerPolicy = getattr(import_module(f"{__name__}.{name}"), PRODUCER_POLICIES[name])()
    return policy


def consumer_policy(name: str) -> ConsumerPolicy:
    """The policy of that name. Raises KeyError."""
    policy: ConsumerPolicy = getattr(import_module(f"{__name__}.{name}"), CONSUMER_POLICIES[name])()
    return policy

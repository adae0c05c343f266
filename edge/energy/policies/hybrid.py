"""Hybrid: random until a request has been in alert for 8 s, then prioritisation (thesis 4.4.4)."""

import random
from collections.abc import Iterable

from ..rules import ALERT_S
from . import ProducerPolicy, SeenRequest
from .prioritisation import Prioritisation
from .random import Random


class Hybrid(ProducerPolicy):
    """It returns to random as soon as no request has been in alert that long."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._calm = Random(rng)
        self._alarmed = Prioritisation(rng)

    def order(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """The order of the policy that currently applies."""
        requests = list(requests)
        alarmed = any(seen.alert_s(now_s) >= ALERT_S for seen in requests)
        return (self._alarmed if alarmed else self._calm).order(requests, now_s)

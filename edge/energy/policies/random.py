"""Random: a random order among requests of the same priority (thesis 4.4.4). The baseline."""

from collections.abc import Iterable

from . import ProducerPolicy, SeenRequest


class Random(ProducerPolicy):
    """Shuffled again at each call."""

    def order(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """Sorted by priority only."""
        shuffled = sorted(requests, key=lambda seen: seen.consumer)
        self.rng.shuffle(shuffled)
        return sorted(shuffled, key=lambda seen: -seen.request.priority)

"""Random: any order among requests of the same priority (thesis 4.4.4). The rival of prioritisation."""

from collections.abc import Iterable

from . import ProducerPolicy, SeenRequest


class Random(ProducerPolicy):
    """Shuffled anew each time it is asked."""

    def order(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """Sorted by priority alone."""
        shuffled = sorted(requests, key=lambda seen: seen.consumer)
        self.rng.shuffle(shuffled)
        return sorted(shuffled, key=lambda seen: -seen.request.priority)

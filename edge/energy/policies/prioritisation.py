"""Prioritisation: near requests first, then urgent, long in alert, and small ones (thesis 4.4.4)."""

from collections.abc import Iterable

from . import ProducerPolicy, SeenRequest


class Prioritisation(ProducerPolicy):
    """The best policy of the thesis in every scenario. (Its author's code omits the distance by mistake.)"""

    gathers = True

    def order(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """Sorted by distance, priority, whole seconds in alert, power, name."""
        return sorted(requests, key=lambda seen: (seen.hops, *_urgency(seen, now_s)))

    def order_parts(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """The same without the distance; requests that accept a part come first."""
        return sorted(requests, key=lambda seen: (not seen.request.partial, *_urgency(seen, now_s)))


def _urgency(seen: SeenRequest, now_s: float) -> tuple[int, int, float, str]:
    request = seen.request
    return -request.priority, -int(seen.alert_s(now_s)), request.least_w, seen.consumer

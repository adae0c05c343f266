"""Prioritisation: near before far, then urgent, long in alert, small (thesis 4.4.4; behaviour.md b.8)."""

from collections.abc import Iterable

from . import ProducerPolicy, SeenRequest


class Prioritisation(ProducerPolicy):
    """The thesis' best policy in every scenario; its author's code drops the distance by mistake."""

    gathers = True

    def order(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """Sorted by distance, priority, whole seconds in alert, power, name."""
        return sorted(requests, key=lambda seen: (seen.hops, *_urgency(seen, now_s)))

    def order_parts(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """The same without the distance; who takes a part goes before who needs the whole."""
        return sorted(requests, key=lambda seen: (not seen.request.partial, *_urgency(seen, now_s)))


def _urgency(seen: SeenRequest, now_s: float) -> tuple[int, int, float, str]:
    request = seen.request
    return -request.priority, -int(seen.alert_s(now_s)), request.least_w, seen.consumer

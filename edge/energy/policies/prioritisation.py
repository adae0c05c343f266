"""Prioritisation: near before far, then urgent, long in alert, small (thesis 4.4.4; behaviour.md b.8)."""

from collections.abc import Iterable

from . import ProducerPolicy, SeenRequest


class Prioritisation(ProducerPolicy):
    """The thesis' best policy in every scenario; its author's code drops the distance by mistake."""

    def order(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """Sorted by distance, priority, whole seconds in alert, power, name."""
        return sorted(
            requests,
            key=lambda seen: (
                seen.hops,
                -seen.request.priority,
                -int(seen.alert_s(now_s)),
                seen.request.power_w,
                seen.consumer,
            ),
        )

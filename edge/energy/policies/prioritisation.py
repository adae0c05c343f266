"""Prioritisation: near before far, then urgent, long waiting, small (thesis 4.1.1; behaviour.md b.8)."""

from collections.abc import Iterable

from . import SeenRequest


class Prioritisation:
    """The thesis' best policy in every scenario; its author's code drops the distance by mistake."""

    def order(self, requests: Iterable[SeenRequest], now_s: float) -> list[SeenRequest]:
        """Sorted by distance, priority, whole seconds waited, power, name."""
        return sorted(
            requests,
            key=lambda seen: (
                seen.hops,
                -seen.request.priority,
                -int(seen.waited_s(now_s)),
                seen.request.power_w,
                seen.consumer,
            ),
        )

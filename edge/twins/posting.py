"""What the LSA of a twin shows, kept equal to what it should show."""

from typing import TYPE_CHECKING

from .addressing import Shown

if TYPE_CHECKING:
    from .twin import Twin

_RENEW_S = 2.0  # a property that would expire so soon, but is still wanted, is published again
Properties = dict[tuple[str, str], Shown]  # by label and addressee
_NOTHING = Shown(b"")


class Posting:
    """The properties that a twin has submitted."""

    def __init__(self, twin: "Twin") -> None:
        self._twin = twin
        self._published: dict[tuple[str, str], tuple[Shown, float]] = {}  # and until when

    def publish(self, wanted: Properties) -> None:
        """Submit what differs from the LSA, and what is about to expire there but is still wanted."""
        now_s = self._twin.home.clock.now_s()
        for label, query in [key for key in self._published if key not in wanted]:
            self._twin.withdraw(label, query)
            del self._published[label, query]
        for (label, query), shown in wanted.items():
            before, until_s = self._published.get((label, query), (_NOTHING, 0.0))
            value, life_s, reach, to = shown
            renewed = life_s > 0 and until_s < now_s + _RENEW_S < now_s + life_s
            changed = (value, reach, to) != (before.value, before.reach, before.to)
            if (changed or renewed) and self._twin.submit(label, value, query, life_s, reach, to):
                self._published[label, query] = shown, now_s + life_s

"""What the LSA of a twin shows, kept equal to what it should show."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..space.lsa import KEPT
from ..space.origins import LIFE_S
from .addressing import Shown

if TYPE_CHECKING:
    from .twin import Twin

_RENEW_S = 2.0  # a property that would expire so soon, but is still wanted, is published again
Properties = dict[tuple[str, str], Shown]  # by label and addressee


@dataclass(slots=True)
class _Published:
    shown: Shown
    until_s: float = 0.0  # for one with a life
    former: dict[str, float] = field(
        default_factory=dict
    )  # nodes that it concerned: until when they are told


class Posting:
    """The properties that a twin has submitted."""

    def __init__(self, twin: "Twin") -> None:
        self._twin = twin
        self._published: dict[tuple[str, str], _Published] = {}

    def publish(self, wanted: Properties) -> None:
        """Submit what differs from the LSA, and what is about to expire there but is still wanted."""
        now_s = self._twin.home.clock.now_s()
        for label, query in [key for key in self._published if key not in wanted]:
            self._twin.withdraw(label, query)
            del self._published[label, query]
        for key, shown in wanted.items():
            before = self._published.get(key)
            until_s, life_s = before.until_s if before else 0.0, shown.life_s
            renewed = life_s > 0 and until_s < now_s + _RENEW_S < now_s + life_s
            former = _former(before, shown, now_s) if before and shown.life_s == KEPT else {}
            if not (before is None or before.shown != shown or before.former != former or renewed):
                continue
            to = tuple(sorted({*shown.to, *former}))
            if self._twin.submit(key[0], shown.value, key[1], life_s, shown.reach, to):
                self._published[key] = _Published(shown, now_s + life_s, former)


def _former(before: _Published, shown: Shown, now_s: float) -> dict[str, float]:
    """Those whom a property does not concern any more: they are told so, until they have surely heard."""
    former = {node: until_s for node, until_s in before.former.items() if until_s > now_s}
    former |= dict.fromkeys(before.shown.to, now_s + LIFE_S)
    return {node: until_s for node, until_s in former.items() if node not in shown.to}

"""Whether limits are obeyed in a storm: within a second, at what really flows.

The second begins when the meters of the node show that a limit is exceeded, which a device that may take more
again does before they are read. Excused are a node whose meters fail or that has not read them yet, and what
nothing is left to hold back, such as household load.
"""

import math
from collections.abc import Iterable, Iterator

from edge.energy.limits import Direction, Limit

from .premises import Premises

OBEYED_S = 1.05  # a second on a clock with an error of 2 %, and a reaction
_NOISE_W = 1.5
_Key = tuple[str, Direction]  # a node, and which of its limits


class LimitWatch:
    """Looks at all honest nodes after every event."""

    def __init__(self, premises: Iterable[Premises]) -> None:
        self.looks = 0  # at a limit that was in force
        self._premises = list(premises)
        self._since_s: dict[_Key, float] = {}

    def broken(self, now_s: float) -> list[str]:
        """A line for each limit that has been exceeded for longer than a second."""
        exceeded = {key: line for each in self._premises for key, line in self._exceeded(each)}
        self._since_s = {key: self._since_s.get(key, now_s) for key in exceeded}
        return [line for key, line in exceeded.items() if now_s - self._since_s[key] > OBEYED_S]

    def _exceeded(self, premises: Premises) -> Iterator[tuple[_Key, str]]:
        node = premises.node
        regulator = node.node.regulator if node.alive else None
        if regulator is None or not regulator.held or premises.shown_w is None:
            return
        imported_w, shown_w = premises.imported_w(), premises.shown_w
        for (direction, _), limit in regulator.held.items():
            self.looks += 1
            way = 1 if direction is Direction.CONSUME else -1
            over_w = min(way * imported_w, way * shown_w) - limit.power_w
            if over_w > _NOISE_W and (left_w := _reducible_w(premises, limit)) > _NOISE_W:
                line = f"limit {node.name} exceeds {direction} of {limit.power_w:g} W by {over_w:.1f} W"
                yield (node.name, direction), f"{line}, and {left_w:.1f} W could be held back"


def _reducible_w(premises: Premises, limit: Limit) -> float:
    """What flexible loads still draw, or sources that can be switched or dimmed still give, in W."""
    if limit.direction is Direction.CONSUME:
        flexible = (each for each in premises.flows() if each.twin.settings.flexible != "no")
        return math.fsum(each.drawn_w for each in flexible)
    return math.fsum(
        each.given_w
        for each in premises.flows()
        if each.twin.settings.relay or each.twin.settings.flexible == "dimmed"
    )

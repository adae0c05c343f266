"""What the operator of the grid orders through the tuple space: limits from its twin (thesis 8.2.2).

`controller = "dso:NODE.TWIN"` names the twin whose LIMITS the regulator of a node obeys, and no other's.
That its LSA is there is its heartbeat. When it has gone for two minutes the failsafe limits hold, as with any
controller, until it is back.
"""

from collections.abc import Callable

from ..energy.grid import read_orders
from ..energy.limits import Direction, Limit, Limits
from ..energy.rules import LIMITS
from ..space.agent import Bond
from .envelope import Later
from .twin import Home

_PREFIX = "dso:"


class DsoOrders:
    """Those to one node."""

    def __init__(self, controller: str, limits: Limits, home: Home) -> None:
        self.operator = controller.removeprefix(_PREFIX) if controller.startswith(_PREFIX) else ""
        self.labels = (LIMITS,) if self.operator else ()
        self._source = controller
        self._limits = limits
        self._reader = home.reader

    def see(self, bond: Bond, now_s: float) -> bool:
        """What an operator shows has changed; whether that concerns this node."""
        if bond.name != self.operator or bond.withdrawn:
            return False
        part = bond.read(self._reader.part)
        if isinstance(part, Later):
            return False
        try:
            if part is None:
                raise ValueError("its part for this node cannot be read")
            wanted = read_orders(part)
            self._limits.heartbeat(self._source, now_s)
            for direction in Direction:
                self._apply(direction, wanted.get(direction), now_s)
        except (ValueError, TypeError):  # LimitRefused, too
            self._limits.refused += 1
            return False
        return True

    def _apply(self, direction: Direction, power_w: float | None, now_s: float) -> None:
        if power_w is None:
            self._limits.release(self._source, now_s, direction)
        else:
            self._limits.order(Limit(direction=direction, power_w=power_w, source=self._source), now_s)

    def beat(self, find: Callable[[str], int], now_s: float) -> None:
        """Once a second: `find` gives the handle of an LSA that is there."""
        if self.operator and find(self.operator):
            self._limits.heartbeat(self._source, now_s)

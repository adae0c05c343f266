"""The tally twin: it tells the neighbours of its node what is new of the totals of all nodes.

One on each node whose heartbeats do not go everywhere.
"""

import math
import random
from typing import Any

from ..energy.book import node_of
from ..energy.tally import TELL_S, TOTALS
from ..space.agent import Bond
from ..space.tuplespace import SELF
from .community_settings import shown_total
from .twin import Home, Twin

_ROW_BYTES = 80  # of a total with the longest name and the largest numbers
_LIFE_S = 4  # a message, not a state: what is lost with it comes with a later one


class TallyTwin(Twin):
    """Publishes TOTALS to direct neighbours."""

    kind = "tally"
    wants = (TOTALS,)

    def __init__(self, settings: Any, home: Home, rng: random.Random) -> None:
        """Raises ValueError for a home without a tally."""
        super().__init__("tally", home)
        if home.tally is None:
            raise ValueError("a home without a tally")
        self.tally = home.tally
        self.refused_messages = 0
        self._told_s = -math.inf
        self._met: frozenset[str] = frozenset()  # neighbours from which something has come

    def bonded(self, bond: Bond) -> bool:
        if not bond.withdrawn and bond.hops == 1:
            if bond.origin not in self._met:
                self._met |= {bond.origin}
                self.tally.tell_again()
            try:
                self.tally.take(bond.origin, bond.value(), self.home.neighbours, self._clock.now_s())
            except ValueError:
                self.refused_messages += 1
        return False  # it acts each second

    def decayed(self, name: str, life_s: int) -> None:
        if not life_s:
            self._met -= {node_of(name)}

    def second_passed(self) -> None:
        now_s = self._clock.now_s()
        if not self.handle or now_s < self._told_s + TELL_S:
            return
        powers_w = shown_total(self.home.total(), self.home.community)
        rounded = None if powers_w is None else tuple(round(each, 1) for each in powers_w)
        self.tally.state(rounded, self.space.origins.incarnation[SELF], now_s)
        message = self.tally.news(now_s, self.space.limits.value_bytes // _ROW_BYTES)
        if message:
            self._told_s = now_s
            self.submit(TOTALS, message, life_s=_LIFE_S, reach=1)

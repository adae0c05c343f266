"""The totals of all nodes, told from neighbour to neighbour (thesis 5.1.3.4 and 6.2).

In a large microgrid heartbeats, and with them totals, go a few hops only. Each node tells its neighbours what
is new of the totals that it knows, one small message for all of them, and so each node comes to know each
total once. While nothing changes, the sum is exact for all nodes that are reached. It is not signed by those
whose totals are passed on: a neighbour that lies may falsify the sum, as far as nobody nearer says otherwise.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

from msgspec import DecodeError, ValidationError, msgpack

from .totals import Powers, possible_powers

TOTALS = "TOTALS"
TELL_S = 10.0  # at most so often a message leaves
RESTATE_S = 60.0  # a total that does not change is stated again so often; otherwise it would be forgotten
FORGET_S = 180.0  # what has not been stated for so long does not count: its node may be gone
_MOST_ROWS = 1024
_Row = tuple[str, int, int, int, list[int] | None]  # node, incarnation, number, age in s, powers in 0.1 W
_decode = msgpack.Decoder(list[_Row]).decode


@dataclass(slots=True)
class _Stated:
    order: tuple[int, int]  # incarnation of the node, and how often it has stated its total since
    at_s: float
    powers_w: Powers | None  # None: it does not know them, or tells them nobody
    told: bool = False  # to the neighbours


class Tally:
    """What one node knows of the totals of all. `most`: nodes of which it remembers something."""

    def __init__(self, node: str, most: int) -> None:
        self._node = node
        self._most = min(most, _MOST_ROWS)
        self._stated: dict[str, _Stated] = {}
        self._number = 0

    def state(self, powers_w: Powers | None, incarnation: int, now_s: float) -> None:
        """The own total; as often as one likes."""
        own = self._stated.get(self._node)
        if own and own.powers_w == powers_w and now_s < own.at_s + RESTATE_S:
            return
        self._number += 1
        self._stated[self._node] = _Stated((incarnation, self._number), now_s, powers_w)

    def take(self, sender: str, message: bytes, neighbours: Collection[str], now_s: float) -> None:
        """What a neighbour knows. Raises ValueError; then nothing of it counts.

        Of itself nobody knows more than this node, nor of another neighbour than that one.
        """
        try:
            rows = _decode(message)
        except (DecodeError, ValidationError) as error:
            raise ValueError(str(error)) from None
        found = {}
        for node, incarnation, number, age_s, powers in rows[:_MOST_ROWS]:
            powers_w = None if powers is None else possible_powers([each / 10 for each in powers])
            if (powers is not None and powers_w is None) or age_s < 0 or not 0 < len(node) <= 32:
                raise ValueError(f"the total of {node} is impossible")
            found[node] = _Stated((incarnation, number), now_s - age_s, powers_w)
        for node, new in found.items():
            if node == self._node or (node != sender and node in neighbours):
                continue
            held = self._stated.get(node)
            fits = new.order > held.order if held else len(self._stated) < self._most
            if fits and new.at_s > now_s - FORGET_S:
                self._stated[node] = new

    def news(self, now_s: float, most: int = _MOST_ROWS) -> bytes | None:
        """What neighbours should be told now, at most so many totals; None: nothing.

        Each total is told once: what is lost with a message comes with the next statement of it.
        """
        self._forget(now_s)
        rows: list[_Row] = []
        for node, each in sorted(self._stated.items()):
            if not each.told and len(rows) < most:
                each.told = True
                powers = None if each.powers_w is None else [round(10 * power_w) for power_w in each.powers_w]
                rows.append((node, *each.order, math.ceil(now_s - each.at_s) + 1, powers))
        return msgpack.encode(rows) if rows else None

    def tell_again(self) -> None:
        """A neighbour has come, which knows nothing."""
        for each in self._stated.values():
            each.told = False

    def summed(self, now_s: float) -> tuple[int, Powers] | None:
        """The number of nodes whose totals are known, and the sum of these; None without any."""
        self._forget(now_s)
        known = [each.powers_w for each in self._stated.values() if each.powers_w is not None]
        if not known:
            return None
        return len(known), tuple(round(math.fsum(column), 1) for column in zip(*known, strict=True))

    def _forget(self, now_s: float) -> None:
        for node in [node for node, each in self._stated.items() if each.at_s <= now_s - FORGET_S]:
            del self._stated[node]

"""What a microgrid has left and what it lacks, as its gates tell it next door (thesis 8.2.1, 8.3.2).

Suppliers of a microgrid with gates say what they have left. A gate adds that up and says on its other side
what its microgrid could give there, what is missing in it, at which price, up to which limit, and what is to
be expected. So a gate buys only what is there, and all gates know which of them serves which request.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from .charging import LEADS_MIN
from .messages import Priority, Request
from .parsing import MAX_PRICE, number, read_object
from .rules import EPSILON_W, MAX_POWER_W, MIN_POWER_W, with_margin

AHEAD_STEPS = 8  # quarter-hours of a forecast
_STALE_MIN = 60  # an older forecast says nothing
SOURCES_MAX = 1024  # twins whose surplus is known at once; no setting: sixteen of each of 64 nodes
_AMPLE = 2.0  # who has so many times what is asked serves it from few of its members, and soon
_MOVED, _MOVED_W = 0.05, 2.0  # what changes by less than both is not told again


@dataclass(frozen=True, slots=True)
class Surplus:
    """What stands behind one gate, in W. `left_w`: what could be had there; `lacks_w`: what is missing there.

    `most_w`: limit of what may come through the gate; `up`: the gate leads to the parent, which is asked
    last. `ahead_w`: what will be left in each of the next quarter-hours, negative: lacking; as far as known.
    """

    left_w: float
    lacks_w: float = 0.0
    price: float = 0.0
    most_w: float = math.inf
    up: bool = False
    ahead_w: tuple[float, ...] = ()

    @property
    def hidden(self) -> "Surplus":
        """What members need to know of it: that the gate is there."""
        return Surplus(0.0, up=self.up)

    def encode(self) -> bytes:
        left_w, lacks_w = min(self.left_w, MAX_POWER_W), min(self.lacks_w, MAX_POWER_W)
        fields: dict[str, object] = {"w": round(left_w, 1), "lacks": round(lacks_w, 1)}
        if self.price:
            fields["price"] = min(self.price, MAX_PRICE)
        if self.most_w < math.inf:
            fields["most"] = round(self.most_w, 1)
        if self.up:
            fields["up"] = True
        if self.ahead_w:
            fields["ahead"] = [round(each) for each in self.ahead_w]
        return orjson.dumps(fields)

    def is_near(self, other: "Surplus") -> bool:
        """Whether it says nothing new to those who know the other one."""
        same = (self.price, self.most_w, self.up) == (other.price, other.most_w, other.up)
        pairs = zip(self.ahead_w, other.ahead_w, strict=False)
        same = same and len(self.ahead_w) == len(other.ahead_w) and all(near(*pair) for pair in pairs)
        return same and near(self.left_w, other.left_w) and near(self.lacks_w, other.lacks_w)


def near(one_w: float, other_w: float) -> bool:
    """Whether two powers differ by too little to be told again."""
    if (one_w < MIN_POWER_W) != (other_w < MIN_POWER_W):
        return False
    return abs(one_w - other_w) <= max(_MOVED * max(abs(one_w), abs(other_w)), _MOVED_W)


def parse_surplus(data: bytes) -> Surplus:
    """What a gate tells. Raises ValueError, KeyError or TypeError."""
    fields = read_object(data)
    ahead = fields.get("ahead", [])
    if not isinstance(ahead, list) or len(ahead) > AHEAD_STEPS:
        raise ValueError("invalid forecast")
    most_w = number(fields["most"], 0.0, MAX_POWER_W) if "most" in fields else math.inf
    return Surplus(
        number(fields["w"], 0.0, MAX_POWER_W),
        number(fields["lacks"], 0.0, MAX_POWER_W),
        number(fields.get("price", 0.0), 0.0, MAX_PRICE),
        most_w,
        fields.get("up", False) is True,
        tuple(number(each, -MAX_POWER_W, MAX_POWER_W) for each in ahead),
    )


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the learning twin of a node predicts for its microgrid: `minute` (UTC), and what is produced less
    what is requested at each of its leads, in W; nan where it is not known."""

    minute: int
    net_w: tuple[float, ...]

    def ahead_w(self, minute: int) -> tuple[float, ...]:
        """The same for each quarter-hour from a minute on; empty if it is too old, or not all known."""
        passed = minute - self.minute
        if not 0 <= passed <= _STALE_MIN or any(math.isnan(each) for each in self.net_w):
            return ()
        return tuple(self._at_w(passed + 15 * (i + 1)) for i in range(AHEAD_STEPS))

    def _at_w(self, lead_min: int) -> float:
        later = next(i for i, each in enumerate(LEADS_MIN) if each >= lead_min)
        if later == 0:
            return self.net_w[0]
        begin, end = LEADS_MIN[later - 1], LEADS_MIN[later]
        share = (lead_min - begin) / (end - begin)
        return self.net_w[later - 1] + share * (self.net_w[later] - self.net_w[later - 1])


def encode_left(left_w: float) -> bytes:
    """What a supplier has left."""
    return orjson.dumps(round(left_w, 1))


def parse_left(data: bytes) -> "float | Surplus":
    """What a supplier has left in W, or what stands behind a gate. Raises ValueError, KeyError, TypeError."""
    return parse_surplus(data) if data[:1] == b"{" else number(orjson.loads(data), 0.0, MAX_POWER_W)


class Wanted(NamedTuple):
    """A request that is not served. `late`: those who should serve it have had their time; `first`: it has
    waited for so long that it comes before other microgrids."""

    consumer: str
    request: Request
    late: bool
    first: bool = False

    @property
    def power_w(self) -> float:
        """With its margin."""
        return with_margin(self.request.power_w)

    @property
    def least_w(self) -> float:
        """What serves it, if there is not more."""
        return self.request.power_w - EPSILON_W


def in_order(wanted: Iterable[Wanted]) -> list[Wanted]:
    """In the order in which remainders gather at requests, the same for all (see prioritisation)."""
    return sorted(wanted, key=lambda each: _urgency(each.request, each.consumer))


def _urgency(request: Request, consumer: str) -> tuple[bool, Priority, float, str]:
    return not request.partial, Priority(Priority.HIGH - request.priority), request.least_w, consumer


class Sources:
    """What is left in one microgrid: by its own suppliers, and behind its gates."""

    def __init__(self, most_w: float) -> None:
        """`most_w`: the most that is believed of one supplier."""
        self._most_w = most_w
        self._left_w: dict[str, float] = {}
        self.gates: dict[str, Surplus] = {}

    def see_left(self, name: str, left: float | Surplus | None) -> None:
        """A supplier or another gate has told what can be had of it, or nothing any more (None)."""
        if left is None:
            self._left_w.pop(name, None)
            if name in self.gates:
                self.gates[name] = self.gates[name].hidden
        elif isinstance(left, Surplus):
            if name in self.gates or len(self.gates) < SOURCES_MAX:
                self.gates[name] = left
        elif name in self._left_w or len(self._left_w) < SOURCES_MAX:
            self._left_w[name] = min(left, self._most_w)

    def see_gate(self, gate: str, hidden: Surplus | None) -> None:
        """Another gate is there, or leads nowhere any more (None); what stands behind it comes as `LEFT`."""
        if hidden is None:
            self.gates.pop(gate, None)
        elif len(self.gates) < SOURCES_MAX:
            self.gates.setdefault(gate, hidden)

    def forget(self, twin: str) -> None:
        """A twin has left."""
        self._left_w.pop(twin, None)
        self.gates.pop(twin, None)

    @property
    def tellers(self) -> list[str]:
        """The suppliers that tell what they have left."""
        return list(self._left_w)

    @property
    def able(self) -> list[str]:
        """All who have something left."""
        gates = [name for name, each in self.gates.items() if each.left_w]
        return [name for name, left_w in self._left_w.items() if left_w] + gates

    @property
    def own_w(self) -> float:
        """What its own suppliers have left."""
        return sum(self._left_w.values())

    @property
    def left_w(self) -> float:
        """All that can be had in it, as far as that can be told."""
        behind_w = sum(min(each.left_w, each.most_w) for each in self.gates.values())
        return min(self.own_w + behind_w, MAX_POWER_W)


class Shares(NamedTuple):
    """What one gate should give; in W, with margins."""

    by_consumer: dict[str, float]
    left_w: float  # of all others, after all requests
    lacks_w: float  # what a request that comes first and gets nothing lacks beside that; 0: none does


def assign(
    wanted: Iterable[Wanted], own_w: float, gates: Mapping[str, tuple[bool, float]], gate: str
) -> Shares:
    """What one gate should give to each request.

    `gates`: whether it leads up, and what it could give, by name; `gate` is one of them. Suppliers of the
    microgrid come first, then the gate that fits best of those with ample power. A request that is large for
    each of them is divided, each giving half of what it has, if all together have ample power; else one
    serves it if it can, and all together if no single one can. The parent is asked last. As suppliers do, a
    gate gives less than the whole margin if there is not more. All that know the same come to the same.

    What other gates say may be false. So when a request is late the gate serves it if it can, whatever the
    others say, and counts no longer on those that could have served it.
    """
    left_w = {name: power_w for name, (_, power_w) in gates.items()}
    mine: dict[str, float] = {}
    lacking_w: list[float] = []
    for each in in_order(wanted):
        if each.least_w <= own_w and not each.late:
            own_w = max(0.0, own_w - each.power_w)
            continue
        parts_w = _parts(each, own_w, {name: (gates[name][0], left_w[name]) for name in gates}, gate)
        if not parts_w:
            lacking_w += [each.power_w] if each.first else []
            continue
        own_w -= parts_w.pop("", 0.0)
        for name, power_w in parts_w.items():
            left_w[name] -= power_w
        if parts_w.get(gate, 0.0) >= MIN_POWER_W:
            mine[each.consumer] = parts_w[gate]
    left = max(0.0, own_w) + sum(each for name, each in left_w.items() if name != gate)
    return Shares(mine, left, max(0.0, lacking_w[0] - left) if lacking_w else 0.0)


def _parts(
    each: Wanted, own_w: float, gates: Mapping[str, tuple[bool, float]], gate: str
) -> dict[str, float]:
    """Which gate gives how much to one request, and "" what its own suppliers do; empty: it is not served."""
    need_w, least_w = each.power_w, each.least_w
    if each.late:
        own_left_w = gates[gate][1]
        if own_left_w >= least_w or (each.first and own_left_w >= MIN_POWER_W):
            return {gate: min(own_left_w, need_w)}
        gates = {name: gates[name] for name in gates if gates[name][1] < least_w}
    beside_w = {name: left_w for name, (up, left_w) in gates.items() if not up}
    whole = [name for name, (_, left_w) in gates.items() if left_w >= least_w]
    ample = [name for name, left_w in beside_w.items() if left_w >= _AMPLE * need_w]
    if not ample and sum(beside_w.values()) >= _AMPLE * need_w:
        return _filled(need_w, gates, share=1.0 / _AMPLE)
    if able := ample or whole:
        best = min(able, key=lambda name: (*gates[name], name))
        return {best: min(gates[best][1], need_w)}
    if not each.request.partial and own_w + sum(left_w for _, left_w in gates.values()) < least_w:
        return {}
    return _filled(need_w, gates, own_w)


def _filled(
    need_w: float, gates: Mapping[str, tuple[bool, float]], own_w: float = 0.0, share: float = 1.0
) -> dict[str, float]:
    """A need from own suppliers, then from the gates, the one with most first; each gives no more than that
    share of what it has."""
    parts_w = {"": min(own_w, need_w)}
    need_w -= parts_w[""]
    for name in sorted(gates, key=lambda name: (gates[name][0], -gates[name][1], name)):
        parts_w[name] = min(share * gates[name][1], need_w)
        need_w -= parts_w[name]
    return parts_w

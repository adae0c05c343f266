"""Counters of energy that others read, by HTTP or in Home Assistant: they never step back.

For each twin: what its device drew and gave. For the member, which is the node with all its devices: what it
imported and exported, and how much of that came from and went to other members by contract. At each moment

    import = what its devices draw beyond what they give = from the community + residual
    export = what its devices give beyond what they draw = to the community + fed in

and from the community counts what contracts with other nodes deliver, but never more than is imported. While
the power of a device is unknown, the member's counters stand still.

What is shown has been written to the history before. So a node that is killed shows no less afterwards, and
shows nothing before it has read what it had shown.
"""

import json
import logging
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from .clock import Clock
from .energy.book import State, node_of
from .energy.flows import PowerSource
from .history.file import HistoryLocked
from .history.store import Store
from .journal import device_w

if TYPE_CHECKING:
    from .twins.prosumer import ProsumerTwin

log = logging.getLogger("edge.counters")

KEPT = "counters"
KEPT_MIN = 5  # 0.4 MB a day on the card, 2 MB if it were 1; Home Assistant has statistics of five minutes
RARELY_KEPT_MIN = 15  # where Home Assistant does not ask
_LONGEST_S = 10.0  # between two looks; what was in a longer time is not known
_MOST_MWH = 10**15  # a thousand gigawatt-hours
_MEMBER = ""  # the counters of the member stand beside those of the twins, under this name
_S_PER_H = 3600.0


class MemberPowers(NamedTuple):
    """What flows through a member, in W."""

    drawn_w: float
    given_w: float
    from_community_w: float
    residual_w: float
    to_community_w: float
    fed_in_w: float


class MemberEnergy(NamedTuple):
    """What has flowed through a member, in whole Wh."""

    drawn_wh: int
    given_wh: int
    from_community_wh: int
    residual_wh: int
    to_community_wh: int
    fed_in_wh: int

    @property
    def import_wh(self) -> int:
        """Of which the community gave a part, and the residual is the rest."""
        return self.from_community_wh + self.residual_wh

    @property
    def export_wh(self) -> int:
        """Of which the community took a part, and the rest was fed in."""
        return self.to_community_wh + self.fed_in_wh


class TwinEnergy(NamedTuple):
    """What a device drew and gave, in whole Wh."""

    drawn_wh: int
    given_wh: int


def member_powers(drawn_w: float, given_w: float, received_w: float, delivered_w: float) -> MemberPowers:
    """`received_w` and `delivered_w`: by contracts with other nodes."""
    import_w, export_w = max(0.0, drawn_w - given_w), max(0.0, given_w - drawn_w)
    from_w, to_w = min(import_w, received_w), min(export_w, delivered_w)
    return MemberPowers(drawn_w, given_w, from_w, import_w - from_w, to_w, export_w - to_w)


def powers_of(twins: "Iterable[ProsumerTwin]") -> MemberPowers | None:
    """What flows now; None while the power of a device is unknown. A connection to the grid is no device."""
    drawn_w = given_w = received_w = delivered_w = 0.0
    for twin in twins:
        if twin.settings.source is PowerSource.GRID:
            continue
        found = device_w(twin)
        if found is None:
            return None
        drawn_w, given_w = drawn_w + found[0], given_w + found[1]
        own = node_of(twin.name)
        for contract in twin.consumer.active:
            received_w += sum(part.power_w for part in contract.parts if node_of(part.supplier) != own)
        for promise in twin.supplier.book:
            if promise.state is State.VALID and node_of(promise.consumer) != own:
                delivered_w += promise.power_w
    return member_powers(drawn_w, given_w, received_w, delivered_w)


class Counters:
    """Those of one node; its thread counts and reads them."""

    def __init__(self, history: Store, clock: Clock, kept_min: int = KEPT_MIN) -> None:
        """`kept_min`: after so many minutes they are kept and shown."""
        self._history, self._clock, self._kept_min = history, clock, kept_min
        self._mwh: dict[str, list[float]] = {}  # counted so far; since the start while it is not `_known`
        self._known = False  # what was counted before the start has been read
        self._kept: dict[str, tuple[int, ...]] | None = None  # on its way into the file
        self._shown: dict[str, tuple[int, ...]] = {}
        self._powers_w: dict[str, tuple[float, ...]] = {}  # since `_since_s`
        self._since_s = clock.now_s()
        self._minute = -1

    @property
    def member(self) -> MemberEnergy | None:
        """None as long as it is not known."""
        found = self._shown.get(_MEMBER)
        return MemberEnergy(*_whole(found)) if found else None

    def twin(self, short_name: str) -> TwinEnergy | None:
        """None as long as it is not known."""
        found = self._shown.get(short_name)
        return TwinEnergy(*_whole(found)) if found else None

    def second_passed(self, twins: "Iterable[ProsumerTwin]") -> None:
        """Add what has flowed since the last time; every few minutes it is kept, and then shown."""
        twins = list(twins)
        self._count()
        self._powers_w = {twin.short_name: found for twin in twins if (found := device_w(twin)) is not None}
        if (powers := powers_of(twins)) is not None:
            self._powers_w[_MEMBER] = powers
        if self._kept is not None and self._history.is_written(KEPT):
            self._shown, self._kept = self._kept, None
        minute = int(self._clock.wall_s() // 60)
        if minute != self._minute and (self._minute < 0 or (minute + 1) % self._kept_min == 0):
            first, self._minute = self._minute < 0, minute
            known = {twin.short_name for twin in twins}
            self._mwh = {name: sums for name, sums in self._mwh.items() if name in known or name == _MEMBER}
            self.keep(wake=first)

    def keep(self, wake: bool = True) -> None:
        """Have the history keep what was counted, so that it is shown; also to be called before the end.
        Without `wake` it is written with the next minutes."""
        self._count()
        if (self._known or self._read()) and self._mwh:
            self._kept = {name: tuple(map(math.floor, sums)) for name, sums in self._mwh.items()}
            if self._kept == self._shown:
                self._kept = None
                return
            self._history.keep(KEPT, json.dumps(self._kept, separators=(",", ":")).encode(), wake)

    # ---- inside -------------------------------------------------------------------------------

    def _count(self) -> None:
        now_s = self._clock.now_s()
        passed_s, self._since_s = now_s - self._since_s, now_s
        if 0.0 < passed_s <= _LONGEST_S:
            for name, powers_w in self._powers_w.items():
                sums = self._mwh.setdefault(name, [0.0] * len(powers_w))
                for i, power_w in enumerate(powers_w):
                    sums[i] += 1000 * power_w * passed_s / _S_PER_H

    def _read(self) -> bool:
        """Add what was counted before the start; False if it cannot be read now."""
        failures = self._history.failures
        try:
            data = self._history.kept(KEPT)
        except HistoryLocked:
            return False
        if data is None and self._history.failures != failures:
            return False  # the next time there may be an answer, or a new file
        self._known = True
        for name, before in _parsed(data).items():
            sums = self._mwh.setdefault(name, [0.0] * len(before))
            self._mwh[name] = [old + new for old, new in zip(before, sums, strict=True)]
            self._shown[name] = before
        return True


def _whole(mwh: Iterable[int]) -> Iterable[int]:
    return (each // 1000 for each in mwh)


def _parsed(data: bytes | None) -> dict[str, tuple[int, ...]]:
    """Nothing of what nobody here has written."""
    try:
        found = json.loads(data or b"{}")
        return {name: tuple(each) for name, each in found.items() if _is_counted(name, each)}
    except (ValueError, AttributeError):
        log.error("the counters in the history are damaged, so they begin again")
        return {}


def _is_counted(name: str, mwh: object) -> bool:
    fields = MemberEnergy._fields if name == _MEMBER else TwinEnergy._fields
    right = isinstance(mwh, list) and len(mwh) == len(fields)
    return right and all(type(each) is int and 0 <= each < _MOST_MWH for each in mwh)  # type: ignore[attr-defined]

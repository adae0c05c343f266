"""What a prosumer did for its community in a minute, scored in Wh (thesis 7.4.1, 7.4.2).

The formulas are in docs/community.md.
Powers are sampled each second; a power counts as the smaller of two samples in a row, so that a jump counts
for nothing. What was withheld waits for 12 s, in which an offer makes it good.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

_EXPECTED = 0.8  # of the ideal supply; what exceeds it is a bonus
_PENALISED = 0.5  # of a request whose consumer has a penalty is expected to be served
_GRACE = 12  # samples
_AT_ONCE_S = 10.0  # a response within that time is as good as any other
_STAKE = 0.1  # of the energy, for equity and green consumption
MINUTE_S = 60


class Scene(NamedTuple):
    """The whole community in one second, in W."""

    asked_w: float  # unserved requests of consumers without a penalty
    penalised_w: float  # the same of those with one
    produced_w: float
    supplied_w: float
    indulged_w: float = 0.0  # of what is supplied, to consumers with a penalty, as far as it is known
    green_w: float = 0.0  # of what is produced
    threshold_w: float = 0.0  # most that all should draw; 0: what is produced

    @property
    def expected_w(self) -> float:
        """What suppliers are expected to give together. Others tell the parts, which may not fit together."""
        given_w = max(0.0, self.supplied_w - (1 - _PENALISED) * self.indulged_w)
        return given_w + self.asked_w + _PENALISED * self.penalised_w

    @property
    def coverage(self) -> float:
        """The share of all requests that may be drawn; 1 if nothing is short."""
        requested_w = self.supplied_w + self.asked_w + self.penalised_w
        most_w = min(self.produced_w, self.threshold_w) if self.threshold_w else self.produced_w
        return min(1.0, most_w / requested_w) if requested_w else 1.0


class Sight(NamedTuple):
    """One prosumer in one second, in W."""

    capacity_w: float = 0.0
    supplied_w: float = 0.0
    offered_w: float = 0.0
    consumed_w: float = 0.0
    green_w: float | None = None  # of what it consumes; None: not known
    asking: bool = False
    quota_w: float | None = None


@dataclass(frozen=True, slots=True)
class Award:
    """The scores of a minute, in Wh."""

    supply_wh: float = 0.0
    consumption_wh: float = 0.0
    equity_wh: float = 0.0
    green_wh: float = 0.0

    def total_wh(self, weights: tuple[float, float, float, float]) -> float:
        """Their weighed sum."""
        scores = self.supply_wh, self.consumption_wh, self.equity_wh, self.green_wh
        return sum(weight * score for weight, score in zip(weights, scores, strict=True))


@dataclass(slots=True)
class Scores:
    """The scores of one prosumer, as they grow during a minute."""

    bonus_wh: float = 0.0
    malus_wh: float = 0.0
    saved_wh: float = 0.0
    supplied_wh: float = 0.0
    green_wh: float = 0.0
    _bonus_w: float = 0.0  # of the sample before
    _withheld_w: float = 0.0
    _waiting: deque[list[float]] = field(default_factory=lambda: deque(maxlen=_GRACE))  # withheld, offered
    _responses_s: dict[str, float] = field(default_factory=dict)  # by consumer

    def look(self, sight: Sight, scene: Scene, passed_s: float = 1.0) -> None:
        """One sample."""
        hours = passed_s / 3600
        bonus_w = _bonus_w(sight, scene)
        self.bonus_wh += min(bonus_w, self._bonus_w) * hours
        self._bonus_w = bonus_w
        self.supplied_wh += sight.supplied_w * hours
        self._withhold(sight, scene, hours)
        self.saved_wh += _saved_w(sight, scene) * hours
        if sight.green_w is not None and sight.consumed_w > 0 and scene.produced_w > 0:
            share = sight.green_w / sight.consumed_w - scene.green_w / scene.produced_w
            self.green_wh += _STAKE * share * sight.consumed_w * hours

    def served(self, consumer: str, response_s: float) -> None:
        """A consumer in good standing got its supply after that time. Those of a minute are few."""
        if len(self._responses_s) < 64 or consumer in self._responses_s:
            self._responses_s[consumer] = max(response_s, _AT_ONCE_S)

    def close(self, withheld_weight: float = 1.0) -> Award:
        """The award of the minute; another begins."""
        responses_s = self._responses_s.values()
        equity = min(responses_s) / max(responses_s) if responses_s else 1.0
        award = Award(
            self.bonus_wh - withheld_weight * self.malus_wh,
            self.saved_wh,
            -_STAKE * (1 - equity) * self.supplied_wh,
            self.green_wh,
        )
        self.bonus_wh = self.malus_wh = self.saved_wh = self.supplied_wh = self.green_wh = 0.0
        self._responses_s.clear()
        return award

    def _withhold(self, sight: Sight, scene: Scene, hours: float) -> None:
        if len(self._waiting) == _GRACE:
            oldest_w = self._waiting.popleft()[0]
            self.malus_wh += min(oldest_w, self._withheld_w) * hours
            self._withheld_w = oldest_w
        if sight.offered_w > 0:
            for sample in self._waiting:
                sample[0] = max(0.0, sample[0] - max(0.0, sight.offered_w - sample[1]))
        free_w = max(0.0, sight.capacity_w - sight.supplied_w - sight.offered_w)
        withheld_w = min(free_w, max(0.0, scene.asked_w - sight.offered_w))
        self._waiting.append([withheld_w, sight.offered_w])


def _bonus_w(sight: Sight, scene: Scene) -> float:
    if not scene.produced_w:
        return 0.0
    ideal_w = min(scene.expected_w, scene.produced_w) * sight.capacity_w / scene.produced_w
    return max(0.0, sight.supplied_w - _EXPECTED * ideal_w)


def _saved_w(sight: Sight, scene: Scene) -> float:
    """What it leaves to others of its quota, or takes beyond it; nothing while there is enough for all."""
    if sight.quota_w is None or scene.coverage >= 1 or not (sight.consumed_w or sight.asking):
        return 0.0
    return scene.coverage * sight.quota_w - sight.consumed_w


def mean_share(parts_w: Mapping[bool | None, float]) -> float | None:
    """The green power of a consumption of green, other and unknown power; None if some is unknown."""
    return None if parts_w.get(None) else parts_w.get(True, 0.0)
